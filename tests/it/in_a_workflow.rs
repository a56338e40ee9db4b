//! The action and the templates that maintainers copy, run as a runner of GitHub Actions or GitLab runs them.
//!
//! Everything in them is executed as it is written. Around it stand what a job cannot have here: the forge's own
//! services are on the loopback interface, and `cargo`, `sudo` and `sysctl` write down what they are asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::SignedDuration;
use remint_attest::keyless::LogVersion;
use serde_json::Value;

use crate::attest::{bundles_below, kinds};
use crate::npm::stand_in;
use crate::registry::Registry;
use crate::services::{IDENTITY, ISSUER, World as Services, token_text};
use crate::tamper;
use crate::world::World;

const SPEC: &str = "npm:list-server@1.0.0";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A project with a tagged release, and a machine that runs its jobs.
struct Runner {
    world: World,
    /// Signs, dates and logs for the job.
    services: Services,
    /// Gives the job its identity.
    identity: Registry,
    repository: PathBuf,
}

/// What a job knows besides its own variables.
type Context = BTreeMap<String, String>;

impl Runner {
    fn new() -> Self {
        let world = World::new();
        let lock = r#"{
  "name": "list-server",
  "version": "1.0.0",
  "lockfileVersion": 3,
  "requires": true,
  "packages": { "": { "name": "list-server", "version": "1.0.0", "license": "MIT", "bin": { "list-server": "dist/index.js" } } }
}
"#;
        let changes = [("package-lock.json", lock)];
        let repository = world.repository("npm/release", &changes, "v1.0.0");
        let services = Services::new();
        let write = |name: &str, text: &str| fs_err::write(world.path().join(name), text).unwrap();
        write(
            "signing_config.json",
            &services.signing_config(LogVersion::V2),
        );
        write("trusted_root.json", &services.trusted_root().to_string());
        let token = token_text(SignedDuration::from_hours(1));
        let identity = Registry::of_files(&[(
            "token?api-version=2.0&audience=sigstore",
            format!(r#"{{"count":1,"value":"{token}"}}"#),
        )]);
        let runner = Self {
            world,
            services,
            identity,
            repository,
        };
        fs_err::create_dir(runner.programs()).unwrap();
        for name in ["cargo", "sudo"] {
            runner.program(name, r#"echo "${0##*/} $*" >> "$ASKED_FOR""#);
        }
        runner.program("sysctl", "echo 1");
        runner
    }

    fn file(&self, name: &str) -> String {
        self.world.path().join(name).to_str().unwrap().to_owned()
    }

    /// First on the job's path.
    fn programs(&self) -> PathBuf {
        self.world.path().join("programs")
    }

    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;

        let path = self.programs().join(name);
        fs_err::write(&path, format!("#!/usr/bin/env bash\n{script}\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The released binary, which signs with the services on the loopback interface.
    fn install_remint(&self) {
        let script = format!(
            "if [ \"$1\" = sign-release ]; then set -- \"$@\" --signing-config {} --trusted-root {}; fi\nexec {} \"$@\"",
            self.file("signing_config.json"),
            self.file("trusted_root.json"),
            self.world.program_path().display(),
        );
        self.program("remint", &script);
    }

    fn release(&self) -> PathBuf {
        let stand_in = stand_in(&self.world, "list-server-1.0.0.tgz", "list-server");
        self.world.build(SPEC, &self.repository, &stand_in)
    }

    /// A shell of a job, with the variables that both forges set and these.
    fn shell(&self, directory: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
        let at = self.world.path().join("step.sh");
        fs_err::write(&at, script).unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "the job's own programs come first on it"
        )]
        let path = std::env::var("PATH").unwrap();
        let mut shell: Command = self.world.command_of(Path::new("bash"));
        for variable in ["SIGSTORE_ID_TOKEN", "GITHUB_ACTIONS", "GITLAB_CI"] {
            shell.env_remove(variable);
        }
        shell
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&at)
            .current_dir(directory)
            .env("CI", "true")
            .env("PATH", format!("{}:{path}", self.programs().display()))
            .env("ASKED_FOR", self.file("asked-for"))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// Runs one step of GitHub Actions, and adds what it puts out to the context.
    fn step(&self, directory: &Path, step: &Value, context: &mut Context) -> Output {
        let outputs = self.world.path().join("outputs");
        fs_err::write(&outputs, "").unwrap();
        let ask = format!("{}token?api-version=2.0", self.identity.url());
        let server = format!("file://{}", self.world.path().display());
        let temporary = self.file("");
        let mut variables = vec![
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF_NAME", "v1.0.0"),
            ("GITHUB_SERVER_URL", server.as_str()),
            ("GITHUB_REPOSITORY", "repository"),
            ("GITHUB_OUTPUT", outputs.to_str().unwrap()),
            ("RUNNER_TEMP", temporary.as_str()),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", ask.as_str()),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer"),
            ("REMINT_COMMIT", COMMIT),
        ];
        let own: Vec<(String, String)> = step["env"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), evaluated(value.as_str().unwrap(), context)))
            .collect();
        variables.extend(
            own.iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let directory = match step["working-directory"].as_str() {
            Some(below) => directory.join(below),
            None => directory.to_owned(),
        };
        let script = step["run"].as_str().expect("a step that runs a script");
        assert!(
            !script.contains("${{"),
            "text of others in a script: {script}"
        );
        let output = self.shell(&directory, script, &variables);
        for line in fs_err::read_to_string(&outputs).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            let id = step["id"].as_str().unwrap();
            context.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
        }
        output
    }

    fn asked_for(&self) -> String {
        fs_err::read_to_string(self.file("asked-for")).unwrap_or_default()
    }

    /// What lies there is a release's three statements, signed as the workflow.
    fn is_signed(&self, directory: &Path, file: &Path) {
        let bundles = bundles_below(directory);
        assert_eq!(kinds(&bundles), ["comparison", "provenance", "summary"]);
        for arguments in [
            vec!["trust", "init", "trust.toml"],
            vec![
                "trust",
                "add",
                "trust.toml",
                "--identity",
                IDENTITY,
                "--issuer",
                ISSUER,
            ],
            vec![
                "verify-attestation",
                bundles[2].1.to_str().unwrap(),
                file.to_str().unwrap(),
                "--trust",
                "trust.toml",
                "--trusted-root",
                "trusted_root.json",
                "--expect",
                SPEC,
            ],
        ] {
            let output = self.world.remint(&arguments);
            assert!(output.status.success(), "{output:?}");
        }
        assert!(self.services.seen("certificate-authority") > 0);
    }
}

/// A template of this repository.
fn document(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    serde_saphyr::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

/// `${{ … }}` replaced, which names single values of the context and nothing else.
fn evaluated(text: &str, context: &Context) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (name, after) = after.split_once("}}").unwrap();
        done += before;
        done += context
            .get(name.trim())
            .unwrap_or_else(|| panic!("nothing is called `{}`", name.trim()));
        rest = after;
    }
    done + rest
}

/// The context of the action with these inputs, and its defaults for the others.
fn inputs(action: &Value, given: &[(&str, &str)]) -> Context {
    let declared = action["inputs"].as_object().unwrap();
    let mut context: Context = [("github.action_path".to_owned(), "/the/action".to_owned())].into();
    for (name, input) in declared {
        if let Some(default) = input["default"].as_str() {
            context.insert(format!("inputs.{name}"), default.to_owned());
        }
    }
    for (name, value) in given {
        assert!(declared.contains_key(*name), "no input is called `{name}`");
        context.insert(format!("inputs.{name}"), (*value).to_owned());
    }
    context
}

#[test]
fn the_action_signs_a_release_in_one_step_and_refuses_another_file() {
    let runner = Runner::new();
    let file = runner.release();
    let action = document("action.yml");
    let [step] = action["runs"]["steps"].as_array().unwrap().as_slice() else {
        panic!("more than one step");
    };
    assert_eq!(step["shell"], "bash");
    let (config, root) = (
        runner.file("signing_config.json"),
        runner.file("trusted_root.json"),
    );
    let program = runner.world.program_path();
    let given = [
        ("artifact", file.to_str().unwrap()),
        ("binary", program.to_str().unwrap()),
        ("signing-config", config.as_str()),
        ("trusted-root", root.as_str()),
    ];
    let output = runner.step(&runner.repository, step, &mut inputs(&action, &given));
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("signed"),
        "{output:?}"
    );
    // Only the switch that hosted runners need.
    assert_eq!(
        runner.asked_for(),
        "sudo sysctl --quiet --write kernel.apparmor_restrict_unprivileged_userns=0\n"
    );
    runner.is_signed(&runner.repository.join("attestations"), &file);

    let other = tamper::tarball(&file, &runner.world.path().join("other"), |entries| {
        tamper::replace(
            entries,
            "package/dist/index.js",
            "const answers = {\n",
            "fetch(\"https://canary.invalid/\");\nconst answers = {\n",
        );
    });
    let given = [
        ("artifact", other.to_str().unwrap()),
        ("binary", program.to_str().unwrap()),
        ("output", "refused"),
        ("signing-config", config.as_str()),
        ("trusted-root", root.as_str()),
    ];
    let output = runner.step(&runner.repository, step, &mut inputs(&action, &given));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!runner.repository.join("refused").exists());
}

#[test]
fn the_action_builds_its_own_source_where_no_binary_is_given() {
    let runner = Runner::new();
    let action = document("action.yml");
    let mut context = inputs(&action, &[("artifact", "nothing.tgz")]);
    let output = runner.step(
        &runner.repository,
        &action["runs"]["steps"][0],
        &mut context,
    );
    // What cargo would have made is not there.
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    let asked = runner.asked_for();
    let expected = "cargo install --quiet --locked --path /the/action/crates/remint --root ";
    assert!(asked.starts_with(expected), "{asked}");
}

#[test]
fn the_workflow_builds_in_one_job_and_signs_in_another() {
    let runner = Runner::new();
    runner.install_remint();
    let workflow = document("docs/templates/github-actions.yml");
    // Rights are those that a job names, and none but the signing one has an identity.
    assert_eq!(workflow["permissions"], serde_json::json!({}));
    assert!(workflow["jobs"]["build"]["permissions"]["id-token"].is_null());
    let mut context: Context = [("github.token".to_owned(), "secret".to_owned())].into();
    let mut directory = PathBuf::new();
    for job in ["build", "sign"] {
        directory = runner.world.path().join(job);
        fs_err::create_dir(&directory).unwrap();
        let job_text = &workflow["jobs"][job];
        for step in job_text["steps"].as_array().unwrap() {
            let output = runner.step(&directory, step, &mut context);
            assert!(output.status.success(), "{step}: {output:?}");
        }
        for (name, value) in job_text["outputs"].as_object().into_iter().flatten() {
            let value = evaluated(value.as_str().unwrap(), &context);
            context.insert(format!("needs.{job}.outputs.{name}"), value);
        }
    }
    let asked = runner.asked_for();
    assert!(
        asked.contains(&format!("--rev {COMMIT} remint\n")),
        "{asked}"
    );
    let release = directory.join("release");
    runner.is_signed(&release, &release.join("list-server-1.0.0.tgz"));
}

#[test]
fn the_pipeline_of_gitlab_builds_in_one_job_and_signs_in_another() {
    let runner = Runner::new();
    runner.install_remint();
    let pipeline = document("docs/templates/gitlab-ci.yml");
    let checkout = runner.world.path().join("checkout");
    git2::build::RepoBuilder::new()
        .clone(runner.repository.to_str().unwrap(), &checkout)
        .unwrap();
    let token = token_text(SignedDuration::from_hours(1));
    for job in ["build-release", "sign-release"] {
        let lines: Vec<&str> = pipeline[job]["script"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line.as_str().unwrap())
            .collect();
        let mut variables = vec![
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_TAG", "v1.0.0"),
            ("REMINT_COMMIT", COMMIT),
        ];
        if pipeline[job]["id_tokens"]["SIGSTORE_ID_TOKEN"]["aud"] == "sigstore" {
            variables.push(("SIGSTORE_ID_TOKEN", &token));
        }
        let output = runner.shell(&checkout, &lines.join("\n"), &variables);
        assert!(output.status.success(), "{job}: {output:?}");
    }
    let release = checkout.join("release");
    runner.is_signed(&release, &release.join("list-server-1.0.0.tgz"));
}
