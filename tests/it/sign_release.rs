//! `sign-release` through the binary: a sound release is signed, and each way of being unsound is refused for its cause.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use remint_attest::{ArtifactDigests, Bundle, ExpectedSigner, SigningKey};
use serde_json::Value;

use crate::attest::files;
use crate::interrupted::{descendants, is_alive};
use crate::npm::stand_in;
use crate::tamper;
use crate::world::World;

const NPM: &str = "npm:list-server@1.0.0";
const PYPI: &str = "pypi:list-server@1.0.0";
const PASSWORD: &str = "correct horse";

/// A maintainer: a repository with a tag, a file for it, and a key.
struct Maintainer {
    world: World,
    repository: PathBuf,
    file: PathBuf,
    key: SigningKey,
}

struct Answer {
    code: i32,
    report: Value,
    stderr: String,
}

impl Maintainer {
    /// Of a release that its own tag builds.
    fn of(
        spec: &str,
        fixture: &str,
        stand_in: impl FnOnce(&World) -> PathBuf,
        changes: &[(&str, &str)],
    ) -> Self {
        Self::in_a(World::new(), spec, fixture, stand_in, changes)
    }

    fn in_a(
        world: World,
        spec: &str,
        fixture: &str,
        stand_in: impl FnOnce(&World) -> PathBuf,
        changes: &[(&str, &str)],
    ) -> Self {
        let repository = world.repository(fixture, changes, "v1.0.0");
        let file = world.build(spec, &repository, &stand_in(&world));
        let key = SigningKey::generate().unwrap();
        let pem = key.to_encrypted_pem(PASSWORD).unwrap();
        fs_err::write(world.path().join("release.key"), pem.as_bytes()).unwrap();
        private(&world.path().join("release.key"));
        Self {
            world,
            repository,
            file,
            key,
        }
    }

    fn of_npm(changes: &[(&str, &str)]) -> Self {
        let file = |world: &World| stand_in(world, "list-server-1.0.0.tgz", "list-server");
        Self::of(NPM, "npm/release", file, changes)
    }

    fn sign(&self, file: &Path, more: &[&str]) -> Answer {
        let mut program = Command::from_std(self.world.program());
        program
            .env("REMINT_KEY_PASSWORD", PASSWORD)
            .args(["sign-release", file.to_str().unwrap()])
            .args(["--source", self.repository.to_str().unwrap()])
            .args([
                "--key",
                "release.key",
                "--output",
                "out",
                "--format",
                "json",
            ])
            .args(more)
            .timeout(std::time::Duration::from_secs(600));
        let output = program.output().unwrap();
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if !report.is_null() {
            follows_the_schema(&report);
        }
        Answer {
            code: output.status.code().unwrap(),
            report,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What was written: bundles, and entries of the key's log.
    fn written(&self) -> Vec<String> {
        let mut names: Vec<String> = files(&self.world.path().join("out"))
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    /// The bundle of this kind, once its signature and its subject are found to be right.
    fn verified(&self, kind: &str, file: &Path) -> Value {
        let ending = format!(".{kind}.sigstore.json");
        let path = files(&self.world.path().join("out"))
            .into_iter()
            .find(|path| path.to_str().unwrap().ends_with(&ending))
            .unwrap();
        let bundle = Bundle::parse(&fs_err::read(path).unwrap()).unwrap();
        let signer =
            ExpectedSigner::key(self.key.public().clone(), self.key.log().clone()).unwrap();
        let digests = ArtifactDigests::of(&fs_err::read(file).unwrap());
        let verified = signer.verify(&bundle, &digests).unwrap();
        serde_json::to_value(verified.statement()).unwrap()
    }

    /// Refused, and nothing written.
    fn is_refused(&self, answer: &Answer, reason: &str) {
        assert_eq!(answer.code, 1, "{}\n{:#}", answer.stderr, answer.report);
        assert_eq!(answer.report["outcome"], "refused");
        assert_eq!(answer.report["reason"], reason, "{:#}", answer.report);
        assert!(self.written().is_empty(), "{:?}", self.written());
    }
}

fn follows_the_schema(report: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/release.v1.schema.json");
    let schema: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
}

fn names(values: &Value, field: &str) -> Vec<String> {
    values
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value[field].as_str().unwrap_or("-").to_owned())
        .collect()
}

/// The module that says something about the build, with this for its only content.
fn saying(expression: &str) -> String {
    format!(
        "import {{ execSync }} from \"node:child_process\";\n\
         import {{ randomUUID }} from \"node:crypto\";\n\
         import {{ statSync }} from \"node:fs\";\n\
         import {{ userInfo }} from \"node:os\";\n\
         \n\
         export function buildInfo() {{\n\
         \x20 return `export const built = ${{JSON.stringify({expression})}};\\n`;\n\
         }}\n"
    )
}

#[test]
fn a_release_that_its_tag_builds_is_signed_without_a_word_about_this_machine() {
    let maintainer = Maintainer::of_npm(&[]);
    // What is not committed is not read.
    fs_err::write(maintainer.repository.join("src/index.js"), "throw 1;\n").unwrap();
    fs_err::write(
        maintainer.repository.join("scripts/build.mjs"),
        "throw 1;\n",
    )
    .unwrap();
    let answer = maintainer.sign(&maintainer.file, &[]);
    assert_eq!(answer.code, 0, "{}\n{:#}", answer.stderr, answer.report);
    assert_eq!(answer.report["outcome"], "signed");
    assert_eq!(answer.report["source"]["ref"], "v1.0.0");
    let varied = names(&answer.report["varied"], "condition");
    for condition in [
        "clock",
        "build-path",
        "directory-order",
        "user",
        "host-name",
        "locale",
        "time-zone",
        "umask",
    ] {
        assert!(varied.iter().any(|name| name == condition), "{varied:?}");
    }
    // Files that the build writes get their modes from the umask, and the report says so.
    let erased = &answer.report["erasures"];
    assert_eq!(names(&erased["builds"], "normaliser"), ["mode-bits"]);
    assert!(names(&erased["artifact"], "normaliser").is_empty());

    let provenance = maintainer.verified("provenance", &maintainer.file);
    let definition = &provenance["predicate"]["buildDefinition"];
    let source = &definition["externalParameters"]["source"];
    assert_eq!(
        source["repository"],
        "https://example.org/someone/list-server"
    );
    assert_eq!(source["ref"], "v1.0.0");
    let under = definition["internalParameters"]["reproducedUnder"].to_string();
    assert!(under.contains("umask: 022, 077"), "{under}");
    assert!(under.contains("clock: now, 373 days later"), "{under}");
    let comparison = maintainer.verified("comparison", &maintainer.file);
    assert_eq!(comparison["predicate"]["result"], "PASSED");
    let summary = maintainer.verified("summary", &maintainer.file);
    assert_eq!(summary["predicate"]["verificationResult"], "PASSED");
    for statement in [provenance, comparison, summary] {
        let text = statement.to_string();
        assert!(
            !text.contains(maintainer.world.path().to_str().unwrap()),
            "{text}"
        );
        assert!(!text.contains("/repository\""), "{text}");
    }
}

#[test]
fn an_ordinary_user_can_sign_and_is_refused_likewise() {
    let of = |changes: &[(&str, &str)]| {
        let file = |world: &World| stand_in(world, "list-server-1.0.0.tgz", "list-server");
        let world = World::of_an_ordinary_user();
        Maintainer::in_a(world, NPM, "npm/release", file, changes)
    };
    let sound = of(&[]);
    let answer = sound.sign(&sound.file, &[]);
    assert_eq!(answer.code, 0, "{}\n{:#}", answer.stderr, answer.report);
    sound.verified("provenance", &sound.file);
    let maintainer = of(&[("scripts/build-info.mjs", &saying("userInfo().uid"))]);
    let answer = maintainer.sign(&maintainer.file, &[]);
    maintainer.is_refused(&answer, "builds-differ");
    assert_eq!(answer.report["differences"][0]["cause"], "user");
}

#[test]
fn a_build_that_renames_committed_directories_is_not_blamed_for_our_layers() {
    let script = "import { renameSync } from \"node:fs\";\n\
                  renameSync(\"src/tools\", \"src/kept\");\n\
                  renameSync(\"src/kept\", \"src/tools\");\n\
                  export const buildInfo = () => \"export const built = 1;\\n\";\n";
    let maintainer = Maintainer::of_npm(&[("scripts/build-info.mjs", script)]);
    let answer = maintainer.sign(&maintainer.file, &[]);
    assert_eq!(answer.code, 0, "{}\n{:#}", answer.stderr, answer.report);
    let varied = names(&answer.report["varied"], "condition");
    assert!(
        !varied.contains(&"directory-order".to_owned()),
        "{varied:?}"
    );
    assert!(varied.contains(&"build-path".to_owned()), "{varied:?}");
}

#[test]
fn two_builds_that_differ_are_refused_for_the_cause_that_trying_found() {
    for (expression, cause, explanation) in [
        (
            "new Date().toISOString()",
            "clock",
            "embeds the time of the build",
        ),
        (
            "process.cwd()",
            "build-path",
            "embeds the directory of the build",
        ),
        (
            "execSync(\"find src/tools -type f\", { encoding: \"utf8\" })",
            "directory-order",
            "depends on the order in which directories list files",
        ),
        ("userInfo().username", "user", "embeds the user who builds"),
        (
            "statSync(\"dist/tools.js\").mode",
            "umask",
            "depends on the umask",
        ),
        (
            "randomUUID()",
            "chance",
            "comes out otherwise every time, under the same conditions",
        ),
    ] {
        let script = saying(expression);
        let maintainer = Maintainer::of_npm(&[("scripts/build-info.mjs", &script)]);
        let answer = maintainer.sign(&maintainer.file, &[]);
        maintainer.is_refused(&answer, "builds-differ");
        let differences = &answer.report["differences"];
        assert_eq!(names(differences, "path"), ["dist/build-info.js"]);
        assert_eq!(differences[0]["cause"], cause, "{:#}", answer.report);
        assert_eq!(differences[0]["explanation"], explanation);
        assert_eq!(
            differences[0]["places"][0],
            serde_json::json!({ "path": "scripts/build-info.mjs", "line": 7 }),
            "{expression}"
        );
    }
}

#[test]
fn several_causes_are_told_apart_also_inside_of_what_verifying_would_erase() {
    let script = "import { writeFileSync } from \"node:fs\";\n\
         const map = { version: 3, file: \"place.js\", names: [], mappings: \"\" };\n\
         export function buildInfo() {\n\
         \x20 const sources = [`${process.cwd()}/src/place.ts`];\n\
         \x20 writeFileSync(\"dist/place.js.map\", JSON.stringify({ ...map, sources }));\n\
         \x20 writeFileSync(`dist/${process.env.USER}.txt`, \"mine\");\n\
         \x20 return `export const built = ${Date.now()};\\n`;\n\
         }\n";
    let maintainer = Maintainer::of_npm(&[("scripts/build-info.mjs", script)]);
    let answer = maintainer.sign(&maintainer.file, &[]);
    maintainer.is_refused(&answer, "builds-differ");
    let differences = &answer.report["differences"];
    let found: std::collections::BTreeMap<String, String> = names(differences, "path")
        .into_iter()
        .zip(names(differences, "cause"))
        .collect();
    let expected = [
        ("dist/build-info.js", "clock"),
        ("dist/build.txt", "user"),
        ("dist/place.js.map", "build-path"),
        ("dist/somebody.txt", "user"),
    ];
    let expected = expected.map(|(path, cause)| (path.to_owned(), cause.to_owned()));
    assert_eq!(found, expected.into());

    let quick = maintainer.sign(&maintainer.file, &["--quick"]);
    maintainer.is_refused(&quick, "builds-differ");
    assert_eq!(
        names(&quick.report["differences"], "path"),
        names(differences, "path")
    );
}

#[test]
fn a_build_that_fails_elsewhere_is_refused_with_the_condition_that_makes_it_fail() {
    let script = saying("process.env.TZ === \"UTC\" ? 1 : process.exit(3)");
    let maintainer = Maintainer::of_npm(&[("scripts/build-info.mjs", &script)]);
    let answer = maintainer.sign(&maintainer.file, &[]);
    maintainer.is_refused(&answer, "build-fails");
    let detail = answer.report["detail"].as_str().unwrap();
    assert!(detail.ends_with("changed: time zone"), "{detail}");
}

#[test]
fn a_file_that_the_tag_does_not_build_is_refused_with_what_differs() {
    let maintainer = Maintainer::of_npm(&[]);
    let into = maintainer.world.path().join("tampered");
    let file = tamper::tarball(&maintainer.file, &into, |entries| {
        tamper::replace(
            entries,
            "package/dist/index.js",
            "const answers = {\n",
            "fetch(\"https://canary.invalid/\");\nconst answers = {\n",
        );
    });
    let answer = maintainer.sign(&file, &[]);
    maintainer.is_refused(&answer, "artifact-differs");
    let differences = &answer.report["differences"];
    assert_eq!(names(differences, "path"), ["dist/index.js"]);
    assert!(
        differences[0]["hunks"][0]
            .as_str()
            .unwrap()
            .contains("+fetch(\"https://canary.invalid/\");"),
        "{differences:#}"
    );

    // Another packing of the same files is no other release, and is told.
    let file = tamper::tarball(&maintainer.file, &into, |_| {});
    let answer = maintainer.sign(&file, &[]);
    assert_eq!(answer.code, 0, "{}\n{:#}", answer.stderr, answer.report);
    assert!(!names(&answer.report["erasures"]["artifact"], "normaliser").is_empty());
    let comparison = maintainer.verified("comparison", &file);
    assert_eq!(comparison["predicate"]["result"], "WARNED");
}

#[test]
fn what_cannot_be_found_out_is_not_signed() {
    let maintainer = Maintainer::of_npm(&[]);
    let repository = git2::Repository::open(&maintainer.repository).unwrap();
    repository.tag_delete("v1.0.0").unwrap();
    let answer = maintainer.sign(&maintainer.file, &[]);
    assert_eq!(answer.code, 3, "{}\n{:#}", answer.stderr, answer.report);
    assert_eq!(answer.report["reason"], "no-source");
    let answer = maintainer.sign(&maintainer.file, &["--ref", "v2.0.0"]);
    assert_eq!(answer.code, 3, "{}\n{:#}", answer.stderr, answer.report);
    assert_eq!(answer.report["reason"], "no-source");

    fs_err::write(
        maintainer.repository.join("scripts/build.mjs"),
        "process.exit(7);\n",
    )
    .unwrap();
    let broken = crate::world::commit(&repository, "Broken").to_string();
    let answer = maintainer.sign(&maintainer.file, &["--ref", &broken]);
    assert_eq!(answer.code, 3, "{}\n{:#}", answer.stderr, answer.report);
    assert_eq!(answer.report["reason"], "not-built");
    assert!(maintainer.written().is_empty());
}

#[test]
fn what_makes_no_sense_is_wrong_usage_and_builds_nothing() {
    let maintainer = Maintainer::of_npm(&[]);
    let file = maintainer.file.to_str().unwrap();
    let source = maintainer.repository.to_str().unwrap();
    let nowhere = tamper::tarball(
        &maintainer.file,
        &maintainer.world.path().join("x"),
        |entries| {
            tamper::replace(
                entries,
                "package/package.json",
                "\"repository\"",
                "\"place\"",
            );
        },
    );
    let nowhere = nowhere.to_str().unwrap();
    for (arguments, expected) in [
        (vec![file, "--source", source], "--key"),
        (vec![file, "--key", "release.key"], "--source"),
        (
            vec![
                file,
                "--source",
                source,
                "--key",
                "release.key",
                "--keyless",
            ],
            "cannot be used with",
        ),
        (
            vec![file, "--source", source, "--key", "none.key"],
            "cannot sign with the key `none.key`",
        ),
        (
            vec![file, "--source", source, "--key", file],
            "cannot sign with the key",
        ),
        (
            vec!["none-1.0.0.tgz", "--source", source, "--key", "release.key"],
            "there is no such file",
        ),
        (
            vec!["release.key", "--source", source, "--key", "release.key"],
            "its name ends with none of",
        ),
        (
            vec![
                file,
                "--source",
                source,
                "--key",
                "release.key",
                "--isolation",
                "landlock",
            ],
            "only `namespaces` isolation",
        ),
        (
            vec![file, "--source", "none", "--key", "release.key"],
            "no source",
        ),
        (
            vec![nowhere, "--source", source, "--key", "release.key"],
            "`--repository URL`",
        ),
    ] {
        let mut program = Command::from_std(maintainer.world.program());
        program
            .env("REMINT_KEY_PASSWORD", PASSWORD)
            .arg("sign-release")
            .args(&arguments);
        let output = program.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let mut program = Command::from_std(maintainer.world.program());
    program
        .args(["sign-release", file, "--source", source])
        .args(["--key", "release.key"]);
    let output = program.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("REMINT_KEY_PASSWORD"), "{stderr}");
    assert!(maintainer.written().is_empty());
}

/// Keys that others can read are refused.
fn private(key: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = key;
}

/// A minimal wheel: only to have something to hold a build against.
fn wheel(world: &World) -> PathBuf {
    use std::io::Write as _;
    let path = world.path().join("list_server-1.0.0-py3-none-any.whl");
    let mut writer = zip::ZipWriter::new(fs_err::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        (
            "list_server-1.0.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: list-server\nVersion: 1.0.0\n",
        ),
        (
            "list_server-1.0.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        ("list_server-1.0.0.dist-info/RECORD", ""),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[test]
fn wheels_are_signed_and_refused_likewise() {
    let hook = include_str!("../fixtures/pypi/release/hatch_build.py");
    let sound = Maintainer::of(PYPI, "pypi/release", wheel, &[]);
    let answer = sound.sign(&sound.file, &[]);
    assert_eq!(answer.code, 0, "{}\n{:#}", answer.stderr, answer.report);
    let varied = names(&answer.report["varied"], "condition");
    assert!(varied.contains(&"clock".to_owned()), "{varied:?}");
    let provenance = sound.verified("provenance", &sound.file);
    let definition = &provenance["predicate"]["buildDefinition"];
    assert_eq!(
        definition["externalParameters"]["source"]["repository"],
        "https://example.org/someone/list-server"
    );

    for (from, to, cause, line) in [
        (
            "return \"1.0.0\"",
            "return str(__import__(\"datetime\").datetime.now())",
            "clock",
            13,
        ),
        (
            "sorted(os.listdir(PACKAGE / \"tools\"))",
            "os.listdir(PACKAGE / \"tools\")",
            "directory-order",
            17,
        ),
        ("return \"1.0.0\"", "return os.getcwd()", "build-path", 13),
    ] {
        let hook = hook.replace(from, to);
        let maintainer = Maintainer::of(PYPI, "pypi/release", wheel, &[("hatch_build.py", &hook)]);
        let answer = maintainer.sign(&maintainer.file, &[]);
        maintainer.is_refused(&answer, "builds-differ");
        let differences = &answer.report["differences"];
        assert_eq!(names(differences, "path"), ["list_server/collected.py"]);
        assert_eq!(differences[0]["cause"], cause, "{:#}", answer.report);
        assert_eq!(
            differences[0]["places"][0],
            serde_json::json!({ "path": "hatch_build.py", "line": line }),
        );
    }
}

/// A minimal source archive: only to have something to hold a build against.
fn sdist(world: &World) -> PathBuf {
    let path = world.path().join("list_server-1.0.0.tar.gz");
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(
        fs_err::File::create(&path).unwrap(),
        flate2::Compression::default(),
    ));
    let content = "Metadata-Version: 2.1\nName: list-server\nVersion: 1.0.0\n";
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder
        .append_data(
            &mut header,
            "list_server-1.0.0/PKG-INFO",
            content.as_bytes(),
        )
        .unwrap();
    builder.into_inner().unwrap().finish().unwrap();
    path
}

#[test]
fn metadata_of_archives_that_the_packer_takes_from_its_surroundings_is_named() {
    let project = "[project]\nname = \"list-server\"\nversion = \"1.0.0\"\n\
                   urls = { Source = \"https://example.org/someone/list-server\" }\n\
                   [build-system]\nrequires = [\"setuptools==80.9.0\"]\nbuild-backend = \"setuptools.build_meta\"\n";
    let maintainer = Maintainer::of(
        PYPI,
        "pypi/release",
        sdist,
        &[("pyproject.toml", project), ("hatch_build.py", "")],
    );
    let answer = maintainer.sign(&maintainer.file, &[]);
    assert_eq!(answer.code, 0, "{}\n{:#}", answer.stderr, answer.report);
    let erased = names(&answer.report["erasures"]["builds"], "normaliser");
    for normaliser in ["timestamps", "owners", "mode-bits"] {
        assert!(erased.iter().any(|name| name == normaliser), "{erased:?}");
    }
}

#[test]
fn an_interruption_leaves_nothing_behind() {
    let script = saying("execSync(\"sleep 60\").length");
    let maintainer = Maintainer::of_npm(&[]);
    let repository = git2::Repository::open(&maintainer.repository).unwrap();
    let path = maintainer.repository.join("scripts/build-info.mjs");
    fs_err::write(path, script).unwrap();
    let slow = crate::world::commit(&repository, "Slow").to_string();
    let mut child = maintainer
        .world
        .program()
        .env("REMINT_KEY_PASSWORD", PASSWORD)
        .args(["sign-release", maintainer.file.to_str().unwrap()])
        .args(["--source", maintainer.repository.to_str().unwrap()])
        .args(["--ref", &slow])
        .args(["--key", "release.key", "--output", "out"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let sleeps = |process: &u32| {
        fs_err::read_to_string(format!("/proc/{process}/comm"))
            .is_ok_and(|name| name.trim() == "sleep")
    };
    let family = loop {
        let family = descendants(child.id());
        if family.iter().any(sleeps) {
            break family;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("nothing was left behind"), "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(maintainer.written().is_empty());
    assert!(!family.iter().any(|process| is_alive(*process)));
}
