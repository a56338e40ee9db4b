//! Machines that lack something: namespaces, room. Through the binary, and in what it tells.

use std::net::TcpListener;

use serde_json::json;

use crate::npm::stand_in;
use crate::world::World;

const SPEC: &str = "npm:note-server@1.0.0";

/// A release that installs something: its manifest and its lockfile.
fn with_dependency() -> [(&'static str, String); 2] {
    let dependencies = json!({ "ms": "2.1.3" });
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
                "version": "2.1.3", "dev": true,
                "resolved": "https://registry.npmjs.org/ms/-/ms-2.1.3.tgz",
                "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==",
            },
        },
    });
    [
        ("package.json", manifest.to_string()),
        ("package-lock.json", lock.to_string()),
    ]
}

#[test]
fn two_builds_without_namespaces_run_at_once_beside_a_program_at_the_proxy_s_usual_port() {
    // Whoever has it already serves as well.
    let _squatter = TcpListener::bind("127.0.0.1:4873");
    let world = World::of_an_ordinary_user();
    let [manifest, lock] = with_dependency();
    let changes = [(manifest.0, manifest.1.as_str()), (lock.0, lock.1.as_str())];
    let repository = world.repository("npm/plain", &changes, "v1.0.0");
    let stand_in = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
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
