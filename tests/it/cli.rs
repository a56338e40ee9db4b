//! What the command line answers without reaching anything.

use assert_cmd::Command;

fn remint() -> Command {
    Command::cargo_bin("remint").unwrap()
}

/// Runs with these arguments in an empty home; returns exit code, standard output and standard error.
fn check(arguments: &[&str]) -> (i32, String, String) {
    let home = tempfile::tempdir().unwrap();
    let output = remint()
        .args(arguments)
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .env("XDG_CONFIG_HOME", home.path().join("config"))
        .current_dir(home.path())
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn wrong_usage_ends_with_two_and_says_what_to_do() {
    for (arguments, expected) in [
        (&["verify-build", "name@1.2.3"][..], "is not a spec"),
        (&["verify-build", "npx:name@1.2.3"], "did you mean `npm`?"),
        (
            &["verify-build", "npm:../x@1"],
            "not a valid npm package name",
        ),
        (&["verify-build"], "<SPEC>"),
        (
            &["verify-build", "./nosuch.tgz"],
            "there is no file `./nosuch.tgz`",
        ),
        (&["verify-build", "npm:x@1", "--frmat", "json"], "--format"),
        (
            &["verify-build", "npm:x@1", "npm:y@1", "--artifact", "x.tgz"],
            "one SPEC",
        ),
        (
            &["verify-build", "npm:x@1", "--memory", "lots"],
            "is not a size",
        ),
        (
            &["explain", "undeclared-dependancy"],
            "did you mean `undeclared-dependency`?",
        ),
        (&["no-such-command"], "no-such-command"),
    ] {
        let (code, stdout, stderr) = check(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_settings_file_with_a_typo_is_refused_with_its_name() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("remint.toml"), "memroy = \"4G\"\n").unwrap();
    let output = remint()
        .args(["verify-build", "npm:x@1.0.0", "--offline"])
        .env("HOME", home.path())
        .current_dir(home.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("remint.toml"), "{stderr}");
    assert!(stderr.contains("memroy"), "{stderr}");
}

#[test]
fn every_id_explains_itself() {
    let (code, stdout, _) = check(&["explain"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("undeclared-dependency"));
    let (code, stdout, _) = check(&["explain", "undeclared-dependency"]);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("# undeclared-dependency"));
}

#[test]
fn help_opens_with_examples_and_completions_are_printed() {
    let (code, stdout, _) = check(&["--help"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("remint verify-build npm:"));
    let (code, stdout, _) = check(&["completions", "bash"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("verify-build"));
}
