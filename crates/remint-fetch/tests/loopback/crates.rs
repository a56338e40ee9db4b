//! A sparse index and its crates, asked from outside and from inside a build.

use std::path::Path;

use remint_fetch::{FetchError, Registries, Tokens, UserConfiguration};
use remint_model::{Ecosystem, Lock, LockedFetch, PackageName, Sha256};
use reqwest::StatusCode;

use crate::proxying::Inside;
use crate::server::{Reply, Server, user};

fn name(text: &str) -> PackageName {
    PackageName::parse(Ecosystem::Cargo, text).unwrap()
}

/// A user whose cargo asks this server.
fn configured(place: &Path, server: &Server) -> UserConfiguration {
    let user = user(place, server);
    let settings = format!(
        "[source.crates-io]\nreplace-with = 'here'\n[source.here]\nregistry = 'sparse+{}'\n",
        server.url("index/")
    );
    let home = user.home.clone().unwrap().join(".cargo");
    fs_err::create_dir_all(&home).unwrap();
    fs_err::write(home.join("config.toml"), settings).unwrap();
    let config = serde_json::json!({"dl": server.url("crates")});
    server.set("index/config.json", Reply::json(&config));
    user
}

fn packed(version: &str, repository: &str) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let manifest = format!("[package]\nname = \"published\"\nrepository = \"{repository}\"\n");
    let mut header = tar::Header::new_gnu();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    let path = format!("published-{version}/Cargo.toml");
    tar.append_data(&mut header, path, manifest.as_bytes())
        .unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

fn line(name: &str, version: &str, time: &str, content: &[u8]) -> String {
    format!(
        "{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[],\"cksum\":\"{}\",\"features\":{{}},\"yanked\":false,\"pubtime\":\"{time}\"}}\n",
        Sha256::of(content)
    )
}

#[tokio::test]
async fn a_crate_is_taken_from_where_the_index_says_and_only_with_its_checksum() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = configured(place.path(), &server);
    let old = packed("0.9.0", "https://github.com/honest/name");
    let new = packed("1.0.0", "https://github.com/owner/name");
    let lost = packed("0.8.0", "https://github.com/older/name");
    let index = [
        line("published", "0.8.0", "2026-01-01T00:00:00Z", &lost),
        line("published", "0.9.0", "2026-02-01T00:00:00Z", &old),
        line("published", "1.0.0", "2026-03-01T00:00:00Z", &new),
    ]
    .concat();
    server.set("index/pu/bl/published", Reply::file(index.as_bytes()));
    server.set("crates/published/0.9.0/download", Reply::file(&old));
    server.set("crates/published/1.0.0/download", Reply::file(&new));

    let registries = Registries::new(&user).unwrap();
    let release = registries
        .release(Ecosystem::Cargo, &name("published"), None)
        .await
        .unwrap();
    assert_eq!(release.version.as_str(), "1.0.0");
    // What an earlier release named stands in its own file; one that is gone tells nothing.
    let earlier: Vec<(&str, Option<&str>, bool)> = release
        .earlier
        .iter()
        .map(|earlier| {
            let url = earlier.claims.first().map(|claim| claim.raw.as_str());
            (earlier.version.as_str(), url, earlier.untold.is_some())
        })
        .collect();
    assert_eq!(
        earlier,
        [
            ("0.9.0", Some("https://github.com/honest/name"), false),
            ("0.8.0", None, true)
        ]
    );
    let file = release.files.first().unwrap();
    let artifact = registries
        .download(file, &place.path().join("files"))
        .await
        .unwrap();
    assert_eq!(artifact.sha256, Sha256::of(&new));

    let place = tempfile::tempdir().unwrap();
    let user = configured(place.path(), &server);
    server.set("crates/published/1.0.0/download", Reply::file(b"other"));
    let registries = Registries::new(&user).unwrap();
    let error = registries
        .download(file, &place.path().join("files"))
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Integrity { .. }), "{error}");
}

#[tokio::test]
async fn an_index_that_cannot_be_asked_is_an_error_of_crates_alone() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = configured(place.path(), &server);
    let home = user.home.clone().unwrap().join(".cargo");
    fs_err::write(
        home.join("config.toml"),
        "[source.crates-io]\nreplace-with = 'vendored'\n[source.vendored]\ndirectory = 'vendor'\n",
    )
    .unwrap();
    let registries = Registries::new(&user).unwrap();
    let error = registries
        .release(Ecosystem::Cargo, &name("published"), None)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, FetchError::Configuration { reason, .. } if reason.contains("a directory")),
        "{error}"
    );
}

#[tokio::test]
async fn inside_a_build_there_is_the_index_without_the_release_and_no_file() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = configured(place.path(), &server);
    let published = [
        line("published", "0.9.0", "2026-01-01T00:00:00Z", b"a"),
        line("published", "1.0.0", "2026-03-01T00:00:00Z", b"b"),
    ]
    .concat();
    let dependency = [
        line("Dep", "1.0.0", "2026-01-01T00:00:00Z", b"c"),
        line("Dep", "2.0.0", "2027-01-01T00:00:00Z", b"d"),
    ]
    .concat();
    server.set("index/pu/bl/published", Reply::file(published.as_bytes()));
    server.set("index/3/d/dep", Reply::file(dependency.as_bytes()));
    server.set("index/ot/he/other", Reply::file(dependency.as_bytes()));
    let inside = |lock: &Lock| {
        Inside::rebuilding(
            Ecosystem::Cargo,
            &user,
            lock,
            Tokens::AsConfigured,
            u64::MAX,
        )
    };
    let text = async |inside: &Inside, path: &str| {
        let response = inside.get(&format!("https://index.crates.io/{path}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.unwrap()
    };

    let open = inside(&Lock::AsOf {
        time: Some(1_772_323_200),
    });
    // Nothing inside depends on which mirror the user has.
    let config = text(&open, "config.json").await;
    assert!(config.contains("static.crates.io") && !config.contains("127.0.0.1"));
    let shown = text(&open, "pu/bl/published").await;
    assert!(
        shown.contains("0.9.0") && !shown.contains("\"1.0.0\""),
        "{shown}"
    );
    let shown = text(&open, "3/d/dep").await;
    assert!(
        shown.contains("\"1.0.0\"") && !shown.contains("2.0.0"),
        "{shown}"
    );
    for (url, status) in [
        ("https://index.crates.io/dep", StatusCode::NOT_FOUND),
        ("https://index.crates.io/3/d/DEP", StatusCode::NOT_FOUND),
        (
            "https://index.crates.io/../etc/passwd",
            StatusCode::NOT_FOUND,
        ),
    ] {
        assert_eq!(open.get(url).await.status(), status, "{url}");
    }
    let url = "https://crates.io/crates/published/1.0.0/download";
    assert!(open.client_get_fails(url).await);
    for path in ["published/1.0.0", "Dep/1.0.0"] {
        let url = format!("https://static.crates.io/crates/{path}/download");
        assert_eq!(
            open.get(&url).await.status(),
            StatusCode::FORBIDDEN,
            "{url}"
        );
    }

    let locked = inside(&Lock::Locked {
        file: "Cargo.lock".parse().unwrap(),
        fetches: vec![LockedFetch {
            name: "Dep".to_owned(),
            version: "1.0.0".to_owned(),
            url: None,
            integrity: None,
        }],
    });
    assert!(text(&locked, "3/d/dep").await.contains("\"2.0.0\""));
    let other = locked.get("https://index.crates.io/ot/he/other").await;
    assert_eq!(other.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        locked.refused(),
        [(
            "https://index.crates.io/ot/he/other".to_owned(),
            "not-in-lockfile".to_owned()
        )]
    );
}

#[tokio::test]
async fn a_python_project_gets_the_crates_that_it_compiles_with_the_digests_of_the_index() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let user = configured(place.path(), &server);
    let lines = [
        line("dep", "1.0.0", "2026-01-01T00:00:00Z", b"c"),
        line("dep", "2.0.0", "2026-01-01T00:00:00Z", b"d"),
    ]
    .concat();
    server.set("index/3/d/dep", Reply::file(lines.as_bytes()));
    server.set("crates/dep/1.0.0/download", Reply::file(b"c"));
    server.set("crates/dep/2.0.0/download", Reply::file(b"tampered"));
    let inside = |lock: &Lock| {
        Inside::rebuilding(Ecosystem::Pypi, &user, lock, Tokens::AsConfigured, u64::MAX)
    };
    let open = inside(&Lock::AsOf { time: None });
    let address = |version: &str| format!("https://static.crates.io/crates/dep/{version}/download");
    let response = open.get(&address("1.0.0")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.bytes().await.unwrap().as_ref(), b"c");
    for (version, status) in [
        ("2.0.0", StatusCode::FORBIDDEN),
        ("3.0.0", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            open.get(&address(version)).await.status(),
            status,
            "{version}"
        );
    }
    let nothing = inside(&Lock::Nothing);
    assert_eq!(
        nothing.get(&address("1.0.0")).await.status(),
        StatusCode::FORBIDDEN
    );
}
