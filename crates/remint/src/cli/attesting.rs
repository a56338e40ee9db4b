//! Signing and verifying: the arguments of `attest`, `sign-release` and `verify-attestation`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use remint_model::{RepositoryUrl, Spec};

use super::{BuildOptions, PlainFormat, ReportFormat, SourceOptions};

/// Rebuild published servers and sign what was found
///
/// Does what `verify-build` does, then signs the outcome, good or bad, as statements that others verify offline: how the file was rebuilt, the comparison, and a summary. What could not be found out is signed as an attempt and nothing else.
///
/// The bundles go below --output, in the layout that consumers look in: a directory to serve over HTTPS or to commit to a git repository. The signatures are entered in a log of the key's own, which lies there as well. Nothing is overwritten.
///
/// Exit code: that of the outcome (0, 1, 3); 2 wrong usage, 4 when nothing could be signed or remint could not work on this machine.
///
/// Examples:
///   remint key generate --output me
///   remint attest npm:@modelcontextprotocol/server-filesystem@2026.7.10 --key me.key --output attestations
///   remint attest pypi:mcp-server-git@2026.7.10 --keyless --output attestations
///   remint attest --resume --output attestations
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Attest {
    /// What to rebuild
    #[arg(required_unless_present = "resume", value_name = "SPEC")]
    pub(crate) specs: Vec<Spec>,

    /// Finish what services did not finish before, below --output, and rebuild nothing
    #[arg(long, conflicts_with_all = ["specs", "key"], help_heading = "Signing")]
    pub(crate) resume: bool,

    /// With --resume, also sign what was not signed at all yet: whoever can write below --output has it signed
    #[arg(long, requires = "resume", help_heading = "Signing")]
    pub(crate) sign_kept: bool,

    #[command(flatten)]
    pub(crate) signing: SigningOptions,

    /// Where the bundles go
    #[arg(long, short, value_name = "DIR", default_value = "attestations")]
    pub(crate) output: PathBuf,

    /// Judge this file instead of what the registry serves
    #[arg(long, value_name = "FILE")]
    pub(crate) artifact: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) source: SourceOptions,

    /// Every file of a PyPI release, not only the preferred wheel and the sdist
    #[arg(long)]
    pub(crate) all_files: bool,

    #[command(flatten)]
    pub(crate) build: BuildOptions,

    /// How the answer is written to standard output
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Report")]
    pub(crate) format: Option<ReportFormat>,
}

/// What signs: a key, or the identity of the job that this runs in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing")]
pub(crate) struct SigningOptions {
    /// The private key: a file, `-` for standard input, or `env:NAME` for a variable; its passphrase comes from REMINT_KEY_PASSWORD or a prompt
    #[arg(long, value_name = "FILE", conflicts_with = "keyless")]
    pub(crate) key: Option<String>,

    /// The log that the key's signatures are entered in; without this, `log/` below the bundles
    #[arg(long, value_name = "DIR", requires = "key")]
    pub(crate) log: Option<PathBuf>,

    /// Sign with a certificate for the identity of this job (GitHub Actions, GitLab) or of SIGSTORE_ID_TOKEN
    #[arg(long)]
    pub(crate) keyless: bool,

    /// The identity token, instead of this job's own
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) identity_token: Option<PathBuf>,

    /// The services that sign, log and date (Sigstore signing config), instead of the public-good instance's
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "key",
        requires = "trusted_root"
    )]
    pub(crate) signing_config: Option<PathBuf>,

    /// The Sigstore root of those services
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "key",
        requires = "signing_config"
    )]
    pub(crate) trusted_root: Option<PathBuf>,

    /// How long services are waited for before the rest is kept for `remint attest --resume`
    #[arg(
        long,
        value_name = "MINUTES",
        conflicts_with = "key",
        default_value_t = 120
    )]
    pub(crate) patience: u64,
}

/// Sign a release of yours that its tag builds, twice and alike
///
/// Example:
///   remint sign-release ./my-server-1.4.0.tgz --source . --ref v1.4.0 --key release.key
///
/// Builds the tag twice, the second time with another build path, clock, user, host name, umask, locale, time zone, order of directories and number of processors. Where the two builds differ, it builds a few times more to find out why, says what to do about it, and signs nothing. Where they are alike and ARTIFACT is what they made, it signs provenance, a comparison and a summary for it, and files them below --output, in the layout that consumers look in.
///
/// It reads committed objects only, never the work tree. docs/sign-release.md tells more.
///
/// Exit code: 0 signed, 1 refused, 2 wrong usage, 3 it could not be found out (no tag, does not build), 4 remint could not work on this machine.
///
/// In a workflow:
///   remint sign-release ./my-server-1.4.0.tgz --source . --key env:SIGNING_KEY --output attestations
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SignRelease {
    /// The file that is to be published: `.tgz`, `.whl` or `.tar.gz`
    #[arg(value_name = "ARTIFACT")]
    pub(crate) artifact: PathBuf,

    /// The repository: a directory whose committed objects are read, or a URL
    #[arg(long, value_name = "DIR|URL", help_heading = "Source")]
    pub(crate) source: String,

    /// What was released; without it, the tag that carries the version of ARTIFACT
    #[arg(long = "ref", value_name = "TAG|COMMIT", help_heading = "Source")]
    pub(crate) reference: Option<String>,

    /// The package's folder in the repository
    #[arg(long, value_name = "DIR", help_heading = "Source")]
    pub(crate) subdir: Option<String>,

    /// The repository's public address, which is signed; without it, the one that the manifest in ARTIFACT names
    #[arg(long, value_name = "URL", help_heading = "Source")]
    pub(crate) repository: Option<RepositoryUrl>,

    #[command(flatten)]
    pub(crate) signing: SigningOptions,

    /// Leave out the builds that find out why two builds differ
    #[arg(long, help_heading = "Build")]
    pub(crate) quick: bool,

    #[command(flatten)]
    pub(crate) build: BuildOptions,

    /// How the answer is written to standard output
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Report")]
    pub(crate) format: Option<ReleaseFormat>,

    /// Where the bundles go
    #[arg(
        long,
        short,
        value_name = "DIR",
        default_value = "attestations",
        help_heading = "Signing"
    )]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReleaseFormat {
    /// For people
    Human,
    /// `remint.release/v1`, described in docs/sign-release.md
    Json,
}

/// Check offline what others found out about a file
///
/// Takes one or more Sigstore bundles and the file that they are about. Whose word counts, and for what, is in the policy that --trust names: without one nobody is believed. Somebody trusted who says that the file failed outweighs everybody who says that it passed.
///
/// Exit code: 0 authentic, trusted, and it passed; 1 not authentic, not trusted, or it failed; 3 authentic and trusted, but it carries no judgement; 2 wrong usage, 4 remint could not work on this machine.
///
/// Examples:
///   remint verify-attestation summary.sigstore.json server-1.0.0.tgz --trust trust.toml --expect npm:server@1.0.0
///   remint verify-attestation alice.sigstore.json bob.sigstore.json server-1.0.0.tgz --trust trust.toml
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyAttestation {
    /// The bundles, and last the file that they are about
    #[arg(required = true, num_args = 2.., value_names = ["BUNDLE", "ARTIFACT"])]
    pub(crate) files: Vec<PathBuf>,

    /// Whom to believe
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: PathBuf,

    /// The release that the file is meant to be; a statement about another one is refused
    #[arg(long, value_name = "SPEC")]
    pub(crate) expect: Option<Spec>,

    /// The Sigstore root for signers that the policy knows by identity, instead of the public-good instance's
    #[arg(long, value_name = "FILE")]
    pub(crate) trusted_root: Option<PathBuf>,

    /// How the answer is written to standard output
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<PlainFormat>,
}
