//! Turns a source tree into build plans: the phases of a PEP 517 build, with the build backend's own code always
//! without network.
//!
//! 1. An environment with the static build requirements, wheels only, as of the release.
//! 2. The backend says what else it needs, offline.
//! 3. That is installed, wheels only.
//! 4. The backend makes the artifact, offline.

use std::collections::BTreeMap;

use remint_model::{
    Action, ArtifactFormat, Assumption, AssumptionKind, BuildPlan, CloneShape, EntryPath, Lock,
    OnFailure, Output, Phase, SourceTree, Step, Tool, ToolOrigin, Worth,
};

use crate::pypi::backend::{BuildSystem, Family, Pin};
pub(crate) use crate::pypi::interest::is_of_interest;
use crate::pypi::prepared::{self, Preparation};
use crate::pypi::pyproject::Pyproject;
use crate::pypi::setup_cfg::SetupCfg;
use crate::pypi::{identity, interpreter, native, publish, stamp};
use crate::release::{MetadataError, StatedVersion};
use crate::request::{PlanError, PlanRequest};

/// Where the tree lies. No ignore file has a pattern for it; `build/`, which many have, would make hatchling drop
/// all of them for a tree at `/build`.
const TREE: &str = "/remint";
const OUT: &str = "/out";
const PYTHON: &str = "/env/venv/bin/python";
const DRIVER: &str = include_str!("driver.py");
/// Each plan may cost a whole build.
const MOST_PLANS: usize = 6;

/// Proposes builds: straight from the tree first; a wheel also through a source archive, as `python -m build` and
/// `uv build` make it; each with the version from git and, where that may fail, with the version told.
pub(crate) fn plan(request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    let wheel = native::of(request)?;
    let narrowed = wheel.as_ref().map_or(*request, |wheel| PlanRequest {
        interpreters: &wheel.interpreters,
        ..*request
    });
    let request = &narrowed;
    let project = Project::read(request)?;
    let publishing = publish::read(request.tree);
    let (python, guess) =
        interpreter::choose(request, &project.manifest, &project.setup_cfg, &publishing)?;
    let stamping = stamp::edits(request, &project.manifest);
    let pins = project.system.pins(request.survey, request.hints);
    let mut assumptions: Vec<Assumption> = guess.into_iter().collect();
    assumptions.extend(pins.iter().filter_map(|pin| pin.assumption.clone()));
    if let Some(time) = request.uploaded {
        assumptions.push(Assumption {
            kind: AssumptionKind::ResolvedAsOf,
            value: jiff::Timestamp::from_second(time)
                .map_or_else(|_| time.to_string(), |time| time.to_string()),
            from: "when the file was uploaded: no lockfile pins the build requirements".to_owned(),
        });
    }
    assumptions.extend(stamping.assumptions);
    let mut tools = tools(python, &project);
    let mut variables = environment(request, &project);
    let mut fetch = None;
    if wheel.is_some() || project.system.family == Family::Maturin {
        let compilers = native::compilers(request, &project.manifest, project.system.family, TREE)?;
        tools.extend(compilers.tools);
        assumptions.extend(compilers.assumptions);
        variables.extend(
            compilers
                .variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        fetch = compilers.fetch;
    }
    if let Some(wheel) = &wheel {
        assumptions.extend(wheel.assumptions());
    }
    let mut base = BuildPlan {
        variant: String::new(),
        worth: Worth::Always,
        tools,
        build_path: TREE.to_owned(),
        clone_shape: if project.sees_history {
            CloneShape::History
        } else {
            CloneShape::Tip
        },
        edits: stamping.edits,
        crlf: Vec::new(),
        steps: Vec::new(),
        environment: variables,
        lock: Lock::AsOf {
            time: request.uploaded,
        },
        // The environment is small, and what hooks ask for is not known beforehand.
        snapshot_inputs: Vec::new(),
        output: Output {
            directory: OUT.to_owned(),
            ending: match request.format {
                ArtifactFormat::Wheel => ".whl",
                ArtifactFormat::Sdist
                | ArtifactFormat::SdistZip
                | ArtifactFormat::NpmTarball
                | ArtifactFormat::Crate
                | ArtifactFormat::Mcpb
                | ArtifactFormat::GoModule
                | ArtifactFormat::GoProgram
                | ArtifactFormat::ImageFiles => ".tar.gz",
            }
            .to_owned(),
        },
        assumptions,
    };
    let routes: &[Route] = match request.format {
        ArtifactFormat::Wheel => &[Route::Wheel, Route::WheelFromSdist],
        ArtifactFormat::Sdist
        | ArtifactFormat::SdistZip
        | ArtifactFormat::NpmTarball
        | ArtifactFormat::Crate
        | ArtifactFormat::Mcpb
        | ArtifactFormat::GoModule
        | ArtifactFormat::GoProgram
        | ArtifactFormat::ImageFiles => &[Route::Sdist],
    };
    let replay = prepared::prepare(request, &publishing, TREE);
    let optional = replay.as_ref().is_some_and(|replay| replay.optional);
    if let Some(nothing) = replay
        .as_ref()
        .filter(|replay| replay.steps.is_empty() && !optional)
    {
        base.assumptions.extend(nothing.left_out());
    }
    // Also where every published file is in the tree: it may be what those steps would have written anew.
    let replay = replay.filter(|replay| !replay.steps.is_empty());
    let mut plans = Vec::new();
    let mut preparations: Vec<Option<&Preparation>> = replay.iter().map(Some).collect();
    preparations.insert(if optional { 0 } else { preparations.len() }, None);
    for preparation in preparations {
        for source in project.version_sources(request) {
            for route in routes {
                let way = Way {
                    route: *route,
                    source: *source,
                    preparation,
                };
                let mut plan = variant(&base, &project, &pins, &way, request);
                if let Some(argv) = &fetch {
                    // Before any code of others runs.
                    let at = plan
                        .steps
                        .iter()
                        .take_while(|step| step.phase == Phase::Install)
                        .count();
                    plan.steps.insert(
                        at,
                        step(Phase::Install, None, Action::Run { argv: argv.clone() }),
                    );
                }
                if let Some(wheel) = &wheel {
                    let argv = wheel.retag(PYTHON, OUT);
                    plan.steps
                        .push(step(Phase::Pack, None, Action::Run { argv }));
                }
                if let (Some(replay), None, false) = (&replay, preparation, optional) {
                    plan.worth = Worth::Shortcut;
                    plan.assumptions.extend(replay.left_out());
                }
                plans.push(plan);
            }
        }
    }
    plans.truncate(MOST_PLANS);
    Ok(plans)
}

/// How the artifact is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Wheel,
    WheelFromSdist,
    Sdist,
}

impl Route {
    const fn mode(self) -> &'static str {
        match self {
            Self::Wheel => "wheel",
            Self::WheelFromSdist => "wheel-from-sdist",
            Self::Sdist => "sdist",
        }
    }

    /// The hooks that a frontend would ask for requirements.
    const fn hooks(self) -> &'static [&'static str] {
        match self {
            Self::Wheel => &["requires-wheel"],
            Self::WheelFromSdist => &["requires-sdist", "requires-wheel"],
            Self::Sdist => &["requires-sdist"],
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Wheel => "wheel from the tree",
            Self::WheelFromSdist => "wheel through a source archive",
            Self::Sdist => "source archive from the tree",
        }
    }
}

/// Where a version that the manifest leaves open comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VersionSource {
    /// What the tree says, history and edits included.
    Tree,
    /// A variable tells it to the tool that would ask git.
    Told,
}

/// What distinguishes one plan from the others.
struct Way<'a> {
    route: Route,
    source: VersionSource,
    preparation: Option<&'a Preparation>,
}

/// The manifests of the project and what follows from them.
struct Project {
    manifest: Pyproject,
    setup_cfg: SetupCfg,
    system: BuildSystem,
    /// Whether the build may ask git for the version or the files.
    sees_history: bool,
    /// Whether git alone can tell the version.
    version_from_git: bool,
}

impl Project {
    fn read(request: &PlanRequest<'_>) -> Result<Self, PlanError> {
        let directory = request.pin.subdirectory.as_ref();
        let path = |name: &str| SourceTree::path_in(directory, name);
        let content = |name: &str| {
            let path = path(name);
            request
                .tree
                .texts
                .get(path.as_str())
                .map(|content| (path, content))
        };
        let manifest = match content("pyproject.toml") {
            Some((path, content)) => Pyproject::parse(&path, content)?,
            None if !request.tree.has(&path("setup.py"))
                && !request.tree.has(&path("setup.cfg")) =>
            {
                return Err(MetadataError::Missing(path("pyproject.toml")).into());
            }
            None => Pyproject::default(),
        };
        let setup_cfg = match content("setup.cfg") {
            Some((path, content)) => SetupCfg::parse(&path, content)?,
            None => SetupCfg::default(),
        };
        let setup_py = request.tree.text(&path("setup.py"));
        let system = BuildSystem::of(&manifest)?;
        let version = path("pyproject.toml")
            .parse::<EntryPath>()
            .map_or(StatedVersion::Absent, |path| {
                identity::of_pyproject(&manifest, &path).version
            });
        let dynamic = matches!(version, StatedVersion::Dynamic(None));
        let looks_at_git = system.looks_at_git(&manifest, setup_py);
        Ok(Self {
            sees_history: looks_at_git || dynamic,
            version_from_git: looks_at_git
                && matches!(
                    version,
                    StatedVersion::Dynamic(None) | StatedVersion::Absent
                ),
            manifest,
            setup_cfg,
            system,
        })
    }

    /// A version from git comes out right where a tag names it, and has to be told where it was made elsewhere.
    const fn version_sources(&self, request: &PlanRequest<'_>) -> &'static [VersionSource] {
        match (self.version_from_git, &request.pin.reference) {
            (false, _) => &[VersionSource::Tree],
            (true, Some(_)) => &[VersionSource::Tree, VersionSource::Told],
            (true, None) => &[VersionSource::Told, VersionSource::Tree],
        }
    }
}

fn tools(python: Tool, project: &Project) -> Vec<Tool> {
    let mut tools = vec![
        python,
        Tool {
            name: "uv".to_owned(),
            version: None,
            as_of: None,
            origin: ToolOrigin::Pypi {
                project: "uv".to_owned(),
            },
            because: "it installs the build requirements; nothing of it reaches the artifact"
                .to_owned(),
        },
    ];
    if project.sees_history {
        tools.push(Tool {
            name: "git".to_owned(),
            version: None,
            as_of: None,
            origin: ToolOrigin::System,
            because: "the version may be computed from git".to_owned(),
        });
    }
    tools
}

/// Variables for every step; an empty one is removed.
fn environment(request: &PlanRequest<'_>, project: &Project) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> = [
        // Sets are ordered by hashes, and some backends write them down.
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONNOUSERSITE", "1"),
        ("UV_NO_CONFIG", "1"),
        ("UV_NO_PROGRESS", "1"),
        ("UV_NO_CACHE", "1"),
        ("UV_LINK_MODE", "copy"),
        ("UV_PYTHON_DOWNLOADS", "never"),
        ("UV_PYTHON_PREFERENCE", "only-system"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    if !publisher_set_the_time(request) && has_fixed_time(request, project.system.family) {
        variables.insert("SOURCE_DATE_EPOCH".to_owned(), String::new());
    }
    variables
}

/// Whether the published entries have the commit's time: few publishers set one, and those set this.
fn publisher_set_the_time(request: &PlanRequest<'_>) -> bool {
    request
        .survey
        .newest_entry
        // The times of a zip are even.
        .is_some_and(|newest| newest.abs_diff(request.pin.commit_time) <= 2)
}

/// Whether the backend has a fixed time of its own, which it uses where no other is set.
fn has_fixed_time(request: &PlanRequest<'_>, family: Family) -> bool {
    // hatchling 2020-02-02; poetry-core, pdm-backend and flit 2016-01-01; the zip format's own 1980-01-01.
    const FIXED: [i64; 3] = [1_580_601_600, 1_451_606_400, 315_532_800];
    let seen = request
        .survey
        .newest_entry
        .is_some_and(|newest| FIXED.contains(&newest));
    seen || match (family, request.format) {
        (Family::Hatchling | Family::PoetryCore | Family::UvBuild, _)
        | (Family::Pdm, ArtifactFormat::Wheel) => true,
        (
            Family::Pdm | Family::Setuptools | Family::Flit | Family::Maturin | Family::Other,
            ArtifactFormat::Wheel
            | ArtifactFormat::Sdist
            | ArtifactFormat::SdistZip
            | ArtifactFormat::NpmTarball
            | ArtifactFormat::Crate
            | ArtifactFormat::Mcpb
            | ArtifactFormat::GoModule
            | ArtifactFormat::GoProgram
            | ArtifactFormat::ImageFiles,
        ) => false,
    }
}

fn variant(
    base: &BuildPlan,
    project: &Project,
    pins: &[Pin],
    way: &Way<'_>,
    request: &PlanRequest<'_>,
) -> BuildPlan {
    let mut plan = base.clone();
    let words = way.route.words();
    plan.variant = words.to_owned();
    let prepared = way
        .preparation
        .map_or(&[][..], |preparation| &preparation.steps);
    plan.steps = steps(
        &project.system,
        pins,
        way.route,
        prepared,
        request.pin.subdirectory.as_ref(),
    );
    if request.format == ArtifactFormat::Wheel {
        plan.assumptions.push(Assumption {
            kind: AssumptionKind::BuildOrder,
            value: words.to_owned(),
            from: "nothing says which; both are tried".to_owned(),
        });
    }
    if way.source == VersionSource::Told {
        plan.variant.push_str(", version told");
        plan.environment.extend(stamp::pretended(request));
        plan.assumptions.push(Assumption {
            kind: AssumptionKind::VersionStamp,
            value: format!("{} by variable", request.target.version),
            from: "the version comes from git".to_owned(),
        });
    }
    if let Some(preparation) = way.preparation {
        plan.variant.push_str(", after the steps of the workflow");
        plan.tools.extend(preparation.tools.iter().cloned());
        plan.assumptions
            .extend(preparation.assumptions.iter().cloned());
    }
    plan
}

fn step(phase: Phase, directory: Option<&EntryPath>, action: Action) -> Step {
    Step {
        phase,
        directory: directory.cloned(),
        action,
        environment: BTreeMap::new(),
        on_failure: OnFailure::Ends,
    }
}

fn steps(
    system: &BuildSystem,
    pins: &[Pin],
    route: Route,
    prepared: &[Step],
    directory: Option<&EntryPath>,
) -> Vec<Step> {
    let run = |argv: Vec<String>| Action::Run { argv };
    let driver = |mode: &str| {
        run(vec![
            PYTHON.to_owned(),
            "-c".to_owned(),
            DRIVER.to_owned(),
            mode.to_owned(),
            system.backend.clone(),
            system.path.join(":"),
            OUT.to_owned(),
        ])
    };
    let pinned = || pins.iter().map(|pin| pin.requirement.clone());
    let venv = words(&[
        "uv",
        "venv",
        "--no-project",
        "--python",
        "python3",
        "/env/venv",
    ]);
    let mut steps = vec![step(Phase::Install, None, run(venv))];
    if !system.requires.is_empty() || !pins.is_empty() {
        let mut argv = installer();
        argv.extend(system.requires.iter().map(|text| text.trim().to_owned()));
        argv.extend(pinned());
        steps.push(step(Phase::Install, None, run(argv)));
    }
    steps.extend(prepared.iter().cloned());
    for hook in route.hooks() {
        steps.push(step(Phase::Build, directory, driver(hook)));
        let mut argv = installer();
        argv.extend(pinned());
        steps.push(step(
            Phase::Install,
            None,
            Action::InstallListed {
                list: format!("{OUT}/requires.txt"),
                argv,
            },
        ));
    }
    steps.push(step(Phase::Pack, directory, driver(route.mode())));
    steps
}

/// Installs wheels and nothing else, so no code of a package runs.
fn installer() -> Vec<String> {
    words(&[
        "uv",
        "pip",
        "install",
        "--python",
        PYTHON,
        "--no-build",
        "--",
    ])
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
