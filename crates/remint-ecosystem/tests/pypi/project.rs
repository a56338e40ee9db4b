//! A project written down in a test: its tree, its pin, and what was published.

use remint_ecosystem::{Interpreter, PlanError, PlanRequest, Platform, RustToolchain, ToolHints};
use remint_model::{
    ArtifactFormat, BuildPlan, CommitId, Ecosystem, FoundBy, ManifestFacts, PackageName, Sha256,
    SourcePin, SourceTree, Stamp, Survey, SurveyEntry, Target, TreeEntry,
};

pub(crate) const LINUX: Platform = Platform {
    system: "linux",
    processor: "x64",
};

pub(crate) struct Project {
    pub(crate) tree: SourceTree,
    pub(crate) pin: SourcePin,
    pub(crate) survey: Survey,
    pub(crate) file_name: String,
    pub(crate) uploaded: Option<i64>,
    pub(crate) interpreters: Vec<Interpreter>,
    pub(crate) hints: ToolHints,
    pub(crate) toolchains: Vec<RustToolchain>,
}

impl Project {
    /// A project called `x`, version 1.2.3, published as a pure wheel on 2025-06-01, with these files at its tag.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let blob: CommitId = "a".repeat(40).parse().unwrap();
        let mut tree = SourceTree::default();
        for (path, content) in files {
            tree.entries.insert(
                path.parse().unwrap(),
                TreeEntry {
                    mode: 0o100_644,
                    blob: blob.clone(),
                },
            );
            tree.texts
                .insert(path.parse().unwrap(), content.as_bytes().to_vec());
        }
        Self {
            tree,
            pin: SourcePin {
                repository: "https://example.org/o/x".to_owned(),
                reference: Some("v1.2.3".to_owned()),
                commit: blob,
                commit_time: 1_748_000_000,
                subdirectory: None,
                found_by: FoundBy::Tag,
                candidates: Vec::new(),
                stamp: None,
                renamed: None,
                reach: remint_model::Reach::DefaultOrTag,
                previous_repository: None,
            },
            survey: Survey::default(),
            file_name: "x-1.2.3-py3-none-any.whl".to_owned(),
            uploaded: Some(1_748_736_000),
            interpreters: ["3.13.0", "3.12.1", "3.11.7"]
                .map(|version| Interpreter {
                    version: version.to_owned(),
                    path: "/python".into(),
                })
                .into(),
            hints: ToolHints::default(),
            toolchains: Vec::new(),
        }
    }

    pub(crate) fn in_directory(mut self, directory: &str) -> Self {
        self.pin.subdirectory = Some(directory.parse().unwrap());
        self
    }

    pub(crate) fn published_as(mut self, file_name: &str) -> Self {
        self.file_name = file_name.to_owned();
        self
    }

    /// The tree carries `found` where 1.2.3 was released.
    pub(crate) fn stamped(mut self, found: Option<&str>) -> Self {
        self.pin.stamp = Some(Stamp {
            found: found.map(str::to_owned),
            wanted: "1.2.3".parse().unwrap(),
            because: "tag v1.2.3".to_owned(),
        });
        self
    }

    /// The published file has this entry; manifests are kept as texts, as a survey keeps them.
    pub(crate) fn with_entry(mut self, path: &str, content: &str) -> Self {
        self.survey.entries.push(SurveyEntry {
            path: path.parse().unwrap(),
            size: content.len() as u64,
            mode: 0o644,
            modified: 0,
            sha256: Sha256::of(content.as_bytes()),
            blob: "b".repeat(40).parse().unwrap(),
            lf_blob: None,
        });
        if ["METADATA", "WHEEL", "PKG-INFO", "pyproject.toml"]
            .iter()
            .any(|kept| path.ends_with(kept))
        {
            self.survey
                .texts
                .push((path.parse().unwrap(), content.as_bytes().to_vec()));
        }
        self
    }

    pub(crate) fn plans(&self) -> Result<Vec<BuildPlan>, PlanError> {
        let target = Target {
            ecosystem: Ecosystem::Pypi,
            name: PackageName::parse(Ecosystem::Pypi, "x").unwrap(),
            version: "1.2.3".parse().unwrap(),
            file: Some(self.file_name.parse().unwrap()),
        };
        remint_ecosystem::plan(&PlanRequest {
            target: &target,
            format: ArtifactFormat::of(&self.file_name).unwrap(),
            file_name: &self.file_name,
            pin: &self.pin,
            tree: &self.tree,
            survey: &self.survey,
            uploaded: self.uploaded,
            hints: &self.hints,
            platform: LINUX,
            interpreters: &self.interpreters,
            toolchains: &self.toolchains,
        })
    }

    pub(crate) fn first_plan(&self) -> BuildPlan {
        self.plans().unwrap().into_iter().next().unwrap()
    }

    pub(crate) fn source_facts(&self) -> ManifestFacts {
        remint_ecosystem::source_facts(Ecosystem::Pypi, &self.tree, &self.pin).unwrap()
    }

    pub(crate) fn published_facts(&self) -> ManifestFacts {
        remint_ecosystem::published_facts(Ecosystem::Pypi, &self.survey).unwrap()
    }
}
