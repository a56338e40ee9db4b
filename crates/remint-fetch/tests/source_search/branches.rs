//! Branches beside the default one: whoever may push a branch chooses what is on it.

use remint_model::{CommitId, FoundBy, Reach};

use crate::fixture::{Repository, Wanted, World, manifest, short};

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
fn a_branch_above_an_honest_tag_is_told_from_the_tag() {
    let world = World::new();
    let (repository, released, patch) = patched(&world);
    repository.git(&["tag", "v1.0.0", released.as_str()]);

    let found = world.find(&published("payload\n")).unwrap();
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &patch));
    assert_eq!(found.pin.reach, beside());
    let found = world.find(&published("honest\n")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.0.0"), &released));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);

    // The same commit, merged.
    repository.git(&["merge", "--quiet", "--ff-only", BRANCH]);
    let found = world.find(&published("payload\n")).unwrap();
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &patch));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
}

#[test]
fn a_branch_beside_an_untagged_release_is_told() {
    let world = World::new();
    let (repository, released, patch) = patched(&world);
    let found = world.find(&published("payload\n")).unwrap();
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &patch));
    assert_eq!(found.pin.reach, beside());
    let found = world.find(&published("honest\n")).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);

    // A tag of any name keeps a release branch green.
    repository.git(&["tag", "released", patch.as_str()]);
    let found = world.find(&published("payload\n")).unwrap();
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
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
