//! A project around whatever files fuzzing makes up, and the plans of it.

use remint_ecosystem::{
    Interpreter, PlanRequest, Platform, RustToolchain, ToolHints, npm, plan, published_claims,
    published_facts, published_identity, source_facts,
};
use remint_model::{
    ArtifactFormat, BuildPlan, CommitId, Ecosystem, EntryPath, FoundBy, GzipHeader, PackageName,
    Sha256, SourcePin, SourceTree, Stamp, Survey, SurveyEntry, Target, TreeEntry,
};

/// 2026-07-01.
const MOMENT: i64 = 1_782_864_000;

/// The platform that fuzzing plans for.
const LINUX: Platform = Platform {
    system: "linux",
    processor: "x64",
};

/// A source tree, where the package lies in it, and what was published of it.
pub struct Project {
    tree: SourceTree,
    pin: SourcePin,
    survey: Survey,
}

impl Project {
    /// These files at the commit; a path that no tree can have is left out.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let mut tree = SourceTree::default();
        for (path, text) in files {
            let Ok(path) = path.parse::<EntryPath>() else {
                continue;
            };
            tree.entries.insert(
                path.clone(),
                TreeEntry {
                    mode: 0o100_644,
                    blob: CommitId::of_blob(text.as_bytes()),
                },
            );
            tree.texts.insert(path, text.as_bytes().to_vec());
        }
        Self {
            tree,
            pin: SourcePin {
                repository: "https://github.com/o/n".to_owned(),
                reference: Some("v1.2.3".to_owned()),
                commit: CommitId::of_blob(b""),
                commit_time: MOMENT,
                subdirectory: None,
                found_by: FoundBy::Tag,
                candidates: Vec::new(),
                stamp: None,
                renamed: None,
                reach: remint_model::Reach::DefaultOrTag,
                previous_repository: None,
            },
            survey: Survey::default(),
        }
    }

    /// The package lies in this folder, if it can be one.
    pub fn at(mut self, folder: &str) -> Self {
        self.pin.subdirectory = folder.parse().ok();
        self
    }

    /// The source carries this version, or none, where 1.2.3 was released.
    pub fn stamped(mut self, found: Option<String>) -> Self {
        self.pin.stamp = Some(Stamp {
            found,
            wanted: "1.2.3".parse().expect("a version"),
            because: "tag v1.2.3".to_owned(),
        });
        self
    }

    /// The published file holds this one, and keeps its text.
    pub fn publishing(mut self, path: &str, text: &str) -> Self {
        let path: EntryPath = path.parse().expect("a plain path");
        self.survey.entries.push(SurveyEntry {
            path: path.clone(),
            size: text.len() as u64,
            mode: 0o644,
            modified: 0,
            sha256: Sha256::of(text.as_bytes()),
            blob: CommitId::of_blob(text.as_bytes()),
            lf_blob: None,
        });
        self.survey.texts.push((path, text.as_bytes().to_vec()));
        self
    }

    /// The published source maps name this directory.
    pub fn built_at(mut self, path: String) -> Self {
        self.survey.build_paths.push(path);
        self
    }

    /// What was committed.
    pub fn tree(&self) -> &SourceTree {
        &self.tree
    }

    /// Reads all that can be read of both sides, and returns the plans.
    pub fn plans(&self, ecosystem: Ecosystem) -> Vec<BuildPlan> {
        let (format, file_name) = match ecosystem {
            Ecosystem::Npm => (ArtifactFormat::NpmTarball, "x-1.2.3.tgz"),
            Ecosystem::Mcpb => (ArtifactFormat::Mcpb, "x.mcpb"),
            Ecosystem::Pypi => (ArtifactFormat::Wheel, "x-1.2.3-py3-none-any.whl"),
            Ecosystem::Cargo => (ArtifactFormat::Crate, "x-1.2.3.crate"),
            Ecosystem::Golang => (ArtifactFormat::GoModule, "x@v1.2.3.zip"),
        };
        let _ = published_facts(ecosystem, &self.survey);
        let _ = published_identity(ecosystem, &self.survey);
        let _ = source_facts(ecosystem, &self.tree, &self.pin);
        for claim in published_claims(ecosystem, &self.survey) {
            assert!(!claim.raw.is_empty());
        }
        let target = Target {
            ecosystem,
            name: PackageName::parse(ecosystem, "x")
                .or_else(|_| PackageName::parse(ecosystem, "example.org/x"))
                .expect("a name"),
            version: "1.2.3".parse().expect("a version"),
            file: None,
        };
        let interpreters = [Interpreter {
            version: "3.12.1".to_owned(),
            path: "/python".into(),
        }];
        let toolchains = [RustToolchain {
            version: "1.95.0".to_owned(),
            prefix: "/rust".into(),
        }];
        let hints = ToolHints::default();
        let request = PlanRequest {
            target: &target,
            format,
            file_name,
            pin: &self.pin,
            tree: &self.tree,
            survey: &self.survey,
            uploaded: Some(MOMENT),
            hints: &hints,
            platform: LINUX,
            interpreters: &interpreters,
            toolchains: &toolchains,
        };
        let plans = plan(&request).unwrap_or_default();
        self.packs(&request);
        for plan in &plans {
            let place = plan.build_path.as_str();
            assert!(place.starts_with('/') && !place.split('/').any(|part| part == ".."));
        }
        plans
    }
    /// The files that npm's rules pick lie in the tree, whatever was published.
    fn packs(&self, request: &PlanRequest<'_>) {
        let gzip = GzipHeader {
            extra_flags: 2,
            os: 255,
            mtime: 0,
            named: false,
        };
        let survey = Survey {
            gzip: Some(gzip),
            ..self.survey.clone()
        };
        let request = PlanRequest {
            survey: &survey,
            ..*request
        };
        for file in npm::packing::of_source(&request).unwrap_or_default() {
            assert!(self.tree.entries.contains_key(&file.source));
        }
    }
}
