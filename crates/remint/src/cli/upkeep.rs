//! The arguments of the commands that show, explain and tidy up.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ReportOptions;

/// See an honest and a compromised release judged, in a few minutes
///
/// Takes a small TypeScript MCP server, makes a tagged git repository and two releases of it in a registry on the loopback interface: an honest one, and one with an added line and an added dependency. The real pipeline then judges both. Needs the npm registry and git, and leaves nothing behind.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) report: ReportOptions,
}

/// What this machine can do: isolation, tools, registries
///
/// Exit code: 0 when servers can be verified here, 3 when no registry answers, 4 when this machine lacks something.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) report: ReportOptions,
}

/// What an id in a report means, and what to do about it
///
/// Example:
///   remint explain undeclared-dependency
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Explain {
    /// The id of a finding, erasure, reason or assumption; without one, all are listed
    pub(crate) id: Option<String>,
}

/// Look at the caches, or make them smaller
#[derive(Debug, Args)]
pub(crate) struct Cache {
    #[command(subcommand)]
    pub(crate) action: CacheAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// What the caches hold, and where
    Status,
    /// Remove the oldest until the caches are below a size
    Prune {
        /// The size to stay below, such as `2G`
        #[arg(long, value_name = "SIZE", default_value = "0", value_parser = crate::settings::parse_size)]
        to: u64,
    },
}

/// Print a completion script for a shell
///
/// Example:
///   remint completions bash > ~/.local/share/bash-completion/completions/remint
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    /// For which shell
    pub(crate) shell: clap_complete::Shell,
}

/// Speak the client protocol of the Sigstore conformance suite
///
/// For tests of the cryptography: a bundle that passes here says nothing about whom to trust.
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    #[command(subcommand)]
    pub(crate) action: ConformanceAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConformanceAction {
    /// Verify a bundle; exit code 0 when it is accepted, 1 when it is refused
    #[command(group = clap::ArgGroup::new("signer").required(true).args(["certificate_identity", "key"]))]
    VerifyBundle {
        /// Trust the staging instance
        #[arg(long, conflicts_with = "trusted_root")]
        staging: bool,

        /// The bundle
        #[arg(long, value_name = "FILE")]
        bundle: PathBuf,

        /// Who must have signed
        #[arg(long, value_name = "SAN", requires = "certificate_oidc_issuer")]
        certificate_identity: Option<String>,

        /// Who must vouch for the identity
        #[arg(long, value_name = "URL", requires = "certificate_identity")]
        certificate_oidc_issuer: Option<String>,

        /// The public key that must have signed
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,

        /// Whom to trust instead of the public-good instance
        #[arg(long, value_name = "FILE")]
        trusted_root: Option<PathBuf>,

        /// The file, or `sha256:` and its digest
        #[arg(value_name = "FILE_OR_DIGEST")]
        artifact: String,
    },
}
