//! What is left of a build can be given away and cleared away, however hostile it was.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use remint_sandbox::{Access, Bind, Owner, remove_tree};

use crate::ground::{Ground, outcome};
use crate::harness::Case;

pub(crate) const CASES: &[Case] = &[
    ("directories_that_nobody_may_enter_are_removed", closed),
    ("trees_deeper_than_descriptors_reach_are_removed", deep),
    (
        "a_link_is_removed_and_what_it_leads_to_is_not",
        removed_link,
    ),
    (
        "a_link_is_given_away_and_what_it_leads_to_is_not",
        given_link,
    ),
    ("removing_what_is_not_there_is_no_error", absent),
];

/// Lets a script of the build loose on a directory.
fn left_by(ground: &Ground, script: &str) -> std::path::PathBuf {
    let out = ground.tree("out", &[]);
    let mut command = ground.shell(script);
    command.directory = "/out".into();
    command.binds.push(Bind {
        host: out.clone(),
        inside: "/out".into(),
        access: Access::Writable,
    });
    outcome(&command);
    out
}

fn closed() {
    let ground = Ground::new();
    let out = left_by(
        &ground,
        "mkdir -p a/b/c d && echo x > a/b/c/file && chmod 0 a/b/c/file a/b/c a/b a && chmod 555 d . ",
    );
    assert!(out.join("a").exists());
    remove_tree(&out).unwrap();
    assert!(!out.exists());
}

fn deep() {
    let ground = Ground::new();
    let out = left_by(
        &ground,
        "mkdir .lifted-1 .lifted-2; echo x > .lifted-1/x; echo x > .lifted-3; \
         i=0; while [ $i -lt 1500 ]; do mkdir dddd && cd -P dddd || exit 1; i=$((i+1)); done",
    );
    remove_tree(&out).unwrap();
    assert!(!out.exists());
}

fn removed_link() {
    let ground = Ground::new();
    let treasure = ground.tree("treasure", &[("gold", "g")]);
    let out = left_by(
        &ground,
        &format!("ln -s {} link; ln -s / root", treasure.display()),
    );
    remove_tree(&out).unwrap();
    assert!(!out.exists());
    assert_eq!(fs_err::read_to_string(treasure.join("gold")).unwrap(), "g");
    symlink(&treasure, &out).unwrap();
    remove_tree(&out).unwrap_err();
    assert!(
        treasure.join("gold").exists(),
        "a link in place of the tree is refused"
    );
}

fn given_link() {
    let ground = Ground::new();
    let treasure = ground.path("treasure");
    fs_err::write(&treasure, "g").unwrap();
    fs_err::set_permissions(&treasure, std::fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs_err::metadata(&treasure).unwrap();
    let tree = ground.tree("tree", &[("sub/file", "")]);
    symlink(&treasure, tree.join("sub/link")).unwrap();
    ground.owner.give(&tree).unwrap();
    let after = fs_err::metadata(&treasure).unwrap();
    assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
    for path in ["", "sub", "sub/file", "sub/link"] {
        let owner = fs_err::symlink_metadata(tree.join(path)).unwrap().uid();
        assert_eq!(owner, ground.owner.uid(), "{path}");
    }
    if rustix::process::geteuid().is_root() {
        assert!(matches!(ground.owner, Owner::Throwaway { uid: 1.., .. }));
    }
}

fn absent() {
    remove_tree(&Ground::new().path("nothing")).unwrap();
}
