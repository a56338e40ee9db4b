//! What is built, held against what is published, and compared: the arguments of `verify-build` and `compare`, and those
//! that other commands share with them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use remint_model::{ImagePlace, Spec};

use super::PlainFormat;

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

    /// What is done where the registry no longer has a dependency that is locked (npm, pnpm, yarn, bun)
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) gone_dependencies: Option<GoneDependencies>,

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
pub(crate) enum GoneDependencies {
    /// The source counts as not built; the answer names what is gone
    Refuse,
    /// The package manager chooses another version of it, as of the release; only a match counts, and the report says so
    Substitute,
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

/// Hold two artifacts against each other, without a build
///
/// Each is a file, or a release that is fetched from its registry, or a container image. They are compared entry by entry, as `verify-build` does: what is ignored (such as time stamps) is named, what differs is ranked, shown and, where the cause can be proved, explained. What only the second has is shown with `+`.
///
/// Exit code: 0 equal (bit for bit, or but for what is listed as erased), 1 different, 2 wrong usage, 3 it could not be found out, 4 remint could not work on this machine.
///
/// Examples:
///   remint compare server-1.4.0.tgz rebuilt/server-1.4.0.tgz
///   remint compare npm:my-server@1.4.0 npm:my-server@1.4.1 --html changes.html
///   remint compare oci:ghcr.io/owner/server:1.4.0 oci:./layout --platform linux/arm64
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Compare {
    /// What to compare
    #[arg(value_name = "A")]
    pub(crate) first: Spec,

    /// What to compare it with
    #[arg(value_name = "B")]
    pub(crate) second: Spec,

    /// Which of an image's platforms is compared; `linux/amd64` where none is named
    #[arg(long, value_name = "SYSTEM/PROCESSOR", value_parser = platform)]
    pub(crate) platform: Option<String>,

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
