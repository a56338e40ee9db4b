//! Repositories that want to harm whoever looks at them, and users' settings that would help them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use remint_fetch::source::{FoundSource, SourceError};
use remint_model::{CloneShape, GapKind};

use crate::fixture::{Repository, Wanted, World, manifest, subdirectory};

fn tagged_with(
    world: &World,
    listing: impl Fn(&Repository) -> String,
) -> Result<FoundSource, SourceError> {
    let repository = world.repository("owner/name");
    let json = repository.blob(&manifest("thing", "1.2.3"));
    let listing = format!("100644 blob {json}\tpackage.json\n{}", listing(&repository));
    repository.commit_tree(&listing);
    repository.tag("v1.2.3");
    world.find(&Wanted::npm("thing", "1.2.3"))
}

#[test]
fn names_that_reach_into_git_or_out_of_the_tree_are_refused() {
    for (name, expect) in [
        (".GIT", "some file systems read it as `.git`"),
        ("git~1", "some file systems read it as `.git`"),
        (".g\u{200c}it", "some file systems read it as `.git`"),
        ("..", "it would leave its directory"),
        ("a\\b", "path separator"),
    ] {
        let world = World::new();
        let refused = tagged_with(&world, |repository| {
            let blob = repository.blob("x");
            let inner = repository.git_with(
                &["mktree"],
                format!("100644 blob {blob}\tconfig\n").as_bytes(),
            );
            format!("040000 tree {inner}\t{name}\n")
        });
        match refused {
            Err(SourceError::Refused { reason, .. }) => {
                assert!(reason.contains(expect), "{name}: {reason}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let world = World::new();
    let accepted = tagged_with(&world, |repository| {
        format!("100644 blob {}\t.gitignore\n", repository.blob("x"))
    });
    assert!(accepted.unwrap().tree.has(".gitignore"));
}

#[test]
fn links_are_written_as_links_and_never_followed() {
    let world = World::new();
    let outside = world.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "mine").unwrap();
    std::fs::set_permissions(outside.join("file"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let before = std::fs::metadata(outside.join("file")).unwrap();
    let found = tagged_with(&world, |repository| {
        let file = repository.blob(&outside.join("file").display().to_string());
        let directory = repository.blob(&outside.display().to_string());
        format!("120000 blob {file}\tfile\n120000 blob {directory}\tdirectory\n")
    })
    .unwrap();
    let out = world.path("out/links");
    found.checkout.materialise(CloneShape::Tip, &out).unwrap();
    assert_eq!(
        std::fs::read_link(out.join("file")).unwrap(),
        outside.join("file")
    );
    let after = std::fs::metadata(outside.join("file")).unwrap();
    assert_eq!(before.permissions(), after.permissions());
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_tree_that_writes_through_its_own_link_writes_nothing_outside() {
    let world = World::new();
    let outside = world.path("outside");
    std::fs::create_dir(&outside).unwrap();
    let found = tagged_with(&world, |repository| {
        let link = repository.blob(&outside.display().to_string());
        let blob = repository.blob("planted");
        let inner = repository.git_with(
            &["mktree"],
            format!("100644 blob {blob}\tfile\n").as_bytes(),
        );
        format!("120000 blob {link}\tdirectory\n040000 tree {inner}\tdirectory\n")
    });
    if let Ok(found) = found {
        drop(
            found
                .checkout
                .materialise(CloneShape::Tip, &world.path("out/through")),
        );
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

/// A script that leaves a mark when it runs.
fn trap(world: &World) -> (PathBuf, PathBuf) {
    let (script, mark) = (world.path("trap"), world.path("sprung"));
    std::fs::write(
        &script,
        format!("#!/bin/sh\ntouch {}\ncat\n", mark.display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    (script, mark)
}

#[test]
fn hooks_filters_and_helpers_of_the_user_do_not_run() {
    let world = World::new();
    let (script, mark) = trap(&world);
    let script = script.display().to_string();
    let hooks = world.path("hooks");
    std::fs::create_dir(&hooks).unwrap();
    for hook in [
        "post-checkout",
        "post-index-change",
        "reference-transaction",
    ] {
        std::os::unix::fs::symlink(&script, hooks.join(hook)).unwrap();
    }
    for (key, value) in [
        ("core.hooksPath", hooks.to_str().unwrap()),
        ("core.fsmonitor", &script),
        ("filter.lfs.smudge", &script),
        ("filter.lfs.process", &script),
        ("filter.own.smudge", &script),
        ("credential.helper", &script),
        ("core.askPass", &script),
    ] {
        world.user_setting(key, value);
    }
    let repository = world.repository("owner/name");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    repository.commit(&[
        ("package.json", &manifest("thing", "1.2.3")),
        (
            ".gitattributes",
            "*.bin filter=lfs diff=lfs merge=lfs -text\n*.own filter=own\n",
        ),
        ("big.bin", pointer),
        ("plain.own", "plain\n"),
    ]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    let out = world.path("out/filters");
    for shape in [CloneShape::History, CloneShape::Tip] {
        let out = out.join(format!("{shape:?}"));
        let gaps = found.checkout.materialise(shape, &out).unwrap().gaps;
        let named: Vec<_> = gaps
            .iter()
            .map(|gap| (gap.kind, gap.path.as_str()))
            .collect();
        assert_eq!(named, [(GapKind::LargeFile, "big.bin")]);
        assert_eq!(
            std::fs::read_to_string(out.join("big.bin")).unwrap(),
            pointer
        );
        assert_eq!(
            std::fs::read_to_string(out.join("plain.own")).unwrap(),
            "plain\n"
        );
    }
    assert!(!mark.exists());
}

#[test]
fn the_configuration_of_a_named_directory_does_not_run() {
    let world = World::new();
    let (script, mark) = trap(&world);
    let script = script.display().to_string();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "core.pager",
        "uploadpack.packObjectsHook",
        "diff.external",
        "alias.rev-parse",
    ] {
        repository.git(&["config", key, &script]);
    }
    for hook in ["post-checkout", "reference-transaction"] {
        let hooks = repository.directory.join(".git/hooks");
        std::fs::create_dir_all(&hooks).unwrap();
        std::os::unix::fs::symlink(&script, hooks.join(hook)).unwrap();
    }
    let wanted = Wanted::npm("thing", "1.2.3").source(&repository.directory);
    let found = world.find(&wanted).unwrap();
    for shape in [CloneShape::Tip, CloneShape::History] {
        let out = world.path(&format!("out/local-{shape:?}"));
        found.checkout.materialise(shape, &out).unwrap();
    }
    assert!(!mark.exists());
}

#[test]
fn public_submodules_are_filled_and_others_are_left_empty_and_named() {
    let world = World::new();
    let (_, mark) = trap(&world);
    let inner = world.repository("owner/inner");
    inner.commit(&[("inner.txt", "inner\n")]);
    let pinned = inner.head();
    inner.commit(&[("inner.txt", "later\n")]);
    let repository = world.repository("owner/name");
    let modules = format!(
        "[submodule \"good\"]\n\tpath = good\n\turl = ../inner.git\n\
         [submodule \"helper\"]\n\tpath = helper\n\turl = ext::touch {}\n\
         [submodule \"local\"]\n\tpath = local\n\turl = file:///etc\n\
         [submodule \"private\"]\n\tpath = private\n\turl = https://127.0.0.1/x/y\n\
         [include]\n\tpath = /etc/hostname\n",
        mark.display()
    );
    repository.commit(&[
        ("package.json", &manifest("thing", "1.2.3")),
        (".gitmodules", &modules),
    ]);
    for path in ["good", "helper", "local", "private", "unnamed"] {
        let entry = format!("160000,{pinned},{path}");
        repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    }
    repository.git(&["commit", "--quiet", "-m", "submodules"]);
    repository.tag("v1.2.3");
    // The host's path for `../inner.git`.
    std::os::unix::fs::symlink(&inner.directory, world.path("hosts/owner/inner.git")).unwrap();

    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(found.checkout.submodules.len(), 5);
    let out = world.path("out/submodules");
    let laid_out = found.checkout.materialise(CloneShape::Tip, &out).unwrap();
    let gaps = laid_out.gaps;
    // The source's tree does not know what is in a submodule.
    let [file] = laid_out.unlisted.as_slice() else {
        panic!("{:?}", laid_out.unlisted);
    };
    assert_eq!(file.path, "good/inner.txt");
    assert_eq!(file.blob, remint_model::CommitId::of_blob(b"inner\n"));
    assert_eq!(
        std::fs::read_to_string(out.join("good/inner.txt")).unwrap(),
        "inner\n"
    );
    let reason = |path: &str| {
        gaps.iter()
            .find(|gap| gap.path == path)
            .inspect(|gap| assert_eq!(gap.kind, GapKind::RefusedSubmodule, "{path}"))
            .map(|gap| gap.detail.as_str())
    };
    assert_eq!(reason("good"), None);
    assert!(reason("helper").unwrap().contains("characters"));
    assert!(reason("local").unwrap().contains("scheme `file`"));
    assert!(reason("private").unwrap().contains("no public address"));
    assert!(reason("unnamed").unwrap().contains("does not name it"));
    for path in ["helper", "local", "private", "unnamed"] {
        assert_eq!(
            std::fs::read_dir(out.join(path)).unwrap().count(),
            0,
            "{path}"
        );
    }
    assert!(!mark.exists());
}

#[test]
fn a_host_that_misses_an_object_gives_the_rest_and_the_gap_is_named() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[
        ("package.json", &manifest("thing", "1.2.3")),
        ("film.mp4", "large\n"),
    ]);
    repository.tag("v1.2.3");
    let blob = repository.git(&["rev-parse", "HEAD:film.mp4"]);
    let object = repository
        .directory
        .join(".git/objects")
        .join(&blob[..2])
        .join(&blob[2..]);
    std::fs::remove_file(object).unwrap();
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    let out = world.path("out/gap");
    let gaps = found
        .checkout
        .materialise(CloneShape::Tip, &out)
        .unwrap()
        .gaps;
    let named: Vec<_> = gaps
        .iter()
        .map(|gap| (gap.kind, gap.path.as_str()))
        .collect();
    assert_eq!(named, [(GapKind::AbsentFile, "film.mp4")]);
    assert!(out.join("package.json").exists() && !out.join("film.mp4").exists());
}

/// Wraps a tree into others, each holding it under all these names.
fn wrapped(repository: &Repository, mut tree: String, names: &[String], levels: usize) -> String {
    for _ in 0..levels {
        let listing: String = names
            .iter()
            .map(|name| format!("040000 tree {tree}\t{name}\n"))
            .collect();
        tree = repository.git_with(&["mktree"], listing.as_bytes());
    }
    tree
}

/// A branch beside `main` whose tree is this one.
fn branch(repository: &Repository, tree: &str) {
    let commit = repository.git(&["commit-tree", tree, "-m", "odd"]);
    repository.git(&["update-ref", "refs/heads/odd", &commit]);
}

#[test]
fn trees_with_endless_paths_do_not_hide_an_honest_release() {
    for leaf in ["package.json", "index.js", "readme.md"] {
        let world = World::new();
        let repository = world.repository("owner/name");
        let released = repository.commit(&[
            ("package.json", &manifest("thing", "1.2.3")),
            ("index.js", "1\n"),
        ]);
        let blob = repository.git(&[
            "rev-parse",
            &format!(
                "HEAD:{}",
                match leaf {
                    "package.json" => "package.json",
                    _ => "index.js",
                }
            ),
        ]);
        let inner = repository.git_with(
            &["mktree"],
            format!("100644 blob {blob}\t{leaf}\n").as_bytes(),
        );
        let names: Vec<String> = (0..20).map(|at| format!("folder-{at:02}")).collect();
        branch(&repository, &wrapped(&repository, inner, &names, 10));
        let wanted = Wanted::npm("thing", "1.2.3").published(&[("index.js", "1\n")]);
        let found = world.find(&wanted).unwrap();
        assert_eq!(found.pin.commit, released, "{leaf}");

        // The same tree as the release itself is refused.
        repository.git(&["update-ref", "refs/tags/v1.2.3", "refs/heads/odd"]);
        assert!(matches!(
            world.find(&wanted),
            Err(SourceError::Refused { .. })
        ));
    }
}

#[test]
fn a_folder_that_is_also_too_deep_elsewhere_is_still_looked_into() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let json = manifest("thing", "1.2.3");
    let deep = format!("{}packages/thing/package.json", "deep/".repeat(30));
    let released = repository.commit(&[
        (deep.as_str(), json.as_str()),
        ("packages/thing/package.json", &json),
    ]);
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(found.pin.commit, released);
    assert_eq!(subdirectory(&found), Some("packages/thing"));
}
