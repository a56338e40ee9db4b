//! Machine code through the binary: wheels that are compiled here, and code that nobody can read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tamper::{self, Entry};
use crate::world::{Answer, World};

/// The header of a program for Linux on x86-64, in bytes that are text as well.
const ELF: &str = "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0 and no more";

/// A wheel of this name without content: only to have something to hold a build against.
fn stand_in(world: &World, tags: &str) -> PathBuf {
    use std::io::Write as _;
    let path = world.path().join(format!("note_server-1.0.0-{tags}.whl"));
    let mut writer = zip::ZipWriter::new(fs_err::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        (
            "METADATA",
            "Metadata-Version: 2.1\nName: note-server\nVersion: 1.0.0\n",
        ),
        ("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"),
        ("RECORD", ""),
    ] {
        let name = format!("note_server-1.0.0.dist-info/{name}");
        writer.start_file(name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// The minor version of this machine's Python.
fn python(world: &World) -> String {
    let output = world
        .command_of(Path::new("python3"))
        .args(["-c", "import sys; print(sys.version_info[1])"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn manylinux() -> String {
    let processor = std::env::consts::ARCH;
    format!("manylinux_2_17_{processor}.manylinux2014_{processor}")
}

fn verify(world: &World, spec: &str, repository: &Path, file: &Path) -> Answer {
    world.verify(&[
        spec,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
    ])
}

/// Path and origin of every file that a finding names.
fn opaque(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer.target()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["id"] == "opaque-native-code")
        .flat_map(|finding| finding["evidence"]["files"].as_array().unwrap())
        .map(|file| (text(&file["path"]), text(&file["origin"])))
        .collect()
}

fn ends_in_code(entry: &Entry) -> bool {
    entry.content.starts_with(b"\x7fELF")
}

#[cfg(target_os = "linux")]
#[test]
fn an_extension_is_compiled_here_and_a_changed_one_is_named() {
    let spec = "pypi:note-server@1.0.0";
    let world = World::new();
    let minor = python(&world);
    let tags = format!("cp3{minor}-cp3{minor}-{}", manylinux());
    let repository = world.repository("pypi/extension", &[], "v1.0.0");
    let wheel = world.build(spec, &repository, &stand_in(&world, &tags));
    let name = wheel.file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with(&format!("{tags}.whl")), "{name}");

    // The time at which the compiler ran is in the wheel.
    let answer = verify(&world, spec, &repository, &wheel);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    assert_eq!(opaque(&answer), [], "{answer:?}");

    let changed = |entries: &mut Vec<Entry>| {
        let code = entries.iter_mut().find(|entry| ends_in_code(entry));
        code.unwrap().content.extend_from_slice(b"more");
    };
    let tampered = world.path().join("tampered");
    let file = tamper::wheel(&wheel, &tampered, changed);
    let answer = verify(&world, spec, &repository, &file);
    // RECORD, which nobody made again, lies; that alone is grave.
    assert_eq!(answer.outcome().0, "failed", "{answer:?}");
    let found = opaque(&answer);
    assert_eq!(found.len(), 1, "{answer:?}");
    assert_eq!(found[0].1, "rebuilt-otherwise", "{answer:?}");

    let file = tamper::wheel(&wheel, &tampered, |entries| {
        tamper::add(entries, "note_server/_more.so", ELF);
    });
    let answer = verify(&world, spec, &repository, &file);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(opaque(&answer)[0].1, "not-in-source", "{answer:?}");

    for (tags, said) in [
        (
            format!("cp3{minor}-cp3{minor}-macosx_11_0_arm64"),
            "macosx_11_0_arm64",
        ),
        (
            format!("cp3{minor}-cp3{minor}-musllinux_1_2_x86_64"),
            "musllinux_1_2_x86_64",
        ),
        (
            format!("cp399-cp399-{}", manylinux()),
            "interpreter unavailable",
        ),
    ] {
        let other = world.path().join(format!("note_server-1.0.0-{tags}.whl"));
        fs_err::copy(&wheel, &other).unwrap();
        let answer = verify(&world, spec, &repository, &other);
        assert_eq!(answer.outcome().0, "inconclusive", "{answer:?}");
        assert_eq!(answer.target()["reason"], "unsupported", "{answer:?}");
        let detail = answer.target().to_string();
        assert!(detail.contains(said), "{detail}");
        assert_eq!(opaque(&answer)[0].1, "not-built", "{answer:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_in_a_wheel_is_compiled_by_cargo() {
    let spec = "pypi:note-server@1.0.0";
    let world = World::new();
    let repository = world.repository("pypi/program", &[], "v1.0.0");
    let tags = format!("py3-none-{}", manylinux());
    let wheel = world.build(spec, &repository, &stand_in(&world, &tags));
    // Its list of components has a serial number of its own.
    let answer = verify(&world, spec, &repository, &wheel);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    assert_eq!(opaque(&answer), [], "{answer:?}");
}

struct Release {
    world: World,
    repository: PathBuf,
    file: PathBuf,
}

const SPEC: &str = "npm:note-server@1.0.0";

fn release(changes: &[(&str, &str)]) -> Release {
    let world = World::new();
    let repository = world.repository("npm/plain", changes, "v1.0.0");
    let stand_in = crate::npm::stand_in(&world, "note-server-1.0.0.tgz", "note-server");
    Release {
        file: world.build(SPEC, &repository, &stand_in),
        world,
        repository,
    }
}

impl Release {
    fn with(&self, path: &str, content: &str) -> Answer {
        let file = tamper::tarball(&self.file, &self.world.path().join("tampered"), |entries| {
            entries.push(Entry {
                path: format!("package/{path}"),
                mode: 0o755,
                content: content.as_bytes().to_vec(),
            });
        });
        verify(&self.world, SPEC, &self.repository, &file)
    }
}

#[test]
fn code_that_is_committed_matches_and_is_not_verified() {
    let release = release(&[("lib/addon.node", ELF)]);
    let answer = verify(&release.world, SPEC, &release.repository, &release.file);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "identical"),
        "{answer:?}"
    );
    assert_eq!(answer.code, 3);
    assert_eq!(answer.target()["reason"], "unsupported");
    assert_eq!(
        answer.findings().get("opaque-native-code"),
        Some(&"medium"),
        "{answer:?}"
    );
    let finding = &answer.target()["findings"][0];
    let file = &finding["evidence"]["files"][0];
    assert_eq!(file["path"], "lib/addon.node");
    assert_eq!(file["format"], "elf");
    assert_eq!(file["architecture"], "x86-64");
    assert_eq!(file["committed"], "lib/addon.node");
    assert_eq!(file["origin"], "committed");
    assert_eq!(file["size"], ELF.len());
}

#[test]
fn code_that_no_source_has_fails_a_package_that_is_for_every_platform() {
    let release = release(&[]);
    let answer = release.with("lib/addon.node", ELF);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    let expect = ("lib/addon.node".to_owned(), "not-in-source".to_owned());
    assert_eq!(opaque(&answer), [expect], "{answer:?}");
}

#[test]
fn a_package_for_one_platform_is_left_open_and_only_for_its_code() {
    let manifest = r#"{
  "name": "note-server",
  "version": "1.0.0",
  "os": ["linux"],
  "cpu": ["x64"],
  "main": "note.node",
  "optionalDependencies": { "@notes/server-darwin-arm64": "1.0.0", "colour": "1.0.0" }
}
"#;
    let release = release(&[("package.json", manifest)]);
    let answer = release.with("note.node", ELF);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "inconclusive"),
        "{answer:?}"
    );
    let expect = ("note.node".to_owned(), "not-in-source".to_owned());
    assert_eq!(opaque(&answer), [expect], "{answer:?}");
    assert_eq!(
        answer.findings().get("native-companions"),
        Some(&"info"),
        "{answer:?}"
    );

    let answer = release.with("more.js", "fetch('https://canary.invalid/')\n");
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
}
