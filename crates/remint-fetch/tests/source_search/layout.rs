//! The working tree and the `.git` that a build sees.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use remint_model::{CloneShape, CommitId};

use crate::fixture::{Wanted, World, manifest};

/// Git as a build would run it: no configuration but the repository's.
fn git(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .current_dir(directory)
        .args(arguments)
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    (output.status.success(), text)
}

fn released(world: &World) -> impl Fn(CloneShape) -> PathBuf + '_ {
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    repository.git(&["tag", "-a", "-m", "old", "v1.2.2"]);
    repository.commit(&[("run.sh", "#!/bin/sh\n"), ("src/index.js", "1\n")]);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(repository.directory.join("run.sh"), executable).unwrap();
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.git(&["tag", "-a", "-m", "new", "v1.2.3"]);
    repository.tag("latest");
    repository.commit(&[("src/index.js", "2\n")]);
    repository.tag("v1.2.4");
    move |shape| {
        let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
        let out = world.path(&format!("out/{shape:?}"));
        found.checkout.materialise(shape, &out).unwrap();
        out
    }
}

#[test]
fn each_shape_shows_its_part_of_the_history() {
    let world = World::new();
    let lay_out = released(&world);
    for (shape, described, commits, branch) in [
        (CloneShape::Tip, Some("v1.2.3"), "1", "main"),
        (CloneShape::TipWithoutTag, None, "1", ""),
        (CloneShape::History, Some("v1.2.3"), "3", "main"),
        (CloneShape::HistoryWithoutTag, Some("v1.2.2-2-g"), "3", ""),
    ] {
        let out = lay_out(shape);
        let (found, text) = git(&out, &["describe"]);
        assert_eq!(found, described.is_some(), "{shape:?}: {text}");
        assert!(
            text.starts_with(described.unwrap_or("")),
            "{shape:?}: {text}"
        );
        assert_eq!(git(&out, &["rev-list", "--count", "HEAD"]).1, commits);
        assert_eq!(git(&out, &["status", "--porcelain"]), (true, String::new()));
        assert!(git(&out, &["diff-index", "--quiet", "HEAD"]).0, "{shape:?}");
        assert_eq!(git(&out, &["branch", "--show-current"]).1, branch);
        assert_eq!(
            git(&out, &["remote", "get-url", "origin"]).1,
            "https://github.com/owner/name"
        );
        let tags = git(&out, &["tag"]).1;
        assert!(
            !tags.contains("latest") && !tags.contains("v1.2.4"),
            "{tags}"
        );
    }
    assert!(!lay_out(CloneShape::None).join(".git").exists());
}

#[test]
fn nothing_in_it_leads_back_to_this_machine() {
    let world = World::new();
    let out = released(&world)(CloneShape::History);
    let git_dir = out.join(".git");
    for absent in [
        "hooks",
        "objects/info/alternates",
        "FETCH_HEAD",
        "logs",
        "shallow",
    ] {
        assert!(!git_dir.join(absent).exists(), "{absent}");
    }
    let promisors = std::fs::read_dir(git_dir.join("objects/pack"))
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().ends_with(".promisor")
        })
        .count();
    assert_eq!(promisors, 0);
    let config = std::fs::read_to_string(git_dir.join("config")).unwrap();
    assert!(
        !config.contains(&*world.path("").to_string_lossy()),
        "{config}"
    );
    std::fs::remove_dir_all(world.path("hosts")).unwrap();
    std::fs::remove_dir_all(world.path("cache")).unwrap();
    assert!(git(&out, &["log", "--oneline", "--", "src"]).0);
}

#[test]
fn modes_and_times_are_those_of_a_plain_checkout_at_the_commit() {
    let world = World::new();
    drop(released(&world));
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    let out = world.path("out/modes");
    found.checkout.materialise(CloneShape::Tip, &out).unwrap();
    for (path, mode) in [("run.sh", 0o755), ("src/index.js", 0o644), ("src", 0o755)] {
        let metadata = std::fs::symlink_metadata(out.join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
        assert_eq!(metadata.mtime(), found.pin.commit_time, "{path}");
    }
    assert_eq!(
        std::fs::read_to_string(out.join("src/index.js")).unwrap(),
        "1\n"
    );
}

#[test]
fn line_endings_follow_the_repository_and_not_the_user() {
    let world = World::new();
    world.user_setting("core.autocrlf", "true");
    world.user_setting("core.eol", "crlf");
    let repository = world.repository("owner/name");
    repository.commit(&[
        ("package.json", &manifest("thing", "1.2.3")),
        (".gitattributes", "*.txt text=auto\n*.bat text eol=crlf\n"),
        ("plain.txt", "a\nb\n"),
        ("windows.bat", "a\nb\n"),
    ]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    let out = world.path("out/eol");
    found.checkout.materialise(CloneShape::Tip, &out).unwrap();
    let read = |name: &str| std::fs::read(out.join(name)).unwrap();
    assert_eq!(read("plain.txt"), b"a\nb\n");
    assert_eq!(read("windows.bat"), b"a\r\nb\r\n");
    assert_eq!(git(&out, &["status", "--porcelain"]).1, "");
}

#[test]
fn what_git_writes_otherwise_than_it_is_stored_is_told() {
    for (attributes, content, told) in [
        ("*.js ident\n", "// $Id$\n", true),
        (
            "[attr]windows text eol=crlf\n*.js windows\n",
            "a\nb\n",
            true,
        ),
        // Four bytes, which are two letters there and six bytes of what is stored.
        ("*.js working-tree-encoding=UTF-16LE\n", "abc\n", true),
        ("*.js eol=lf\n", "a\nb\n", false),
        ("* text=auto\n", "// $Id$\n", false),
    ] {
        let world = World::new();
        let repository = world.repository("owner/name");
        repository.commit(&[(".gitattributes", attributes)]);
        repository.commit(&[
            ("package.json", &manifest("thing", "1.2.3")),
            ("a.js", content),
        ]);
        repository.tag("v1.2.3");
        let stored = repository.git(&["rev-parse", "HEAD:a.js"]);
        let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
        let out = world.path("out/converted");
        let laid_out = found.checkout.materialise(CloneShape::Tip, &out).unwrap();
        let written = CommitId::of_blob(&std::fs::read(out.join("a.js")).unwrap());
        assert_eq!(written.to_string() != stored.trim(), told, "{attributes}");
        let expect = told.then(|| ("a.js".to_owned(), written));
        let unlisted = laid_out.unlisted.into_iter();
        let unlisted: Vec<_> = unlisted.map(|file| (file.path, file.blob)).collect();
        assert_eq!(unlisted, Vec::from_iter(expect), "{attributes}");
    }
}

#[test]
fn two_layouts_of_one_commit_are_equal() {
    let world = World::new();
    let lay_out = released(&world);
    let first = lay_out(CloneShape::None);
    let kept = world.path("out/kept");
    std::fs::rename(&first, &kept).unwrap();
    let second = lay_out(CloneShape::None);
    let list = |directory: &Path| git(directory, &["ls-files", "--others", "--cached"]).1;
    assert_eq!(list(&kept), list(&second));
    for name in ["package.json", "run.sh", "src/index.js"] {
        assert_eq!(
            std::fs::read(kept.join(name)).unwrap(),
            std::fs::read(second.join(name)).unwrap()
        );
    }
}
