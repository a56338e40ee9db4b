//! Provenance as registries serve it, keep it back, or have never heard of it.

use std::path::Path;

use remint_ecosystem::ReleaseFile;
use remint_fetch::{ProvenanceReply, Registries};
use remint_model::{ArtifactFormat, Ecosystem, PackageName, Target};
use serde_json::json;

use crate::server::{Reply, Server, user};

fn target(ecosystem: Ecosystem, name: &str, file: Option<&str>) -> Target {
    Target {
        ecosystem,
        name: PackageName::parse(ecosystem, name).unwrap(),
        version: "1.0.0".parse().unwrap(),
        file: file.map(|file| file.parse().unwrap()),
    }
}

fn file(name: &str, provenance: Option<String>) -> ReleaseFile {
    ReleaseFile {
        name: name.parse().unwrap(),
        format: ArtifactFormat::of(name).unwrap(),
        url: "https://files.example.invalid/x".to_owned(),
        integrity: None,
        size: None,
        uploaded: None,
        provenance,
        provenance_before: None,
    }
}

async fn npm(place: &Path, server: &Server) -> ProvenanceReply {
    let registries = Registries::new(&user(place, server)).unwrap();
    registries
        .provenance(
            &target(Ecosystem::Npm, "@scope/name", None),
            // What a mirror passes on is not where the user's registry is.
            &file(
                "name-1.0.0.tgz",
                Some("https://registry.npmjs.org/-/npm/v1/attestations/x".to_owned()),
            ),
        )
        .await
}

const ATTESTATIONS: &str = "npm/-/npm/v1/attestations/@scope%2fname@1.0.0";

#[tokio::test]
async fn an_npm_registry_is_asked_under_its_own_address() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    assert_eq!(
        npm(place.path(), &server).await,
        ProvenanceReply::NoneOffered
    );
    assert_eq!(server.count(ATTESTATIONS), 1);
    server.set(ATTESTATIONS, Reply::file(b"an answer"));
    assert_eq!(
        npm(place.path(), &server).await,
        ProvenanceReply::Document(b"an answer".to_vec())
    );
    server.set("npm/-/npm/v1/keys", Reply::file(b"keys"));
    let registries = Registries::new(&user(place.path(), &server)).unwrap();
    let name = PackageName::parse(Ecosystem::Npm, "@scope/name").unwrap();
    assert_eq!(
        registries.registry_keys(&name).await,
        ProvenanceReply::Document(b"keys".to_vec())
    );
}

#[tokio::test]
async fn silence_refusal_and_damage_are_told_apart_from_absence() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    for status in [401, 403, 503] {
        server.set(ATTESTATIONS, Reply::Status(status));
        let reply = npm(place.path(), &server).await;
        assert!(
            matches!(reply, ProvenanceReply::Unreachable(_)),
            "{status}: {reply:?}"
        );
    }
    server.set(ATTESTATIONS, Reply::Endless);
    let reply = npm(place.path(), &server).await;
    assert!(matches!(reply, ProvenanceReply::Unreadable(_)), "{reply:?}");

    let mut offline = user(place.path(), &server);
    offline.offline = true;
    offline.cache = place.path().join("other");
    let registries = Registries::new(&offline).unwrap();
    let before = server.seen().len();
    let reply = registries
        .provenance(
            &target(Ecosystem::Npm, "@scope/name", None),
            &file("name-1.0.0.tgz", None),
        )
        .await;
    assert!(
        matches!(reply, ProvenanceReply::Unreachable(_)),
        "{reply:?}"
    );
    assert_eq!(server.seen().len(), before, "nothing is asked offline");
}

#[tokio::test]
async fn an_index_is_asked_beside_its_pages_or_where_it_says_itself() {
    const FILE: &str = "my_server-1.0.0.tar.gz";
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    server.set(
        "simple/my-server/",
        Reply::Content(
            "application/vnd.pypi.simple.v1+json",
            json!({ "meta": { "api-version": "1.3" }, "name": "my-server", "files": [] })
                .to_string()
                .into_bytes(),
        ),
    );
    let ask = async |provenance: Option<String>| {
        let registries = Registries::new(&user(place.path(), &server)).unwrap();
        registries
            .provenance(
                &target(Ecosystem::Pypi, "my-server", Some(FILE)),
                &file(FILE, provenance),
            )
            .await
    };
    assert_eq!(ask(None).await, ProvenanceReply::NoneOffered);
    let beside = format!("integrity/my-server/1.0.0/{FILE}/provenance");
    server.set(&beside, Reply::file(b"beside"));
    server.set("elsewhere", Reply::file(b"stated"));
    let document = |text: &str| ProvenanceReply::Document(text.as_bytes().to_vec());
    assert_eq!(ask(None).await, document("beside"));
    assert_eq!(ask(Some(server.url("elsewhere"))).await, document("stated"));
    assert_eq!(ask(Some("/elsewhere".to_owned())).await, document("stated"));
    // Another host than the index that the user has configured.
    let foreign = format!("https://pypi.example.invalid/{beside}");
    assert_eq!(ask(Some(foreign)).await, document("beside"));
    let seen = server.seen();
    let asked = seen.iter().rfind(|seen| seen.path.contains("integrity"));
    assert_eq!(
        asked.unwrap().headers["accept"],
        "application/vnd.pypi.integrity.v1+json"
    );
}
