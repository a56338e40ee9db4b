//! Tags that name the version, and manifests that agree with them or do not.

use remint_fetch::source::SourceError;
use remint_model::{FoundBy, MeantFor, Reach};

use crate::fixture::{Wanted, World, manifest, notes, short, subdirectory};

#[test]
fn a_tag_whose_manifest_agrees_is_taken() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    repository.tag("v1.2.2");
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    repository.commit(&[("later.js", "1\n")]);

    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &released));
    assert_eq!(found.pin.stamp, None);
    assert!(found.pin.reach.is_advertised());
    assert_eq!(found.pin.repository, "https://github.com/owner/name");
    assert!(found.tree.has("package.json") && !found.tree.has("later.js"));
    assert_eq!(
        found.tree.text("package.json"),
        Some(&*manifest("thing", "1.2.3"))
    );
}

#[test]
fn what_was_fetched_ahead_is_not_asked_for_again() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let wanted = Wanted::npm("thing", "1.2.3");
    let user = world.user();

    let ahead = wanted.ahead(&user).unwrap();
    ahead.begin();
    std::fs::remove_dir_all(&repository.directory).unwrap();
    let found = wanted.find_after(Some(&ahead), &user).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &released));
    // Without it the repository is asked again.
    assert!(matches!(
        wanted.find(&user),
        Err(SourceError::Unavailable { .. })
    ));
}

#[test]
fn what_could_not_be_fetched_ahead_is_fetched_by_the_search() {
    let world = World::new();
    let user = world.user();
    let wanted = Wanted::npm("thing", "1.2.3");
    let ahead = wanted.ahead(&user).unwrap();
    ahead.begin();
    let repository = world.repository("owner/name");
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let found = wanted.find_after(Some(&ahead), &user).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &released));
}

#[test]
fn a_commit_that_others_name_is_known_where_a_tag_or_the_default_branch_has_it() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let first = repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let later = repository.commit(&[("later.js", "1\n")]);
    let dangling = repository.dangling(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.git(&["checkout", "--quiet", "-b", "proposal"]);
    let proposed = repository.commit(&[("proposed.js", "1\n")]);
    repository.git(&["checkout", "--quiet", "-"]);
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    for (commit, expect) in [
        (&first, true),
        (&released, true),
        (&later, true),
        (&dangling, false),
        (&proposed, false),
        (&"1".repeat(40).parse().unwrap(), false),
    ] {
        assert_eq!(found.reaches(commit).unwrap(), expect, "{commit}");
    }
}

#[test]
fn an_annotated_tag_leads_to_its_commit() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.git(&["tag", "-a", "-m", "release", "v1.2.3"]);
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &released));
}

#[test]
fn a_siblings_tag_with_the_same_number_is_passed_over() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("packages/old/package.json", &manifest("old", "1.2.3"))]);
    repository.tag("v1.2.3");
    repository.commit(&[("packages/thing/package.json", &manifest("thing", "1.2.2"))]);
    let released =
        repository.commit(&[("packages/thing/package.json", &manifest("thing", "1.2.3"))]);
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
    assert_eq!(subdirectory(&found), Some("packages/thing"));
    assert_eq!(notes(&found), ["no manifest of thing there"]);
    assert_eq!(found.pin.candidates[1].meant_for, MeantFor::Sibling);
}

#[test]
fn a_siblings_tag_stands_in_only_where_it_holds_nothing_else_than_was_published() {
    for (content, taken) in [("one\n", true), ("other\n", false)] {
        let world = World::new();
        let repository = world.repository("owner/name");
        repository.commit(&[
            ("packages/old/package.json", &manifest("old", "1.2.3")),
            ("packages/thing/package.json", &manifest("thing", "0.9.0")),
            ("packages/thing/index.js", content),
        ]);
        repository.tag("v1.2.3");
        let wanted = Wanted::npm("thing", "1.2.3").published(&[("index.js", "one\n")]);
        match world.find(&wanted) {
            Ok(found) => assert!(taken && found.pin.stamp.is_some()),
            Err(SourceError::NoSource { .. }) => assert!(!taken),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_tag_that_no_package_there_explains_is_about_this_release() {
    for (tag, other) in [("v1.2.3", "0.9.0"), ("thing@1.2.3", "1.2.3")] {
        let world = World::new();
        let repository = world.repository("owner/name");
        repository.commit(&[("packages/old/package.json", &manifest("old", other))]);
        repository.tag(tag);
        repository.commit(&[("packages/thing/package.json", &manifest("thing", "1.2.3"))]);
        let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
        assert_eq!(notes(&found), ["no manifest of thing there"]);
        assert_eq!(
            found.pin.candidates[1].meant_for,
            MeantFor::ThisRelease,
            "{tag}"
        );
    }
}

#[test]
fn of_two_spellings_the_tag_that_agrees_wins() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    repository.tag("1.2.3");
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &released));
    assert_eq!(notes(&found), ["the manifest there says 1.2.2"]);
}

#[test]
fn an_own_tag_beats_a_tag_of_the_whole_repository() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let released = repository.commit(&[(
        "packages/thing/package.json",
        &manifest("@s/thing", "1.2.3"),
    )]);
    repository.tag("@s/thing@1.2.3");
    repository.commit(&[("packages/thing/index.js", "1\n")]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::npm("@s/thing", "1.2.3")).unwrap();
    assert_eq!(
        short(&found),
        (FoundBy::Tag, Some("@s/thing@1.2.3"), &released)
    );
}

#[test]
fn a_moving_tag_leads_nowhere() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.commit(&[("later.js", "1\n")]);
    repository.tag("latest");
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
}

#[test]
fn an_older_manifest_is_stamped_where_a_tag_names_the_version() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let tagged = repository.commit(&[("package.json", &manifest("thing", "1.0.0"))]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    let stamp = found.pin.stamp.unwrap();
    assert_eq!(stamp.found.as_deref(), Some("1.0.0"));
    assert_eq!(stamp.because, "tag `v1.2.3` names it");
}

#[test]
fn an_older_manifest_is_not_stamped_where_nothing_names_the_version() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.0.0"))]);
    repository.tag("v1.0.0");
    let mut wanted = Wanted::npm("thing", "1.2.3").published(&[("index.js", "1\n")]);
    wanted.release.versions = vec!["1.0.0".parse().unwrap(), "1.2.3".parse().unwrap()];
    match world.find(&wanted).unwrap_err() {
        SourceError::NoSource { looked_at, .. } => {
            assert_eq!((looked_at.tags, looked_at.commits), (1, 1));
            assert_eq!(looked_at.tagged_releases, 1);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_placeholder_is_stamped_and_a_tag_is_enough() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let tagged = repository.commit(&[("package.json", &manifest("thing", "0.0.0-development"))]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    assert_eq!(
        found.pin.stamp.unwrap().found.as_deref(),
        Some("0.0.0-development")
    );
}

#[test]
fn a_commit_that_agrees_is_preferred_to_the_tag_before_it() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    repository.tag("v1.2.3");
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &released));
    assert_eq!(found.pin.release_reference(), Some("v1.2.3"));
    assert_eq!(found.pin.stamp, None);
    assert_eq!(notes(&found), ["the manifest there says 1.2.2"]);
}

#[test]
fn published_files_can_lead_from_the_tag_to_a_later_commit() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let json = manifest("thing", "1.2.3");
    let tagged = repository.commit(&[("package.json", &json), ("index.js", "old\n")]);
    repository.tag("v1.2.3");
    let fixed = repository.commit(&[("index.js", "fixed\n")]);
    repository.commit(&[("index.js", "next\n")]);

    let fits = |content: &str| {
        let wanted = Wanted::npm("thing", "1.2.3")
            .published(&[("package.json", &json), ("index.js", content)]);
        world.find(&wanted).unwrap()
    };
    let found = fits("fixed\n");
    assert_eq!(
        short(&found),
        (FoundBy::Neighbour, None, &fixed),
        "the tag names another commit"
    );
    assert_eq!(found.pin.reach, Reach::DefaultOrTag);
    assert_eq!(
        notes(&found),
        [""],
        "the tag is another opinion, without excuse"
    );
    let found = fits("old\n");
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    // Content that no commit holds moves nothing.
    let found = fits("foreign\n");
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
}

#[test]
fn the_claimed_folder_decides_between_manifests_of_one_name() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let json = manifest("thing", "1.2.3");
    repository.commit(&[("package.json", &json), ("packages/a/package.json", &json)]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::npm("thing", "1.2.3")).unwrap();
    assert_eq!(subdirectory(&found), None);
    let hinted = Wanted::npm("thing", "1.2.3").directory("packages/a");
    let found = world.find(&hinted).unwrap();
    assert_eq!(subdirectory(&found), Some("packages/a"));
    // A folder that does not exist is only a bad hint.
    let misled = Wanted::npm("thing", "1.2.3").directory("packages/b");
    let found = world.find(&misled).unwrap();
    assert_eq!(subdirectory(&found), None);
}

#[test]
fn the_readme_in_python_metadata_leads_from_the_tag_to_the_commit_that_has_it() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let readme = |plans: &str| {
        let mut text = "# thing\n\nIt does what a thing does, on every machine.\n\n".to_owned();
        text.push_str(plans);
        text
    };
    let (before, after) = (readme("- publish it\n"), readme("- improve it\n"));
    let project = "[project]\nname = \"thing\"\nversion = \"1.2.3\"\n";
    let released = repository.commit(&[
        ("pyproject.toml", project),
        ("thing.py", "1\n"),
        ("README.md", &before),
    ]);
    let tagged = repository.commit(&[("README.md", &after)]);
    repository.tag("v1.2.3");

    let with = |readme: &str| {
        let mut wanted = Wanted::pypi("thing", "1.2.3").published(&[("thing.py", "1\n")]);
        let metadata = format!("Metadata-Version: 2.4\nName: thing\nVersion: 1.2.3\n\n{readme}");
        wanted.survey.texts = vec![(
            "thing-1.2.3.dist-info/METADATA".parse().unwrap(),
            metadata.into_bytes(),
        )];
        world.find(&wanted).unwrap()
    };
    let found = with(&before);
    assert_eq!(short(&found), (FoundBy::Neighbour, None, &released));
    // Nobody's readme leads nowhere else.
    for readme in [after, readme("- sell it\n")] {
        let found = with(&readme);
        assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    }
}
