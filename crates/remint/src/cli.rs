//! The command line, as people type it. The doc comments are the manual; a paragraph is one line, which clap wraps to
//! the terminal.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use remint_model::{ImagePlace, RepositoryUrl, Spec};

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

/// Rebuild published servers from source and compare
///
/// Finds the source of each SPEC, builds it in a sandbox, compares the result with what the registry serves, and reports what differs. Needs no setup.
///
/// SPEC is `npm:NAME@VERSION`, `pypi:NAME@VERSION`, `cargo:NAME@VERSION`, `go:MODULE@VERSION`, a package URL (`pkg:npm/NAME@VERSION`) or a file (`./NAME-VERSION.tgz`, `./NAME.mcpb`). A container image is `oci:REGISTRY/NAME@sha256:…`, `oci:./LAYOUT` or `./IMAGE.tar`: its layers are read and its files attributed, but it is not built again, so it is never verified. Without a version the latest is taken and named in the report.
///
/// With --config, every server that an MCP client's configuration starts is verified (Claude, Cursor, Windsurf, VS Code, Zed); what it starts otherwise is reported as inconclusive.
///
/// Exit code: 0 every target verified, 1 at least one failed, 2 wrong usage, 3 none failed and at least one inconclusive, 4 remint could not work on this machine.
///
/// Examples:
///   remint verify-build npm:@modelcontextprotocol/server-filesystem@2026.7.10
///   remint verify-build pypi:mcp-server-git@2026.7.10 --all-files
///   remint verify-build cargo:rust-mcp-filesystem@0.4.1
///   remint verify-build go:github.com/mark3labs/mcp-go@v0.43.0
///   remint verify-build npm:my-server@1.4.0 --artifact ./my-server-1.4.0.tgz --source . --ref v1.4.0
///   remint verify-build npm:my-server@1.4.0 --trust trust.toml --attestations git+https://example.org/attestations
///   remint verify-build ./my-server.mcpb --server-json server.json
///   remint verify-build oci:ghcr.io/owner/server:1.4.0 --base docker.io/library/node:22-slim
///   remint verify-build --config ~/.cursor/mcp.json --format sarif --output remint.sarif
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyBuild {
    /// What to verify
    #[arg(required_unless_present = "config", value_name = "SPEC")]
    pub(crate) specs: Vec<Spec>,

    /// Verify every server of this MCP client configuration, such as `claude_desktop_config.json` or `.vscode/mcp.json`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["artifact", "reference", "subdir"])]
    pub(crate) config: Vec<PathBuf>,

    /// Judge this file instead of what the registry serves
    #[arg(long, value_name = "FILE")]
    pub(crate) artifact: Option<PathBuf>,

    /// The `server.json` that lists a bundle in the MCP registry: the bundle has to have the digest that it declares
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub(crate) server_json: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) source: SourceOptions,

    #[command(flatten)]
    pub(crate) image: ImageOptions,

    /// Every file of a PyPI release, not only the preferred wheel and the sdist
    #[arg(long)]
    pub(crate) all_files: bool,

    /// Show the build plans before they are tried
    #[arg(long)]
    pub(crate) explain: bool,

    #[command(flatten)]
    pub(crate) trust: TrustOptions,

    #[command(flatten)]
    pub(crate) build: BuildOptions,

    #[command(flatten)]
    pub(crate) report: ReportOptions,

    /// Put the published file, the rebuilt file and the build log here, for a second look
    #[arg(long, value_name = "DIR", help_heading = "Report")]
    pub(crate) keep: Option<PathBuf>,
}

/// Overrides of what is inferred about the source; the report says that they were used.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceOptions {
    /// The repository (a URL, or a directory whose committed objects are read), or `sdist` for PyPI's own source
    /// archive
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) source: Option<String>,

    /// The tag, branch or commit that was released
    #[arg(long = "ref", value_name = "TAG|COMMIT")]
    pub(crate) reference: Option<String>,

    /// The package's folder in the repository
    #[arg(long, value_name = "DIR")]
    pub(crate) subdir: Option<String>,
}

/// What is asked about container images.
#[derive(Debug, Args)]
#[command(next_help_heading = "Images")]
pub(crate) struct ImageOptions {
    /// The image that it was made from: files in that image's layers are then its. Without it, the image's own labels count, where they name one with a digest
    #[arg(long, value_name = "IMAGE", value_parser = base_image)]
    pub(crate) base: Option<ImagePlace>,

    /// Which of an image's platforms is looked at; `linux/amd64` where none is named
    #[arg(long, value_name = "SYSTEM/PROCESSOR", value_parser = platform)]
    pub(crate) platform: Option<String>,
}

/// An image, also as specs name one.
fn base_image(text: &str) -> Result<ImagePlace, String> {
    let place: ImagePlace = text
        .strip_prefix("oci:")
        .unwrap_or(text)
        .parse()
        .map_err(|error: remint_model::ImageReferenceError| error.to_string())?;
    Ok(place)
}

fn platform(text: &str) -> Result<String, String> {
    let is_word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    match text.split_once('/') {
        Some((system, processor)) if is_word(system) && is_word(processor) => Ok(text.to_owned()),
        Some(_) | None => Err("expected SYSTEM/PROCESSOR, such as `linux/arm64`".to_owned()),
    }
}

/// Whether others' word is taken.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
pub(crate) struct TrustOptions {
    /// Whom to believe: where enough of them attest that the file is what its source builds, it is not rebuilt
    #[arg(long, value_name = "FILE", requires = "attestations")]
    pub(crate) trust: Option<PathBuf>,

    /// Where attestations are published: a directory, `https://…`, a git repository as `git+https://…`, or an OCI registry as `oci://HOST/NAME`
    #[arg(long, value_name = "DIR|URL", requires = "trust")]
    pub(crate) attestations: Vec<String>,

    /// When to rebuild: where attestations do not suffice, in any case, or never
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(crate) rebuild: Rebuild,

    /// The Sigstore root for signers that the policy knows by identity, instead of the public-good instance's
    #[arg(long, value_name = "FILE", requires = "trust")]
    pub(crate) trusted_root: Option<PathBuf>,
}

/// When to rebuild.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rebuild {
    /// Where attestations do not suffice
    #[default]
    Auto,
    /// In any case
    Always,
    /// Never: what attestations do not answer stays open
    Never,
}

/// What a build may use.
#[derive(Debug, Args)]
#[command(next_help_heading = "Build")]
pub(crate) struct BuildOptions {
    /// What a build step may reach; installing always reaches the registries through the recording proxy
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) build_network: Option<BuildNetwork>,

    /// How builds are confined; `landlock` is weaker, for machines that refuse namespaces
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) isolation: Option<IsolationLevel>,

    /// Give up on one build after this many minutes
    #[arg(long, value_name = "MINUTES")]
    pub(crate) deadline: Option<u64>,

    /// Memory that a build may use, such as `4G`
    #[arg(long, value_name = "SIZE", value_parser = crate::settings::parse_room)]
    pub(crate) memory: Option<u64>,

    /// Disk that a build may use, such as `10G`
    #[arg(long, value_name = "SIZE", value_parser = crate::settings::parse_room)]
    pub(crate) disk: Option<u64>,

    /// How many targets are worked on at once, as far as there is memory for their builds
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BuildNetwork {
    /// Nothing; what it asks for is recorded
    None,
    /// The registries, through the recording proxy; the report says so
    Registries,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IsolationLevel {
    Namespaces,
    Landlock,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct ReportOptions {
    /// How the answer is written to standard output
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<ReportFormat>,

    /// Write the answer to this file instead; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReportFormat {
    /// For people
    Human,
    /// `remint.report/v1`, described in docs/report.md
    Json,
    /// For issues and pull requests
    Markdown,
    /// SARIF 2.1.0 for code scanning, described in docs/sarif.md
    Sarif,
}

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

/// The formats of answers that are no report about a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlainFormat {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// Hold two artifacts against each other, without a build
///
/// Each is a file, or a release that is fetched from its registry. They are compared entry by entry, as `verify-build` does: what is ignored (such as time stamps) is named, what differs is ranked, shown and, where the cause can be proved, explained. What only the second has is shown with `+`.
///
/// Exit code: 0 equal (bit for bit, or but for what is listed as erased), 1 different, 2 wrong usage, 3 it could not be found out, 4 remint could not work on this machine.
///
/// Examples:
///   remint compare server-1.4.0.tgz rebuilt/server-1.4.0.tgz
///   remint compare npm:my-server@1.4.0 npm:my-server@1.4.1 --html changes.html
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Compare {
    /// What to compare
    #[arg(value_name = "A")]
    pub(crate) first: Spec,

    /// What to compare it with
    #[arg(value_name = "B")]
    pub(crate) second: Spec,

    /// Also write a page for a browser: a tree of all files, and what differs side by side
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) html: Option<PathBuf>,

    /// How the answer is written to standard output
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Report")]
    pub(crate) format: Option<PlainFormat>,

    /// Write the answer to this file instead; `-` is standard output
    #[arg(long, short, value_name = "FILE", help_heading = "Report")]
    pub(crate) output: Option<PathBuf>,
}

/// Say whom to believe
#[derive(Debug, Args)]
pub(crate) struct Trust {
    #[command(subcommand)]
    pub(crate) action: TrustAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustAction {
    /// Write a policy that trusts nobody yet
    Init {
        /// The policy
        #[arg(value_name = "FILE")]
        policy: PathBuf,
    },
    /// Add somebody to a policy
    ///
    /// Examples:
    ///   remint trust add trust.toml --key alice.pub --scope 'pkg:npm/%40example/*'
    ///   remint trust add trust.toml --identity https://github.com/o/r/.github/workflows/rebuild.yml@refs/heads/main --issuer https://token.actions.githubusercontent.com
    #[command(verbatim_doc_comment)]
    Add(TrustAdd),
    /// Fetch the public-good Sigstore instance's root, which says whose certificates and logs count
    ///
    /// The root that is part of this program ages; what is fetched here is verified (TUF) and used instead.
    Update,
    /// Show who is believed, and for what
    List {
        /// The policy
        #[arg(value_name = "FILE")]
        policy: PathBuf,

        /// How the answer is written to standard output
        #[arg(long, value_enum, value_name = "FORMAT")]
        format: Option<PlainFormat>,
    },
    /// Write a policy as others' tools read it
    ///
    /// With --in-toto: a layout, signed by its owner, for `in-toto-verify` and the links beside attestations. What a layout cannot say is told.
    ///
    /// Example:
    ///   remint trust export trust.toml --in-toto --key owner.key --output root.layout
    #[command(verbatim_doc_comment)]
    Export(TrustExport),
}

#[derive(Debug, Args)]
pub(crate) struct TrustExport {
    /// The policy
    #[arg(value_name = "FILE")]
    pub(crate) policy: PathBuf,

    /// As a layout of in-toto
    #[arg(long, required = true)]
    pub(crate) in_toto: bool,

    /// The owner's private key: a file, `-` for standard input, or `env:NAME`
    #[arg(long, value_name = "FILE|-|env:NAME")]
    pub(crate) key: String,

    /// Until when it holds, as a date or a moment with its offset; without this for a year, or until the first
    /// rebuilder's `not_after`
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub(crate) expires: Option<jiff::Timestamp>,

    /// Write the layout to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A date, which begins at midnight UTC, or a moment with its offset.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    let midnight = text
        .parse::<jiff::civil::Date>()
        .ok()
        .filter(|date| date.to_string() == text)
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|zoned| zoned.timestamp());
    match midnight {
        Some(midnight) => Ok(midnight),
        None => text.parse().map_err(|_| {
            "expected a date such as 2027-06-30, or a moment such as 2027-06-30T12:00:00Z"
                .to_owned()
        }),
    }
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("signer").required(true).args(["key", "identity"]))]
pub(crate) struct TrustAdd {
    /// The policy
    #[arg(value_name = "FILE")]
    pub(crate) policy: PathBuf,

    /// Their public key, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// The key of their log; without this, the `.log.pub` beside the public key
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) log_key: Option<PathBuf>,

    /// The identity in their certificates, exactly
    #[arg(long, value_name = "SAN", requires = "issuer")]
    pub(crate) identity: Option<String>,

    /// Who vouches for that identity, exactly
    #[arg(long, value_name = "URL", requires = "identity")]
    pub(crate) issuer: Option<String>,

    /// What to call them; without this, after the key's file or the identity
    #[arg(long, value_name = "WHO")]
    pub(crate) name: Option<String>,

    /// Whose machines these are: several of one operator count once
    #[arg(long, value_name = "ORG")]
    pub(crate) operator: Option<String>,

    /// For which packages their word counts, such as `pkg:npm/%40scope/*`; without this, for all
    #[arg(long, value_name = "PURL-PATTERN")]
    pub(crate) scope: Vec<remint_attest::trust::Scope>,
}

/// Make keys that sign
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    pub(crate) action: KeyAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// Make a new key
    ///
    /// Writes PREFIX.key (private, encrypted as cosign does), PREFIX.pub (to give to others) and PREFIX.log.pub (the key of its log, to give to others as well). The passphrase comes from REMINT_KEY_PASSWORD or a prompt.
    ///
    /// Example:
    ///   remint key generate --output me
    #[command(verbatim_doc_comment)]
    Generate {
        /// What the files' names begin with
        #[arg(long, short, value_name = "PREFIX")]
        output: PathBuf,
    },
}

/// Check the log that a key's signatures are entered in
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(subcommand)]
    pub(crate) action: LogAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogAction {
    /// Print the Sigstore root with this log alone, which other people's tools ask for
    ///
    /// Example:
    ///   remint log trusted-root me.log.pub > trusted_root.json
    #[command(verbatim_doc_comment)]
    TrustedRoot {
        /// The log's key
        #[arg(value_name = "FILE")]
        log_key: PathBuf,
    },
    /// Prove that a log holds what its checkpoint says, and continues what was seen of it before
    ///
    /// Exit code: 0 it does; 1 it is damaged, of another key, rewound or forked; 2 wrong usage; 4 it cannot be read.
    ///
    /// Examples:
    ///   remint log verify attestations/log/key-0123456789abcdef --log-key me.log.pub
    ///   remint log verify LOG --log-key me.log.pub --since last-week/checkpoint
    #[command(verbatim_doc_comment)]
    Verify {
        /// The log's directory
        #[arg(value_name = "DIR")]
        log: PathBuf,

        /// The log's key
        #[arg(long, value_name = "FILE")]
        log_key: PathBuf,

        /// A checkpoint of the log that was seen before
        #[arg(long, value_name = "CHECKPOINT")]
        since: Option<PathBuf>,

        /// Another one, which must be a continuation of the first; without this, the log's newest
        #[arg(long, value_name = "CHECKPOINT", requires = "since")]
        until: Option<PathBuf>,
    },
}

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
