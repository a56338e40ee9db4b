//! What the command line answers without reaching anything.

use std::path::Path;

use assert_cmd::Command;

/// The program, in this home and with caches of its own.
fn remint(home: &Path) -> Command {
    let mut program = Command::cargo_bin("remint").unwrap();
    program
        .env("HOME", home)
        .env("REMINT_CACHE_DIR", home.join("cache"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .current_dir(home);
    program
}

/// Runs with these arguments in an empty home; returns exit code, standard output and standard error.
fn check(arguments: &[&str]) -> (i32, String, String) {
    let home = tempfile::tempdir().unwrap();
    run(remint(home.path()).args(arguments))
}

/// Its exit code, standard output and standard error.
fn run(program: &mut Command) -> (i32, String, String) {
    let output = program.output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn wrong_usage_ends_with_two_and_says_what_to_do() {
    for (arguments, expected) in [
        (
            &["verify-build", "name@1.2.3"][..],
            "is not a spec: expected `npm:NAME@VERSION`",
        ),
        (
            &["verify-build", "name@1.2.3"],
            "did you mean `npm:name@1.2.3`?",
        ),
        (&["verify-build", "npx:name@1.2.3"], "did you mean `npm`?"),
        (
            &["verify-build", "npm:../x@1"],
            "not a valid npm package name",
        ),
        (&["verify-build"], "<SPEC>"),
        (
            &["verify-build", "./nosuch.tgz"],
            "`./nosuch.tgz` cannot be taken: there is no such file",
        ),
        (
            &["verify-build", "."],
            "`.` cannot be taken: it is a directory",
        ),
        (
            &["verify-build", "npm:x@1", "--source", ""],
            "no source: it is empty",
        ),
        (
            &["verify-build", "npm:x@1", "--source", "./nosuch"],
            "`./nosuch` is no source: there is no such directory",
        ),
        (
            &["verify-build", "npm:x@1", "--source", "."],
            "the directory is no git repository",
        ),
        (
            &["verify-build", "npm:x@1", "--source", "https://"],
            "no source",
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
            &["verify-build", "npm:x@1", "--memory", "0"],
            "is too little",
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
fn a_file_of_another_registry_is_wrong_usage() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("x-1.0.0.tgz"), "any bytes").unwrap();
    let arguments = ["verify-build", "pypi:x@1.0.0", "--artifact", "x-1.0.0.tgz"];
    let (code, _, stderr) = run(remint(home.path()).args(arguments));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("it is no file of pypi"), "{stderr}");
}

#[test]
fn an_empty_variable_counts_for_nothing_and_a_wrong_one_is_named() {
    let home = tempfile::tempdir().unwrap();
    let empty = [("REMINT_COLOR", ""), ("REMINT_OFFLINE", "")];
    let (code, _, stderr) = offline(home.path(), &[], &empty);
    assert_eq!(code, 3, "{stderr}");
    let cache = home.path().join("elsewhere");
    let cache = cache.to_str().unwrap();
    let arguments = ["--cache-dir", cache];
    let (code, _, stderr) = offline(home.path(), &arguments, &[("REMINT_CACHE_DIR", "")]);
    assert_eq!(code, 3, "{stderr}");
    let (code, _, stderr) = offline(home.path(), &[], &[("REMINT_COLOR", "blue")]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("REMINT_COLOR is `blue`"), "{stderr}");
    let (code, _, stderr) = offline(home.path(), &[], &[("PIP_INDEX_URL", "not a URL")]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("`PIP_INDEX_URL` cannot be used"),
        "{stderr}"
    );
}

#[test]
fn what_is_not_in_the_cache_is_to_be_asked_for_with_the_network() {
    let home = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = offline(home.path(), &["--format", "human"], &[]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stdout.contains("without `--offline`"), "{stdout}");
    assert!(!stdout.contains("later"), "{stdout}");
}

#[test]
fn the_doctor_says_when_no_registry_answers_and_names_the_proxy() {
    let home = tempfile::tempdir().unwrap();
    // Nothing listens on the discard port.
    let nowhere = "http://127.0.0.1:9/";
    let replaced = format!(
        "[source.crates-io]\nreplace-with = \"x\"\n[source.x]\nregistry = \"sparse+{nowhere}\"\n"
    );
    fs_err::write(home.path().join("config.toml"), replaced).unwrap();
    let mut doctor = remint(home.path());
    doctor
        .arg("doctor")
        .env("npm_config_registry", nowhere)
        .env("PIP_INDEX_URL", nowhere)
        .env("CARGO_HOME", home.path())
        .env("GOPROXY", nowhere)
        .env("http_proxy", "http://user:secret@127.0.0.1:9")
        .env("no_proxy", "");
    let (code, stdout, _) = run(&mut doctor);
    assert_eq!(code, 3, "{stdout}");
    assert!(stdout.contains("no registry answers"), "{stdout}");
    let proxy = "a proxy is configured: `http://127.0.0.1:9/`";
    assert!(stdout.contains(proxy), "{stdout}");
    assert!(!stdout.contains("secret"), "{stdout}");
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_reads_from_a_pipe_gets_the_answer_and_the_pipe_stays() {
    use std::os::unix::fs::FileTypeExt as _;
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs_err::read_to_string(pipe).unwrap())
    };
    let (code, stdout, stderr) = offline(home.path(), &["--output", "pipe"], &[]);
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(stdout, "");
    assert!(reader.join().unwrap().contains("remint.report/v1"));
    let file_type = fs_err::metadata(&pipe).unwrap().file_type();
    assert!(file_type.is_fifo());
}

/// Runs `verify-build npm:x@1.0.0 --offline --format json` in this home with more arguments and variables.
fn offline(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut program = remint(home);
    program
        .args(["verify-build", "npm:x@1.0.0", "--offline"])
        .env("REMINT_FORMAT", "json")
        .args(arguments);
    for (name, value) in variables {
        program.env(name, value);
    }
    run(&mut program)
}

#[test]
fn a_place_that_no_answer_can_be_written_to_is_wrong_usage_before_the_work() {
    let home = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = offline(home.path(), &["--output", "missing/answer.json"], &[]);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(stdout, "");
    assert!(stderr.contains("`missing/answer.json`"), "{stderr}");
    assert!(!home.path().join("cache").exists());
    let (code, stdout, stderr) = offline(home.path(), &["--output", "-"], &[]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stdout.contains("remint.report/v1"));
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_in_the_end_goes_to_standard_output() {
    let home = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = offline(home.path(), &["--output", "/dev/full"], &[]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("`/dev/full`"), "{stderr}");
    assert!(stdout.contains("remint.report/v1"), "{stdout}");
}

#[test]
fn a_document_is_delivered_also_where_nothing_could_be_judged() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("cache"), "no directory").unwrap();
    fs_err::write(home.path().join("answer.json"), "an older answer").unwrap();
    let (code, _, stderr) = offline(home.path(), &["--output", "answer.json"], &[]);
    assert_eq!(code, 4, "{stderr}");
    let text = fs_err::read_to_string(home.path().join("answer.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["targets"], serde_json::json!([]));
    assert_eq!(report["unjudged"].as_array().unwrap().len(), 1, "{text}");
}

#[test]
fn caches_are_kept_below_their_limit_once_a_day() {
    let home = tempfile::tempdir().unwrap();
    let content = home.path().join("cache/v1/content/aa");
    fs_err::create_dir_all(&content).unwrap();
    let run = |name: &str, limit| {
        fs_err::write(content.join(name), [1; 2000]).unwrap();
        let (code, _, stderr) = offline(home.path(), &[], &[("REMINT_CACHE_LIMIT", limit)]);
        assert_eq!(code, 3, "{stderr}");
        content.join(name).exists()
    };
    assert!(run("within", "1M"));
    assert!(run("same-day", "1K"));
    let marker = fs_err::File::open(home.path().join("cache/v1/pruned")).unwrap();
    let now = marker.metadata().unwrap().modified().unwrap();
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    marker.file().set_modified(now - day).unwrap();
    assert!(!run("next-day", "1K"));
    assert!(!content.join("within").exists());
}

#[test]
fn a_settings_file_with_a_typo_is_refused_with_its_name() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("remint.toml"), "memroy = \"4G\"\n").unwrap();
    let (code, _, stderr) = offline(home.path(), &[], &[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("remint.toml"), "{stderr}");
    assert!(stderr.contains("memroy"), "{stderr}");
}

#[test]
fn working_offline_can_be_asked_for_by_a_variable_in_any_usual_way() {
    let home = tempfile::tempdir().unwrap();
    for value in ["1", "true", "0", "", "no"] {
        let (code, _, stderr) = offline(home.path(), &[], &[("REMINT_OFFLINE", value)]);
        assert_eq!(code, 3, "{value}: {stderr}");
    }
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
