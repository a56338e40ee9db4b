//! Releases and files from registries that lie, fail and dawdle.

use std::path::Path;

use remint_ecosystem::ReleaseFile;
use remint_fetch::{FetchError, Registries, UserConfiguration};
use remint_model::{
    Artifact, ArtifactFormat, Ecosystem, Integrity, PackageName, Published, Sha1, Sha256, Sha512,
};
use serde_json::json;

use crate::server::{Reply, Server, user};

fn npm(name: &str) -> PackageName {
    PackageName::parse(Ecosystem::Npm, name).unwrap()
}

fn file(url: String, integrity: Option<Integrity>) -> ReleaseFile {
    ReleaseFile {
        name: "a-1.0.0.tgz".parse().unwrap(),
        format: ArtifactFormat::NpmTarball,
        url,
        integrity,
        size: None,
        uploaded: None,
        provenance: None,
        provenance_before: None,
    }
}

async fn download(
    user: &UserConfiguration,
    file: &ReleaseFile,
    place: &Path,
) -> Result<Artifact<Published>, FetchError> {
    let registries = Registries::new(user)?;
    registries.download(file, &place.join("files")).await
}

#[tokio::test]
async fn a_file_is_taken_only_with_its_declared_digest() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = user(place.path(), &server);
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"content"));
    let url = server.url("npm/a/-/a-1.0.0.tgz");
    for (integrity, expect) in [
        (Integrity::Sha512(Sha512::of(b"content")), true),
        (Integrity::Sha256(Sha256::of(b"content")), true),
        (Integrity::Sha1(Sha1::of(b"content")), true),
        (Integrity::Sha512(Sha512::of(b"Content")), false),
        (Integrity::Sha256(Sha256::of(b"Content")), false),
        (Integrity::Sha1(Sha1::of(b"Content")), false),
    ] {
        let outcome = download(
            &user,
            &file(url.clone(), Some(integrity.clone())),
            place.path(),
        )
        .await;
        match outcome {
            Ok(artifact) => {
                assert!(expect, "{integrity}");
                assert_eq!(fs_err::read(artifact.path).unwrap(), b"content");
                assert_eq!(artifact.sha256, Sha256::of(b"content"));
                assert_eq!(artifact.size, 7);
            }
            Err(FetchError::Integrity { expected, .. }) => {
                assert!(!expect, "{integrity}");
                assert_eq!(expected, integrity);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn absence_silence_refusal_and_damage_are_told_apart() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = user(place.path(), &server);
    let outcome = async |reply: Reply| {
        server.set("npm/a", reply);
        let registries = Registries::new(&user).unwrap();
        registries
            .release(Ecosystem::Npm, &npm("a"), None)
            .await
            .unwrap_err()
    };
    assert!(matches!(
        outcome(Reply::Status(404)).await,
        FetchError::NotFound(_)
    ));
    assert!(matches!(
        outcome(Reply::Status(410)).await,
        FetchError::NotFound(_)
    ));
    assert!(matches!(
        outcome(Reply::Status(401)).await,
        FetchError::Denied { status: 401, .. }
    ));
    assert!(matches!(
        outcome(Reply::Status(503)).await,
        FetchError::Unavailable { .. }
    ));
    assert!(matches!(
        outcome(Reply::Truncated(b"{".to_vec())).await,
        FetchError::Unavailable { .. }
    ));
    assert!(matches!(
        outcome(Reply::Endless).await,
        FetchError::TooLarge { .. }
    ));
    for text in ["not json", "[]", "{}"] {
        let error = outcome(Reply::file(text.as_bytes())).await;
        assert!(
            matches!(
                error,
                FetchError::Malformed { .. } | FetchError::NotFound(_)
            ),
            "{text}: {error}"
        );
    }
    let mut nobody = user.clone();
    nobody.variables.insert(
        "npm_config_registry".to_owned(),
        "http://127.0.0.1:1/".to_owned(),
    );
    let error = Registries::new(&nobody)
        .unwrap()
        .release(Ecosystem::Npm, &npm("a"), None)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_passing_failure_is_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = user(place.path(), &server);
    server.set(
        "npm/a/-/a-1.0.0.tgz",
        Reply::Sequence(vec![
            Reply::Status(500),
            Reply::Truncated(b"con".to_vec()),
            Reply::file(b"content"),
        ]),
    );
    let url = server.url("npm/a/-/a-1.0.0.tgz");
    let integrity = Integrity::Sha512(Sha512::of(b"content"));
    let artifact = download(&user, &file(url, Some(integrity)), place.path())
        .await
        .unwrap();
    assert_eq!(fs_err::read(artifact.path).unwrap(), b"content");
    assert_eq!(server.count("npm/a/-/a-1.0.0.tgz"), 3);
}

#[tokio::test]
async fn credentials_stay_with_their_registry() {
    let place = tempfile::tempdir().unwrap();
    let (server, other) = (Server::start(), Server::start());
    let mut user = user(place.path(), &server);
    user.variables.insert(
        format!("npm_config_//127.0.0.1:{}/npm/:_authToken", server.port),
        "secret".to_owned(),
    );
    // The other server has credentials of its own, which a redirect must not trigger either.
    user.variables.insert(
        format!("npm_config_//127.0.0.1:{}/:_authToken", other.port),
        "other".to_owned(),
    );
    user.variables
        .insert("npm_config_@other:registry".to_owned(), other.url(""));
    server.set("npm/a/-/a-1.0.0.tgz", Reply::Redirect(other.url("blob")));
    other.set("blob", Reply::file(b"content"));
    server.set(
        "npm/b/-/b-1.0.0.tgz",
        Reply::Redirect(server.url("outside")),
    );
    server.set("outside", Reply::file(b"content"));
    for url in ["npm/a/-/a-1.0.0.tgz", "npm/b/-/b-1.0.0.tgz"] {
        let file = file(server.url(url), Some(Integrity::Sha1(Sha1::of(b"content"))));
        download(&user, &file, place.path()).await.unwrap();
    }
    let authorization = |server: &Server, path: &str| {
        let seen = server.seen();
        let seen = seen.iter().find(|seen| seen.path == path).unwrap();
        seen.headers.get("authorization").cloned()
    };
    assert_eq!(
        authorization(&server, "/npm/a/-/a-1.0.0.tgz").as_deref(),
        Some("Bearer secret")
    );
    assert_eq!(authorization(&other, "/blob"), None);
    assert_eq!(authorization(&server, "/outside"), None);
}

#[tokio::test]
async fn a_release_is_read_and_kept_for_offline_use() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let mut user = user(place.path(), &server);
    let integrity = Sha512::of(b"content");
    server.set(
        "npm/@s%2fa",
        Reply::json(&json!({
            "name": "@s/a", "dist-tags": {"latest": "1.0.0"},
            "versions": {"1.0.0": {"name": "@s/a", "version": "1.0.0", "dist": {
                // A mirror that passes on the public registry's address.
                "tarball": "https://registry.npmjs.org/@s/a/-/a-1.0.0.tgz",
                "integrity": Integrity::Sha512(integrity).to_string(),
            }}},
        })),
    );
    server.set("npm/@s/a/-/a-1.0.0.tgz", Reply::file(b"content"));
    for offline in [false, false, true] {
        user.offline = offline;
        let registries = Registries::new(&user).unwrap();
        let release = registries
            .release(Ecosystem::Npm, &npm("@s/a"), None)
            .await
            .unwrap();
        let first = release.files.first().unwrap();
        let artifact = registries
            .download(first, &place.path().join("files"))
            .await
            .unwrap();
        assert_eq!(artifact.sha512, integrity);
    }
    assert_eq!(server.count("npm/@s%2fa"), 2);
    assert_eq!(server.count("npm/@s/a/-/a-1.0.0.tgz"), 1);
    let registries = Registries::new(&user).unwrap();
    let error = registries
        .release(Ecosystem::Npm, &npm("unseen"), None)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Offline(_)), "{error}");
}

#[tokio::test]
async fn damaged_cache_content_is_fetched_again() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = user(place.path(), &server);
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"content"));
    let wanted = file(
        server.url("npm/a/-/a-1.0.0.tgz"),
        Some(Integrity::Sha512(Sha512::of(b"content"))),
    );
    download(&user, &wanted, place.path()).await.unwrap();
    let digits = Sha256::of(b"content").to_string();
    let kept = user
        .cache
        .join("content")
        .join(digits.get(..2).unwrap())
        .join(&digits);
    fs_err::remove_file(&kept).unwrap();
    fs_err::write(&kept, b"Content").unwrap();
    let artifact = download(&user, &wanted, place.path()).await.unwrap();
    assert_eq!(fs_err::read(artifact.path).unwrap(), b"content");
    assert_eq!(server.count("npm/a/-/a-1.0.0.tgz"), 2);
}

#[tokio::test]
async fn a_python_release_comes_from_html_or_json_and_further_indexes_only_fill_gaps() {
    let place = tempfile::tempdir().unwrap();
    let (server, further) = (Server::start(), Server::start());
    let mut user = user(place.path(), &server);
    user.variables
        .insert("PIP_EXTRA_INDEX_URL".to_owned(), further.url("simple/"));
    let html = |digest: Sha256| {
        let text = format!(
            "<html><body><a href=\"../../files/mcp_x-1.0-py3-none-any.whl#sha256={digest}\">mcp_x-1.0-py3-none-any.whl</a>"
        );
        Reply::Content("text/html", text.into_bytes())
    };
    server.set("simple/mcp-x/", html(Sha256::of(b"wheel")));
    server.set("files/mcp_x-1.0-py3-none-any.whl", Reply::file(b"wheel"));
    further.set("simple/mcp-x/", html(Sha256::of(b"lookalike")));
    further.set(
        "simple/mcp-y/",
        Reply::Content(
            "text/html",
            b"<a href=mcp_y-1.0-py3-none-any.whl>mcp_y-1.0-py3-none-any.whl</a>".to_vec(),
        ),
    );
    let registries = Registries::new(&user).unwrap();
    let python = |name: &str| PackageName::parse(Ecosystem::Pypi, name).unwrap();
    let release = registries
        .release(Ecosystem::Pypi, &python("mcp_x"), None)
        .await
        .unwrap();
    let first = release.files.first().unwrap();
    assert_eq!(
        first.integrity,
        Some(Integrity::Sha256(Sha256::of(b"wheel")))
    );
    registries.download(first, place.path()).await.unwrap();
    assert!(further.seen().is_empty());
    let release = registries
        .release(Ecosystem::Pypi, &python("mcp-y"), None)
        .await
        .unwrap();
    assert_eq!(release.version.as_str(), "1.0");
    // An index that does not answer might have the project: nobody else may speak for it.
    server.set("simple/mcp-z/", Reply::Status(503));
    further.set("simple/mcp-z/", html(Sha256::of(b"lookalike")));
    let error = registries
        .release(Ecosystem::Pypi, &python("mcp-z"), None)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Unavailable { .. }), "{error}");
}

#[test]
fn local_files_are_judged_by_their_names() {
    let place = tempfile::tempdir().unwrap();
    for (name, expect) in [
        ("a-1.0.0.tgz", true),
        ("a-1.0.0-py3-none-any.whl", true),
        ("a-1.0.0.crate", true),
        ("a.exe", false),
        ("-a.tgz", false),
    ] {
        let path = place.path().join(name);
        fs_err::write(&path, b"x").unwrap();
        let outcome = remint_fetch::LocalFile::open(&path);
        assert_eq!(outcome.is_ok(), expect, "{name}");
    }
    for path in [place.path().join("absent.tgz"), place.path().to_owned()] {
        let error = remint_fetch::LocalFile::open(&path).unwrap_err();
        assert!(matches!(error, FetchError::Artifact { .. }), "{error}");
    }
}
