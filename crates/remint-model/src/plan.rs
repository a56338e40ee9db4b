//! A build plan: plain data that says with which tools, in which steps and from what a release is built.
//!
//! It is printed by `--explain`, stored in the report and executed by the binary; it contains no decision that
//! is taken later.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::digest::Integrity;
use crate::path::EntryPath;
use crate::target::{PackageName, Version};

/// How to build one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildPlan {
    /// What distinguishes this plan from the others that were proposed, for people.
    pub variant: String,
    /// When it is worth its time.
    pub worth: Worth,
    /// What has to be provisioned, in the order of `PATH`.
    pub tools: Vec<Tool>,
    /// Where the source tree appears inside the sandbox, absolute.
    pub build_path: String,
    /// What of git's history the build sees.
    pub clone_shape: CloneShape,
    /// Changes made to the tree before the first step.
    pub edits: Vec<Edit>,
    /// Text files whose lines end with CRLF in the tree, edits included, as git lays them out on Windows.
    pub crlf: Vec<EntryPath>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Variables beyond the base environment of the sandbox.
    pub environment: BTreeMap<String, String>,
    /// What the install steps may fetch.
    pub lock: Lock,
    /// Files whose contents, with the tools and the install commands, determine what the install steps make.
    /// Empty: the installed tree is not kept for another run.
    pub snapshot_inputs: Vec<EntryPath>,
    /// Where the artifact appears.
    pub output: Output,
    /// What did not come from the source.
    pub assumptions: Vec<Assumption>,
}

/// When a plan is worth trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worth {
    /// Whatever came of the plans before it.
    Always,
    /// Only when none of the plans before it made an artifact.
    WhenNothingBuilt,
    /// Whatever came of the plans before it; but it leaves out steps that the source names, so its match counts only
    /// where a plan with these steps was built and wrote none of the committed files that were published.
    Shortcut,
}

/// A program that a plan needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// `node`, `npm`, `pnpm`, `yarn`, `bun`, `python`, `uv`, `cargo`, …
    pub name: String,
    /// An exact version; or a range in the origin's own grammar (npm's semantic version ranges, PEP 440
    /// specifiers), or `latest`: then the newest stable version that fits and was out at `as_of` is meant, or the
    /// newest of all where the registry tells no believable times. `None` is `latest`; for a system tool, any.
    pub version: Option<String>,
    /// The moment of the release, seconds since 1970, by which a version that is not exact is chosen.
    pub as_of: Option<i64>,
    /// Where it comes from.
    pub origin: ToolOrigin,
    /// Why this one: the file and line of reasoning that named it.
    pub because: String,
}

/// Where a tool is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolOrigin {
    /// An npm package, by name; `{platform}` stands for npm's name of this machine, such as `linux-x64`.
    Npm {
        /// The package.
        package: String,
    },
    /// A wheel on PyPI, by project name.
    Pypi {
        /// The project.
        project: String,
    },
    /// What the machine has.
    System,
    /// Go's own toolchain, by exact version: the module `golang.org/toolchain` for this machine, with the digest that the
    /// checksum database has; or where that cannot be had, the machine's own go of that version.
    GoToolchain,
}

/// What of git a build gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloneShape {
    /// The commit alone, with the tags that point to it.
    Tip,
    /// The commit alone, its release tag hidden: what a build saw that ran before the tag existed. No branch is
    /// checked out.
    TipWithoutTag,
    /// The whole history with its tags, as versions computed from `git describe` need it.
    History,
    /// The whole history without the tags on the commit itself. No branch is checked out.
    HistoryWithoutTag,
    /// No `.git` directory at all.
    None,
}

/// A change to the source tree before the build, always listed as an assumption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// Which file.
    pub path: EntryPath,
    /// Its whole new content.
    #[serde(skip)]
    pub content: Vec<u8>,
    /// What is changed and why, for people.
    pub because: String,
}

/// One command of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which rights it has.
    pub phase: Phase,
    /// Where it runs: below the build path, `None` is the root of the tree.
    pub directory: Option<EntryPath>,
    /// What is done.
    pub action: Action,
    /// Variables for this step only.
    pub environment: BTreeMap<String, String>,
    /// What it means when it fails.
    pub on_failure: OnFailure,
}

/// What it means when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// So has the build.
    Ends,
    /// Nothing: it only helps where it works.
    GoesOn,
    /// The build goes on, and a match must not rest on what the step may have been meant to write.
    GoesOnInDoubt,
}

/// The phases of a build; each has its own rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reaches the registry proxy; runs no code of packages or of the repository.
    Install,
    /// Runs foreign code; no network.
    Build,
    /// Makes the artifact; no network.
    Pack,
}

impl Phase {
    /// The word used in reports and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Build => "build",
            Self::Pack => "pack",
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Runs a program, without a shell.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// Installs the requirements that an earlier (untrusted) step wrote to a file, one PEP 508 requirement a line.
    /// Only plain named requirements are taken; a URL, a path or an option in that file fails the build.
    InstallListed {
        /// The file, absolute inside the sandbox.
        list: String,
        /// The command; the accepted requirements are appended as arguments. Not run when there are none.
        argv: Vec<String>,
    },
}

/// What the install steps may fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lock {
    /// Nothing is installed.
    Nothing,
    /// Only what a lockfile lists.
    Locked {
        /// The lockfile.
        file: EntryPath,
        /// Its packages.
        fetches: Vec<LockedFetch>,
    },
    /// A lockfile that pins what is installed but is not readable to us (bun's binary form): anything from the
    /// registries, at any time.
    Opaque {
        /// The lockfile.
        file: EntryPath,
    },
    /// No lockfile: what the registries offered at this time (seconds since 1970); `None` is today.
    AsOf {
        /// The moment of the release.
        time: Option<i64>,
    },
    /// Modules of Go, fetched before the first step and laid out as a module proxy of files; the steps reach nothing.
    Modules(ModuleLock),
}

/// The modules of Go that a build may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleLock {
    /// What `go.sum` lists.
    pub modules: Vec<LockedModule>,
    /// Whether the module itself is among them, packed from the source tree as go does.
    pub with_own: bool,
}

/// One module version with its `h1:` digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockedModule {
    /// The module's path.
    pub path: PackageName,
    /// Its version.
    pub version: Version,
    /// Of its zip, where that may be needed.
    pub zip: Option<String>,
    /// Of its `go.mod` alone.
    pub go_mod: Option<String>,
}

/// One package version that a lockfile lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockedFetch {
    /// Package name.
    pub name: String,
    /// Exact version.
    pub version: String,
    /// The URL, where the lockfile gives one.
    pub url: Option<String>,
    /// The digest of the file, where the lockfile gives one.
    pub integrity: Option<Integrity>,
}

/// Where the artifact appears after the last step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// A directory inside the sandbox, absolute, empty before the first step.
    pub directory: String,
    /// The file's ending: exactly one file there must have it.
    pub ending: String,
}

/// Something that a build used and that its source does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assumption {
    /// What kind.
    pub kind: AssumptionKind,
    /// The value used.
    pub value: String,
    /// Where it was taken from.
    pub from: String,
}

/// The kinds of assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssumptionKind {
    /// A version written into files before the build.
    VersionStamp,
    /// The released name, which the source does not carry.
    NameStamp,
    /// A build backend pinned to the version that the published file names.
    BackendVersion,
    /// A build path learnt from the published file.
    BuildPath,
    /// A lockfile copied from the published file.
    SeededLockfile,
    /// A tool version that nothing in the source names.
    ToolchainGuess,
    /// An interpreter outside the range that the project states: a match proves as much as ever, anything else
    /// proves nothing.
    SubstituteInterpreter,
    /// A dependency of another version than is locked, because the registry no longer has that one: a match proves as
    /// much as ever, anything else proves nothing.
    SubstituteDependency,
    /// A step that only the publish workflow names.
    WorkflowStep,
    /// Dependencies resolved as of a moment.
    ResolvedAsOf,
    /// The wheel was built from the sdist, or straight from the tree.
    BuildOrder,
    /// Text files were checked out as git does it on Windows.
    WindowsLineEnds,
    /// Something of the machine that the weaker isolation could not hide from the build: its paths, its ports.
    HostSurroundings,
    /// This machine's compiler made machine code; nothing in the source says which one the publisher had.
    NativeToolchain,
    /// Settings of the build that only the published program states: build tags, flags of the compiler.
    BuildSettings,
    /// Flags of the linker that the published program does not state.
    LinkerFlags,
    /// A file that is not committed, because the published program says that there was one.
    UncommittedFile,
    /// That it makes no difference to leave out what a release configuration runs or sets around a build.
    ReleaseSteps,
}
