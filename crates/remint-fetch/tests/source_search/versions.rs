//! No tag fits: the commit that set the version, its neighbours, and published files as the last resort.

use remint_fetch::source::SourceError;
use remint_model::FoundBy;

use crate::fixture::{HOUR, Wanted, World, manifest, short, subdirectory};

#[test]
fn the_commit_that_set_the_version_is_found_through_merges() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    repository.git(&["checkout", "--quiet", "-b", "bump"]);
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.commit(&[("index.js", "1\n")]);
    repository.git(&["merge", "--quiet", "--no-ff", "-m", "merge", "bump"]);
    let merged = repository.head();
    repository.commit(&[("package.json", &manifest("thing", "1.2.4"))]);
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(
        short(&found),
        (FoundBy::VersionCommit, None, &merged),
        "releases are made from the main branch"
    );
}

#[test]
fn a_later_commit_is_taken_only_for_more_published_files_and_before_the_upload() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let json = manifest("thing", "1.2.3");
    let set = repository.commit(&[("package.json", &json), ("index.js", "one\n")]);
    let second = repository.commit(&[("index.js", "two\n")]);
    repository.commit(&[("index.js", "two\n"), ("test.js", "1\n")]);
    let uploaded = repository.now() + HOUR / 2;
    repository.commit(&[("index.js", "three\n")]);

    let with = |content: &str| {
        let wanted = Wanted::npm("thing", "1.2.3")
            .published(&[("package.json", &json), ("index.js", content)])
            .uploaded(uploaded);
        world.find(&wanted).unwrap()
    };
    assert_eq!(short(&with("one\n")), (FoundBy::VersionCommit, None, &set));
    assert_eq!(short(&with("two\n")), (FoundBy::Neighbour, None, &second));
    assert_eq!(
        short(&with("three\n")),
        (FoundBy::VersionCommit, None, &set),
        "what was committed after the upload cannot be what was uploaded"
    );
}

#[test]
fn a_python_version_is_found_in_the_file_that_the_manifest_names() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let project = "[project]\nname = \"Some_Thing\"\ndynamic = [\"version\"]\n\
                   [tool.hatch.version]\npath = \"src/thing/__init__.py\"\n";
    let version = |version: &str| format!("__version__ = \"{version}\"\n");
    repository.commit(&[
        ("pyproject.toml", project),
        ("src/thing/__init__.py", &version("0.1.0")),
    ]);
    let released = repository.commit(&[("src/thing/__init__.py", &version("0.2.0a1"))]);
    repository.commit(&[("src/thing/__init__.py", &version("0.3.0"))]);
    let found = world.find(&Wanted::pypi("some-thing", "0.2.0a1")).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
    assert_eq!(found.pin.stamp, None);
}

#[test]
fn a_computed_version_needs_a_tag_and_is_stamped() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let project = "[project]\nname = \"thing\"\ndynamic = [\"version\"]\n\
                   [tool.hatch.version]\nsource = \"vcs\"\n";
    let tagged = repository.commit(&[("pyproject.toml", project)]);
    repository.commit(&[("later.py", "1\n")]);
    assert!(matches!(
        world.find(&Wanted::pypi("thing", "1.2.3")),
        Err(SourceError::NoSource { .. })
    ));
    repository.git(&["tag", "v1.2.3", tagged.as_str()]);
    let found = world.find(&Wanted::pypi("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    assert_eq!(found.pin.stamp.unwrap().found, None);
}

#[test]
fn published_files_decide_only_where_the_manifest_leaves_the_version_open() {
    let files = [
        ("index.js", "one\n"),
        ("helper.js", "helper\n"),
        ("readme.md", "read\n"),
    ];
    let search = |version: &str| {
        let world = World::new();
        let repository = world.repository("owner/name");
        repository.commit(&[("package.json", &manifest("thing", version))]);
        let fitting = repository.commit(&files);
        repository.commit(&[("index.js", "two\n")]);
        let wanted = Wanted::npm("thing", "1.2.3")
            .published(&files)
            .uploaded(repository.now() + HOUR);
        (world.find(&wanted), fitting)
    };
    let (found, fitting) = search("0.0.0");
    let found = found.unwrap();
    assert_eq!(short(&found), (FoundBy::Blobs, None, &fitting));
    assert!(found.pin.stamp.is_some());

    let (refused, fitting) = search("1.0.0");
    match refused.unwrap_err() {
        SourceError::NoSource { looked_at, .. } => {
            assert_eq!(looked_at.best_blob_match, Some((fitting, 3, 3)));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn files_of_several_commits_are_no_source() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[
        ("package.json", &manifest("thing", "0.0.0")),
        ("a.js", "old a\n"),
        ("b.js", "old b\n"),
        ("c.js", "c\n"),
    ]);
    repository.commit(&[("a.js", "new a\n"), ("b.js", "new b\n")]);
    let mixed = [("a.js", "old a\n"), ("b.js", "new b\n"), ("c.js", "c\n")];
    assert!(matches!(
        world.find(&Wanted::npm("thing", "1.2.3").published(&mixed)),
        Err(SourceError::NoSource { .. })
    ));
}

#[test]
fn a_repository_that_never_held_a_good_part_of_the_modules_is_no_source() {
    let held = [
        ("thing/one.py", "one\n"),
        ("thing/two.py", "two\n"),
        ("thing/three.py", "three\n"),
        ("readme.md", "read\n"),
    ];
    let generated = ("thing/generated.py", "generated\n");
    let elsewhere = ("thing/elsewhere.py", "kept elsewhere\n");
    let search = |more: &[(&'static str, &'static str)]| {
        let world = World::new();
        let repository = world.repository("owner/name");
        let project = "[project]\nname = \"thing\"\nversion = \"0.0.0\"\n";
        repository.commit(&[("pyproject.toml", project)]);
        let fitting = repository.commit(&held);
        let published: Vec<_> = held.iter().chain(more).copied().collect();
        let wanted = Wanted::pypi("thing", "1.2.3")
            .published(&published)
            .uploaded(repository.now() + HOUR);
        (world.find(&wanted), fitting)
    };
    let (found, fitting) = search(&[generated]);
    assert_eq!(short(&found.unwrap()), (FoundBy::Blobs, None, &fitting));

    let (refused, fitting) = search(&[generated, elsewhere]);
    match refused.unwrap_err() {
        SourceError::NoSource { looked_at, .. } => {
            assert_eq!(looked_at.best_blob_match, Some((fitting, 4, 6)));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_date_tag_of_the_whole_repository_counts_on_the_day_of_the_upload() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("packages/thing/package.json", &manifest("thing", "0.6.3"))]);
    let tagged = repository.commit(&[("other.js", "1\n")]);
    repository.tag("2026.7.4");
    let wanted = Wanted::npm("thing", "0.6.3").uploaded(repository.now() + HOUR);
    let found = world.find(&wanted).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("2026.7.4"), &tagged));
    let found = world
        .find(&Wanted::npm("thing", "0.6.3").uploaded(repository.now() + 100 * HOUR))
        .unwrap();
    assert_eq!(found.pin.found_by, FoundBy::VersionCommit);
}

#[test]
fn a_merge_request_alone_is_taken_only_beside_a_branch_and_called_unreachable() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    repository.git(&["checkout", "--quiet", "-b", "release"]);
    let json = manifest("thing", "1.2.3");
    let set = repository.commit(&[("package.json", &json), ("index.js", "rewritten\n")]);
    let proposed = repository.dangling(&[("index.js", "original\n")]);
    repository.git(&["update-ref", "refs/pull/7/head", proposed.as_str()]);
    repository.git(&["checkout", "--quiet", "main"]);
    let with = |content: &str| {
        let wanted = Wanted::npm("thing", "1.2.3")
            .published(&[("package.json", &json), ("index.js", content)]);
        world.find(&wanted).unwrap()
    };
    let found = with("original\n");
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &proposed));
    assert!(!found.pin.reach.is_advertised());
    let found = with("rewritten\n");
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &set));
    assert!(found.pin.reach.is_advertised());

    // Anyone can open one: it never replaces what the default branch has.
    repository.git(&["merge", "--quiet", "--ff-only", "release"]);
    for (content, otherwise) in [("original\n", Some(proposed)), ("rewritten\n", None)] {
        let found = with(content);
        assert_eq!(short(&found), (FoundBy::VersionCommit, None, &set));
        assert!(found.pin.reach.is_advertised());
        let kept = found.otherwise.map(|otherwise| otherwise.pin.commit);
        assert_eq!(kept, otherwise);
    }
}

#[test]
fn a_fixture_of_the_packages_name_never_outranks_the_package() {
    const FIXTURE: &str = "test/fixtures/resolver/package.json";
    let release = |root: &[&str], head: bool, hint: bool, tag: bool| {
        let world = World::new();
        let repository = world.repository("owner/name");
        for version in root {
            let content = if version.is_empty() {
                String::new()
            } else {
                manifest("thing", version)
            };
            repository.commit(&[("package.json", &content)]);
        }
        let merged = repository.commit(&[(FIXTURE, &manifest("thing", "1.0.1"))]);
        if tag {
            repository.tag("v1.0.1");
        }
        let mut wanted = Wanted::npm("thing", "1.0.1");
        if head {
            wanted = wanted.git_head(&merged);
        }
        if hint {
            wanted = wanted.directory("test/fixtures/resolver");
        }
        (world.find(&wanted), merged)
    };
    for head in [false, true] {
        for hint in [false, true] {
            // The package is at the root, or was there until the commit before.
            for root in [["1.0.0"].as_slice(), &["1.0.0", ""]] {
                let (found, _) = release(root, head, hint, false);
                assert!(
                    matches!(found, Err(SourceError::NoSource { .. })),
                    "{root:?} {head} {hint}: {found:?}"
                );
            }
            // The only one of that name.
            let (found, merged) = release(&[], head, hint, false);
            let found = found.unwrap();
            assert_eq!(found.pin.commit, merged);
            assert_eq!(subdirectory(&found), Some("test/fixtures/resolver"));
        }
        // A tag that names the version speaks of the package at the root.
        let (found, merged) = release(&["1.0.0"], head, true, true);
        let found = found.unwrap();
        assert_eq!(short(&found), (FoundBy::Tag, Some("v1.0.1"), &merged));
        assert_eq!(subdirectory(&found), None);
        assert!(found.pin.stamp.is_some());
        let (found, _) = release(&[], head, false, true);
        let found = found.unwrap();
        assert_eq!(subdirectory(&found), Some("test/fixtures/resolver"));
        assert_eq!(found.pin.stamp, None);
    }
}

#[test]
fn a_scope_that_release_tooling_writes_in_is_taken_where_the_repository_says_so() {
    const LISTING: &str = "server.json";
    let search = |name: &str, path: &str, text: &str| {
        let world = World::new();
        let repository = world.repository("owner/name");
        let tagged =
            repository.commit(&[("package.json", &manifest("thing", "1.2.3")), (path, text)]);
        repository.tag("v1.2.3");
        (world.find(&Wanted::npm(name, "1.2.3")), tagged)
    };
    let (found, tagged) = search(
        "@owner/thing",
        LISTING,
        r#"{"packages": [{"identifier": "@owner/thing"}]}"#,
    );
    let found = found.unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    let renamed = found.pin.renamed.unwrap();
    assert_eq!(renamed.found.as_str(), "thing");
    assert_eq!(renamed.wanted.as_str(), "@owner/thing");
    assert_eq!(renamed.named_in.as_str(), LISTING);

    let listed = |name: &str| format!(r#"{{"packages": [{{"identifier": "{name}"}}]}}"#);
    for (name, path, text) in [
        ("@thief/thing", LISTING, listed("@owner/thing")),
        ("@owner/thing", LISTING, listed("@owner/thing-server")),
        ("@owner/other", LISTING, listed("@owner/other")),
        (
            "@thief/thing",
            "README.md",
            "WARNING: @thief/thing is not ours\n".to_owned(),
        ),
    ] {
        let (refused, _) = search(name, path, &text);
        assert!(
            matches!(refused, Err(SourceError::NoSource { .. })),
            "{name}, {path}: {text}"
        );
    }
    let (own, _) = search("thing", LISTING, &listed("thing"));
    assert_eq!(own.unwrap().pin.renamed, None);
}

#[test]
fn a_removed_package_is_found_in_the_past() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let released = repository.commit(&[("packages/gone/package.json", &manifest("gone", "1.0.0"))]);
    repository.commit(&[("packages/gone/package.json", ""), ("readme.md", "moved\n")]);
    let found = world.find(&Wanted::npm("gone", "1.0.0")).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
}
