//! What planning is told.

use remint_model::{ArtifactFormat, SourcePin, SourceTree, Survey, Target};

use crate::release::{MetadataError, ToolHints};

/// Everything that a plan may depend on.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// What is to be rebuilt.
    pub target: &'a Target,
    /// How it is packed.
    pub format: ArtifactFormat,
    /// The published file's name, which the rebuilt one should have too.
    pub file_name: &'a str,
    /// The commit, and the stamp it may need.
    pub pin: &'a SourcePin,
    /// The files at that commit.
    pub tree: &'a SourceTree,
    /// What the published file shows of the tools that made it. Hostile: a guess to be confirmed, never content.
    pub survey: &'a Survey,
    /// When the file was uploaded, seconds since 1970.
    pub uploaded: Option<i64>,
    /// What the publisher's client left in the metadata.
    pub hints: &'a ToolHints,
    /// What machine this is.
    pub platform: Platform,
    /// The Python interpreters of this machine, newest first.
    pub interpreters: &'a [Interpreter],
    /// The Rust toolchains of this machine, newest first.
    pub toolchains: &'a [RustToolchain],
}

/// The machine for which tools are chosen, in npm's words (`process.platform`, `process.arch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `darwin`, `win32`.
    pub system: &'static str,
    /// `x64`, `arm64`.
    pub processor: &'static str,
}

/// A Python interpreter that this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// `3.12.1`.
    pub version: String,
    /// The executable, on this machine.
    pub path: std::path::PathBuf,
}

/// A Rust toolchain that this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustToolchain {
    /// The version of its cargo: `1.95.0`, `1.97.0-nightly`.
    pub version: String,
    /// The directory that has `bin/cargo`, on this machine.
    pub prefix: std::path::PathBuf,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A kind of project that cannot be built here; says which and why.
    #[error("{0}")]
    Unsupported(String),
    /// The manifest cannot be read.
    #[error("the source's manifest cannot be used")]
    Manifest(#[from] MetadataError),
}
