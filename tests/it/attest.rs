//! From a key to a bundle that a stranger verifies, through the binary.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::judges;
use crate::npm::stand_in;
use crate::tamper;
use crate::world::World;

const SPEC: &str = "npm:note-server@1.0.0";
const PASSPHRASE: &str = "a passphrase";

/// A release, and a rebuilder who has a key.
struct Rebuilder {
    world: World,
    repository: PathBuf,
    file: PathBuf,
}

impl Rebuilder {
    fn new() -> Self {
        let world = World::new();
        let repository = world.repository("npm/plain", &[], "v1.0.0");
        let stand_in = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
        let file = world.build(SPEC, &repository, &stand_in);
        let rebuilder = Self {
            world,
            repository,
            file,
        };
        rebuilder.succeed(&["key", "generate", "--output", "me"]);
        rebuilder.succeed(&["trust", "init", "trust.toml"]);
        rebuilder.succeed(&["trust", "add", "trust.toml", "--key", "me.pub"]);
        rebuilder
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&self.world, arguments, Some(PASSPHRASE))
    }

    /// The Sigstore root with this rebuilder's log.
    fn trusted_root(&self) -> PathBuf {
        let output = self.succeed(&["log", "trusted-root", "me.log.pub"]);
        let path = self.world.path().join("trusted_root.json");
        fs_err::write(&path, output.stdout).unwrap();
        path
    }

    fn succeed(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    /// Attests a file; returns the exit code and the new bundles by kind.
    fn attest(&self, file: &Path, output: &str) -> (Option<i32>, Vec<(String, PathBuf)>) {
        let result = self.run(&[
            "attest",
            SPEC,
            "--artifact",
            file.to_str().unwrap(),
            "--source",
            self.repository.to_str().unwrap(),
            "--key",
            "me.key",
            "--output",
            output,
        ]);
        let bundles = bundles_below(&self.world.path().join(output));
        assert!(
            !bundles.is_empty(),
            "{}",
            String::from_utf8_lossy(&result.stderr)
        );
        (result.status.code(), bundles)
    }

    /// What `verify-attestation` says: exit code, verdict and reason.
    fn verify(&self, bundle: &Path, file: &Path, more: &[&str]) -> (Option<i32>, String, Value) {
        let mut arguments = vec![
            "verify-attestation",
            bundle.to_str().unwrap(),
            file.to_str().unwrap(),
            "--trust",
            "trust.toml",
            "--format",
            "json",
        ];
        arguments.extend(more);
        let output = self.run(&arguments);
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let verdict = answer["verdict"].as_str().unwrap().to_owned();
        (output.status.code(), verdict, answer["reason"].clone())
    }
}

fn run(world: &World, arguments: &[&str], passphrase: Option<&str>) -> Output {
    let mut program = world.program();
    if let Some(passphrase) = passphrase {
        program.env("REMINT_KEY_PASSWORD", passphrase);
    }
    program.args(arguments).output().unwrap()
}

/// Every file below a directory.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// Every bundle below a directory, with its kind.
pub(crate) fn bundles_below(directory: &Path) -> Vec<(String, PathBuf)> {
    let mut bundles: Vec<(String, PathBuf)> = files(directory)
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let kind = name.strip_suffix(".sigstore.json")?.split_once('.')?.1;
            Some((kind.to_owned(), path))
        })
        .collect();
    bundles.sort();
    for (kind, path) in &bundles {
        follows_its_schema(kind, path);
    }
    bundles
}

/// Every statement of every test is held against the published schema of its kind.
pub(crate) fn follows_its_schema(kind: &str, bundle: &Path) {
    let bundle: Value = serde_json::from_slice(&fs_err::read(bundle).unwrap()).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload);
    let statement: Value = serde_json::from_slice(&payload.unwrap()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../docs/predicates/{kind}.schema.json"));
    let schema: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&statement)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{kind}: {errors:?}");
}

pub(crate) fn kinds(bundles: &[(String, PathBuf)]) -> Vec<&str> {
    bundles.iter().map(|(kind, _)| &**kind).collect()
}

#[test]
fn what_a_rebuilder_signs_a_stranger_verifies() {
    let rebuilder = Rebuilder::new();
    let expect = ["--expect", SPEC];
    let (code, bundles) = rebuilder.attest(&rebuilder.file, "honest");
    assert_eq!(code, Some(0));
    assert_eq!(kinds(&bundles), ["comparison", "provenance", "summary"]);
    for (kind, bundle) in &bundles {
        let said = rebuilder.verify(bundle, &rebuilder.file, &expect);
        let expected = match &**kind {
            "provenance" => (Some(3), "no-judgement".to_owned(), Value::Null),
            _ => (Some(0), "passed".to_owned(), Value::Null),
        };
        assert_eq!(said, expected, "{kind}");
    }
    let summary = &bundles[2].1;
    assert_eq!(
        rebuilder.verify(
            summary,
            &rebuilder.file,
            &["--expect", "npm:note-server@1.0.1"]
        ),
        (Some(1), "refused".to_owned(), "another-release".into())
    );
    assert_eq!(
        rebuilder.verify(summary, summary, &expect),
        (Some(1), "refused".to_owned(), "artifact-mismatch".into())
    );

    // Nor does anything that is signed tell of this machine.
    for (_, bundle) in &bundles {
        let text = fs_err::read_to_string(bundle).unwrap();
        let bundle: Value = serde_json::from_str(&text).unwrap();
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let payload = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload);
        let payload = String::from_utf8(payload.unwrap()).unwrap();
        let home = rebuilder.world.path().to_str().unwrap();
        assert!(!payload.contains(home), "{payload}");
    }

    // Another file of the release, with an added line: signed like the honest one.
    let tampered = tamper::tarball(
        &rebuilder.file,
        &rebuilder.world.path().join("tampered"),
        |entries| {
            tamper::replace(
                entries,
                "package/lib/answer.js",
                "      notes.push(",
                "      fetch(\"https://canary.invalid/\");\n      notes.push(",
            );
        },
    );
    let (code, bundles) = rebuilder.attest(&tampered, "tampered");
    assert_eq!(code, Some(1));
    assert_eq!(kinds(&bundles), ["comparison", "provenance", "summary"]);
    for at in [0, 2] {
        assert_eq!(
            rebuilder.verify(&bundles[at].1, &tampered, &expect),
            (Some(1), "failed".to_owned(), "attested-failed".into())
        );
    }

    // Packed by another encoder: the same only under an erasure, which the policy has to accept.
    let repacked = tamper::tarball(
        &rebuilder.file,
        &rebuilder.world.path().join("repacked"),
        |_| {},
    );
    let (code, bundles) = rebuilder.attest(&repacked, "repacked");
    assert_eq!(code, Some(0));
    assert_eq!(
        rebuilder.verify(&bundles[2].1, &repacked, &expect),
        (Some(1), "refused".to_owned(), "erasure-not-accepted".into())
    );
    let policy = rebuilder.world.path().join("trust.toml");
    let text = fs_err::read_to_string(&policy).unwrap();
    let erasures = erasures(&rebuilder.run(&[
        "verify-build",
        SPEC,
        "--artifact",
        repacked.to_str().unwrap(),
        "--source",
        rebuilder.repository.to_str().unwrap(),
        "--format",
        "json",
    ]));
    let accepting = text.replace(
        "accepted_erasures = []",
        &format!("accepted_erasures = {erasures}"),
    );
    fs_err::write(&policy, accepting).unwrap();
    assert_eq!(
        rebuilder.verify(&bundles[2].1, &repacked, &expect),
        (Some(0), "passed".to_owned(), Value::Null)
    );

    // What could not be found out is signed as an attempt, which nobody can take for a judgement.
    let result = rebuilder.run(&[
        "attest",
        SPEC,
        "--artifact",
        rebuilder.file.to_str().unwrap(),
        "--source",
        rebuilder.repository.to_str().unwrap(),
        "--ref",
        "v9.9.9",
        "--key",
        "me.key",
        "--output",
        "unknown",
    ]);
    assert_eq!(result.status.code(), Some(3), "{result:?}");
    let bundles = bundles_below(&rebuilder.world.path().join("unknown"));
    assert_eq!(kinds(&bundles), ["attempt"]);
    assert_eq!(
        rebuilder.verify(&bundles[0].1, &rebuilder.file, &expect),
        (Some(3), "no-judgement".to_owned(), Value::Null)
    );

    // Paths of this machine are nobody's business.
    let home = rebuilder.world.path().to_str().unwrap().as_bytes();
    for directory in ["honest", "tampered", "unknown"] {
        for path in files(&rebuilder.world.path().join(directory)) {
            let bytes = fs_err::read(&path).unwrap();
            let told = bytes.windows(home.len()).any(|window| window == home);
            assert!(!told, "{}", path.display());
        }
    }
}

/// The erasures of a report's first target, as a policy names them.
fn erasures(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["targets"][0]["erasures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|erasure| {
            format!(
                "{}@{}",
                erasure["normaliser"].as_str().unwrap(),
                erasure["version"]
            )
        })
        .collect::<Vec<_>>()
        .into()
}

#[test]
fn other_peoples_tools_accept_what_is_signed() {
    let rebuilder = Rebuilder::new();
    let (_, bundles) = rebuilder.attest(&rebuilder.file, "out");
    let paths: Vec<&Path> = bundles.iter().map(|(_, path)| &**path).collect();
    let key = rebuilder.world.path().join("me.pub");
    let root = rebuilder.trusted_root();
    judges::npm_accepts(&key, &root, &paths);
    judges::python_accepts(&key, &paths);

    // The judges do judge.
    let text = fs_err::read_to_string(paths[0]).unwrap();
    let mut bundle: Value = serde_json::from_str(&text).unwrap();
    let signature = &mut bundle["dsseEnvelope"]["signatures"][0]["sig"];
    let other: Value = serde_json::from_str(&fs_err::read_to_string(paths[1]).unwrap()).unwrap();
    *signature = other["dsseEnvelope"]["signatures"][0]["sig"].clone();
    let forged = rebuilder.world.path().join("forged.json");
    fs_err::write(&forged, bundle.to_string()).unwrap();
    judges::npm_refuses(&key, &root, &forged);
    judges::python_refuses(&key, &forged);
}

#[test]
#[ignore = "builds cosign, which takes minutes; `scripts/check --full` runs it"]
fn cosign_accepts_what_a_key_signed() {
    let rebuilder = Rebuilder::new();
    let (_, bundles) = rebuilder.attest(&rebuilder.file, "out");
    let key = rebuilder.world.path().join("me.pub");
    let root = rebuilder.trusted_root();
    for (at, kind) in [
        "https://in-toto.io/attestation/test-result/v0.1",
        "https://slsa.dev/provenance/v1",
        "https://slsa.dev/verification_summary/v1",
    ]
    .into_iter()
    .enumerate()
    {
        let bundle = &bundles[at].1;
        let said = judges::ask_cosign(&key, &root, kind, bundle, &rebuilder.file);
        assert!(said.status.success(), "{said:?}");
        let said = judges::ask_cosign(&key, &root, kind, bundle, &key);
        assert!(!said.status.success(), "{said:?}");
    }
}

#[test]
fn a_log_is_verified_and_a_rewritten_one_is_not() {
    let rebuilder = Rebuilder::new();
    rebuilder.attest(&rebuilder.file, "out");
    let log = fs_err::read_dir(rebuilder.world.path().join("out/log"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let earlier = rebuilder.world.path().join("earlier");
    fs_err::copy(log.join("checkpoint"), &earlier).unwrap();
    rebuilder.attest(&rebuilder.file, "out");
    let verify = |more: &[&str]| {
        let mut arguments = vec![
            "log",
            "verify",
            log.to_str().unwrap(),
            "--log-key",
            "me.log.pub",
        ];
        arguments.extend(more);
        let output = rebuilder.run(&arguments);
        let mut words = String::from_utf8(output.stdout).unwrap();
        words += &String::from_utf8(output.stderr).unwrap();
        (output.status.code(), words)
    };
    let since = ["--since", earlier.to_str().unwrap()];
    let (code, words) = verify(&since);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("8 entries, continued"), "{words}");

    let later = rebuilder.world.path().join("later");
    fs_err::copy(log.join("checkpoint"), &later).unwrap();
    fs_err::copy(&earlier, log.join("checkpoint")).unwrap();
    let (code, words) = verify(&["--since", later.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("rewound"), "{words}");
    fs_err::copy(&later, log.join("checkpoint")).unwrap();

    let entries = log.join("tile/entries/000.p/8");
    let mut bytes = fs_err::read(&entries).unwrap();
    bytes[20] ^= 1;
    fs_err::write(&entries, bytes).unwrap();
    let (code, words) = verify(&[]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("damaged"), "{words}");
}

#[test]
fn keys_that_cannot_be_used_are_told_before_the_work() {
    let world = World::new();
    let generate = ["key", "generate", "--output", "me"];
    assert!(run(&world, &generate, Some(PASSPHRASE)).status.success());
    let told = |key: &str, passphrase: Option<&str>, words: &str| {
        let arguments = ["attest", SPEC, "--key", key, "--output", "out"];
        let output = run(&world, &arguments, passphrase);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{key}: {stderr}");
        assert!(stderr.contains(words), "{key}: {stderr}");
        assert!(!world.path().join("out").exists(), "{key}");
    };
    told("me.key", Some("another"), "passphrase");
    told("me.key", None, "REMINT_KEY_PASSWORD");
    told("missing.key", None, "missing.key");
    told("env:NO_SUCH_KEY", None, "NO_SUCH_KEY");
    told("me.pub", Some(PASSPHRASE), "others than its owner");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let public = world.path().join("me.pub");
        fs_err::set_permissions(&public, std::fs::Permissions::from_mode(0o600)).unwrap();
        told("me.pub", Some(PASSPHRASE), "no private key");
        let private = world.path().join("me.key");
        fs_err::set_permissions(&private, std::fs::Permissions::from_mode(0o644)).unwrap();
        told("me.key", Some(PASSPHRASE), "chmod 600");
    }

    let again = run(&world, &generate, Some(PASSPHRASE));
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    let empty = run(&world, &["key", "generate", "--output", "you"], Some(""));
    assert_eq!(empty.status.code(), Some(2), "{empty:?}");
    assert!(!world.path().join("you.key").exists());
}

#[test]
fn policies_with_mistakes_are_refused_by_name() {
    let world = World::new();
    let policy = world.path().join("trust.toml");
    let list = |text: &str| {
        fs_err::write(&policy, text).unwrap();
        let output = run(&world, &["trust", "list", "trust.toml"], None);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), words)
    };
    let (code, words) = list("format = \"remint.trust/v1\"\ntreshold = 2\n");
    assert_eq!(code, Some(2));
    assert!(words.contains("did you mean `threshold`?"), "{words}");
    let (code, words) =
        list("format = \"remint.trust/v1\"\n[[rebuilder]]\nname = 'a'\nscope = []\n");
    assert_eq!(code, Some(2));
    assert!(words.contains("scope"), "{words}");

    let init = run(&world, &["trust", "init", "trust.toml"], None);
    assert_eq!(
        init.status.code(),
        Some(2),
        "what is there is not overwritten"
    );
    let missing = run(
        &world,
        &["trust", "add", "none.toml", "--key", "x.pub"],
        None,
    );
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
}
