//! PyPI releases through the binary.

use std::path::{Path, PathBuf};

use crate::tamper;
use crate::world::{Answer, World};

const SPEC: &str = "pypi:note-server@1.0.0";

/// A minimal wheel: only to have something to hold a build against.
fn stand_in(world: &World) -> PathBuf {
    use std::io::Write as _;
    let path = world.path().join("note_server-1.0.0-py3-none-any.whl");
    let mut writer = zip::ZipWriter::new(fs_err::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        (
            "note_server-1.0.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: note-server\nVersion: 1.0.0\n",
        ),
        (
            "note_server-1.0.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        ("note_server-1.0.0.dist-info/RECORD", ""),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn verify(world: &World, repository: &Path, file: &Path) -> Answer {
    world.verify(&[
        SPEC,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
    ])
}

#[test]
fn an_honest_wheel_is_verified_and_tampered_ones_are_named() {
    let world = World::new();
    let repository = world.repository("pypi/plain", &[], "v1.0.0");
    let wheel = world.build(SPEC, &repository, &stand_in(&world));

    let answer = verify(&world, &repository, &wheel);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");

    let tampered = world.path().join("tampered");
    let file = tamper::wheel(&wheel, &tampered, |entries| {
        tamper::add(
            entries,
            "note_server_init.pth",
            "import os; os.getenv('HOME')\n",
        );
    });
    let answer = verify(&world, &repository, &file);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(
        answer.findings().get("undeclared-install-hook"),
        Some(&"high"),
        "{answer:?}"
    );
    assert_eq!(
        answer.findings().get("record-mismatch"),
        Some(&"high"),
        "{answer:?}"
    );
    assert!(
        answer
            .differences()
            .contains(&("note_server_init.pth", "added", "startup")),
        "{answer:?}"
    );

    let file = tamper::wheel(&wheel, &tampered, |entries| {
        tamper::replace(
            entries,
            "note_server/__init__.py",
            "import sys\n",
            "import sys\nimport os\n",
        );
    });
    let answer = verify(&world, &repository, &file);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert!(
        answer
            .differences()
            .contains(&("note_server/__init__.py", "changed", "executable")),
        "{answer:?}"
    );

    let file = tamper::wheel(&wheel, &tampered, |entries| {
        let path = "note_server-1.0.0.dist-info/METADATA";
        tamper::replace(
            entries,
            path,
            "Version: 1.0.0\n",
            "Version: 1.0.0\nRequires-Dist: plain-crypto\n",
        );
    });
    let answer = verify(&world, &repository, &file);
    assert_eq!(answer.outcome().0, "failed", "{answer:?}");
    assert_eq!(
        answer.findings().get("undeclared-dependency"),
        Some(&"high"),
        "{answer:?}"
    );
}
