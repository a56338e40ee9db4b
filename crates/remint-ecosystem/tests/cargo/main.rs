//! Plans for crates: values in, values out.
#![expect(clippy::unwrap_used, reason = "tests")]

use remint_ecosystem::{PlanError, PlanRequest, Platform, RustToolchain, ToolHints};
use remint_model::{
    Action, ArtifactFormat, AssumptionKind, BuildPlan, CommitId, Ecosystem, FoundBy, Lock,
    PackageName, Phase, Sha256, SourcePin, SourceTree, Stamp, Survey, SurveyEntry, Target,
    TreeEntry, Worth,
};

const MANIFEST: &str = "[package]\nname = \"x\"\nversion = \"1.2.3\"\n";
const LOCKFILE: &str = "version = 4\n\n[[package]]\nname = \"x\"\nversion = \"1.2.3\"\n\n\
     [[package]]\nname = \"dep\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
/// When 1.90 was the stable one.
const MOMENT: i64 = 1_758_200_000;

struct Project {
    tree: SourceTree,
    pin: SourcePin,
    survey: Survey,
    toolchains: Vec<RustToolchain>,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let blob: CommitId = "a".repeat(40).parse().unwrap();
        let mut tree = SourceTree::default();
        for (path, content) in files {
            let entry = TreeEntry {
                mode: 0o100_644,
                blob: blob.clone(),
            };
            tree.entries.insert(path.parse().unwrap(), entry);
            tree.texts
                .insert(path.parse().unwrap(), content.as_bytes().to_vec());
        }
        Self {
            tree,
            pin: SourcePin {
                repository: "https://example.org/o/x".to_owned(),
                reference: Some("v1.2.3".to_owned()),
                commit: blob,
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
            toolchains: Vec::new(),
        }
        .with_toolchains(&["1.97.0-nightly", "1.95.0", "1.91.1", "1.85.0"])
    }

    fn with_toolchains(mut self, versions: &[&str]) -> Self {
        self.toolchains = versions
            .iter()
            .map(|version| RustToolchain {
                version: (*version).to_owned(),
                prefix: "/rust".into(),
            })
            .collect();
        self
    }

    fn publishing(mut self, path: &str, content: &str, modified: i64) -> Self {
        self.survey.entries.push(SurveyEntry {
            path: path.parse().unwrap(),
            size: content.len() as u64,
            mode: 0o644,
            modified,
            sha256: Sha256::of(content.as_bytes()),
            blob: "b".repeat(40).parse().unwrap(),
            lf_blob: None,
        });
        self.survey
            .texts
            .push((path.parse().unwrap(), content.as_bytes().to_vec()));
        self
    }

    fn plans(&self) -> Result<Vec<BuildPlan>, PlanError> {
        let target = Target {
            ecosystem: Ecosystem::Cargo,
            name: PackageName::parse(Ecosystem::Cargo, "x").unwrap(),
            version: "1.2.3".parse().unwrap(),
            file: None,
        };
        remint_ecosystem::plan(&PlanRequest {
            target: &target,
            format: ArtifactFormat::Crate,
            file_name: "x-1.2.3.crate",
            pin: &self.pin,
            tree: &self.tree,
            survey: &self.survey,
            uploaded: Some(MOMENT),
            hints: &ToolHints::default(),
            platform: Platform {
                system: "linux",
                processor: "x64",
            },
            interpreters: &[],
            toolchains: &self.toolchains,
        })
    }

    fn first(&self) -> BuildPlan {
        self.plans().unwrap().remove(0)
    }

    /// The versions of cargo that are tried, each once, in order.
    fn cargos(&self) -> Vec<String> {
        let mut versions: Vec<String> = self
            .plans()
            .unwrap()
            .iter()
            .map(|plan| plan.tools[0].version.clone().unwrap())
            .collect();
        versions.dedup();
        versions
    }
}

fn words(plan: &BuildPlan, at: usize) -> Vec<&str> {
    match &plan.steps[at].action {
        Action::Run { argv } | Action::InstallListed { argv, .. } => {
            argv.iter().map(String::as_str).collect()
        }
    }
}

#[test]
fn the_index_is_asked_first_and_packing_is_offline() {
    let project = Project::new(&[("Cargo.toml", MANIFEST), ("Cargo.lock", LOCKFILE)]).publishing(
        "Cargo.lock",
        LOCKFILE,
        1,
    );
    let plan = project.first();
    let phases: Vec<Phase> = plan.steps.iter().map(|step| step.phase).collect();
    assert_eq!(phases, [Phase::Install, Phase::Pack, Phase::Pack]);
    // Outside of the tree, whose settings can name programs.
    for at in [0, 1] {
        assert!(words(&plan, at).starts_with(&["env", "--chdir=/", "cargo", "package"]));
        assert!(words(&plan, at).contains(&"/remint/Cargo.toml"));
    }
    assert!(!words(&plan, 0).contains(&"--offline"));
    assert!(words(&plan, 1).contains(&"--offline"));
    assert_eq!(
        words(&plan, 2),
        ["cp", "/out/target/package/x-1.2.3.crate", "/out/"]
    );
    assert!(plan.edits.is_empty());
    let Lock::Locked { file, fetches } = &plan.lock else {
        panic!("{:?}", plan.lock);
    };
    assert_eq!(file.as_str(), "Cargo.lock");
    assert_eq!(fetches.len(), 2);
    // A lockfile that is behind its manifest is only then brought up to date.
    let second = &project.plans().unwrap()[1];
    assert_eq!(second.worth, Worth::WhenNothingBuilt);
    assert_eq!(second.lock, Lock::AsOf { time: Some(MOMENT) });
}

#[test]
fn a_lockfile_is_taken_from_the_published_file_only_where_there_is_none() {
    let without = Project::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
        ("a/Cargo.toml", MANIFEST),
    ]);
    let mut seeded = without.publishing("Cargo.lock", LOCKFILE, 1);
    seeded.pin.subdirectory = Some("a".parse().unwrap());
    let plan = seeded.first();
    assert_eq!(plan.edits.len(), 1);
    assert_eq!(plan.edits[0].path.as_str(), "Cargo.lock");
    assert_eq!(plan.edits[0].content, LOCKFILE.as_bytes());
    let is_told = |plan: &BuildPlan| {
        plan.assumptions
            .iter()
            .any(|assumption| assumption.kind == AssumptionKind::SeededLockfile)
    };
    assert!(is_told(&plan));
    assert!(words(&plan, 0).contains(&"/remint/a/Cargo.toml"));
    assert!(!words(&plan, 0).contains(&"--exclude-lockfile"));

    let neither = Project::new(&[("Cargo.toml", MANIFEST)]).first();
    assert!(neither.edits.is_empty() && !is_told(&neither));
    assert!(words(&neither, 1).contains(&"--exclude-lockfile"));
}

#[test]
fn the_toolchain_is_told_from_what_it_left_behind() {
    let files = [("Cargo.toml", MANIFEST)];
    let packed_at = |time: i64| Project::new(&files).publishing("Cargo.toml", MANIFEST, time);
    // 1.90 was the stable one; 1.93 changed the time of what is generated.
    assert_eq!(packed_at(1).cargos(), ["1.91.1", "1.85.0"]);
    assert_eq!(
        packed_at(1_153_704_088).cargos(),
        ["1.95.0", "1.97.0-nightly"]
    );
    assert_eq!(packed_at(0).cargos(), ["1.91.1", "1.95.0"]);
    let guess = |plan: &BuildPlan| {
        plan.assumptions
            .iter()
            .find(|assumption| assumption.kind == AssumptionKind::ToolchainGuess)
            .map(|assumption| assumption.from.clone())
    };
    let other = packed_at(1).with_toolchains(&["1.95.0"]).first();
    assert!(guess(&other).unwrap().contains("does not have"));

    let named = [
        ("Cargo.toml", MANIFEST),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.85\"\n"),
    ];
    let plan = Project::new(&named).first();
    assert_eq!(plan.tools[0].version.as_deref(), Some("1.85.0"));
    assert_eq!(guess(&plan), None);

    let none = Project::new(&files).with_toolchains(&[]).plans();
    assert!(matches!(none, Err(PlanError::Unsupported(_))), "{none:?}");
}

#[test]
fn a_version_that_is_stamped_is_written_where_it_stands() {
    let mut project = Project::new(&[
        (
            "Cargo.toml",
            "[workspace.package]\nversion = \"0.0.0\" # set on release\n[workspace]\n",
        ),
        (
            "a/Cargo.toml",
            "[package]\nname = \"x\"\nversion.workspace = true\n",
        ),
        ("Cargo.lock", LOCKFILE),
    ]);
    project.pin.subdirectory = Some("a".parse().unwrap());
    project.pin.stamp = Some(Stamp {
        found: Some("0.0.0".to_owned()),
        wanted: "1.2.3".parse().unwrap(),
        because: "tag v1.2.3".to_owned(),
    });
    let plan = project.first();
    assert_eq!(plan.edits[0].path.as_str(), "Cargo.toml");
    assert_eq!(
        String::from_utf8(plan.edits[0].content.clone()).unwrap(),
        "[workspace.package]\nversion = \"1.2.3\" # set on release\n[workspace]\n"
    );
}

#[test]
fn what_is_no_package_has_no_plan() {
    for files in [
        &[("README.md", "")][..],
        &[("Cargo.toml", "[package")],
        &[("Cargo.toml", MANIFEST), ("Cargo.lock", "not toml")],
    ] {
        let plans = Project::new(files).plans();
        assert!(matches!(plans, Err(PlanError::Manifest(_))), "{plans:?}");
    }
}
