//! Runs the cases, prints a line for each, and the closing line that test runners print.

use std::os::unix::process::CommandExt as _;
use std::panic::catch_unwind;
use std::process::{Command, ExitCode, Stdio};

/// A name and what is to hold under it.
pub(crate) type Case = (&'static str, fn());

/// Tells a second run that it is the ordinary user's.
const AS_USER: &str = "--as-ordinary-user";
/// Belongs to nobody.
const ORDINARY_USER: u32 = 1_999_999_999;

pub(crate) fn main(arguments: &[String], cases: &[Case]) -> ExitCode {
    // What the attacks look for. SAFETY: no other thread exists yet that could read the environment.
    unsafe { std::env::set_var("SECRET", crate::escape::SECRET) };
    let is_second = arguments.iter().any(|argument| argument == AS_USER);
    let filters: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_root = rustix::process::geteuid().is_root();
    let who = if is_root { "root" } else { "user" };
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for (name, case) in cases {
        let name = format!("{who}::{name}");
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            left_out += 1;
            continue;
        }
        let is_ok = catch_unwind(case).is_ok();
        println!("test {name} ... {}", if is_ok { "ok" } else { "FAILED" });
        if is_ok { passed += 1 } else { failed += 1 }
    }
    if is_root && !is_second {
        let (more_passed, more_failed) = as_ordinary_user(&filters);
        passed += more_passed;
        failed += more_failed;
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    if !is_second {
        println!(
            "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
             {left_out} filtered out\n"
        );
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs all cases in a second process that is not root, from a copy of this program that it can reach.
fn as_ordinary_user(filters: &[&String]) -> (usize, usize) {
    let place = tempfile::Builder::new()
        .prefix("remint-user-")
        .tempdir_in("/tmp")
        .unwrap();
    let program = place.path().join("sandbox");
    fs_err::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for path in [place.path(), &program] {
        std::os::unix::fs::chown(path, Some(ORDINARY_USER), Some(ORDINARY_USER)).unwrap();
    }
    let output = Command::new(&program)
        .arg(AS_USER)
        .args(filters)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TMPDIR", place.path())
        .env("SECRET", crate::escape::SECRET)
        .current_dir("/")
        .uid(ORDINARY_USER)
        .gid(ORDINARY_USER)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let count = |ending: &str| text.lines().filter(|line| line.ends_with(ending)).count();
    let failed = count("... FAILED");
    // Dying halfway is failing, too.
    let died = usize::from(!output.status.success() && failed == 0);
    (count("... ok"), failed + died)
}
