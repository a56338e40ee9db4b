//! Crates: what `.cargo_vcs_info.json` says, and versions that members take from their workspace.

use remint_model::FoundBy;

use crate::fixture::{Wanted, World, notes, short, subdirectory};

fn package(name: &str, version: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n")
}

fn workspace(version: &str) -> String {
    format!("[workspace]\nmembers = [\"crates/*\"]\n[workspace.package]\nversion = \"{version}\"\n")
}

const MEMBER: &str = "[package]\nname = \"thing\"\nversion.workspace = true\n";
const SIBLING: &str = "[package]\nname = \"other\"\nversion.workspace = true\n";

#[test]
fn the_commit_of_the_publishers_cargo_is_taken_where_no_tag_exists() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[("Cargo.toml", &package("thing", "1.2.3"))]);
    let head = repository.commit(&[("src/lib.rs", "1\n")]);
    repository.commit(&[("src/lib.rs", "2\n")]);
    let found = world
        .find(&Wanted::cargo("thing", "1.2.3").vcs_info(&head))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::VcsInfo, None, &head));
}

#[test]
fn a_tag_beats_the_publishers_cargo_and_the_disagreement_is_kept() {
    let world = World::new();
    let repository = world.repository("owner/name");
    let tagged = repository.commit(&[("Cargo.toml", &package("thing", "1.2.3"))]);
    repository.tag("v1.2.3");
    let head = repository.commit(&[("src/lib.rs", "1\n")]);
    let found = world
        .find(&Wanted::cargo("thing", "1.2.3").vcs_info(&head))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    assert_eq!(notes(&found), ["a later commit"]);

    let hidden = repository.dangling(&[("src/lib.rs", "evil\n")]);
    let found = world
        .find(&Wanted::cargo("thing", "1.2.3").vcs_info(&hidden))
        .unwrap();
    assert_eq!(short(&found), (FoundBy::Tag, Some("v1.2.3"), &tagged));
    assert_eq!(notes(&found), ["unreachable: no branch or tag leads to it"]);
}

#[test]
fn a_member_carries_the_version_of_its_workspace() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[
        ("Cargo.toml", &workspace("1.2.2")),
        ("crates/other/Cargo.toml", SIBLING),
        ("crates/thing/Cargo.toml", MEMBER),
    ]);
    repository.tag("v1.2.2");
    let released = repository.commit(&[("Cargo.toml", &workspace("1.2.3"))]);
    repository.commit(&[("Cargo.toml", &workspace("1.3.0"))]);

    // No tag names it, so the commit that set the version in the workspace is the one.
    let found = world.find(&Wanted::cargo("thing", "1.2.3")).unwrap();
    assert_eq!(short(&found), (FoundBy::VersionCommit, None, &released));
    assert_eq!(subdirectory(&found), Some("crates/thing"));
    assert_eq!(found.pin.stamp, None);

    let tagged = world.find(&Wanted::cargo("thing", "1.2.2")).unwrap();
    assert_eq!(tagged.pin.found_by, FoundBy::Tag);
    assert_eq!(tagged.pin.stamp, None);
}

#[test]
fn a_tag_over_a_workspace_of_another_version_is_no_plain_match() {
    let world = World::new();
    let repository = world.repository("owner/name");
    repository.commit(&[
        ("Cargo.toml", &workspace("1.2.2")),
        ("crates/thing/Cargo.toml", MEMBER),
    ]);
    repository.tag("v1.2.3");
    let found = world.find(&Wanted::cargo("thing", "1.2.3")).unwrap();
    let stamp = found.pin.stamp.expect("the manifest says another version");
    assert_eq!(stamp.found.as_deref(), Some("1.2.2"));
}
