//! What a manifest promises to installers: dependencies and code that runs on install.

use std::collections::BTreeSet;

use serde::Serialize;

/// The parts of a manifest that decide what is installed and what runs then, in a form in which the published
/// manifest and the source's can be held against each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestFacts {
    /// The name it gives itself.
    pub name: Option<String>,
    /// The version it gives itself; `None` where it is dynamic or absent.
    pub version: Option<String>,
    /// Everything an installer would fetch because of it.
    pub dependencies: BTreeSet<Dependency>,
    /// Everything an installer would run because of it.
    pub hooks: BTreeSet<InstallHook>,
    /// Set where the source leaves the dependencies to a build backend, so that an absence here proves nothing.
    pub dynamic_dependencies: bool,
}

/// One dependency as a manifest states it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dependency {
    /// In which list it stands.
    pub kind: DependencyKind,
    /// The name under which it is installed, normalised.
    pub name: String,
    /// Range, alias, URL or marker, in canonical spelling.
    pub requirement: String,
}

/// The lists in which dependencies stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyKind {
    /// Always installed.
    Runtime,
    /// Installed where possible (npm `optionalDependencies`).
    Optional,
    /// Expected to be there, and installed by current npm (`peerDependencies`).
    Peer,
    /// Shipped inside the package.
    Bundled,
    /// Installed when an extra (Python) or a feature (cargo) asks for it.
    Extra,
    /// What the package's build script uses (cargo).
    Build,
    /// Used by the package's own tests and examples only (cargo).
    Development,
    /// What a shrinkwrap shipped with the package pins.
    Shrinkwrap,
    /// `overrides`, `resolutions` and the like, which apply only at the root but change what is installed there.
    Override,
}

/// Code that runs when the package is installed, explicitly or by a convention.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InstallHook {
    /// `preinstall`, `install`, `postinstall`, `binding.gyp`, `.pth`, `setup.py`, …
    pub name: String,
    /// The command, or the path of the file that runs.
    pub command: String,
}

/// Something that a registry tells installers about a release and the published file's manifest does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryDisagreement {
    /// What it is about.
    pub part: ManifestPart,
    /// The dependency, command or hook.
    pub name: String,
    /// What the registry says: the range, the file, the command line.
    pub registry: String,
    /// What the file says under the same name, if anything.
    pub file: Option<String>,
}

/// The parts of a manifest that installers may take from the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManifestPart {
    /// A package that is fetched.
    Dependency(DependencyKind),
    /// A command that is put on the path (`bin`).
    Command,
    /// Something that is run on install.
    InstallHook,
}
