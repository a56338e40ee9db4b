//! A user's home, hosts whose repositories are directories, and releases as registries describe them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use remint_ecosystem::{Earlier, Release, RepositoryClaim, ToolHints};
use remint_fetch::UserConfiguration;
use remint_fetch::source::{
    Ahead, FoundSource, Overrides, SourceError, SourceRequest, find_source,
};
use remint_model::{
    CommitId, Ecosystem, EntryPath, PackageName, Sha256, Survey, SurveyEntry, Target,
};

/// The time of the first commit of every repository.
pub(crate) const START: i64 = 1_700_000_000;
pub(crate) const HOUR: i64 = 3600;

/// Everything that a test touches.
pub(crate) struct World {
    temporary: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            temporary: tempfile::tempdir().unwrap(),
        };
        for directory in ["home", "cache", "hosts", "out"] {
            std::fs::create_dir(world.path(directory)).unwrap();
        }
        let hosts = world.path("hosts");
        world.user_setting(
            &format!("url.file://{}/.insteadOf", hosts.display()),
            "https://github.com/",
        );
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    /// Writes into the user's own git configuration.
    pub(crate) fn user_setting(&self, key: &str, value: &str) {
        let file = self.path("home/.gitconfig");
        let status = Command::new("git")
            .args(["config", "--file"])
            .arg(file)
            .args(["--add", key, value])
            .status()
            .unwrap();
        assert!(status.success());
    }

    pub(crate) fn user(&self) -> UserConfiguration {
        let mut variables: BTreeMap<String, String> = std::env::vars()
            .filter(|(name, _)| name == "PATH")
            .collect();
        variables.insert("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned());
        UserConfiguration {
            home: Some(self.path("home")),
            directory: self.temporary.path().to_owned(),
            variables,
            cache: self.path("cache"),
            offline: false,
        }
    }

    /// An empty repository that is reached as `https://github.com/<name>`.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        let directory = self.path("hosts").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let repository = Repository {
            directory,
            time: std::cell::Cell::new(START),
        };
        repository.git(&["init", "--quiet", "--initial-branch=main", "."]);
        for key in ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"] {
            repository.git(&["config", key, "true"]);
        }
        repository
    }

    pub(crate) fn find(&self, wanted: &Wanted) -> Result<FoundSource, SourceError> {
        wanted.find(&self.user())
    }
}

/// A repository with a work tree, whose commits are an hour apart.
pub(crate) struct Repository {
    pub(crate) directory: PathBuf,
    time: std::cell::Cell<i64>,
}

impl Repository {
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    pub(crate) fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let date = format!("{} +0000", self.time.get());
        let mut child = Command::new("git")
            .current_dir(&self.directory)
            .args([
                "-c",
                "core.protectNTFS=false",
                "-c",
                "protocol.file.allow=always",
            ])
            .args(arguments)
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "someone")
            .env("GIT_AUTHOR_EMAIL", "someone@example.org")
            .env("GIT_COMMITTER_NAME", "someone")
            .env("GIT_COMMITTER_EMAIL", "someone@example.org")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes files (an empty content removes) and commits them an hour after the last commit.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> CommitId {
        for (name, content) in files {
            let path = self.directory.join(name);
            if content.is_empty() {
                std::fs::remove_file(path).unwrap();
                continue;
            }
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        self.git(&["add", "--all"]);
        self.time.set(self.time.get() + HOUR);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "change"]);
        self.head()
    }

    /// Commits a tree that `git add` would refuse: `mode type id<TAB>name` lines.
    pub(crate) fn commit_tree(&self, listing: &str) -> CommitId {
        let tree = self.git_with(&["mktree"], listing.as_bytes());
        let commit = self.git(&["commit-tree", &tree, "-m", "odd"]);
        self.git(&["update-ref", "refs/heads/main", &commit]);
        commit.parse().unwrap()
    }

    pub(crate) fn blob(&self, content: &str) -> String {
        self.git_with(&["hash-object", "-w", "--stdin"], content.as_bytes())
    }

    pub(crate) fn head(&self) -> CommitId {
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    pub(crate) fn tag(&self, name: &str) {
        self.git(&["tag", name]);
    }

    /// A commit that exists and that no ref reaches.
    pub(crate) fn dangling(&self, files: &[(&str, &str)]) -> CommitId {
        let before = self.head();
        let commit = self.commit(files);
        self.git(&["reset", "--quiet", "--hard", before.as_str()]);
        commit
    }

    /// When the last commit was made.
    pub(crate) fn now(&self) -> i64 {
        self.time.get()
    }
}

/// A `package.json` of one line.
pub(crate) fn manifest(name: &str, version: &str) -> String {
    format!("{{\"name\": \"{name}\", \"version\": \"{version}\"}}\n")
}

/// A release whose source is looked for.
pub(crate) struct Wanted {
    pub(crate) target: Target,
    pub(crate) claims: Vec<RepositoryClaim>,
    pub(crate) release: Release,
    pub(crate) survey: Survey,
    pub(crate) overrides: Overrides,
    pub(crate) uploaded: Option<i64>,
}

/// In place of what an earlier release named, where the registry does not tell.
pub(crate) const UNTOLD: &str = "untold";

impl Wanted {
    pub(crate) fn new(ecosystem: Ecosystem, name: &str, version: &str, url: &str) -> Self {
        let version: remint_model::Version = version.parse().unwrap();
        Self {
            target: Target {
                ecosystem,
                name: PackageName::parse(ecosystem, name).unwrap(),
                version: version.clone(),
                file: None,
            },
            claims: vec![claim(url)],
            release: Release {
                version,
                files: Vec::new(),
                claims: Vec::new(),
                git_head: None,
                published: None,
                earlier: Vec::new(),
                tools: ToolHints::default(),
                versions: Vec::new(),
                document: None,
                withdrawn: None,
            },
            survey: Survey::default(),
            overrides: Overrides::default(),
            uploaded: None,
        }
    }

    pub(crate) fn npm(name: &str, version: &str) -> Self {
        Self::new(
            Ecosystem::Npm,
            name,
            version,
            "https://github.com/owner/name",
        )
    }

    pub(crate) fn pypi(name: &str, version: &str) -> Self {
        Self::new(
            Ecosystem::Pypi,
            name,
            version,
            "https://github.com/owner/name",
        )
    }

    pub(crate) fn cargo(name: &str, version: &str) -> Self {
        Self::new(
            Ecosystem::Cargo,
            name,
            version,
            "https://github.com/owner/name",
        )
    }

    /// What cargo wrote into the published file about its commit.
    pub(crate) fn vcs_info(mut self, commit: &CommitId) -> Self {
        let info = format!(r#"{{"git":{{"sha1":"{commit}"}},"path_in_vcs":""}}"#);
        self.survey
            .texts
            .push((".cargo_vcs_info.json".parse().unwrap(), info.into_bytes()));
        self
    }

    pub(crate) fn git_head(mut self, commit: &CommitId) -> Self {
        self.release.git_head = Some(commit.clone());
        self
    }

    pub(crate) const fn uploaded(mut self, time: i64) -> Self {
        self.uploaded = Some(time);
        self
    }

    pub(crate) fn published(mut self, files: &[(&str, &str)]) -> Self {
        self.survey.entries = files
            .iter()
            .map(|(path, content)| SurveyEntry {
                path: path.parse().unwrap(),
                size: content.len() as u64,
                mode: 0o644,
                modified: 0,
                sha256: Sha256::of(content.as_bytes()),
                blob: git2::Oid::hash_object(git2::ObjectType::Blob, content.as_bytes())
                    .unwrap()
                    .to_string()
                    .parse()
                    .unwrap(),
                lf_blob: None,
            })
            .collect();
        self
    }

    /// What the releases before this one named, the nearest first, and how many days before it they came out.
    pub(crate) fn previously(mut self, named: &[(&str, Option<i64>)]) -> Self {
        self.release.earlier = named
            .iter()
            .map(|(url, days)| Earlier {
                version: "0.0.9".parse().unwrap(),
                before: days.map(|days| days * 24 * 3600),
                claims: if ["", UNTOLD].contains(url) {
                    Vec::new()
                } else {
                    vec![claim(url)]
                },
                untold: (*url == UNTOLD).then(|| "HTTP status 503".to_owned()),
            })
            .collect();
        self
    }

    pub(crate) fn directory(mut self, directory: &str) -> Self {
        self.claims[0].directory = Some(directory.parse().unwrap());
        self
    }

    pub(crate) fn reference(mut self, reference: &str) -> Self {
        self.overrides.reference = Some(reference.to_owned());
        self
    }

    pub(crate) fn source(mut self, source: &Path) -> Self {
        self.overrides.source = Some(source.display().to_string());
        self
    }

    pub(crate) fn find(&self, user: &UserConfiguration) -> Result<FoundSource, SourceError> {
        self.find_after(None, user)
    }

    /// What can be done before the files are here.
    pub(crate) fn ahead(&self, user: &UserConfiguration) -> Option<Ahead> {
        Ahead::new(&self.target, &self.claims, user)
    }

    pub(crate) fn find_after(
        &self,
        ahead: Option<&Ahead>,
        user: &UserConfiguration,
    ) -> Result<FoundSource, SourceError> {
        find_source(
            &SourceRequest {
                target: &self.target,
                release: Some(&self.release),
                claims: &self.claims,
                survey: &self.survey,
                overrides: self.overrides.clone(),
                uploaded: self.uploaded,
                ahead,
            },
            user,
        )
    }
}

pub(crate) fn claim(url: &str) -> RepositoryClaim {
    RepositoryClaim {
        raw: url.to_owned(),
        url: url.parse(),
        directory: None,
        field: "repository".to_owned(),
    }
}

/// What a pin says in one line: how, which ref, which commit.
pub(crate) fn short(found: &FoundSource) -> (remint_model::FoundBy, Option<&str>, &CommitId) {
    let pin = &found.pin;
    (pin.found_by, pin.reference.as_deref(), &pin.commit)
}

pub(crate) fn subdirectory(found: &FoundSource) -> Option<&str> {
    found.pin.subdirectory.as_ref().map(EntryPath::as_str)
}

/// The notes on candidates that were not taken.
pub(crate) fn notes(found: &FoundSource) -> Vec<String> {
    found
        .pin
        .candidates
        .iter()
        .filter(|candidate| !candidate.agrees)
        .map(|candidate| candidate.note.clone().unwrap_or_default())
        .collect()
}
