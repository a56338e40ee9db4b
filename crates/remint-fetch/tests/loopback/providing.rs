//! Tools from registries, honest and not.

use std::sync::Arc;

use remint_fetch::{FetchError, ProvidedTool, Registries, ToolStore, UserConfiguration, platform};
use remint_model::{Integrity, Sha1, Sha512, Tool, ToolOrigin};
use serde_json::{Value, json};

use crate::server::{Reply, Server, user};

fn tarball() -> Vec<u8> {
    tarball_with(0)
}

/// A tool's tarball with so many files more.
fn tarball_with(more: usize) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    let mut files = vec![
        (
            "package/package.json".to_owned(),
            r#"{"name":"tool","bin":{"tool":"cli.js"}}"#,
            0o644,
        ),
        ("package/cli.js".to_owned(), "console.log(1)\n", 0o755),
    ];
    files.extend((0..more).map(|number| (format!("package/data/{number}"), "data\n", 0o644)));
    for (path, content, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        builder
            .append_data(&mut header, &path, content.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn publish(server: &Server, versions: &[(&str, &str)], dist: &Value) {
    publish_file(server, versions, dist, &tarball());
}

fn publish_file(server: &Server, versions: &[(&str, &str)], dist: &Value, file: &[u8]) {
    let mut documents = serde_json::Map::new();
    let mut times = serde_json::Map::new();
    for (version, time) in versions {
        let mut dist = dist.clone();
        dist["tarball"] = json!(server.url(&format!("npm/tool/-/tool-{version}.tgz")));
        let document = json!({"name": "tool", "version": version, "dist": dist});
        server.set(&format!("npm/tool/{version}"), Reply::json(&document));
        server.set(&format!("npm/tool/-/tool-{version}.tgz"), Reply::file(file));
        documents.insert((*version).to_owned(), document);
        times.insert((*version).to_owned(), json!(time));
    }
    let (latest, _) = versions.last().unwrap();
    let packument = json!({"name": "tool", "versions": documents, "time": times, "dist-tags": {"latest": latest}});
    server.set("npm/tool", Reply::json(&packument));
}

async fn provide(
    user: &UserConfiguration,
    version: &str,
    as_of: Option<i64>,
) -> Result<ProvidedTool, FetchError> {
    let tool = Tool {
        name: "tool".to_owned(),
        version: Some(version.to_owned()),
        as_of,
        origin: ToolOrigin::Npm {
            package: "tool".to_owned(),
        },
        because: String::new(),
    };
    let store = ToolStore::new(Arc::new(Registries::new(user).unwrap()));
    store.provide(&tool, platform()).await
}

fn honest() -> Value {
    integrity_of(&tarball())
}

fn integrity_of(file: &[u8]) -> Value {
    json!({"integrity": Integrity::Sha512(Sha512::of(file)).to_string()})
}

#[tokio::test]
async fn only_what_a_strong_digest_vouches_for_becomes_a_tool() {
    for (dist, expect) in [
        (honest(), "ready"),
        (
            json!({"integrity": Integrity::Sha512(Sha512::of(b"other")).to_string()}),
            "integrity",
        ),
        (json!({"shasum": Sha1::of(&tarball()).to_string()}), "tool"),
        (json!({}), "tool"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start();
        publish(&server, &[("1.0.0", "2024-01-01T00:00:00Z")], &dist);
        let outcome = match provide(&user(place.path(), &server), "1.0.0", None).await {
            Ok(ready) => {
                assert_eq!(ready.inside, "/opt/tool-1.0.0");
                "ready"
            }
            Err(FetchError::Integrity { .. }) => "integrity",
            Err(FetchError::Tool { .. }) => "tool",
            Err(error) => panic!("{error}"),
        };
        assert_eq!(outcome, expect, "{dist}");
    }
}

#[tokio::test]
async fn a_tool_that_was_tampered_with_is_made_anew() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    publish(&server, &[("1.0.0", "2024-01-01T00:00:00Z")], &honest());
    let user = user(place.path(), &server);
    let ready = provide(&user, "1.0.0", None).await.unwrap();
    let script = ready.host.join("lib/cli.js");
    fs_err::remove_file(&script).unwrap();
    fs_err::write(&script, "console.log(2)\n").unwrap();
    let again = provide(&user, "1.0.0", None).await.unwrap();
    assert_eq!(again, ready);
    assert_eq!(fs_err::read_to_string(&script).unwrap(), "console.log(1)\n");
}

/// Each has a store of its own over the same directory, as processes have.
#[test]
fn many_at_once_share_the_tool_that_the_first_made() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    // Large enough that they meet.
    let file = tarball_with(2000);
    let versions = [("1.0.0", "2024-01-01T00:00:00Z")];
    publish_file(&server, &versions, &integrity_of(&file), &file);
    let user = user(place.path(), &server);
    let start = std::sync::Barrier::new(8);
    let made: Vec<_> = std::thread::scope(|scope| {
        let each: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Runtime::new().unwrap();
                    start.wait();
                    let ready = runtime.block_on(provide(&user, "1.0.0", None)).unwrap();
                    let script = fs_err::File::open(ready.host.join("lib/cli.js")).unwrap();
                    (ready, script)
                })
            })
            .collect();
        each.into_iter().map(|one| one.join().unwrap()).collect()
    });
    // What one was given has not been replaced since.
    for (ready, script) in &made {
        let now = fs_err::metadata(ready.host.join("lib/cli.js")).unwrap();
        let then = script.metadata().unwrap();
        assert!(same_file(&now, &then), "{}", ready.host.display());
    }
}

#[cfg(unix)]
fn same_file(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same_file(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

#[tokio::test]
async fn a_range_means_what_was_out_at_the_time() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start();
    let versions = [
        ("1.0.0", "2024-01-01T00:00:00Z"),
        ("1.1.0", "2024-05-01T00:00:00Z"),
        ("1.2.0", "2024-07-01T00:00:00Z"),
    ];
    publish(&server, &versions, &honest());
    let user = user(place.path(), &server);
    // 2024-06-01
    for (as_of, expect) in [(Some(1_717_200_000), "1.1.0"), (None, "1.2.0")] {
        let ready = provide(&user, "^1.0.0", as_of).await.unwrap();
        assert_eq!(ready.version, expect);
    }
    let error = provide(&user, "9.9.9", None).await.unwrap_err();
    assert!(matches!(error, FetchError::Lacks { .. }), "{error}");
    let error = provide(&user, "^9", None).await.unwrap_err();
    assert!(matches!(error, FetchError::Tool { .. }), "{error}");
}
