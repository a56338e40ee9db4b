//! Whom to believe: the arguments of `trust`, `key` and `log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PlainFormat;

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
