//! Machines that lack something: namespaces, room. Through the binary, and in what it tells.

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::json;

use crate::elsewhere::left_out;
use crate::npm::stand_in;
use crate::world::{Answer, World};

pub(crate) const SPEC: &str = "npm:note-server@1.0.0";

/// The repository of a release that installs something, and a file to hold it against.
pub(crate) fn with_dependency(world: &World) -> (PathBuf, PathBuf) {
    (
        locked_to(world, "2.1.3"),
        stand_in(world, "note-server-1.0.0.tgz", "note-server"),
    )
}

/// The repository of a release that installs `ms`, locked to this version.
pub(crate) fn locked_to(world: &World, version: &str) -> PathBuf {
    let dependencies = json!({ "ms": "^2.1.3" });
    let manifest = json!({
        "name": "note-server", "version": "1.0.0", "type": "module", "files": ["lib"],
        "devDependencies": dependencies,
        "scripts": { "prepack": "cp node_modules/ms/index.js lib/ms.js" },
    });
    let lock = json!({
        "name": "note-server", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
        "packages": {
            "": { "name": "note-server", "version": "1.0.0", "devDependencies": dependencies },
            "node_modules/ms": {
                "version": version, "dev": true,
                "resolved": format!("https://registry.npmjs.org/ms/-/ms-{version}.tgz"),
                "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==",
            },
        },
    });
    let changes = [
        ("package.json", &*manifest.to_string()),
        ("package-lock.json", &*lock.to_string()),
    ];
    world.repository("npm/plain", &changes, "v1.0.0")
}

#[test]
fn two_builds_without_namespaces_run_at_once_beside_a_program_at_the_proxy_s_usual_port() {
    // Whoever has it already serves as well.
    let _squatter = TcpListener::bind("127.0.0.1:4873");
    let world = World::of_an_ordinary_user();
    let (repository, stand_in) = with_dependency(&world);
    let file = world.build(SPEC, &repository, &stand_in);
    let arguments = [
        SPEC,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
        "--isolation",
        "landlock",
    ];
    let answers = std::thread::scope(|scope| {
        let verify = || world.verify(&arguments);
        let more = || world.verify(&[&arguments[..], &["--build-network", "registries"]].concat());
        let (first, second) = (scope.spawn(verify), scope.spawn(more));
        [first.join().unwrap(), second.join().unwrap()]
    });
    let is_too_old = |answer: &Answer| answer.stderr.contains("Landlock is off, or too old");
    if answers.iter().all(is_too_old) {
        return left_out(
            "builds without namespaces",
            "this kernel's Landlock cannot hold them",
        );
    }
    for (answer, seen) in answers.iter().zip([1, 2]) {
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
        let build = &answer.target()["build"];
        assert_eq!(build["isolation"], "landlock");
        assert!(
            build["fetched"].to_string().contains("ms-2.1.3.tgz"),
            "{build}"
        );
        let assumptions = build["assumptions"].as_array().unwrap();
        let surroundings = assumptions
            .iter()
            .filter(|assumption| assumption["kind"] == "host-surroundings");
        assert_eq!(surroundings.count(), seen, "{assumptions:?}");
    }
}

#[test]
fn a_build_that_fetches_too_much_says_so() {
    // With caches of its own: an installed tree that is kept needs no fetching.
    let world = World::of_an_ordinary_user();
    let (repository, stand_in) = with_dependency(&world);
    fs_err::write(world.path().join("remint.toml"), "downloads = \"1K\"\n").unwrap();
    let answer = world.verify(&[
        SPEC,
        "--artifact",
        stand_in.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
    ]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(answer.target()["reason"], "not-built", "{answer:?}");
    let detail = answer.target()["detail"].as_str().unwrap();
    assert!(detail.contains("fetched more than 1"), "{detail}");
    assert!(detail.contains("REMINT_DOWNLOADS"), "{detail}");
    let refused = answer.target()["build"]["refused"].to_string();
    assert!(refused.contains("over-budget"), "{refused}");
}
