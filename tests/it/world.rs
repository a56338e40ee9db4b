//! A world of its own for one test: a home, a repository with a tagged release, and the binary run in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use assert_cmd::Command;
use serde_json::Value;

use crate::person::Person;

/// One cache for all tests of a run, so that tools are fetched once.
fn shared_cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
        fs_err::create_dir_all(&base).unwrap();
        base
    })
}

pub(crate) struct World {
    home: tempfile::TempDir,
    person: Person,
    cache: PathBuf,
}

/// The answer of one `verify-build`.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) report: Value,
    pub(crate) stderr: String,
}

impl Answer {
    /// The first target.
    pub(crate) fn target(&self) -> &Value {
        assert!(
            !self.report["targets"][0].is_null(),
            "no target: {}",
            self.stderr
        );
        &self.report["targets"][0]
    }

    pub(crate) fn outcome(&self) -> (&str, &str) {
        let target = self.target();
        (
            target["outcome"].as_str().unwrap(),
            target["content"].as_str().unwrap(),
        )
    }

    pub(crate) fn findings(&self) -> BTreeMap<&str, &str> {
        self.target()["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                (
                    finding["id"].as_str().unwrap(),
                    finding["severity"].as_str().unwrap(),
                )
            })
            .collect()
    }

    /// Path, change and class of every difference.
    pub(crate) fn differences(&self) -> Vec<(&str, &str, &str)> {
        self.target()["differences"]
            .as_array()
            .unwrap()
            .iter()
            .map(|difference| {
                (
                    difference["path"].as_str().unwrap(),
                    difference["change"].as_str().unwrap(),
                    difference["class"].as_str().unwrap(),
                )
            })
            .collect()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            person: Person::Myself,
            cache: shared_cache().to_owned(),
        }
    }

    /// A world with caches that only some worlds share, in this directory.
    pub(crate) fn with_cache(cache: &Path) -> Self {
        seed(cache);
        Self {
            cache: cache.to_owned(),
            ..Self::new()
        }
    }

    /// A world whose binary runs as an ordinary user, whoever runs the test, with caches of his own.
    pub(crate) fn of_an_ordinary_user() -> Self {
        let home = tempfile::Builder::new()
            .prefix("remint-user-")
            .tempdir_in("/tmp")
            .unwrap();
        let cache = home.path().join("cache");
        seed(&cache);
        Self {
            person: Person::ordinary_user(home.path()),
            home,
            cache,
        }
    }

    /// Where the caches are.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Where the binary is.
    pub(crate) fn program_path(&self) -> PathBuf {
        self.person.program()
    }

    /// A command that runs the binary here.
    pub(crate) fn program(&self) -> std::process::Command {
        self.command_of(&self.program_path())
    }

    /// A command that runs any program as the binary would be run here.
    pub(crate) fn command_of(&self, program: &Path) -> std::process::Command {
        self.person.take_over(self.home.path());
        let mut program = self.person.command_of(program);
        program
            .env("HOME", self.home.path())
            .env("REMINT_CACHE_DIR", self.cache())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            // Of go's settings those of the home count, where a test puts them.
            .env_remove("GOENV")
            .env_remove("GOPROXY")
            .env_remove("GONOPROXY")
            .env_remove("GOPRIVATE")
            .env_remove("GOSUMDB")
            .env_remove("GONOSUMDB")
            .current_dir(self.home.path());
        program
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// A fixture as a git repository with these changes on top, committed and tagged.
    pub(crate) fn repository(&self, fixture: &str, changes: &[(&str, &str)], tag: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/fixtures")
            .join(fixture);
        let to = self.home.path().join("repository");
        copy(&from, &to);
        for (path, content) in changes {
            let path = to.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        let repository = git2::Repository::init(&to).unwrap();
        let commit = commit(&repository, "Release");
        let object = repository.find_object(commit, None).unwrap();
        repository.tag_lightweight(tag, &object, false).unwrap();
        to
    }

    /// `remint` with these arguments.
    pub(crate) fn remint(&self, arguments: &[&str]) -> Output {
        Command::from_std(self.program())
            .args(arguments)
            .timeout(std::time::Duration::from_secs(600))
            .output()
            .unwrap()
    }

    /// `remint verify-build` with these arguments, as JSON.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Answer {
        let mut all = vec!["verify-build", "--format", "json"];
        all.extend(arguments);
        let output = self.remint(&all);
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if !report.is_null() {
            follows_the_schema(&report);
        }
        Answer {
            code: output.status.code().unwrap_or(-1),
            report,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What the repository builds: taken from the evidence of a verification of some other file.
    pub(crate) fn build(&self, spec: &str, repository: &Path, stand_in: &Path) -> PathBuf {
        let keep = self.home.path().join("evidence");
        let answer = self.verify(&[
            spec,
            "--artifact",
            stand_in.to_str().unwrap(),
            "--source",
            repository.to_str().unwrap(),
            "--keep",
            keep.to_str().unwrap(),
        ]);
        let rebuilt = keep.join(stand_in.file_name().unwrap()).join("rebuilt");
        let file = fs_err::read_dir(&rebuilt)
            .unwrap_or_else(|error| panic!("{error}; {answer:?}"))
            .next()
            .unwrap()
            .unwrap()
            .path();
        let to = self
            .home
            .path()
            .join("releases")
            .join(file.file_name().unwrap());
        fs_err::create_dir_all(to.parent().unwrap()).unwrap();
        fs_err::copy(&file, &to).unwrap();
        to
    }
}

/// Puts downloads there that other tests made already; where there are none yet, they are made again.
fn seed(cache: &Path) {
    for part in ["v1/content", "v1/locations"] {
        let (from, to) = (shared_cache().join(part), cache.join(part));
        if from.is_dir() && !to.exists() {
            copy(&from, &to);
        }
    }
}

/// Every report of every test is held against the published schema.
fn follows_the_schema(report: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.v1.schema.json");
    let schema: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Commits everything in the work tree.
pub(crate) fn commit(repository: &git2::Repository, message: &str) -> git2::Oid {
    let mut index = repository.index().unwrap();
    index
        .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
        .unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let when = git2::Time::new(1_780_000_000, 0);
    let who = git2::Signature::new("Tester", "tester@example.invalid", &when).unwrap();
    let parent = repository
        .head()
        .ok()
        .and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<_> = parent.iter().collect();
    repository
        .commit(Some("HEAD"), &who, &who, message, &tree, &parents)
        .unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}
