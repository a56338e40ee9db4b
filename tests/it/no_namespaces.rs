//! Machines that refuse user namespaces: what they are told, and that the weaker isolation still works there.

use std::path::Path;
use std::process::{Command, Output};

use crate::elsewhere::{finish, left_out};
use crate::machine::{SPEC, with_dependency};
use crate::world::World;

/// Forbids them to itself and to what it runs. `--keep-caps`: who is not root may then still write the limit.
const FORBID: &str = r#"echo 0 > /proc/sys/user/max_user_namespaces; exec "$@""#;

/// The binary, run by an ordinary user on a machine without user namespaces. `None` where that cannot be played.
fn without_namespaces(world: &World, arguments: &[&str]) -> Option<Output> {
    let run = |program: &Path, arguments: &[&str]| {
        let mut command: Command = world.command_of(Path::new("unshare"));
        command
            .args(["--user", "--map-current-user", "--keep-caps"])
            .args(["sh", "-euc", FORBID, "sh"])
            .arg(program)
            .args(arguments);
        finish(command)
    };
    let is_played = run(Path::new("true"), &[]).status.success();
    is_played.then(|| run(&world.program_path(), arguments))
}

#[test]
fn a_machine_without_user_namespaces_is_told_so_and_can_still_use_landlock() {
    let world = World::of_an_ordinary_user();
    let (repository, stand_in) = with_dependency(&world);
    let file = world.build(SPEC, &repository, &stand_in);
    let verify = [
        "verify-build",
        SPEC,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
        "--format",
        "json",
    ];
    let Some(output) = without_namespaces(&world, &verify) else {
        return left_out(
            "no user namespaces",
            "this machine cannot play one without them, having none to begin with",
        );
    };
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["targets"].as_array().map(Vec::len), Some(0));
    assert_eq!(report["unjudged"].as_array().map(Vec::len), Some(1));
    assert!(
        said.contains("this machine allows no more user namespaces"),
        "{said}"
    );
    assert!(said.contains("user.max_user_namespaces=15000"), "{said}");
    assert!(said.contains("--isolation landlock"), "{said}");

    let doctor = without_namespaces(&world, &["doctor", "--offline"]).unwrap();
    let checks = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(4), "{checks}");
    let refusal =
        "✘ isolation       cannot build in isolation: this machine allows no more user namespaces";
    assert!(checks.contains(refusal), "{checks}");
    if !checks.contains("`--isolation landlock` can be had") {
        return left_out("landlock without user namespaces", &checks);
    }

    let weaker = [&verify[..], &["--isolation", "landlock"]].concat();
    let output = without_namespaces(&world, &weaker).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    // The caches are as they were.
    let answer = world.verify(&verify[1..6]);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert_eq!(answer.target()["build"]["isolation"], "namespaces");

    // Who has chosen the weaker level for good is told about that one.
    fs_err::write(
        world.path().join("remint.toml"),
        "isolation = \"landlock\"\n",
    )
    .unwrap();
    let doctor = without_namespaces(&world, &["doctor", "--offline"]).unwrap();
    let checks = String::from_utf8(doctor.stdout).unwrap();
    assert_eq!(doctor.status.code(), Some(0), "{checks}");
    assert!(checks.contains("weaker than namespaces"), "{checks}");
}

/// Root has namespaces wherever anybody has, and the weaker level would not hold him.
#[test]
fn root_is_refused_the_weaker_isolation() {
    if !crate::person::is_root() {
        return left_out("landlock as root", "these tests do not run as root");
    }
    let world = World::new();
    let (repository, stand_in) = with_dependency(&world);
    let output = world.remint(&[
        "verify-build",
        SPEC,
        "--artifact",
        stand_in.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
        "--isolation",
        "landlock",
    ]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("root has namespaces"), "{said}");
}
