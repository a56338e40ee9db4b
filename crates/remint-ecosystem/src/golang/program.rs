//! A program that `go build` made: what it says of itself, and how it is built again.
//!
//! There are two ways in which a program gets its version, and go writes down which: it was built in a checkout of the
//! repository, which go then asks for commit and tag, or from a module zip (`go install module@version`), whose
//! `h1:` digest the program bears.

use std::collections::BTreeMap;

use remint_model::{
    Action, Assumption, AssumptionKind, BuildPlan, CloneShape, Edit, EntryPath, GoBuildInfo,
    GoModuleVersion, Lock, ManifestFacts, ModuleLock, OnFailure, Output, Phase, SourceTree, Step,
    Survey, Tool, ToolOrigin, Worth,
};

use crate::golang::go_sum;
use crate::golang::linking::{self, Linking};
use crate::golang::settings::{self, Settings};
use crate::golang::version::{self, Pseudo};
use crate::release::{Identity, MetadataError, RepositoryClaim, StatedVersion};
use crate::request::{PlanError, PlanRequest};

/// Where the tree lies; with `-trimpath` no program tells.
const TREE: &str = "/remint";
const OUT: &str = "/out";
/// Where the modules lie that the build may read.
pub const MODULES: &str = "/opt/go-modules";
/// Makes a work tree one with something that is not committed; go takes files of such folders into no program.
const UNTRACKED: &str = ".remint/untracked";
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
    let linkings = linking::choose(request, info, program.package.as_ref());
    if linkings.is_empty() {
        return Err(unsupported(
            "its symbols or its build id were taken out by something else than go's linker",
        ));
    }
    let lock = program.lock(request)?;
    Ok(linkings
        .into_iter()
        .map(|linking| program.plan(request, &lock, &linking))
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
        let mut edits = Vec::new();
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
            if stamp.modified
                && let Ok(path) = UNTRACKED.parse()
            {
                let because = "the program says that something in its work tree was not committed (`vcs.modified=true`)";
                edits.push(Edit {
                    path,
                    content: Vec::new(),
                    because: because.to_owned(),
                });
                assumptions.push(Assumption {
                    kind: AssumptionKind::UncommittedFile,
                    value: format!("an empty `{UNTRACKED}`"),
                    from: because.to_owned(),
                });
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
                from: "the program was built with cgo and does not say which compiler it had"
                    .to_owned(),
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
            edits,
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

    fn environment(&self, lock: &Lock) -> BTreeMap<String, String> {
        let mut all = self.settings.environment.clone();
        let proxy = match lock {
            Lock::Modules(_) => format!("file://{MODULES}"),
            Lock::Nothing | Lock::Locked { .. } | Lock::Opaque { .. } | Lock::AsOf { .. } => {
                "off".to_owned()
            }
        };
        for (name, value) in [
            ("GOENV", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOPROXY", proxy.as_str()),
            // Each digest was checked when the modules were fetched, and go checks them against `go.sum` again.
            ("GOSUMDB", "off"),
            // The machine's own settings are not there, or cannot be read, which git takes for an error.
            ("GIT_CONFIG_NOSYSTEM", "1"),
            // Elsewhere temporary files are kept in memory.
            ("GOTMPDIR", OUT),
            (
                "GOFLAGS",
                if self.vendored {
                    "-mod=vendor"
                } else {
                    "-mod=readonly"
                },
            ),
        ] {
            all.insert(name.to_owned(), value.to_owned());
        }
        if self.is_installed() {
            // There is no main module to which the flag could refer.
            all.insert("GOFLAGS".to_owned(), String::new());
            all.insert("GOPATH".to_owned(), format!("{OUT}/go"));
        }
        all
    }

    fn steps(&self, request: &PlanRequest<'_>, linking: &Linking) -> Vec<Step> {
        let mut flags = self.settings.flags.clone();
        // A profile beside the main package is taken without being asked for.
        let profile = SourceTree::path_in(self.package.as_ref(), "default.pgo");
        if !self.settings.profile && request.tree.has(&profile) {
            flags.push("-pgo=off".to_owned());
        }
        if !linking.flags.is_empty() {
            flags.push(format!("-ldflags={}", linking.flags));
        }
        let step = |directory: Option<EntryPath>, argv: Vec<String>| Step {
            phase: Phase::Build,
            directory,
            action: Action::Run { argv },
            environment: BTreeMap::new(),
            on_failure: OnFailure::Ends,
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let result = format!("{OUT}/{}", request.file_name);
        if self.is_installed() {
            let package = format!("{}@{}", self.info.package, self.main.version);
            let mut install: Vec<String> = words(&["go", "install"]);
            install.extend(flags);
            install.push(package);
            // `go install` takes no place for a program of another system.
            let copy = words(&["cp", &self.installed(request), &result]);
            return vec![step(None, install), step(None, copy)];
        }
        let mut build: Vec<String> = words(&["go", "build"]);
        build.extend(flags);
        build.push(format!("-buildvcs={}", self.settings.stamp.is_some()));
        build.extend(["-o".to_owned(), result]);
        build.push(match &self.package_in_module {
            Some(package) => format!("./{package}"),
            None => ".".to_owned(),
        });
        vec![step(request.pin.subdirectory.clone(), build)]
    }

    /// Where `go install` leaves the program (`go help install`).
    fn installed(&self, request: &PlanRequest<'_>) -> String {
        let mut parts = self.info.package.rsplit('/');
        let last = parts.next().unwrap_or_default();
        let is_major = last
            .strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let name = if is_major {
            parts.next().unwrap_or(last)
        } else {
            last
        };
        let of = |key: &str| {
            self.settings
                .environment
                .get(key)
                .map_or("", String::as_str)
        };
        let (system, processor) = (of("GOOS"), of("GOARCH"));
        let folder = if is_for_this_machine(request, &self.settings) {
            String::new()
        } else {
            format!("{system}_{processor}/")
        };
        let ending = if system == "windows" { ".exe" } else { "" };
        format!("{OUT}/go/bin/{folder}{name}{ending}")
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
