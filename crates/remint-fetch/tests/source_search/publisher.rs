//! What the publisher says: `gitHead`, the repository's URL. Hints, of which disagreement stays on record.

use remint_fetch::source::FoundSource;
use remint_fetch::source::SourceError;
use remint_model::{CommitId, FoundBy, PreviousRepository};

use crate::fixture::{UNTOLD, Wanted, World, claim, manifest, notes, short};

#[test]
fn git_head_is_taken_where_no_tag_exists() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    let head = repository.commit(&[("index.js", "1\n")]);
    repository.commit(&[("index.js", "2\n")]);
    let found = world
        .find(&Wanted::npm("thing", "1.2.3").git_head(&head))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::GitHead, None, &head));
    assert!(found.pin.reach.is_advertised());
}

#[test]
fn git_head_whose_manifest_says_otherwise_is_not_taken() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let head = repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    let released = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    let found = world
        .find(&Wanted::npm("thing", "1.2.3").git_head(&head))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
    assert_eq!(notes(&found), ["an earlier commit"]);
}

#[test]
fn a_tag_beats_git_head_and_the_disagreement_is_kept() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let tagged = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let head = repository.commit(&[("index.js", "1\n")]);
    let found = world
        .find(&Wanted::npm("thing", "1.2.3").git_head(&head))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    assert_eq!(notes(&found), ["a later commit"]);

    let found = world
        .find(&Wanted::npm("thing", "1.2.3").git_head(&tagged))
        .unwrap();
    assert!(notes(&found).is_empty());
    assert!(
        found
            .pin
            .candidates
            .iter()
            .any(|candidate| { candidate.found_by == FoundBy::GitHead && candidate.agrees })
    );
}

#[test]
fn git_head_on_an_unreachable_commit_is_named_beside_a_tag() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let tagged = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let hidden = repository.dangling(&[("index.js", "evil\n")]);
    let found = world
        .find(&Wanted::npm("thing", "1.2.3").git_head(&hidden))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    assert_eq!(notes(&found), ["unreachable: no branch or tag leads to it"]);
}

#[test]
fn git_head_on_an_unreachable_commit_never_passes_for_reachable() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    let hidden = repository.dangling(&[("package.json", &manifest("thing", "1.2.3"))]);
    let found = world
        .find(&Wanted::npm("thing", "1.2.3").git_head(&hidden))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::GitHead, None, &hidden));
    assert!(!found.pin.reach.is_advertised());

    let nowhere: CommitId = "1".repeat(40).parse().unwrap();
    match world.find(&Wanted::npm("thing", "1.2.3").git_head(&nowhere)) {
        Err(SourceError::NoSource { looked_at, .. }) => {
            assert!(
                looked_at
                    .passed_over
                    .iter()
                    .any(|note| note.contains("unreachable"))
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_changed_repository_is_noticed_and_a_moved_one_is_not() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let other = world.repository("honest/name");
    other.commit(&[("package.json", &manifest("thing", "1.2.2"))]);

    let previous = |url: &str| {
        let wanted = Wanted::npm("thing", "1.2.3").previously(&[(url, None)]);
        another(world.find(&wanted).unwrap())
    };
    assert_eq!(
        previous("https://github.com/honest/name").as_deref(),
        Some("https://github.com/honest/name")
    );
    assert_eq!(
        previous("https://github.com/gone/name").as_deref(),
        Some("https://github.com/gone/name"),
        "one that is gone is another one"
    );
    assert_eq!(previous("git+ssh://git@github.com/Owner/name.git"), None);

    // A repository that was renamed advertises the same commits under its old name.
    std::fs::create_dir_all(world.path("hosts/before")).unwrap();
    std::os::unix::fs::symlink(
        world.path("hosts/owner/name"),
        world.path("hosts/before/name"),
    )
    .unwrap();
    assert_eq!(previous("https://github.com/before/name"), None);
}

/// The repository that is known to be another one.
fn another(found: FoundSource) -> Option<String> {
    match found.pin.previous_repository? {
        PreviousRepository::Other(repository) => Some(repository),
        PreviousRepository::Silent { .. } | PreviousRepository::Untold { .. } => None,
    }
}

#[test]
fn an_old_repository_that_keeps_silent_is_neither_the_same_nor_another_one() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let honest = world.repository("honest/name");
    honest.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    // Nothing listens there.
    world.user_setting("url.git://127.0.0.1:1/.insteadOf", "https://example.org/");
    const SILENT: &str = "https://example.org/honest/name";
    const OTHER: &str = "https://github.com/honest/name";
    let find = |named: &[(&str, Option<i64>)]| {
        let wanted = Wanted::npm("thing", "1.2.3").previously(named);
        world.find(&wanted).unwrap()
    };
    let found = find(&[(SILENT, None)]);
    assert!(
        matches!(
            &found.pin.previous_repository,
            Some(PreviousRepository::Silent { repository, .. }) if repository == SILENT
        ),
        "{:?}",
        found.pin.previous_repository
    );
    assert_eq!(
        another(find(&[(SILENT, None), (OTHER, None)])).as_deref(),
        Some(OTHER)
    );
    let untold = find(&[(UNTOLD, None)]).pin.previous_repository;
    assert!(
        matches!(untold, Some(PreviousRepository::Untold { .. })),
        "{untold:?}"
    );
    assert_eq!(
        another(find(&[(UNTOLD, None), (OTHER, None)])).as_deref(),
        Some(OTHER)
    );
    assert_eq!(find(&[("", None)]).pin.previous_repository, None);
}

#[test]
fn a_renamed_repository_that_went_on_is_still_the_same_one() {
    let moved = |on_main: bool| {
        let world = World::new();
        let repository = world.repository("owner/name");
        repository.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
        let released = if on_main {
            repository.commit(&[("package.json", &manifest("thing", "1.2.3"))])
        } else {
            let released = repository.dangling(&[("package.json", &manifest("thing", "1.2.3"))]);
            repository.git(&["branch", "other", released.as_str()]);
            released
        };
        repository.commit(&[("index.js", "1\n")]);
        std::fs::create_dir_all(world.path("hosts/before")).unwrap();
        std::os::unix::fs::symlink(
            world.path("hosts/owner/name"),
            world.path("hosts/before/name"),
        )
        .unwrap();
        let wanted = Wanted::npm("thing", "1.2.3")
            .git_head(&released)
            .previously(&[("https://github.com/before/name", None)]);
        world
            .find(&wanted)
            .unwrap()
            .pin
            .previous_repository
            .is_none()
    };
    assert!(moved(true));
    assert!(
        !moved(false),
        "both default branches agree, and do not reach it"
    );
}

#[test]
fn only_tags_and_the_default_branch_of_the_old_repository_vouch_for_the_new_one() {
    let leads = |reference: &str, default: &str| {
        let world = World::new();
        let honest = world.repository("honest/name");
        honest.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
        honest.git(&["branch", "stable"]);
        let fork = world.repository("owner/name");
        fork.git(&["fetch", "--quiet", "../../honest/name", "main"]);
        fork.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
        let released = fork.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
        fork.tag("v1.2.3");
        honest.git(&["checkout", "--quiet", "--detach"]);
        let here = format!("+{released}:{reference}");
        honest.git(&["fetch", "--quiet", "--no-tags", "../../owner/name", &here]);
        honest.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{default}")]);
        let wanted =
            Wanted::npm("thing", "1.2.3").previously(&[("https://github.com/honest/name", None)]);
        world
            .find(&wanted)
            .unwrap()
            .pin
            .previous_repository
            .is_none()
    };
    assert!(leads("refs/tags/v1.2.3", "main"));
    assert!(leads("refs/heads/main", "main"));
    assert!(leads("refs/heads/stable", "stable"));
    assert!(!leads("refs/heads/stable", "main"));
    assert!(!leads("refs/heads/dependabot/x", "main"));
    assert!(!leads("refs/pull/1/head", "main"));
}

#[test]
fn a_changed_repository_stays_noticed_until_it_is_an_old_one() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let honest = world.repository("honest/name");
    honest.commit(&[("package.json", &manifest("thing", "1.2.2"))]);
    std::fs::create_dir_all(world.path("hosts/before")).unwrap();
    std::os::unix::fs::symlink(
        world.path("hosts/owner/name"),
        world.path("hosts/before/name"),
    )
    .unwrap();

    const OTHER: &str = "https://github.com/honest/name";
    const SAME: &str = "https://github.com/owner/name";
    const MOVED: &str = "https://github.com/before/name";
    let noticed = |named: &[(&str, Option<i64>)]| {
        let wanted = Wanted::npm("thing", "1.2.3").previously(named);
        another(world.find(&wanted).unwrap())
    };
    let check = |named: &[(&str, Option<i64>)], expect: bool| {
        assert_eq!(
            noticed(named).as_deref(),
            expect.then_some(OTHER),
            "{named:?}"
        );
    };
    let after = |same: usize, days: Option<i64>| {
        let mut named = vec![(SAME, days); same];
        named.push((OTHER, None));
        named
    };
    check(&[(SAME, Some(1)), (OTHER, Some(90))], true);
    check(&[("", None), (OTHER, None)], true);
    check(&after(4, Some(90)), true);
    check(&after(5, Some(90)), false);
    check(&after(5, Some(29)), true);
    check(&after(50, Some(29)), true);
    check(&after(4, None), true);
    check(&after(5, None), true);
    check(&[(SAME, None), (OTHER, None), (SAME, None)], true);
    check(&[(MOVED, None), (SAME, None)], false);
    check(&[(MOVED, None), (OTHER, None)], true);
    let mut settled = vec![(MOVED, Some(60)); 5];
    settled.push((OTHER, None));
    check(&settled, false);
}

#[test]
fn claims_are_tried_in_order_and_silence_is_no_answer() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let other = world.repository("owner/other");
    other.commit(&[("package.json", &manifest("unrelated", "1.2.3"))]);

    let find = |urls: &[&str]| {
        let mut wanted = Wanted::npm("thing", "1.2.3");
        wanted.claims = urls.iter().map(|url| claim(url)).collect();
        world.find(&wanted)
    };
    let (right, wrong, dead) = (
        "https://github.com/owner/name",
        "https://github.com/owner/other",
        "https://github.com/owner/missing",
    );
    assert!(find(&[dead, right]).is_ok());
    assert!(find(&[wrong, right]).is_ok());
    assert!(matches!(find(&[wrong]), Err(SourceError::NoSource { .. })));
    // The one that did not answer might have had it.
    assert!(matches!(
        find(&[dead, wrong]),
        Err(SourceError::Unavailable { url, .. }) if url == dead
    ));
    assert!(matches!(
        find(&["https://127.0.0.1/owner/name"]),
        Err(SourceError::Refused { reason, .. }) if reason.contains("no public address")
    ));
    assert!(matches!(
        find(&["file:///etc", "ext::sh -c id"]),
        Err(SourceError::NoClaim { raw }) if raw.len() == 2
    ));
}

#[test]
fn offline_answers_come_from_the_cache_alone() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let tagged = repository.commit(&[("package.json", &manifest("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let mut user = world.user();
    user.offline = true;
    let wanted = Wanted::npm("thing", "1.2.3");
    assert!(matches!(
        wanted.find(&user),
        Err(SourceError::Unavailable { reason, .. }) if reason.contains("offline")
    ));
    world.find(&wanted).unwrap();
    std::fs::remove_dir_all(&repository.directory).unwrap();
    let found = wanted.find(&user).unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
}

#[test]
fn a_description_names_the_repository_only_where_nothing_else_does() {
    let world = World::new();
    let project = "[project]\nname = \"thing\"\nversion = \"1.2.3\"\n";
    let repository = world.repository("owner/thing");
    let tagged = repository.commit(&[("pyproject.toml", project)]);
    repository.tag("v1.2.3");
    let named = world.repository("owner/name");
    named.commit(&[("readme.md", "no package\n")]);

    let mut wanted = Wanted::pypi("thing", "1.2.3");
    wanted.survey.texts = vec![(
        "thing-1.2.3.dist-info/METADATA".parse().unwrap(),
        b"Name: thing\n\nSee https://github.com/owner/thing for more.\n".to_vec(),
    )];
    assert!(
        matches!(world.find(&wanted), Err(SourceError::NoSource { .. })),
        "the repository that metadata names has answered"
    );
    for claims in [vec![], vec![claim("https://github.com/owner/missing")]] {
        wanted.claims = claims;
        let found = world.find(&wanted).unwrap();
        assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
        assert_eq!(
            found.pin.candidates[0].note.as_deref(),
            Some("only the description names this repository")
        );
    }
}
