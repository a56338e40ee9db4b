//! A program that `go build` made: what it says of itself, and how it is built again.
//!
//! There are two ways in which a program gets its version, and go writes down which: it was built in a checkout of the
//! repository, which go then asks for commit and tag, or from a module zip (`go install module@version`), whose
//! `h1:` digest the program bears.

mod commands;
mod uncommitted;

use remint_model::{
    Assumption, AssumptionKind, BuildPlan, CloneShape, EntryPath, GoBuildInfo, GoModuleVersion,
    Lock, ManifestFacts, ModuleLock, Output, SourceTree, Survey, Tool, ToolOrigin, Worth,
};

use crate::golang::go_sum;
use crate::golang::goreleaser::Configuration;
use crate::golang::linking::{self, Linking};
use crate::golang::settings::{self, Settings};
use crate::golang::version::{self, Pseudo};
use crate::golang::workspace;
use crate::release::{Identity, MetadataError, RepositoryClaim, StatedVersion};
use crate::request::{PlanError, PlanRequest};

/// Where the tree lies; with `-trimpath` no program tells.
const TREE: &str = "/remint";
const OUT: &str = "/out";
/// Where the modules lie that the build may read.
pub const MODULES: &str = "/opt/go-modules";
/// What stands behind the version of a work tree with something that is not committed.
const DIRTY: [&str; 2] = ["+dirty", ".dirty"];
/// The version of a program whose work tree tells none.
const NO_VERSION: &str = "(devel)";

/// Module and version that a program states. Of a work tree that bears no tag go says a version that nobody released,
/// or none.
pub(super) fn identity(info: &GoBuildInfo) -> Result<Identity, MetadataError> {
    let main = main_module(info).map_err(|reason| MetadataError::Malformed {
        what: "build info".to_owned(),
        reason,
    })?;
    let name = remint_model::PackageName::parse(remint_model::Ecosystem::Golang, &main.path)
        .map_err(|error| MetadataError::Malformed {
            what: "build info".to_owned(),
            reason: error.to_string(),
        })?;
    let version = committed_version(&main.version);
    let is_release = version::is_canonical(version) && Pseudo::parse(version).is_none();
    Ok(Identity {
        name: Some(name),
        version: if is_release || main.sum.is_some() {
            StatedVersion::Exact(version.to_owned())
        } else {
            StatedVersion::Dynamic(None)
        },
    })
}

/// What a program says of its module; the modules that it was linked with are no list that installers read.
pub(super) fn facts(info: &GoBuildInfo) -> ManifestFacts {
    ManifestFacts {
        name: info.main.as_ref().map(|main| main.path.clone()),
        version: info
            .main
            .as_ref()
            .map(|main| main.version.clone())
            .filter(|version| version != NO_VERSION),
        ..ManifestFacts::default()
    }
}

/// The repository that the path of its module names.
pub(super) fn claims(survey: &Survey) -> Vec<RepositoryClaim> {
    survey
        .program
        .as_ref()
        .and_then(|info| super::module::of_path(&info.main.as_ref()?.path))
        .into_iter()
        .collect()
}

fn main_module(info: &GoBuildInfo) -> Result<&GoModuleVersion, String> {
    if info.package == "command-line-arguments" {
        return Err(
            "it was built from single files, and does not say which module they are of".to_owned(),
        );
    }
    info.main
        .as_ref()
        .ok_or_else(|| "it was built outside of any module".to_owned())
}

/// The version without what says that something was not committed.
fn committed_version(version: &str) -> &str {
    DIRTY
        .iter()
        .find_map(|ending| version.strip_suffix(ending))
        .unwrap_or(version)
}

/// Proposes builds: one for each list of linker flags that may have been used.
pub(super) fn plan(request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    let info = request
        .survey
        .program
        .as_ref()
        .ok_or_else(|| unsupported("it does not say how it was built"))?;
    let program = Program::read(request, info).map_err(PlanError::Unsupported)?;
    let configuration = Configuration::read(request.tree);
    let linkings = linking::choose(request, info, program.package.as_ref(), &configuration);
    if linkings.is_empty() {
        return Err(unsupported(
            "its symbols or its build id were taken out by something else than go's linker",
        ));
    }
    let lock = program.lock(request)?;
    let left_out = match &configuration {
        Ok(Some(configuration)) if !program.is_installed() => {
            configuration.left_out(program.package.as_ref(), info)
        }
        Ok(_) | Err(_) => Vec::new(),
    };
    Ok(linkings
        .into_iter()
        .map(|linking| {
            let mut plan = program.plan(request, &lock, &linking);
            plan.assumptions.extend(left_out.iter().cloned());
            plan
        })
        .collect())
}

fn unsupported(text: &str) -> PlanError {
    PlanError::Unsupported(text.to_owned())
}

/// What is to be built, as far as the program says.
struct Program<'a> {
    info: &'a GoBuildInfo,
    main: &'a GoModuleVersion,
    settings: Settings,
    /// The folder of the main package: in the module, and in the repository.
    package_in_module: Option<EntryPath>,
    package: Option<EntryPath>,
    /// Whether the copies of other modules in the tree were used.
    vendored: bool,
    /// Whether the repository's workspace had no part in it.
    outside_workspace: bool,
}

impl<'a> Program<'a> {
    fn read(request: &PlanRequest<'_>, info: &'a GoBuildInfo) -> Result<Self, String> {
        let main = main_module(info)?;
        let asked = request.target.name.as_str();
        if main.path != asked {
            let path: String = main.path.chars().take(120).collect();
            return Err(format!(
                "it is a program of the module `{path}`, not of `{asked}`"
            ));
        }
        let settings = settings::read(info)?;
        if settings.cgo && !is_for_this_machine(request, &settings) {
            return Err(
                "it was built with cgo for another system or processor, and there is no compiler for that here"
                    .to_owned(),
            );
        }
        let package_in_module = package_in(&info.package, &main.path)?;
        let subdirectory = request.pin.subdirectory.as_ref();
        let package = match (subdirectory, &package_in_module) {
            (Some(folder), Some(package)) => folder.join(package.as_str()).ok(),
            (Some(folder), None) => Some(folder.clone()),
            (None, package) => package.clone(),
        };
        let has_code = request.tree.entries.keys().any(|path| {
            path.extension() == Some("go") && path.parent().as_ref() == package.as_ref()
        });
        if !has_code {
            let path: String = info.package.chars().take(120).collect();
            return Err(format!("the source has no package `{path}`"));
        }
        if main.sum.is_some() && main.version != request.target.version.as_str() {
            return Err(format!(
                "it was built from version {} of the module",
                main.version.chars().take(80).collect::<String>()
            ));
        }
        if settings.stamp.as_ref().is_some_and(|stamp| stamp.modified)
            && main.sum.is_none()
            && let Some(path) = uncommitted::in_the_way(request.tree)
        {
            return Err(format!(
                "its work tree was not as committed, and to say so again here a name is needed that the source has (`{path}`)"
            ));
        }
        // Go writes no digests of modules whose copies it took.
        let stated_sums = info
            .dependencies
            .iter()
            .any(|one| one.required.sum.is_some());
        let has_copies = request
            .tree
            .has(&SourceTree::path_in(subdirectory, "vendor/modules.txt"));
        Ok(Self {
            info,
            main,
            settings,
            package_in_module,
            package,
            vendored: has_copies && !stated_sums && main.sum.is_none(),
            outside_workspace: workspace::was_left_out(request.tree, info),
        })
    }

    /// Whether it was built from a module zip.
    const fn is_installed(&self) -> bool {
        self.main.sum.is_some()
    }

    /// What the build may read: all that the `go.sum` files name which go would look at.
    fn lock(&self, request: &PlanRequest<'_>) -> Result<Lock, PlanError> {
        if self.vendored {
            return Ok(Lock::Nothing);
        }
        let subdirectory = request.pin.subdirectory.as_ref();
        let own = SourceTree::path_in(subdirectory, "go.sum");
        let in_workspace = !self.is_installed()
            && !self.outside_workspace
            && request
                .tree
                .entries
                .keys()
                .any(|path| path.file_name() == "go.work");
        let files = request.tree.texts.iter().filter(|(path, _)| {
            path.as_str() == own
                || (in_workspace && matches!(path.file_name(), "go.sum" | "go.work.sum"))
        });
        let modules = go_sum::modules(files.map(|(_, content)| content.as_slice()))?;
        if modules.is_empty() && !self.is_installed() {
            return Ok(Lock::Nothing);
        }
        Ok(Lock::Modules(ModuleLock {
            modules,
            with_own: self.is_installed(),
        }))
    }

    fn plan(&self, request: &PlanRequest<'_>, lock: &Lock, linking: &Linking) -> BuildPlan {
        let mut assumptions = vec![linking.assumption.clone()];
        let mut tools = vec![Tool {
            name: "go".to_owned(),
            version: Some(self.settings.toolchain.clone()),
            as_of: None,
            origin: ToolOrigin::GoToolchain,
            because: "the program says that it was built with it".to_owned(),
        }];
        if let Some(stamp) = &self.settings.stamp {
            tools.push(Tool {
                name: "git".to_owned(),
                version: None,
                as_of: None,
                origin: ToolOrigin::System,
                because: "go asks it for the commit that it writes into the program".to_owned(),
            });
            if stamp.modified {
                assumptions.push(uncommitted::assumption());
            }
        }
        let chosen = self.settings.chosen();
        if !chosen.is_empty() {
            assumptions.push(Assumption {
                kind: AssumptionKind::BuildSettings,
                value: chosen.join(" "),
                from: "the published program says so".to_owned(),
            });
        }
        if self.settings.cgo {
            assumptions.push(Assumption {
                kind: AssumptionKind::NativeToolchain,
                value: "this machine's compiler for C".to_owned(),
                from: format!(
                    "the program was built with cgo and does not say which compiler it had; what is compiled with it can tell this build from others by its paths, such as `{TREE}`"
                ),
            });
        }
        let way = if self.is_installed() {
            "go install"
        } else {
            "go build"
        };
        BuildPlan {
            variant: format!(
                "{way} with go {}, {}",
                self.settings.toolchain, linking.words
            ),
            worth: Worth::Always,
            tools,
            build_path: TREE.to_owned(),
            clone_shape: self.clone_shape(),
            edits: Vec::new(),
            crlf: Vec::new(),
            steps: self.steps(request, linking),
            environment: self.environment(lock),
            lock: lock.clone(),
            snapshot_inputs: Vec::new(),
            output: Output {
                directory: OUT.to_owned(),
                ending: String::new(),
            },
            assumptions,
        }
    }

    /// Go looks for the tag of the commit, and where there was none for the last one before it.
    fn clone_shape(&self) -> CloneShape {
        let version = committed_version(&self.main.version);
        if self.settings.stamp.is_none() || self.is_installed() {
            CloneShape::None
        } else if Pseudo::parse(version).is_some() {
            CloneShape::HistoryWithoutTag
        } else {
            CloneShape::Tip
        }
    }
}

/// The folder of a package in its module.
fn package_in(package: &str, module: &str) -> Result<Option<EntryPath>, String> {
    let shown: String = package.chars().take(120).collect();
    let Some(rest) = package.strip_prefix(module) else {
        return Err(format!("its main package `{shown}` is not in its module"));
    };
    if rest.is_empty() {
        return Ok(None);
    }
    let is_plain = rest
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~/+".contains(&b));
    rest.strip_prefix('/')
        .filter(|_| is_plain)
        .and_then(|rest| rest.parse().ok())
        .map(Some)
        .ok_or_else(|| format!("its main package `{shown}` is not in its module"))
}

fn is_for_this_machine(request: &PlanRequest<'_>, settings: &Settings) -> bool {
    let of = |key: &str| settings.environment.get(key).map(String::as_str);
    let processor = match request.platform.processor {
        "x64" => "amd64",
        "ia32" => "386",
        other => other,
    };
    of("GOOS") == Some(request.platform.system) && of("GOARCH") == Some(processor)
}
