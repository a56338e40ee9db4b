//! Signing for the identity of a job, through the binary, with services on the loopback interface.

use std::path::PathBuf;
use std::process::Output;

use jiff::SignedDuration;
use remint_attest::keyless::LogVersion;
use serde_json::Value;

use crate::attest::{bundles_below, files, kinds};
use crate::npm::stand_in;
use crate::services::{Fault, IDENTITY, ISSUER, World as Services, token_text};
use crate::world::World;

const SPEC: &str = "npm:note-server@1.0.0";

/// A job that rebuilds, and the services that it signs with.
struct Job {
    world: World,
    services: Services,
    repository: PathBuf,
    file: PathBuf,
}

impl Job {
    fn new() -> Self {
        let world = World::new();
        let repository = world.repository("npm/plain", &[], "v1.0.0");
        let stand_in = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
        let file = world.build(SPEC, &repository, &stand_in);
        let services = Services::new();
        let write = |name: &str, text: &str| fs_err::write(world.path().join(name), text).unwrap();
        write(
            "signing_config.json",
            &services.signing_config(LogVersion::V2),
        );
        write("trusted_root.json", &services.trusted_root().to_string());
        write("token", &token_text(SignedDuration::from_hours(1)));
        Self {
            world,
            services,
            repository,
            file,
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut program = self.world.program();
        // Where these tests run is not where the job runs.
        for variable in ["SIGSTORE_ID_TOKEN", "GITHUB_ACTIONS", "GITLAB_CI"] {
            program.env_remove(variable);
        }
        program.args(arguments).output().unwrap()
    }

    /// `attest` with the services, and no patience.
    fn attest(&self, more: &[&str]) -> Output {
        let mut arguments = vec![
            "attest",
            "--signing-config",
            "signing_config.json",
            "--trusted-root",
            "trusted_root.json",
            "--identity-token",
            "token",
            "--patience",
            "0",
            "--output",
            "out",
        ];
        arguments.extend(more);
        self.run(&arguments)
    }

    fn rebuild(&self) -> Output {
        self.attest(&[
            SPEC,
            "--keyless",
            "--artifact",
            self.file.to_str().unwrap(),
            "--source",
            self.repository.to_str().unwrap(),
        ])
    }

    fn trusts(&self, identity: &str, issuer: &str) {
        drop(fs_err::remove_file(self.world.path().join("trust.toml")));
        for arguments in [
            vec!["trust", "init", "trust.toml"],
            vec![
                "trust",
                "add",
                "trust.toml",
                "--identity",
                identity,
                "--issuer",
                issuer,
            ],
        ] {
            let output = self.run(&arguments);
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// Exit code and reason.
    fn verify(&self, bundle: &str) -> (Option<i32>, Value) {
        let output = self.run(&[
            "verify-attestation",
            bundle,
            self.file.to_str().unwrap(),
            "--trust",
            "trust.toml",
            "--trusted-root",
            "trusted_root.json",
            "--expect",
            SPEC,
            "--format",
            "json",
        ]);
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), answer["reason"].clone())
    }

    fn pending(&self) -> usize {
        files(&self.world.path().join("out"))
            .iter()
            .filter(|path| path.to_str().unwrap().ends_with(".pending.json"))
            .count()
    }
}

#[test]
fn a_job_signs_without_a_key_and_only_its_own_identity_is_believed() {
    let job = Job::new();
    let output = job.rebuild();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let bundles = bundles_below(&job.world.path().join("out"));
    assert_eq!(kinds(&bundles), ["comparison", "provenance", "summary"]);
    assert_eq!(job.pending(), 0);
    let summary = bundles[2].1.to_str().unwrap();
    assert!(summary.contains("/id-"), "{summary}");

    job.trusts(IDENTITY, ISSUER);
    assert_eq!(job.verify(summary), (Some(0), Value::Null));
    // An independent clock dates it, so that its age can be limited.
    let policy = job.world.path().join("trust.toml");
    let text = fs_err::read_to_string(&policy).unwrap();
    let limited = text.replace("threshold = 1", "threshold = 1\nmax_age_days = 1");
    fs_err::write(&policy, limited).unwrap();
    assert_eq!(job.verify(summary), (Some(0), Value::Null));

    job.trusts(
        "https://git.loopback.example/o/r/another.yml@refs/heads/main",
        ISSUER,
    );
    assert_eq!(job.verify(summary), (Some(1), "signer-mismatch".into()));
    job.trusts(IDENTITY, "https://issuer.elsewhere.example");
    assert_eq!(job.verify(summary), (Some(1), "issuer-mismatch".into()));
    job.trusts("somebody", "https://issuer.elsewhere.example");
    assert_eq!(job.verify(summary), (Some(1), "signer-unknown".into()));
}

#[test]
fn whose_certificates_count_is_not_for_the_working_directory_to_say() {
    let job = Job::new();
    let output = job.rebuild();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let bundles = bundles_below(&job.world.path().join("out"));
    job.trusts(IDENTITY, ISSUER);
    // A checkout may name a cache of its own, with whatever lies in it.
    let planted = job.world.path().join("planted/v1");
    fs_err::create_dir_all(&planted).unwrap();
    fs_err::rename(
        job.world.path().join("trusted_root.json"),
        planted.join("trusted_root.json"),
    )
    .unwrap();
    fs_err::write(
        job.world.path().join("remint.toml"),
        "cache-dir = \"planted\"\n",
    )
    .unwrap();
    let mut program = job.world.program();
    program.env_remove("REMINT_CACHE_DIR").args([
        "verify-attestation",
        bundles[2].1.to_str().unwrap(),
        job.file.to_str().unwrap(),
        "--trust",
        "trust.toml",
    ]);
    let output = program.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("`cache-dir`"), "{words}");
}

#[test]
fn what_services_do_not_finish_is_kept_and_resumed() {
    let job = Job::new();
    job.services.always("log", Fault::Status(503, None));
    let output = job.rebuild();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    // The verdict is told all the same.
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("verified"), "{told}");
    assert_eq!(job.pending(), 3);
    assert!(bundles_below(&job.world.path().join("out")).is_empty());

    let output = job.attest(&["--resume"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(job.pending(), 3);

    job.services.honest();
    let output = job.attest(&["--resume"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(job.pending(), 0);
    let bundles = bundles_below(&job.world.path().join("out"));
    assert_eq!(kinds(&bundles), ["comparison", "provenance", "summary"]);
    job.trusts(IDENTITY, ISSUER);
    assert_eq!(
        job.verify(bundles[2].1.to_str().unwrap()),
        (Some(0), Value::Null)
    );

    let output = job.attest(&["--resume"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    // What was not signed at all may be anybody's: it is signed when the user says so.
    job.services
        .always("certificate-authority", Fault::Status(503, None));
    let output = job.rebuild();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(job.pending(), 3);
    job.services.honest();
    let output = job.attest(&["--resume"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(job.pending(), 3);
    let output = job.attest(&["--resume", "--sign-kept"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(job.pending(), 0);

    for wrong in [
        vec!["attest", SPEC],
        vec!["attest", SPEC, "--keyless", "--key", "me.key"],
        vec!["attest", SPEC, "--keyless", "--offline"],
        vec!["attest", SPEC, "--keyless"],
        vec![
            "attest",
            SPEC,
            "--keyless",
            "--signing-config",
            "none.json",
            "--trusted-root",
            "none.json",
        ],
    ] {
        let output = job.run(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
    }
}
