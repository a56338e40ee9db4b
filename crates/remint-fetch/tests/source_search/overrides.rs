//! `--source`, `--ref` and `--subdir`.

use remint_fetch::source::SourceError;
use remint_model::FoundBy;

use crate::fixture::{Repository, Wanted, World, manifest, short, subdirectory};

fn two_versions(world: &World) -> Repository {
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    repository.tag("v1.2.2");
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    repository
}

#[test]
fn tags_branches_and_commits_can_be_named() {
    let world = World::new();
    let repository = two_versions(&world);
    let head = repository.head();
    let find = |reference: &str| world.find(&Wanted::npm("thing", "1.2.3").reference(reference));
    for (reference, shown) in [
        ("v1.2.3", Some("v1.2.3")),
        ("refs/tags/v1.2.3", Some("v1.2.3")),
        ("main", Some("main")),
        (head.as_str(), None),
        (&head.as_str()[..9], None),
    ] {
        let found = find(reference).unwrap();
        assert_eq!(short(&found), (FoundBy::User, shown, &head), "{reference}");
        assert!(found.pin.reach.is_advertised());
    }
}

#[test]
fn a_full_id_is_the_commit_and_no_branch_of_that_name() {
    let world = World::new();
    let repository = two_versions(&world);
    let meant = repository.head();
    repository.commit(&[("index.js", "something else\n")]);
    let branch =
        |name: &str| repository.git(&["update-ref", &format!("refs/heads/{name}"), "HEAD"]);
    branch(meant.as_str());
    let find = |reference: &str| {
        let found = world.find(&Wanted::npm("thing", "1.2.3").reference(reference));
        found.map(|found| found.pin.commit)
    };
    assert_eq!(find(meant.as_str()).unwrap(), meant);
    let full = format!("refs/heads/{meant}");
    assert_eq!(find(&full).unwrap(), repository.head());
    // A name that is no commit's id stays unknown, whatever is called so.
    let no_commit = "1".repeat(40);
    branch(&no_commit);
    assert!(find(&no_commit).is_err());
    branch("v9");
    assert!(find("refs/tags/v9").is_err());
}

#[test]
fn a_commit_that_nothing_reaches_can_be_named_and_is_called_unreachable() {
    let world = World::new();
    let repository = two_versions(&world);
    let hidden = repository.dangling(&[("index.js", "1\n")]);
    let found = world
        .find(&Wanted::npm("thing", "1.2.3").reference(hidden.as_str()))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::User, None, &hidden));
    assert!(!found.pin.reach.is_advertised());
}

#[test]
fn an_unknown_ref_names_the_nearest() {
    let world = World::new();
    two_versions(&world);
    for reference in [
        "v1.2.4",
        "1.2.3",
        "--upload-pack=touch x",
        "0123456789abcdef",
    ] {
        let error = world
            .find(&Wanted::npm("thing", "1.2.3").reference(reference))
            .unwrap_err();
        assert!(matches!(error, SourceError::UnknownRef { .. }), "{error}");
        if reference == "v1.2.4" {
            assert!(
                error
                    .to_string()
                    .contains("the nearest are `v1.2.2`, `v1.2.3`"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_named_commit_is_stamped_only_where_its_ref_names_the_version() {
    let world = World::new();
    let repository = two_versions(&world);
    repository.git(&["tag", "thing-1.3.0"]);
    let stamp = |reference: &str| {
        let found = world
            .find(&Wanted::npm("thing", "1.3.0").reference(reference))
            .unwrap();
        (
            found.pin.stamp.is_some(),
            found.pin.candidates[0].note.clone(),
        )
    };
    assert_eq!(stamp("thing-1.3.0"), (true, None));
    assert_eq!(
        stamp("main"),
        (false, Some("the manifest there says 1.2.3".to_owned()))
    );
}

#[test]
fn a_directory_gives_its_committed_objects_only() {
    let world = World::new();
    let repository = two_versions(&world);
    let head = repository.head();
    std::fs::write(repository.directory.join("package.json"), "dirty").unwrap();
    std::fs::write(repository.directory.join("untracked.js"), "1\n").unwrap();
    let mut wanted = Wanted::npm("thing", "1.2.3").source(&repository.directory);
    wanted.claims.clear();
    let found = world.find(&wanted).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &head));
    assert_eq!(found.tree.entries.len(), 1);
    assert_eq!(
        found.pin.repository,
        repository.directory.display().to_string()
    );
    let out = world.path("out/tree");
    found
        .checkout
        .materialise(remint_model::CloneShape::Tip, &out)
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(out.join("package.json")).unwrap(),
        manifest("thing", "1.2.3")
    );
    assert!(!out.join("untracked.js").exists());
}

#[test]
fn bare_repositories_worktrees_and_folders_within_are_directories_too() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let json = manifest("thing", "1.2.3");
    repository.commit(&[
        ("packages/thing/package.json", &json),
        ("package.json", &json),
    ]);
    let head = repository.head();
    repository.git(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
    repository.git(&["worktree", "add", "--quiet", "../tree"]);
    for (place, expect) in [
        ("hosts/owner/bare.git", None),
        ("hosts/owner/tree", None),
        ("hosts/owner/name/packages/thing", Some("packages/thing")),
    ] {
        let mut wanted = Wanted::npm("thing", "1.2.3").source(&world.path(place));
        wanted.overrides.reference = Some("HEAD".to_owned());
        let found = world.find(&wanted).unwrap();
        assert_eq!(found.pin.commit, head, "{place}");
        assert_eq!(subdirectory(&found), expect, "{place}");
    }
}

#[test]
fn what_is_no_repository_is_said_to_be_none() {
    let world = World::new();
    let plain = world.path("plain");
    std::fs::create_dir(&plain).unwrap();
    let reason = |source: &str| {
        let mut wanted = Wanted::npm("thing", "1.2.3");
        wanted.overrides.source = Some(source.to_owned());
        world.find(&wanted).unwrap_err().to_string()
    };
    assert!(reason("plain").contains("no git repository"));
    assert!(reason("./missing").contains("no such directory"));
    assert!(reason("ext::sh -c id").contains("characters"));
    assert!(reason("https://github.com/owner/missing").contains("did not answer"));
}

#[test]
fn the_folder_is_the_users_to_choose() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let json = manifest("thing", "1.2.3");
    repository.commit(&[
        ("a/package.json", &json),
        ("b/package.json", &manifest("renamed", "1.2.3")),
    ]);
    repository.tag("v1.2.3");
    let mut wanted = Wanted::npm("thing", "1.2.3");
    wanted.overrides.subdirectory = Some("b".parse().unwrap());
    assert_eq!(subdirectory(&world.find(&wanted).unwrap()), Some("b"));
    wanted.overrides.subdirectory = Some("c".parse().unwrap());
    assert!(matches!(
        world.find(&wanted),
        Err(SourceError::NoSource { .. })
    ));
}

#[test]
fn what_a_killed_run_left_is_swept() {
    let world = World::new();
    let repository = two_versions(&world);
    let left = world.path("cache/git/local-left");
    std::fs::create_dir_all(left.join("repository")).unwrap();
    std::fs::write(left.join("lock"), "").unwrap();
    let wanted = Wanted::npm("thing", "1.2.3").source(&repository.directory);
    let first = world.find(&wanted).unwrap();
    assert!(!left.exists());
    // One that is in use stays.
    let second = world.find(&wanted).unwrap();
    for (name, found) in [("first", &first), ("second", &second)] {
        let out = world.path("out").join(name);
        found
            .checkout
            .materialise(remint_model::CloneShape::Tip, &out)
            .unwrap();
    }
    drop((first, second));
    let scratches = std::fs::read_dir(world.path("cache/git"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().is_dir())
        .count();
    assert_eq!(scratches, 0);
}
