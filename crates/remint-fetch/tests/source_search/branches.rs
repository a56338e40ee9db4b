//! Branches beside the default one: whoever may push a branch chooses what is on it.

use remint_fetch::source::SourceError;
use remint_model::{CommitId, FoundBy, Reach};

use crate::fixture::{Repository, Wanted, World, manifest, notes, short};

const BRANCH: &str = "contributor/patch";

fn beside() -> Reach {
    Reach::OtherBranch(BRANCH.to_owned())
}

/// The release on `main`, and on a branch above it a commit that changes a file of it.
fn patched(world: &World) -> (Repository, CommitId, CommitId) {
    let repository = world.repository("owner/name");
    let released = repository.commit(&[
        ("package.json", &manifest("thing", "1.0.0")),
        ("lib/index.js", "honest\n"),
    ]);
    repository.git(&["checkout", "--quiet", "-b", BRANCH]);
    let patch = repository.commit(&[("lib/index.js", "payload\n")]);
    repository.git(&["checkout", "--quiet", "main"]);
    (repository, released, patch)
}

fn published(content: &str) -> Wanted {
    Wanted::npm("thing", "1.0.0").published(&[
        ("package.json", &manifest("thing", "1.0.0")),
        ("lib/index.js", content),
    ])
}

#[test]
fn a_branch_above_a_tag_never_replaces_it() {
    let world = World::new();
    let (repository, released, patch) = patched(&world);
    repository.git(&["tag", "v1.0.0", released.as_str()]);

    for content in ["payload\n", "honest\n"] {
        let found = world.find(&published(content)).unwrap();
        assert_eq!(short(&found), (FoundBy::Tag, Some("v1.0.0"), &released));
        assert_eq!(found.pin.reach, Reach::DefaultOrTag);
    }

    // The same commit, merged.
    repository.git(&["merge", "--quiet", "--ff-only", BRANCH]);
    let found = world.find(&published("payload\n")).unwrap();
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &patch));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
}

#[test]
fn a_branch_beside_an_untagged_release_never_replaces_it() {
    let world = World::new();
    let (repository, released, patch) = patched(&world);
    for (content, otherwise) in [("payload\n", Some(&patch)), ("honest\n", None)] {
        let found = world.find(&published(content)).unwrap();
        assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
        assert_eq!(found.pin.reach, Reach::DefaultOrTag);
        // It is kept for the case that what stands first does not explain the published file.
        let kept = found.otherwise.map(|otherwise| otherwise.pin);
        assert_eq!(kept.as_ref().map(|pin| &pin.commit), otherwise);
        assert!(kept.is_none_or(|pin| pin.reach == beside()));
    }

    // A tag of any name keeps a release branch green.
    repository.git(&["tag", "released", patch.as_str()]);
    let found = world.find(&published("payload\n")).unwrap();
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &patch));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
}

#[test]
fn a_branch_with_freshly_built_files_does_not_outrank_a_tag_with_old_ones() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let json = manifest("thing", "1.0.0");
    let files = [("package.json", json.as_str()), ("dist/index.js", "old\n")];
    let released = repository.commit(&files);
    repository.tag("v1.0.0");
    repository.git(&["checkout", "--quiet", "-b", "ci-dist"]);
    repository.commit(&[("dist/index.js", "fresh\n")]);
    repository.git(&["checkout", "--quiet", "main"]);
    let wanted = Wanted::npm("thing", "1.0.0")
        .published(&[("package.json", &json), ("dist/index.js", "fresh\n")]);
    let found = world.find(&wanted).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.0.0"), &released));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
}

#[test]
fn a_branch_with_the_version_does_not_outrank_a_tag_that_is_stamped() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let released = repository.commit(&[("package.json", &manifest("thing", "0.9.0"))]);
    repository.tag("v1.0.0");
    repository.git(&["checkout", "--quiet", "-b", BRANCH]);
    let patch = repository.commit(&[("package.json", &manifest("thing", "1.0.0"))]);
    repository.git(&["checkout", "--quiet", "main"]);
    let found = world.find(&Wanted::npm("thing", "1.0.0")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.0.0"), &released));

    repository.git(&["tag", "-d", "v1.0.0"]);
    let found = world.find(&Wanted::npm("thing", "1.0.0")).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &patch));
    assert_eq!(found.pin.reach, beside());
}

/// A release made from a branch, and three days later the branch squashed into `main`, which by then holds `more`.
fn squashed(world: &World, more: &[(&str, &str)]) -> (Repository, CommitId, CommitId) {
    let repository = world.repository("owner/name");
    repository.commit(&[("packages/thing/package.json", &manifest("thing", "0.9.0"))]);
    repository.git(&["checkout", "--quiet", "-b", "dev"]);
    let files = [("packages/thing/package.json", manifest("thing", "1.0.0"))];
    let files = [(files[0].0, files[0].1.as_str())];
    let published = repository.commit(&files);
    repository.git(&["checkout", "--quiet", "main"]);
    for _ in 0..72 {
        repository.commit(&[]);
    }
    let merged = repository.commit(&[&files, more].concat());
    (repository, published, merged)
}

#[test]
fn git_head_on_a_branch_that_was_squashed_leads_to_the_default_branch() {
    let json = "packages/thing/package.json";
    let changed = manifest("thing", "1.0.0").replace('}', ", \"bin\": \"evil.js\"}");
    for (more, is_taken) in [
        (vec![], true),
        (vec![("other.js", "other\n")], true),
        (vec![(json, changed.as_str())], false),
    ] {
        let world = World::new();
        let (_repository, head, merged) = squashed(&world, &more);
        let found = world
            .find(&Wanted::npm("thing", "1.0.0").git_head(&head))
            .unwrap();
        if is_taken {
            assert_eq!(
                short(&found),
                (FoundBy::Neighbour, None, &merged),
                "{more:?}"
            );
            assert_eq!(found.pin.reach, Reach::DefaultOrTag);
        } else {
            assert_eq!(short(&found), (FoundBy::GitHead, None, &head));
            assert_eq!(found.pin.reach, Reach::OtherBranch("dev".to_owned()));
        }
    }
}

#[test]
fn a_release_from_a_branch_that_was_squashed_days_later_is_found_on_the_default_branch() {
    let world = World::new();
    let (repository, _, merged) = squashed(&world, &[]);
    let uploaded = repository.now() - 72 * 3600;
    let found = world
        .find(&Wanted::npm("thing", "1.0.0").uploaded(uploaded))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &merged));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
}

#[test]
fn what_a_shallow_clone_does_not_hold_is_not_called_unreachable() {
    let world = World::new();
    let (repository, released, _) = patched(&world);
    let head = repository.commit(&[("package.json", &manifest("thing", "1.0.1"))]);
    let source = format!("file://{}", repository.directory.display());
    for depth in [None, Some("--depth=1")] {
        let name = format!("../clone{}", depth.unwrap_or_default());
        let mut arguments = vec!["clone", "--quiet"];
        arguments.extend(depth);
        arguments.extend([source.as_str(), &name]);
        repository.git(&arguments);
        let clone = repository.directory.join(&name);
        let find = |commit: &CommitId, version: &str| {
            let wanted = Wanted::npm("thing", version).git_head(commit);
            world.find(&wanted.source(&clone))
        };
        assert_eq!(find(&head, "1.0.1").unwrap().pin.commit, head);
        match (depth, find(&released, "1.0.0")) {
            (None, found) => assert_eq!(found.unwrap().pin.commit, released),
            (Some(_), Err(SourceError::NoSource { looked_at, .. })) => {
                assert!(looked_at.cut_short);
                let told = looked_at.passed_over.concat();
                assert!(told.contains("beyond the part") && !told.contains("unreachable"));
            }
            (Some(_), other) => panic!("{other:?}"),
        }
        let found = find(&released, "1.0.1").unwrap();
        assert_eq!(found.pin.commit, head);
        let unreachable = notes(&found)
            .iter()
            .any(|note| note.contains("unreachable"));
        assert!(!unreachable);
    }
}

#[test]
fn a_branch_of_built_files_is_not_preferred_to_what_they_are_built_from() {
    let world = World::new();
    let (repository, released, _) = patched(&world);
    repository.git(&["checkout", "--quiet", "-b", "built"]);
    repository.commit(&[("dist/index.js", "built\n")]);
    repository.git(&["checkout", "--quiet", "main"]);
    let wanted = published("honest\n")
        .published(&[("lib/index.js", "honest\n"), ("dist/index.js", "built\n")]);
    let found = world.find(&wanted).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
}

#[test]
fn git_head_on_another_branch_is_told() {
    let world = World::new();
    let (_repository, released, patch) = patched(&world);
    for (head, reach) in [(&patch, beside()), (&released, Reach::DefaultOrTag)] {
        let found = world
            .find(&Wanted::npm("thing", "1.0.0").git_head(head))
            .unwrap();
        assert_eq!(short(&found), (FoundBy::GitHead, None, head));
        assert_eq!(found.pin.reach, reach);
    }
}

#[test]
fn a_version_and_files_of_another_branch_alone_are_told() {
    for version in ["1.0.0", "0.0.0"] {
        let world = World::new();
        let repository = world.repository("owner/name");
        repository.commit(&[("readme.md", "read\n")]);
        repository.git(&["checkout", "--quiet", "-b", BRANCH]);
        let files = [("a.js", "a\n"), ("b.js", "b\n"), ("c.js", "c\n")];
        repository.commit(&[
            ("package.json", &manifest("thing", version)),
            files[0],
            files[1],
            files[2],
        ]);
        repository.git(&["checkout", "--quiet", "main"]);
        let wanted = Wanted::npm("thing", "1.0.0").published(&files);
        assert_eq!(
            world.find(&wanted).unwrap().pin.reach,
            beside(),
            "{version}"
        );
    }
}

#[test]
fn the_default_branch_is_the_one_that_head_names() {
    let world = World::new();
    let (repository, _, patch) = patched(&world);
    let reach = || {
        let wanted = Wanted::npm("thing", "1.0.0").git_head(&patch);
        world.find(&wanted).unwrap().pin.reach
    };
    assert_eq!(reach(), beside());
    repository.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{BRANCH}")]);
    assert_eq!(reach(), Reach::DefaultOrTag);

    // Nobody says: `main` where there is no `master`, nothing where there are only others.
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    assert_eq!(reach(), beside());
    repository.git(&["branch", "-m", "main", "stable"]);
    assert_eq!(reach(), beside());
    repository.git(&["branch", "-D", "stable"]);
    assert_eq!(reach(), Reach::DefaultOrTag, "the only branch");
}

#[test]
fn in_a_clone_the_origins_default_branch_counts() {
    let world = World::new();
    let (repository, released, patch) = patched(&world);
    repository.git(&["clone", "--quiet", ".", "../clone"]);
    let clone = world.path("hosts/owner/clone");
    let checkout = format!("--work-tree={}", clone.display());
    let directory = format!("--git-dir={}", clone.join(".git").display());
    repository.git(&[&directory, &checkout, "checkout", "--quiet", BRANCH]);
    for (head, expect) in [(&patch, beside()), (&released, Reach::DefaultOrTag)] {
        let wanted = Wanted::npm("thing", "1.0.0").git_head(head).source(&clone);
        assert_eq!(world.find(&wanted).unwrap().pin.reach, expect);
    }
}

#[test]
fn what_the_user_names_is_the_users_choice() {
    let world = World::new();
    let (_repository, _, patch) = patched(&world);
    for reference in [BRANCH, patch.as_str()] {
        let found = world
            .find(&published("payload\n").reference(reference))
            .unwrap();
        assert_eq!(found.pin.commit, patch);
        assert_eq!(found.pin.reach, Reach::Given);
    }
}
