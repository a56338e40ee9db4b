//! Builds a request out of a few files and writes plans down, one line a step.

use remint_ecosystem::{Interpreter, PlanError, PlanRequest, Platform, ToolHints, plan};
use remint_model::{
    Action, ArtifactFormat, BuildPlan, CommitId, Ecosystem, EntryPath, FoundBy, GzipHeader, Lock,
    OnFailure, PackageName, Renaming, Sha1, Sha256, SourcePin, SourceTree, Stamp, Survey,
    SurveyEntry, Target, TreeEntry, line_ends,
};

/// 2026-07-01: node 24 is the newest long-term line.
pub(crate) const MOMENT: i64 = 1_782_864_000;

/// A project, what was published of it, and how its source was found.
pub(crate) struct Project {
    tree: SourceTree,
    survey: Survey,
    pin: SourcePin,
    uploaded: Option<i64>,
}

impl Project {
    /// A project of these files, published by npm with a file that only a build makes.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let mut tree = SourceTree::default();
        for (path, text) in files {
            let path: EntryPath = path.parse().unwrap();
            tree.entries.insert(
                path.clone(),
                TreeEntry {
                    mode: 0o100_644,
                    blob: blob_id(text.as_bytes()),
                },
            );
            tree.texts.insert(path, text.as_bytes().to_vec());
        }
        Self {
            tree,
            survey: Survey {
                gzip: Some(GzipHeader {
                    extra_flags: 2,
                    os: 255,
                    mtime: 0,
                    named: false,
                }),
                newest_entry: Some(499_162_500),
                ..Survey::default()
            },
            pin: SourcePin {
                repository: "https://github.com/o/n".to_owned(),
                reference: Some("v1.2.3".to_owned()),
                commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
                commit_time: MOMENT,
                subdirectory: None,
                found_by: FoundBy::Tag,
                candidates: Vec::new(),
                stamp: None,
                renamed: None,
                reach: remint_model::Reach::DefaultOrTag,
                previous_repository: None,
            },
            uploaded: None,
        }
        .publishing(&[("dist/index.js", "made")])
    }

    /// The package lies in this folder.
    pub(crate) fn at(mut self, folder: &str) -> Self {
        self.pin.subdirectory = Some(folder.parse().unwrap());
        self
    }

    /// These files are published as well.
    pub(crate) fn publishing(mut self, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            let path: EntryPath = path.parse().unwrap();
            self.survey.entries.push(SurveyEntry {
                path: path.clone(),
                size: text.len() as u64,
                mode: 0o644,
                modified: 0,
                sha256: Sha256::of(text.as_bytes()),
                blob: blob_id(text.as_bytes()),
                lf_blob: line_ends::with_lf(text.as_bytes()).map(|lf| blob_id(&lf)),
            });
            if path.as_str() == "package.json" {
                self.survey.texts.push((path, text.as_bytes().to_vec()));
            }
        }
        self
    }

    /// Nothing is published but these files.
    pub(crate) fn publishing_only(mut self, files: &[(&str, &str)]) -> Self {
        self.survey.entries.clear();
        self.publishing(files)
    }

    /// The published file has pnpm's marks.
    pub(crate) fn packed_by_pnpm(mut self) -> Self {
        self.survey.gzip = Some(GzipHeader {
            extra_flags: 0,
            os: 3,
            mtime: 0,
            named: false,
        });
        self
    }

    /// The published source maps name this directory.
    pub(crate) fn built_at(mut self, path: &str) -> Self {
        self.survey.build_paths.push(path.to_owned());
        self
    }

    /// The manifest carries another version than the released one.
    pub(crate) fn stamped(mut self, found: &str) -> Self {
        self.pin.stamp = Some(Stamp {
            found: Some(found.to_owned()),
            wanted: "1.2.3".parse().unwrap(),
            because: "tag v1.2.3".to_owned(),
        });
        self
    }

    /// The manifest carries another name than the released one.
    pub(crate) fn renamed(mut self, found: &str, wanted: &str) -> Self {
        let name = |name| PackageName::parse(Ecosystem::Npm, name).unwrap();
        self.pin.renamed = Some(Renaming {
            found: name(found),
            wanted: name(wanted),
            named_in: "server.json".parse().unwrap(),
        });
        self
    }

    /// It was published so many days after the commit.
    pub(crate) const fn published_after(mut self, days: i64) -> Self {
        self.uploaded = Some(MOMENT + days * 86_400);
        self
    }

    /// Every plan.
    pub(crate) fn plans(&self) -> Result<Vec<BuildPlan>, PlanError> {
        let target = Target {
            ecosystem: Ecosystem::Npm,
            name: PackageName::parse(Ecosystem::Npm, "a").unwrap(),
            version: "1.2.3".parse().unwrap(),
            file: None,
        };
        let interpreters: [Interpreter; 0] = [];
        plan(&PlanRequest {
            target: &target,
            format: ArtifactFormat::NpmTarball,
            file_name: "a-1.2.3.tgz",
            pin: &self.pin,
            tree: &self.tree,
            survey: &self.survey,
            uploaded: self.uploaded,
            hints: &ToolHints::default(),
            platform: Platform {
                system: "linux",
                processor: "x64",
            },
            interpreters: &interpreters,
            toolchains: &[],
        })
    }

    /// The best plan.
    pub(crate) fn best(&self) -> BuildPlan {
        self.plans().unwrap().into_iter().next().unwrap()
    }

    /// Holds the steps of the best plan against these lines.
    pub(crate) fn check(&self, expect: &[&str]) {
        assert_eq!(steps(&self.best()), expect);
    }

    /// Holds the variants and their order against these.
    pub(crate) fn check_variants(&self, expect: &[&str]) {
        let plans = self.plans().unwrap();
        let found: Vec<&str> = plans.iter().map(|plan| plan.variant.as_str()).collect();
        assert_eq!(found, expect);
    }
}

/// The steps of a plan: `phase folder: command`, with a question mark for one that may fail.
pub(crate) fn steps(plan: &BuildPlan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            let folder = step.directory.as_ref().map_or(".", EntryPath::as_str);
            let command = match &step.action {
                Action::Run { argv } => argv.join(" "),
                Action::InstallListed { list, .. } => format!("install listed in {list}"),
            };
            let may_fail = if step.on_failure == OnFailure::Ends {
                ""
            } else {
                "?"
            };
            format!("{}{may_fail} {folder}: {command}", step.phase.name())
        })
        .collect()
}

/// Name and version of the tools of a plan.
pub(crate) fn tools(plan: &BuildPlan) -> Vec<String> {
    plan.tools
        .iter()
        .map(|tool| format!("{} {}", tool.name, tool.version.as_deref().unwrap_or("any")))
        .collect()
}

/// What a plan may fetch, in a word or two.
pub(crate) fn lock(plan: &BuildPlan) -> String {
    match &plan.lock {
        Lock::Nothing => "nothing".to_owned(),
        Lock::Modules(_) => "modules".to_owned(),
        Lock::Locked { file, fetches } => format!("{} of {file}", fetches.len()),
        Lock::Opaque { file } => format!("whatever {file} says"),
        Lock::AsOf { .. } => "as of then".to_owned(),
    }
}

fn blob_id(content: &[u8]) -> CommitId {
    let mut bytes = format!("blob {}\0", content.len()).into_bytes();
    bytes.extend_from_slice(content);
    Sha1::of(&bytes).to_string().parse().unwrap()
}
