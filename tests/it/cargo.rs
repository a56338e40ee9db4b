//! Crates through the binary: honest ones, and every way in which they can be tampered with.

use std::path::{Path, PathBuf};

use crate::tamper::{self, Entry};
use crate::world::{Answer, World};

/// A minimal crate: only to have something to hold a build against.
fn stand_in(world: &World, name: &str) -> PathBuf {
    let path = world.path().join(format!("{name}-1.0.0.crate"));
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(
        fs_err::File::create(&path).unwrap(),
        flate2::Compression::default(),
    ));
    let package = format!("name = \"{name}\"\nversion = \"1.0.0\"\n");
    for (file, content) in [
        ("Cargo.toml", format!("[package]\n{package}")),
        (
            "Cargo.lock",
            format!("version = 4\n\n[[package]]\n{package}"),
        ),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder
            .append_data(
                &mut header,
                format!("{name}-1.0.0/{file}"),
                content.as_bytes(),
            )
            .unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap();
    path
}

struct Release {
    world: World,
    spec: String,
    folder: String,
    repository: PathBuf,
    file: PathBuf,
}

fn release(fixture: &str, name: &str, changes: &[(&str, &str)]) -> Release {
    let world = World::new();
    let repository = world.repository(fixture, changes, "v1.0.0");
    let spec = format!("cargo:{name}@1.0.0");
    let file = world.build(&spec, &repository, &stand_in(&world, name));
    Release {
        world,
        spec,
        folder: format!("{name}-1.0.0"),
        repository,
        file,
    }
}

impl Release {
    fn verify(&self, file: &Path) -> Answer {
        self.world.verify(&[
            &self.spec,
            "--artifact",
            file.to_str().unwrap(),
            "--source",
            self.repository.to_str().unwrap(),
        ])
    }

    fn tampered(&self, change: impl FnOnce(&mut Vec<Entry>)) -> Answer {
        let file = tamper::tarball(&self.file, &self.world.path().join("tampered"), change);
        self.verify(&file)
    }

    fn inside(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    fn replaced(&self, path: &str, from: &str, to: &str) -> Answer {
        let path = self.inside(path);
        self.tampered(|entries| tamper::replace(entries, &path, from, to))
    }
}

#[test]
fn an_honest_crate_is_verified_and_tampered_ones_are_named() {
    let release = release("cargo/plain", "note-server", &[]);

    let answer = release.verify(&release.file);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert!(answer.findings().is_empty(), "{answer:?}");
    let target = answer.target();
    assert_eq!(target["target"], "pkg:cargo/note-server@1.0.0");
    let hints = target["source"]["candidates"].as_array().unwrap();
    assert!(
        hints
            .iter()
            .any(|hint| hint["found_by"] == "vcs-info" && hint["agrees"] == true),
        "{answer:?}"
    );

    let answer = release.tampered(|_| {});
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");

    let line = release.replaced("src/notes.rs", "self.0.push", "leak(note); self.0.push");
    assert_eq!(line.code, 1);
    assert_eq!(line.outcome(), ("failed", "different"));
    assert_eq!(
        line.differences(),
        [("src/notes.rs", "changed", "executable")]
    );

    let script = release.tampered(|entries| {
        tamper::add(entries, &release.inside("build.rs"), "fn main() {}\n");
        let manifest = release.inside("Cargo.toml");
        tamper::replace(entries, &manifest, "build = false", "build = \"build.rs\"");
    });
    assert_eq!(script.outcome(), ("failed", "different"));
    assert_eq!(
        script.findings().get("undeclared-install-hook"),
        Some(&"high")
    );
    assert!(
        script
            .differences()
            .contains(&("build.rs", "added", "install-script")),
        "{script:?}"
    );

    let dependency = release.tampered(|entries| {
        let manifest = tamper::entry(entries, &release.inside("Cargo.toml"));
        manifest
            .content
            .extend_from_slice(b"\n[dependencies.plain-crypto]\nversion = \"4\"\n");
    });
    assert_eq!(dependency.outcome(), ("failed", "different"));
    assert_eq!(
        dependency.findings().get("undeclared-dependency"),
        Some(&"high")
    );
    assert_eq!(
        dependency.differences(),
        [("Cargo.toml", "changed", "manifest")]
    );

    let original = release.replaced("Cargo.toml.orig", "[package]", "# x\n[package]");
    assert_eq!(
        original.differences(),
        [("Cargo.toml.orig", "changed", "manifest")]
    );

    let foreign = release.tampered(|entries| {
        for entry in entries {
            entry.path = entry.path.replace("note-server-1.0.0", "note-server-1.0.1");
        }
    });
    assert_eq!(foreign.outcome().0, "failed", "{foreign:?}");
    assert_eq!(foreign.findings().get("foreign-top-folder"), Some(&"high"));
}

#[test]
fn what_is_said_of_the_commit_is_never_taken_from_the_file() {
    let release = release("cargo/plain", "note-server", &[]);
    let info = ".cargo_vcs_info.json";
    let honest = {
        let mut text = String::new();
        tamper::tarball(
            &release.file,
            &release.world.path().join("read"),
            |entries| {
                let entry = tamper::entry(entries, &release.inside(info));
                text = String::from_utf8(entry.content.clone()).unwrap();
            },
        );
        text
    };
    let start = honest.find("\"sha1\": \"").unwrap() + 9;
    let commit = &honest[start..start + 40];

    let lie = release.replaced(info, commit, &"1".repeat(40));
    assert_eq!(lie.outcome(), ("failed", "different"), "{lie:?}");
    assert_eq!(lie.differences(), [(info, "changed", "metadata")]);
    assert_eq!(
        lie.findings().get("source-hints-disagree"),
        Some(&"medium"),
        "{lie:?}"
    );

    let dirty = release.replaced(
        info,
        &format!("\"{commit}\""),
        &format!("\"{commit}\",\n    \"dirty\": true"),
    );
    assert_eq!(dirty.outcome(), ("failed", "different"), "{dirty:?}");
    assert_eq!(dirty.differences(), [(info, "changed", "metadata")]);
    let explanation = dirty.target()["differences"][0]["explanation"].as_str();
    assert!(
        explanation.is_some_and(|text| text.contains("not committed")),
        "{dirty:?}"
    );

    let absent = release.tampered(|entries| entries.retain(|entry| !entry.path.ends_with(info)));
    assert_eq!(absent.differences(), [(info, "removed", "metadata")]);
}

#[test]
fn a_member_takes_its_version_from_the_workspace() {
    let release = release("cargo/workspace", "notes-cli", &[]);
    let answer = release.verify(&release.file);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert_eq!(
        answer.target()["source"]["subdirectory"],
        "crates/notes-cli",
        "{answer:?}"
    );

    let moved = release.replaced(
        ".cargo_vcs_info.json",
        "crates/notes-cli",
        "crates/notes-core",
    );
    assert_eq!(moved.outcome(), ("failed", "different"), "{moved:?}");
    assert_eq!(
        moved.target()["source"]["subdirectory"],
        "crates/notes-cli",
        "{moved:?}"
    );
}

#[test]
fn a_lockfile_out_of_the_published_file_is_told() {
    let release = release(
        "cargo/workspace",
        "notes-core",
        &[(".gitignore", "Cargo.lock\n")],
    );
    let answer = release.verify(&release.file);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:?}");
    let target = answer.target();
    assert_eq!(
        target["erasures"][0]["normaliser"], "seeded-from-published",
        "{answer:?}"
    );
    let assumptions = target["build"]["assumptions"].as_array().unwrap();
    assert!(
        assumptions
            .iter()
            .any(|assumption| assumption["kind"] == "seeded-lockfile"),
        "{answer:?}"
    );
}

/// Cargo asks the compiler for its version before it packs, and a repository could say which program that is.
#[test]
fn settings_of_the_repository_start_nothing() {
    let settings = "[build]\nrustc = \"/bin/false\"\nrustc-wrapper = \"/bin/false\"\n\
                    [alias]\npackage = \"version\"\n[source.crates-io]\nreplace-with = \"nowhere\"\n";
    let release = release(
        "cargo/plain",
        "note-server",
        &[(".cargo/config.toml", settings)],
    );
    let answer = release.verify(&release.file);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
}
