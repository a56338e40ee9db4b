//! Scripts that run where a test may change the machine: in a mount or user namespace of their own.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::person::{self, Person};

/// Says on the terminal, past the test runner's capture, that something was left out, and why.
pub(crate) fn left_out(what: &str, why: &str) {
    let line = format!("LEFT OUT: {what}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A command for `sh` in a mount namespace of its own, whose script gets `$AS_BEFORE`: what to put before commands
/// that are to be the caller again, and not the root who may mount. `None` where no such namespace is to be had.
pub(crate) fn with_own_mounts(script: &str, program: &Path) -> Option<Command> {
    let (options, as_before): (&[&str], String) = if person::is_root() {
        (&["--mount"], String::new())
    } else {
        let (user, group) = person::ids();
        let back = format!("unshare --user --map-user={user} --map-group={group}");
        (&["--user", "--map-root-user", "--mount"], back)
    };
    let unshare = || {
        let mut command = Person::Myself.command_of(Path::new("unshare"));
        command.args(options);
        command
    };
    let is_to_be_had = unshare()
        .arg("true")
        .status()
        .is_ok_and(|status| status.success());
    is_to_be_had.then(|| {
        let mut command = unshare();
        command
            .args(["sh", "-euc", script, "sh"])
            .arg(program)
            .env("AS_BEFORE", as_before);
        command
    })
}

/// Runs to the end, whatever that is.
pub(crate) fn finish(command: Command) -> Output {
    assert_cmd::Command::from_std(command)
        .timeout(std::time::Duration::from_secs(600))
        .output()
        .unwrap()
}
