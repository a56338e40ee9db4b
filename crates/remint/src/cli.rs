//! The command line, as people type it. The doc comments are the manual; a paragraph is one line, which clap wraps to
//! the terminal.

mod attesting;
mod building;
mod trusting;
mod upkeep;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use attesting::{Attest, ReleaseFormat, SignRelease, SigningOptions, VerifyAttestation};
pub(crate) use building::{
    BuildNetwork, BuildOptions, Compare, GoneDependencies, IsolationLevel, Rebuild, ReportFormat,
    ReportOptions, SourceOptions, TrustOptions, VerifyBuild,
};
pub(crate) use trusting::{
    Key, KeyAction, Log, LogAction, Trust, TrustAction, TrustAdd, TrustExport,
};
pub(crate) use upkeep::{
    Cache, CacheAction, Completions, Conformance, ConformanceAction, Demo, Doctor, Explain,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Is the MCP server you run what its source builds?
///
/// remint rebuilds a published MCP server from its source tag in a clean sandbox, compares the result with what was published, and says what it found.
///
/// Examples:
///   remint verify-build npm:@modelcontextprotocol/server-filesystem@2026.7.10
///   remint verify-build pypi:mcp-server-git@2026.7.10 --format json
///   remint verify-build cargo:cratesio-mcp@0.4.1
///   remint verify-build go:github.com/mark3labs/mcp-go@v0.43.0
///   remint verify-build go:github.com/owner/server@v1.0.0 --artifact ./server
///   remint demo
#[derive(Debug, Parser)]
#[command(version, styles = STYLES, max_term_width = 110, verbatim_doc_comment, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) global: GlobalOptions,
}

/// Options that every command understands.
#[derive(Debug, Args)]
pub(crate) struct GlobalOptions {
    /// Colours; without this or REMINT_COLOR on a terminal only
    #[arg(long, global = true, value_enum, help_heading = "Global options")]
    pub(crate) color: Option<ColorChoice>,

    /// Where downloads, tools, clones and installed dependencies are kept (or REMINT_CACHE_DIR)
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) cache_dir: Option<PathBuf>,

    /// Use caches only, never the network (or REMINT_OFFLINE)
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    VerifyBuild(Box<VerifyBuild>),
    Attest(Box<Attest>),
    SignRelease(Box<SignRelease>),
    VerifyAttestation(VerifyAttestation),
    Compare(Compare),
    Trust(Trust),
    Key(Key),
    Log(Log),
    Demo(Demo),
    Doctor(Doctor),
    Explain(Explain),
    Cache(Cache),
    Completions(Completions),
    #[command(hide = true)]
    Conformance(Conformance),
}

/// The formats of answers that are no report about a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlainFormat {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}
