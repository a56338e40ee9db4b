//! Plans for programs of Go: values in, values out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use remint_ecosystem::{PlanError, PlanRequest, Platform, ToolHints};
use remint_model::{
    Action, ArtifactFormat, AssumptionKind, BuildPlan, CloneShape, CommitId, Debugging, Ecosystem,
    FoundBy, GoBuildInfo, GoDependency, GoModuleVersion, Lock, PackageName, Reach, SourcePin,
    SourceTree, Survey, Target, ToolOrigin, TreeEntry,
};

const COMMIT: &str = "9c2b0ed02d2b7a2c4a2bd3a41c77cd8d4d9d1c3f";
/// 2026-05-28T20:26:40Z.
const COMMITTED: i64 = 1_780_000_000;
const SUM: &str = "example.org/a v1.2.3 h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=\n";
const FILES: [(&str, &str); 3] = [
    ("go.mod", "module github.com/o/n\n"),
    ("go.sum", SUM),
    ("cmd/server/main.go", "package main\n"),
];

struct Release {
    tree: SourceTree,
    info: GoBuildInfo,
}

impl Release {
    /// A program that was built in a checkout of the tag, and not stripped.
    fn new(more: &[(&str, &str)]) -> Self {
        let blob: CommitId = "a".repeat(40).parse().unwrap();
        let mut tree = SourceTree::default();
        for (path, content) in FILES.iter().chain(more) {
            let entry = TreeEntry {
                mode: 0o100_644,
                blob: blob.clone(),
            };
            tree.entries.insert(path.parse().unwrap(), entry);
            tree.texts
                .insert(path.parse().unwrap(), content.as_bytes().to_vec());
        }
        let settings = [
            ("-buildmode", "exe"),
            ("-compiler", "gc"),
            ("-trimpath", "true"),
            ("CGO_ENABLED", "0"),
            ("GOARCH", "amd64"),
            ("GOOS", "linux"),
            ("vcs", "git"),
            ("vcs.modified", "false"),
        ];
        Self {
            tree,
            info: GoBuildInfo {
                go_version: "go1.26.8".to_owned(),
                package: "github.com/o/n/cmd/server".to_owned(),
                main: Some(module("github.com/o/n", "v1.0.0", None)),
                settings: settings
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .to_vec(),
                build_id: Some("a/b/c/d".to_owned()),
                debugging: Debugging {
                    symbols: true,
                    dwarf: true,
                },
                ..GoBuildInfo::default()
            },
        }
    }

    fn stripped(mut self) -> Self {
        self.info.debugging = Debugging::default();
        self
    }

    fn set(&mut self, key: &str, value: &str) {
        self.info.settings.retain(|(known, _)| known != key);
        self.info.settings.push((key.to_owned(), value.to_owned()));
    }

    fn plans(&self) -> Result<Vec<BuildPlan>, PlanError> {
        let survey = Survey {
            program: Some(self.info.clone()),
            ..Survey::default()
        };
        let pin = SourcePin {
            repository: "https://github.com/o/n".to_owned(),
            reference: Some("v1.0.0".to_owned()),
            commit: COMMIT.parse().unwrap(),
            commit_time: COMMITTED,
            subdirectory: None,
            found_by: FoundBy::Tag,
            candidates: Vec::new(),
            stamp: None,
            renamed: None,
            reach: Reach::DefaultOrTag,
            previous_repository: None,
        };
        remint_ecosystem::plan(&PlanRequest {
            target: &Target {
                ecosystem: Ecosystem::Golang,
                name: PackageName::parse(Ecosystem::Golang, "github.com/o/n").unwrap(),
                version: "v1.0.0".parse().unwrap(),
                file: None,
            },
            format: ArtifactFormat::GoProgram,
            file_name: "server",
            pin: &pin,
            tree: &self.tree,
            survey: &survey,
            uploaded: None,
            hints: &ToolHints::default(),
            platform: Platform {
                system: "linux",
                processor: "x64",
            },
            interpreters: &[],
            toolchains: &[],
        })
    }

    fn plan(&self) -> BuildPlan {
        self.plans().unwrap().remove(0)
    }

    fn refusal(&self) -> String {
        self.plans().unwrap_err().to_string()
    }

    /// The flags of the linker that are tried.
    fn flags(&self) -> Vec<String> {
        let plans = self.plans().unwrap();
        let assumed = plans.iter().map(|plan| &plan.assumptions[0]);
        assumed
            .map(|assumed| {
                assert_eq!(assumed.kind, AssumptionKind::LinkerFlags);
                assumed.value.clone()
            })
            .collect()
    }
}

fn module(path: &str, version: &str, sum: Option<&str>) -> GoModuleVersion {
    GoModuleVersion {
        path: path.to_owned(),
        version: version.to_owned(),
        sum: sum.map(str::to_owned),
    }
}

fn commands(plan: &BuildPlan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| match &step.action {
            Action::Run { argv } => argv.join(" "),
            Action::InstallListed { .. } => panic!("nothing is installed"),
        })
        .collect()
}

#[test]
fn a_program_is_built_as_it_says_in_a_checkout_of_its_tag() {
    let plan = Release::new(&[]).plan();
    assert_eq!(
        commands(&plan),
        ["go build -trimpath -buildvcs=true -o /out/server ./cmd/server"]
    );
    assert_eq!(plan.clone_shape, CloneShape::Tip);
    let tools: Vec<_> = plan
        .tools
        .iter()
        .map(|tool| (tool.name.as_str(), tool.version.as_deref(), &tool.origin))
        .collect();
    assert_eq!(
        tools,
        [
            ("go", Some("1.26.8"), &ToolOrigin::GoToolchain),
            ("git", None, &ToolOrigin::System)
        ]
    );
    for (name, value) in [
        ("CGO_ENABLED", "0"),
        ("GOOS", "linux"),
        ("GOFLAGS", "-mod=readonly"),
        ("GOPROXY", "file:///opt/go-modules"),
        ("GOSUMDB", "off"),
        ("GOTOOLCHAIN", "local"),
        ("GOENV", "off"),
    ] {
        assert_eq!(plan.environment[name], value);
    }
    let Lock::Modules(lock) = &plan.lock else {
        panic!("modules are locked");
    };
    assert!(!lock.with_own);
    assert_eq!(lock.modules[0].path.as_str(), "example.org/a");
}

#[test]
fn a_program_without_a_stamp_sees_no_repository() {
    let mut release = Release::new(&[]);
    release
        .info
        .settings
        .retain(|(key, _)| !key.starts_with("vcs"));
    let plan = release.plan();
    assert_eq!(plan.clone_shape, CloneShape::None);
    assert_eq!(plan.tools.len(), 1);
    assert!(commands(&plan)[0].contains("-buildvcs=false"));
}

#[test]
fn the_version_tells_what_of_git_go_saw() {
    let shape = |version: &str| {
        let mut release = Release::new(&[]);
        release.info.main.as_mut().unwrap().version = version.to_owned();
        release.plan().clone_shape
    };
    assert_eq!(shape("(devel)"), CloneShape::Tip);
    assert_eq!(shape("v1.0.0"), CloneShape::Tip);
    assert_eq!(shape("v1.0.0+dirty"), CloneShape::Tip);
    let pseudo = "v0.9.1-0.20260528202640-9c2b0ed02d2b";
    assert_eq!(shape(pseudo), CloneShape::HistoryWithoutTag);
    assert_eq!(
        shape(&format!("{pseudo}+dirty")),
        CloneShape::HistoryWithoutTag
    );
}

#[test]
fn something_is_uncommitted_where_the_program_says_so_and_no_file_is_there() {
    let mut release = Release::new(&[(".remint", "a file"), ("x/.remint-uncommitted", "")]);
    release.set("vcs.modified", "true");
    let plan = release.plan();
    assert!(plan.edits.is_empty());
    let commands = commands(&plan);
    assert!(commands[0].starts_with("git update-index --add --cacheinfo 100644,"));
    assert!(commands[1].starts_with("go build "));
    assert_eq!(plan.assumptions[1].kind, AssumptionKind::UncommittedFile);
    for path in [
        ".remint-uncommitted",
        ".remint-uncommitted/x",
        ".Remint-Uncommitted",
    ] {
        let mut release = Release::new(&[(path, "")]);
        assert_eq!(release.plan().steps.len(), 1);
        release.set("vcs.modified", "true");
        assert!(release.refusal().contains(path));
    }
}

#[test]
fn a_workspace_that_had_no_part_in_a_program_is_left_out() {
    let work = "go 1.22\n\nuse (\n\t.\n\t./lib // beside it\n)\n";
    let files = [
        ("go.work", work),
        ("lib/go.mod", "module github.com/o/n/lib\n"),
    ];
    let mut release = Release::new(&files);
    let linked = |sum| GoDependency {
        required: module("github.com/o/n/lib", "v0.3.0", sum),
        replaced_by: None,
    };
    // In a workspace go writes no digest.
    for (dependency, expect) in [(linked(None), None), (linked(Some("h1:x")), Some("off"))] {
        release.info.dependencies = vec![dependency];
        let plan = release.plan();
        assert_eq!(plan.environment.get("GOWORK").map(String::as_str), expect);
    }
    let other = [
        ("go.work", "use ./other\n"),
        ("lib/go.mod", "module github.com/o/n/lib\n"),
    ];
    let mut release = Release::new(&other);
    release.info.dependencies = vec![linked(Some("h1:x"))];
    assert_eq!(release.plan().environment.get("GOWORK"), None);
}

#[test]
fn an_installed_program_is_built_from_the_packed_module() {
    let mut release = Release::new(&[]);
    release
        .info
        .settings
        .retain(|(key, _)| !key.starts_with("vcs"));
    release.info.main = Some(module("github.com/o/n", "v1.0.0", Some("h1:x")));
    let plan = release.plan();
    assert_eq!(
        commands(&plan),
        [
            "go install -trimpath github.com/o/n/cmd/server@v1.0.0",
            "cp /out/go/bin/server /out/server"
        ]
    );
    assert!(matches!(&plan.lock, Lock::Modules(lock) if lock.with_own));
    release.set("GOOS", "windows");
    assert_eq!(
        commands(&release.plan())[1],
        "cp /out/go/bin/windows_amd64/server.exe /out/server"
    );
    release.info.main = Some(module("github.com/o/n", "v0.9.0", Some("h1:x")));
    assert!(release.refusal().contains("version v0.9.0"));
}

#[test]
fn copies_of_modules_are_used_where_the_program_was_built_from_them() {
    let mut release = Release::new(&[("vendor/modules.txt", "# example.org/a v1.2.3\n")]);
    let mut linked = GoDependency {
        required: module("example.org/a", "v1.2.3", None),
        replaced_by: None,
    };
    release.info.dependencies = vec![linked.clone()];
    let plan = release.plan();
    assert_eq!(plan.environment["GOFLAGS"], "-mod=vendor");
    assert_eq!(plan.lock, Lock::Nothing);
    linked.required.sum = Some("h1:x".to_owned());
    release.info.dependencies = vec![linked];
    assert_eq!(release.plan().environment["GOFLAGS"], "-mod=readonly");
}

#[test]
fn flags_of_the_linker_are_tried_as_far_as_the_program_shows_them() {
    assert_eq!(Release::new(&[]).flags(), ["none"]);
    assert_eq!(
        Release::new(&[]).stripped().flags(),
        ["-s -w", "-w -s", "-s"]
    );
    let mut without_id = Release::new(&[]).stripped();
    without_id.info.build_id = None;
    assert_eq!(without_id.flags(), ["-s -w -buildid="]);
    let mut without_dwarf = Release::new(&[]);
    without_dwarf.info.debugging.dwarf = false;
    assert_eq!(without_dwarf.flags(), ["-w"]);

    let mut odd = Release::new(&[]);
    odd.info.debugging.symbols = false;
    assert!(odd.refusal().contains("something else than go's linker"));

    let config = "builds:\n- ldflags: -s -w -X main.v={{.Version}} -X main.c={{.ShortCommit}} -X main.t={{.CommitDate}}\n";
    let stated = "-s -w -X main.v=1.0.0 -X main.c=9c2b0ed -X main.t=2026-05-28T20:26:40Z";
    let released = Release::new(&[(".goreleaser.yaml", config)]).stripped();
    assert_eq!(released.flags(), [stated, "-s -w", "-w -s", "-s"]);
    assert!(commands(&released.plan())[0].contains(&format!("-ldflags={stated}")));
    // A program that shows that it had others.
    assert_eq!(
        Release::new(&[(".goreleaser.yaml", config)]).flags(),
        ["none"]
    );
}

#[test]
fn a_date_of_the_release_is_looked_for_in_the_program() {
    let config = "builds:\n- ldflags: -s -w -X main.date={{.Date}}\n";
    let mut release = Release::new(&[(".goreleaser.yaml", config)]).stripped();
    let plans = release.plans().unwrap();
    assert!(plans[0].assumptions[0].from.contains("{{.Date}}"));
    assert_eq!(plans[0].assumptions[0].value, "-s -w");
    release.info.moments = [
        "2006-01-02T15:04:05Z",
        "2026-05-28T20:26:39Z",
        "2026-05-28T21:00:00Z",
        "2026-99-99T99:99:99Z",
    ]
    .map(str::to_owned)
    .to_vec();
    let flags = release.flags();
    assert_eq!(flags[0], "-s -w -X main.date=2026-05-28T21:00:00Z");
    assert_eq!(flags[1], "-s -w");
}

#[test]
fn hostile_flags_of_a_configuration_are_not_given() {
    let config = "builds:\n- ldflags: -s -w -extld=/tmp/x\n";
    let release = Release::new(&[(".goreleaser.yaml", config)]).stripped();
    for plan in release.plans().unwrap() {
        assert!(!commands(&plan)[0].contains("extld"));
        assert!(
            plan.assumptions[0]
                .from
                .contains("`-extld=/tmp/x` is not used")
        );
    }
}

#[test]
fn what_cannot_be_built_again_is_told() {
    let refusal = |change: &dyn Fn(&mut GoBuildInfo)| {
        let mut release = Release::new(&[]);
        change(&mut release.info);
        release.refusal()
    };
    for (change, words) in [
        (
            (|info| info.main.as_mut().unwrap().path = "github.com/o/m".to_owned())
                as fn(&mut GoBuildInfo),
            "not of `github.com/o/n`",
        ),
        (|info| info.main = None, "outside of any module"),
        (
            |info| info.package = "command-line-arguments".to_owned(),
            "single files",
        ),
        (
            |info| info.package = "github.com/o/n/cmd/other".to_owned(),
            "no package",
        ),
        (
            |info| info.package = "github.com/o/n/../x".to_owned(),
            "not in its module",
        ),
        (
            |info| info.package = "github.com/o/nn".to_owned(),
            "not in its module",
        ),
        (
            |info| info.go_version = "devel go1.27".to_owned(),
            "no released toolchain",
        ),
        (
            |info| info.settings.retain(|(key, _)| key != "-trimpath"),
            "without `-trimpath`",
        ),
        (
            |info| {
                for (key, value) in &mut info.settings {
                    match key.as_str() {
                        "CGO_ENABLED" => "1".clone_into(value),
                        "GOOS" => "darwin".clone_into(value),
                        _ => {}
                    }
                }
            },
            "cgo for another system",
        ),
    ] {
        let found = refusal(&change);
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn a_compiler_for_c_and_chosen_settings_are_assumptions() {
    let mut release = Release::new(&[("cmd/server/default.pgo", "")]);
    release.set("CGO_ENABLED", "1");
    release.set("-tags", "netgo");
    let plan = release.plan();
    let kinds: Vec<_> = plan.assumptions.iter().map(|made| made.kind).collect();
    assert_eq!(
        kinds,
        [
            AssumptionKind::LinkerFlags,
            AssumptionKind::BuildSettings,
            AssumptionKind::NativeToolchain
        ]
    );
    // The program does not say that it was built with the profile beside it.
    assert!(commands(&plan)[0].contains("-pgo=off"));
    release.set("-pgo", "default.pgo");
    assert!(!commands(&release.plan())[0].contains("-pgo"));
}

#[test]
fn what_a_release_configuration_does_around_the_build_is_left_out_and_said() {
    let configuration = "before: {hooks: [./assets.sh]}\nbuilds:\n- {main: ./cmd/server, env: [CGO_ENABLED=0, GOFLAGS=-toolexec=./x], ldflags: -s -w}\n";
    let mut release = Release::new(&[(".goreleaser.yaml", configuration)]).stripped();
    let plan = release.plan();
    let found: Vec<_> = plan
        .assumptions
        .iter()
        .filter(|made| made.kind == AssumptionKind::ReleaseSteps)
        .map(|made| made.value.as_str())
        .collect();
    let expect = ["without `./assets.sh`", "without `GOFLAGS=-toolexec=./x`"];
    assert_eq!(found, expect);
    let built = format!("{:?} {:?}", commands(&plan), plan.environment);
    assert!(!built.contains("assets.sh") && !built.contains("toolexec"));
    // Nobody asked the configuration for a program that `go install` made.
    release.info.main = Some(module("github.com/o/n", "v1.0.0", Some("h1:x")));
    let installed = release.plan().assumptions;
    assert!(
        installed
            .iter()
            .all(|made| made.kind != AssumptionKind::ReleaseSteps)
    );
}
