//! Plans of build backends: what is installed, with which rights code runs, what is stamped.

use proptest::prelude::*;
use remint_ecosystem::{PlanError, RustToolchain};
use remint_model::{Action, AssumptionKind, BuildPlan, CloneShape, Lock, Phase, Step, Worth};

use crate::project::Project;

const HATCHLING: &str = "[project]\nname = \"x\"\nversion = \"1.2.3\"\nrequires-python = \">=3.10\"\n[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n";

/// The plan's commands, one a line, without the driver's text.
fn commands(plan: &BuildPlan) -> String {
    let line = |step: &Step| {
        let (argv, list) = match &step.action {
            Action::Run { argv } => (argv, ""),
            Action::InstallListed { list, argv } => (argv, list.as_str()),
        };
        let argv: Vec<&str> = argv
            .iter()
            .map(|word| {
                if word.contains('\n') {
                    "…"
                } else {
                    word.as_str()
                }
            })
            .collect();
        let directory = step.directory.as_ref().map_or("", |path| path.as_str());
        format!(
            "{} [{directory}] {} {list}\n",
            step.phase.name(),
            argv.join(" ")
        )
    };
    plan.steps.iter().map(line).collect()
}

fn check(project: &Project, expect: &str) {
    let expect: String = expect
        .lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    assert_eq!(commands(&project.first_plan()), expect);
}

fn wheel(generator: &str) -> String {
    format!("Wheel-Version: 1.0\nGenerator: {generator}\nTag: py3-none-any\n")
}

#[test]
fn a_wheel_is_built_in_phases_with_the_backend_that_made_it() {
    let project = Project::new(&[("packages/x/pyproject.toml", HATCHLING)])
        .in_directory("packages/x")
        .with_entry("x-1.2.3.dist-info/WHEEL", &wheel("hatchling 1.27.0"));
    check(
        &project,
        "install [] uv venv --no-project --python python3 /env/venv \n\
         install [] uv pip install --python /env/venv/bin/python --no-build -- hatchling hatchling==1.27.0 \n\
         build [packages/x] /env/venv/bin/python -c … requires-wheel hatchling.build  /out \n\
         install [] uv pip install --python /env/venv/bin/python --no-build -- hatchling==1.27.0 /out/requires.txt\n\
         pack [packages/x] /env/venv/bin/python -c … wheel hatchling.build  /out ",
    );
    let plans = project.plans().unwrap();
    let routes: Vec<&str> = plans.iter().map(|plan| plan.variant.as_str()).collect();
    assert_eq!(
        routes,
        ["wheel from the tree", "wheel through a source archive"]
    );
    let plan = project.first_plan();
    assert_eq!(
        plan.lock,
        Lock::AsOf {
            time: Some(1_748_736_000)
        }
    );
    assert_eq!(plan.clone_shape, CloneShape::Tip);
    assert_eq!(plan.output.ending, ".whl");
    let kinds: Vec<AssumptionKind> = plan.assumptions.iter().map(|made| made.kind).collect();
    assert_eq!(
        kinds,
        [
            AssumptionKind::ToolchainGuess,
            AssumptionKind::BackendVersion,
            AssumptionKind::ResolvedAsOf,
            AssumptionKind::BuildOrder,
        ]
    );
}

#[test]
fn code_of_the_project_never_runs_in_an_install_step() {
    for backend in [
        "hatchling.build",
        "setuptools.build_meta",
        "poetry.core.masonry.api",
        "in_tree",
    ] {
        let manifest = format!(
            "[build-system]\nrequires=['a']\nbuild-backend='{backend}'\nbackend-path=['.']"
        );
        for plan in Project::new(&[("pyproject.toml", &manifest)])
            .plans()
            .unwrap()
        {
            for step in plan.steps {
                let (Action::Run { argv } | Action::InstallListed { argv, .. }) = step.action;
                let expect = if step.phase == Phase::Install {
                    "uv"
                } else {
                    "/env/venv/bin/python"
                };
                assert_eq!(argv.first().map(String::as_str), Some(expect));
            }
        }
    }
}

#[test]
fn a_source_archive_is_made_by_what_made_the_wheel_beside_it() {
    let mut project = Project::new(&[("pyproject.toml", HATCHLING)]).published_as("x-1.2.3.tar.gz");
    let plans = project.plans().unwrap();
    assert_eq!(plans.len(), 1);
    let plan = project.first_plan();
    assert_eq!(plan.output.ending, ".tar.gz");
    assert!(commands(&plan).contains("--no-build -- hatchling \n"));
    assert!(commands(&plan).contains("requires-sdist"));
    project.hints.generator = Some("hatchling 1.27.0".to_owned());
    assert!(
        commands(&project.first_plan()).contains("--no-build -- hatchling hatchling==1.27.0 \n")
    );
}

#[test]
fn projects_older_than_pyproject_use_setuptools() {
    let project = Project::new(&[(
        "setup.py",
        "from setuptools import setup\nsetup(name='x', version='1.2.3')",
    )]);
    let commands = commands(&project.first_plan());
    assert!(commands.contains("-- setuptools>=40.8.0 \n"), "{commands}");
    assert!(
        commands.contains("wheel setuptools.build_meta:__legacy__  /out"),
        "{commands}"
    );
}

#[test]
fn fixed_times_of_backends_are_left_to_them_unless_the_publisher_set_others() {
    let epoch = |project: &Project| {
        project
            .first_plan()
            .environment
            .get("SOURCE_DATE_EPOCH")
            .cloned()
    };
    let mut project = Project::new(&[("pyproject.toml", HATCHLING)]);
    project.survey.newest_entry = Some(1_580_601_600);
    assert_eq!(epoch(&project).as_deref(), Some(""));
    project.survey.newest_entry = Some(project.pin.commit_time);
    assert_eq!(epoch(&project), None);
    let setuptools = HATCHLING.replace("hatchling.build", "setuptools.build_meta");
    let mut setuptools = Project::new(&[("pyproject.toml", &setuptools)]);
    assert_eq!(epoch(&setuptools), None);
    // Whatever the backend calls itself, these times are hatchling's.
    setuptools.survey.newest_entry = Some(1_580_601_600);
    assert_eq!(epoch(&setuptools).as_deref(), Some(""));
}

#[test]
fn a_version_from_git_is_computed_where_a_tag_names_it_and_told_elsewhere() {
    let manifest = "[project]\nname='x'\ndynamic=['version']\n[tool.hatch.version]\nsource='vcs'\n[build-system]\nrequires=['hatchling','hatch-vcs']\nbuild-backend='hatchling.build'";
    let mut project = Project::new(&[("pyproject.toml", manifest)]).published_as("x-1.2.3.tar.gz");
    let told = |project: &Project| -> Vec<bool> {
        let plans = project.plans().unwrap();
        assert!(
            plans
                .iter()
                .all(|plan| plan.clone_shape == CloneShape::History)
        );
        assert!(
            plans
                .iter()
                .all(|plan| plan.tools.iter().any(|tool| tool.name == "git"))
        );
        plans
            .iter()
            .map(|plan| {
                plan.environment
                    .get("SETUPTOOLS_SCM_PRETEND_VERSION")
                    .map(String::as_str)
                    == Some("1.2.3")
            })
            .collect()
    };
    assert_eq!(told(&project), [false, true]);
    project.pin.reference = None;
    assert_eq!(told(&project), [true, false]);
}

#[test]
fn stamps_are_written_where_the_version_is_read_from_and_listed() {
    let check = |files: &[(&str, &str)], changed: &[(&str, &str)]| {
        let plan = Project::new(files).stamped(Some("0.0.0")).first_plan();
        let edits: Vec<(&str, &str)> = plan
            .edits
            .iter()
            .map(|edit| {
                (
                    edit.path.as_str(),
                    std::str::from_utf8(&edit.content).unwrap(),
                )
            })
            .collect();
        assert_eq!(edits, changed);
        let listed = plan
            .assumptions
            .iter()
            .filter(|made| made.kind == AssumptionKind::VersionStamp)
            .count();
        assert_eq!(listed, changed.len());
    };
    let old = HATCHLING.replace("1.2.3", "0.0.0");
    check(
        &[("pyproject.toml", &old)],
        &[("pyproject.toml", HATCHLING)],
    );
    let dynamic = "[project]\nname='x'\ndynamic=['version']\n[tool.hatch.version]\npath='x/version.py'\n[build-system]\nrequires=['hatchling']\nbuild-backend='hatchling.build'";
    check(
        &[
            ("pyproject.toml", dynamic),
            ("x/version.py", "__version__ = \"0.0.0\"\n"),
            ("x/other.py", "version = '0.0.0'"),
        ],
        &[("x/version.py", "__version__ = \"1.2.3\"\n")],
    );
    check(
        &[("setup.py", "setup(version='0.0.0')")],
        &[("setup.py", "setup(version='1.2.3')")],
    );
}

#[test]
fn another_file_is_stamped_only_if_the_published_one_is_exactly_that() {
    let old = HATCHLING.replace("1.2.3", "0.0.0");
    let files = [
        ("pyproject.toml", old.as_str()),
        ("x/__init__.py", "__version__ = '0.0.0'\n"),
    ];
    let edited = |published: &str| {
        Project::new(&files)
            .stamped(Some("0.0.0"))
            .with_entry("x/__init__.py", published)
            .first_plan()
            .edits
            .len()
    };
    assert_eq!(edited("__version__ = '1.2.3'\n"), 2);
    assert_eq!(edited("__version__ = '1.2.3'\nimport evil\n"), 1);
    assert_eq!(edited("__version__ = '0.0.0'\n"), 1);
}

#[test]
fn the_lockfile_is_stamped_only_if_the_published_one_is_exactly_that() {
    let old = HATCHLING.replace("1.2.3", "0.0.0");
    let lock = |version: &str| {
        format!(
            "version = 1\n\n[[package]]\nname = \"w\"\nversion = \"0.0.0\"\n\n[[package]]\nname = \"x\"\nversion = \"{version}\"\nsource = {{ editable = \".\" }}\n"
        )
    };
    let committed = lock("0.0.0");
    let files = [("pyproject.toml", old.as_str()), ("uv.lock", &committed)];
    let edited = |path: &str, published: &str| {
        let plan = Project::new(&files)
            .stamped(Some("0.0.0"))
            .with_entry(path, published)
            .first_plan();
        plan.edits
            .iter()
            .map(|edit| edit.path.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        edited("uv.lock", &lock("1.2.3")),
        ["pyproject.toml", "uv.lock"]
    );
    assert_eq!(edited("uv.lock", &committed), ["pyproject.toml"]);
    let more = format!("{}\n[[package]]\nname = \"y\"\n", lock("1.2.3"));
    assert_eq!(edited("uv.lock", &more), ["pyproject.toml"]);
    assert_eq!(edited("x/uv.lock", &lock("1.2.3")), ["pyproject.toml"]);
}

#[test]
fn without_a_stamp_nothing_is_edited() {
    let old = HATCHLING.replace("1.2.3", "0.0.0");
    assert_eq!(
        Project::new(&[("pyproject.toml", &old)]).first_plan().edits,
        []
    );
}

#[test]
fn the_interpreter_is_the_one_that_the_source_names_or_one_that_was_out() {
    let check = |files: &[(&str, &str)], uploaded, expect: &str| {
        let mut project = Project::new(files);
        project.uploaded = uploaded;
        let plan = project.first_plan();
        let python = plan
            .tools
            .iter()
            .find(|tool| tool.name == "python")
            .unwrap();
        assert_eq!(python.version.as_deref(), Some(expect), "{files:?}");
    };
    let manifest = ("pyproject.toml", HATCHLING);
    check(&[manifest], Some(1_748_736_000), "3.13.0");
    check(&[manifest], Some(1_710_000_000), "3.12.1");
    check(&[manifest, (".python-version", "3.11\n")], None, "3.11.7");
    check(&[manifest, (".python-version", "3.9\n")], None, "3.13.0");
    let narrow = HATCHLING.replace(">=3.10", "==3.12.*");
    check(
        &[("pyproject.toml", &narrow), (".python-version", "3.11\n")],
        None,
        "3.12.1",
    );
    let workflow = "on: push\njobs:\n  build:\n    steps:\n      - uses: actions/setup-python@v5\n        with:\n          python-version: '3.11'\n      - run: uv build\n  publish:\n    needs: build\n    steps:\n      - uses: pypa/gh-action-pypi-publish@release/v1\n  test:\n    steps:\n      - uses: actions/setup-python@v5\n        with:\n          python-version: '3.12'\n";
    check(
        &[manifest, (".github/workflows/release.yml", workflow)],
        None,
        "3.11.7",
    );
}

#[test]
fn the_newest_interpreter_stands_in_where_none_is_allowed_and_the_plan_says_so() {
    for range in [">=3.99", "<3.9"] {
        let manifest = HATCHLING.replace(">=3.10", range);
        let plan = Project::new(&[("pyproject.toml", &manifest)]).first_plan();
        let python = plan.tools.iter().find(|tool| tool.name == "python");
        assert_eq!(
            python.and_then(|tool| tool.version.as_deref()),
            Some("3.13.0")
        );
        let made = plan
            .assumptions
            .iter()
            .find(|made| made.kind == AssumptionKind::SubstituteInterpreter)
            .unwrap();
        assert_eq!(made.value, "python 3.13.0");
        assert!(made.from.contains(range), "{}", made.from);
    }
}

#[test]
fn a_native_wheel_is_built_with_its_own_interpreter_and_gets_its_tags() {
    let setup = "from setuptools import setup\nsetup(name='x', version='1.2.3')";
    let project = Project::new(&[("setup.py", setup)])
        .published_as("x-1.2.3-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl");
    let plan = project.first_plan();
    let tool = |name: &str| plan.tools.iter().find(|tool| tool.name == name);
    assert_eq!(tool("python").unwrap().version.as_deref(), Some("3.12.1"));
    assert!(tool("cc").is_some());
    assert!(tool("cargo").is_none());
    assert!(
        commands(&plan).ends_with(
            "pack [] /env/venv/bin/python -c … /out manylinux_2_17_x86_64.manylinux2014_x86_64 \n"
        ),
        "{}",
        commands(&plan)
    );
    assert!(
        plan.assumptions
            .iter()
            .any(|made| made.kind == AssumptionKind::NativeToolchain)
    );
}

#[test]
fn maturin_gets_its_crates_before_it_runs() {
    let manifest = "[project]\nname='x'\nversion='1.2.3'\n[build-system]\nrequires=['maturin>=1']\nbuild-backend='maturin'\n[tool.maturin]\nmanifest-path='crates/x/Cargo.toml'";
    let mut project = Project::new(&[
        ("pyproject.toml", manifest),
        ("crates/x/Cargo.toml", "[package]"),
    ])
    .with_entry("x-1.2.3.dist-info/WHEEL", &wheel("maturin (1.4.0)"))
    .published_as("x-1.2.3-cp38-abi3-manylinux_2_17_x86_64.whl");
    project.toolchains = vec![RustToolchain {
        version: "1.90.0".to_owned(),
        prefix: "/rust".into(),
    }];
    check(
        &project,
        "install [] uv venv --no-project --python python3 /env/venv \n\
         install [] uv pip install --python /env/venv/bin/python --no-build -- maturin>=1 maturin==1.4.0 \n\
         install [] env --chdir=/ cargo fetch --manifest-path /remint/crates/x/Cargo.toml \n\
         build [] /env/venv/bin/python -c … requires-wheel maturin  /out \n\
         install [] uv pip install --python /env/venv/bin/python --no-build -- maturin==1.4.0 /out/requires.txt\n\
         pack [] /env/venv/bin/python -c … wheel maturin  /out \n\
         pack [] /env/venv/bin/python -c … /out manylinux_2_17_x86_64 ",
    );
    project.tree.entries.clear();
    assert!(matches!(project.plans(), Err(PlanError::Unsupported(_))));
}

#[test]
fn what_cannot_be_rebuilt_is_said_with_its_reason() {
    let check = |project: &Project, expect: &str| match project.plans() {
        Err(PlanError::Unsupported(why)) => assert!(why.contains(expect), "{why}"),
        other => panic!("{other:?}"),
    };
    let future = HATCHLING.replace(">=3.10", ">=3.99");
    let mut bare = Project::new(&[("pyproject.toml", &future)]);
    bare.interpreters.clear();
    check(
        &bare,
        "interpreter unavailable: the project requires Python >=3.99; this machine has no Python",
    );
    check(
        &Project::new(&[("pyproject.toml", HATCHLING)])
            .published_as("x-1.2.3-cp312-cp312-macosx_11_0_arm64.whl"),
        "cp312-cp312-macosx_11_0_arm64, and this machine is linux-x64",
    );
    check(
        &Project::new(&[("pyproject.toml", HATCHLING)])
            .published_as("x-1.2.3-cp314-cp314t-manylinux_2_28_x86_64.whl"),
        "interpreter unavailable: the wheel is for cp314-cp314t-manylinux_2_28_x86_64; this machine has Python 3.13.0, 3.12.1, 3.11.7",
    );
    let maturin = HATCHLING.replace("hatchling.build", "maturin");
    check(
        &Project::new(&[("pyproject.toml", &maturin)]),
        "Rust toolchain",
    );
    assert!(matches!(
        Project::new(&[]).plans(),
        Err(PlanError::Manifest(_))
    ));
    assert!(matches!(
        Project::new(&[("pyproject.toml", "[build-system")]).plans(),
        Err(PlanError::Manifest(_))
    ));
}

#[test]
fn steps_of_the_workflow_run_wherever_they_may_have_made_what_is_published() {
    let workflow = "on: push\njobs:\n  release:\n    steps:\n      - run: cd ui && npm ci && npm run build\n      - run: uv build\n      - run: uv publish\n";
    let files = [
        ("pyproject.toml", HATCHLING),
        (".github/workflows/release.yml", workflow),
        (
            "ui/package.json",
            r#"{"name":"ui","scripts":{"build":"vite build"}}"#,
        ),
        (
            "ui/package-lock.json",
            r#"{"lockfileVersion":3,"packages":{}}"#,
        ),
    ];
    let generated = Project::new(&files).with_entry("x/static/index.js", "made");
    let plans = generated.plans().unwrap();
    let variants: Vec<&str> = plans.iter().map(|plan| plan.variant.as_str()).collect();
    assert_eq!(
        variants,
        [
            "wheel from the tree, after the steps of the workflow",
            "wheel through a source archive, after the steps of the workflow",
            "wheel from the tree",
            "wheel through a source archive",
        ]
    );
    let plan = generated.first_plan();
    let commands = commands(&plan);
    assert!(
        commands.contains("install [ui] npm ci --ignore-scripts"),
        "{commands}"
    );
    assert!(commands.contains("build [ui] bash -e -c …"), "{commands}");
    assert!(plan.tools.iter().any(|tool| tool.name == "node"));
    assert!(
        plan.assumptions
            .iter()
            .any(|made| made.kind == AssumptionKind::WorkflowStep)
    );

    // A file of the tree may be what those steps would have made anew: a plan without them never vouches alone.
    let mut copied = Project::new(&files).with_entry("x/static/index.js", "made");
    copied.survey.entries.first_mut().unwrap().blob = copied.pin.commit.clone();
    let plans = copied.plans().unwrap();
    assert_eq!(plans.len(), 4);
    for plan in &plans {
        let prepared = plan.variant.ends_with("after the steps of the workflow");
        assert_eq!(plan.worth == Worth::Shortcut, !prepared);
        let said = plan.assumptions.iter();
        let mut said = said.filter(|made| made.kind == AssumptionKind::ReleaseSteps);
        let left_out = said.next();
        assert_eq!(left_out.is_none(), prepared);
        if let Some(left_out) = left_out {
            assert!(left_out.value.contains("npm run build"), "{left_out:?}");
            assert_eq!(left_out.from, ".github/workflows/release.yml");
        }
    }
}

#[test]
fn what_cannot_be_repeated_is_said_to_be_left_out() {
    let workflow = "on: push\njobs:\n  release:\n    steps:\n      - run: sed -i s/K/${{ secrets.K }}/ x.py\n      - run: uv build\n      - run: uv publish\n";
    let files = [
        ("pyproject.toml", HATCHLING),
        (".github/workflows/release.yml", workflow),
    ];
    for plan in Project::new(&files).plans().unwrap() {
        assert_eq!(plan.worth, Worth::Always);
        let made = |made: &remint_model::Assumption| {
            made.kind == AssumptionKind::ReleaseSteps
                && made.value == "left out: sed -i s/K/${{ … }}/ x.py"
        };
        assert!(plan.assumptions.iter().any(made), "{:?}", plan.assumptions);
    }
}

proptest! {
    #[test]
    fn no_project_panics(
        manifest in "(\\[(project|build-system|tool\\.(poetry|hatch\\.version|setuptools\\.dynamic|flit\\.metadata))\\]\n|(name|version|dynamic|requires|build-backend|path|dependencies|source|attr|module) ?= ?('[a-z.:/ >=^~0-9*-]{0,12}'|\\['[a-z._-]{0,9}'\\])\n){0,14}",
        setup_cfg in "(\\[(metadata|options)\\]\n|(name|version|install_requires) ?[=:] ?[a-z:.0-9]{0,9}\n ?){0,9}",
        workflow in "(jobs|on|steps|run|uses|with|needs|make|cd|uv build|[-:|{} \n'\"$&>]){0,40}",
        bytes: Vec<u8>,
    ) {
        let bytes = String::from_utf8_lossy(&bytes).into_owned();
        for text in [&manifest, &bytes] {
            let project = Project::new(&[
                ("pyproject.toml", text),
                ("setup.cfg", &setup_cfg),
                ("setup.py", &bytes),
                ("Makefile", &bytes),
                (".github/workflows/release.yml", &workflow),
            ])
            .stamped(Some("0"))
            .with_entry("x-1.2.3.dist-info/WHEEL", &bytes)
            .with_entry("x-1.2.3.dist-info/METADATA", &bytes);
            let _plans = project.plans();
            let _facts =
                remint_ecosystem::source_facts(remint_model::Ecosystem::Pypi, &project.tree, &project.pin);
        }
    }
}

#[test]
fn steps_are_told_what_started_their_workflow() {
    let workflow = "on:\n  release:\n    types: [published]\n  workflow_dispatch:\njobs:\n  release:\n    steps:\n      - run: sed -i s/a/$EVENT/ x.py\n        env:\n          EVENT: ${{ github.event_name }}\n      - run: uv build\n      - run: uv publish\n";
    let files = [
        ("pyproject.toml", HATCHLING),
        (".github/workflows/release.yml", workflow),
    ];
    let plans = Project::new(&files).plans().unwrap();
    let steps = &plans.first().unwrap().steps;
    let told = |step: &Step| step.environment.get("EVENT").map(String::as_str) == Some("release");
    assert!(steps.iter().any(told), "{steps:?}");
}
