//! The policy file, read into values that hold. `docs/trust.v1.schema.json` describes it to others; the tests hold the two
//! together.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::scope::Scope;
use crate::key::{KeyError, LogKey, PublicKey};
use crate::layout::SignerId;
use crate::roots::{TrustRoot, TrustRootError};
use crate::verify::ExpectedSigner;

/// The format of a policy.
pub(crate) const FORMAT: &str = "remint.trust/v1";

/// The largest policy that is read, in bytes.
const LARGEST_POLICY: usize = 4 << 20;

/// Whom to believe, and how far.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How many independent operators must have found the same; at least 1.
    pub threshold: usize,
    /// Erasures under which `equivalent` is as good as `identical`.
    pub accepted_erasures: Vec<AcceptedErasure>,
    /// The weakest isolation that a rebuild may have had.
    pub minimum_isolation: Isolation,
    /// The oldest that a statement may be, by an independent clock.
    pub max_age: Option<SignedDuration>,
    /// Who is believed.
    pub rebuilders: Vec<Rebuilder>,
}

/// Somebody whose statements count.
#[derive(Debug, Clone)]
pub struct Rebuilder {
    /// As people call them.
    pub name: String,
    /// Whose machines these are: independence is counted by operator.
    pub operator: String,
    /// How they sign.
    pub signer: Signer,
    /// For which packages their word counts.
    pub scope: Vec<Scope>,
    /// Statements made later do not count.
    pub not_after: Option<Timestamp>,
    /// Since when their word no longer counts.
    pub revoked: Option<Revocation>,
    expected: ExpectedSigner,
}

/// How somebody signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// With a key, and the log of that key.
    Key(PublicKey, Box<LogKey>),
    /// With certificates for an identity that an issuer vouches for.
    Identity {
        /// The subject alternative name, exactly.
        identity: String,
        /// The issuer, exactly.
        issuer: String,
    },
}

impl Signer {
    /// How this signer is named in paths.
    #[must_use]
    pub fn id(&self) -> SignerId {
        match self {
            Self::Key(key, _) => SignerId::key(&key.id()),
            Self::Identity { identity, issuer } => SignerId::identity(identity, issuer),
        }
    }
}

impl Signer {
    /// Whether what one signs, the other could have signed: a key stays the same key with another log.
    fn is_also(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(one, _), Self::Key(other, _)) => one == other,
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key, _) => write!(f, "key {}", key.id().short()),
            Self::Identity { identity, issuer } => write!(f, "{identity} ({issuer})"),
        }
    }
}

/// Since when somebody's word no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Nothing that they ever signed counts.
    Entirely,
    /// What an independent clock puts before this moment still counts.
    Since(Timestamp),
}

/// An erasure that is accepted: by name and version, because its meaning is frozen per version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedErasure(String);

impl AcceptedErasure {
    /// `name@version`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Isolation levels, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// The kernel's landlock alone.
    Landlock,
    /// Namespaces of its own.
    Namespaces,
}

impl Isolation {
    /// The level of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "landlock" => Some(Self::Landlock),
            "namespaces" => Some(Self::Namespaces),
            _ => None,
        }
    }

    /// The level's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Landlock => "landlock",
            Self::Namespaces => "namespaces",
        }
    }
}

/// Why a policy cannot be used. Nothing of it is used then.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no TOML, or a key or a value is not one that a policy has.
    #[error("{0}")]
    Toml(String),
    /// It is of another format.
    #[error("its format is `{0}`, expected `{FORMAT}`")]
    Format(String),
    /// It has too many bytes to be one.
    #[error("it has {0} bytes, and {LARGEST_POLICY} is the most that is read")]
    Large(usize),
    /// The threshold can never be met, or asks for nothing.
    #[error("`threshold` is {0}: it must be at least 1")]
    Threshold(usize),
    /// An erasure is not named with its version.
    #[error("`{0}` in `accepted_erasures` is not `NAME@VERSION`")]
    Erasure(String),
    /// A rebuilder lacks something, or has too much.
    #[error("rebuilder `{name}`: {reason}")]
    Rebuilder {
        /// Which one.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A trusted root cannot be used.
    #[error(transparent)]
    TrustRoot(#[from] TrustRootError),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyV1 {
    format: String,
    #[serde(default = "one")]
    threshold: usize,
    #[serde(default)]
    accepted_erasures: Vec<String>,
    #[serde(default = "weakest")]
    minimum_isolation: Isolation,
    max_age_days: Option<u32>,
    #[serde(default)]
    rebuilder: Vec<RebuilderV1>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RebuilderV1 {
    name: String,
    operator: Option<String>,
    key: Option<String>,
    log_key: Option<String>,
    identity: Option<String>,
    issuer: Option<String>,
    scope: Vec<Scope>,
    not_after: Option<toml::value::Datetime>,
    revoked: Option<RevokedV1>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RevokedV1 {
    Entirely(bool),
    Since(toml::value::Datetime),
}

const fn one() -> usize {
    1
}

const fn weakest() -> Isolation {
    Isolation::Landlock
}

/// Every key that a policy can have, for hints.
const KEYS: &[&str] = &[
    "format",
    "threshold",
    "accepted_erasures",
    "minimum_isolation",
    "max_age_days",
    "rebuilder",
    "name",
    "operator",
    "key",
    "log_key",
    "identity",
    "issuer",
    "scope",
    "not_after",
    "revoked",
];

impl Policy {
    /// Reads a policy; `root` says whose certificates count for rebuilders that are known by identity.
    ///
    /// # Errors
    /// Anything in it is not understood.
    pub fn parse(text: &str, root: &RootSource<'_>) -> Result<Self, PolicyError> {
        if text.len() > LARGEST_POLICY {
            return Err(PolicyError::Large(text.len()));
        }
        let wire: PolicyV1 =
            toml::from_str(text).map_err(|error| PolicyError::Toml(explained(&error)))?;
        if wire.format != FORMAT {
            return Err(PolicyError::Format(
                wire.format.escape_debug().take(80).collect(),
            ));
        }
        if wire.threshold == 0 {
            return Err(PolicyError::Threshold(0));
        }
        let mut erasures = Vec::new();
        for erasure in wire.accepted_erasures {
            let named = erasure
                .split_once('@')
                .is_some_and(|(name, version)| !name.is_empty() && version.parse::<u32>().is_ok());
            if !named {
                return Err(PolicyError::Erasure(
                    erasure.escape_debug().take(80).collect(),
                ));
            }
            erasures.push(AcceptedErasure(erasure));
        }
        let mut shared = None;
        let mut rebuilders: Vec<Rebuilder> = Vec::new();
        for wire in wire.rebuilder {
            let rebuilder = rebuilder(wire, root, &mut shared)?;
            if rebuilders
                .iter()
                .any(|other| other.signer.is_also(&rebuilder.signer))
            {
                return Err(PolicyError::Rebuilder {
                    name: rebuilder.name,
                    reason: format!("{} is listed twice", rebuilder.signer),
                });
            }
            rebuilders.push(rebuilder);
        }
        Ok(Self {
            threshold: wire.threshold,
            accepted_erasures: erasures,
            minimum_isolation: wire.minimum_isolation,
            max_age: wire
                .max_age_days
                .map(|days| SignedDuration::from_hours(i64::from(days) * 24)),
            rebuilders,
        })
    }

    /// The erasures of these that are not accepted.
    pub(crate) fn unaccepted<'a>(&self, erasures: &'a [String]) -> Vec<&'a str> {
        erasures
            .iter()
            .filter(|erasure| {
                !self
                    .accepted_erasures
                    .iter()
                    .any(|accepted| accepted.0 == **erasure)
            })
            .map(String::as_str)
            .collect()
    }
}

impl Rebuilder {
    pub(crate) const fn expected(&self) -> &ExpectedSigner {
        &self.expected
    }
}

/// Where the trusted root for identities comes from: it is made only if a policy needs it.
pub type RootSource<'a> = dyn Fn() -> Result<TrustRoot, TrustRootError> + 'a;

fn rebuilder(
    wire: RebuilderV1,
    root: &RootSource<'_>,
    shared: &mut Option<Arc<TrustRoot>>,
) -> Result<Rebuilder, PolicyError> {
    let clean = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).collect() };
    let name = clean(&wire.name);
    let operator = wire.operator.as_deref().map_or_else(|| name.clone(), clean);
    let wrong = |reason: String| PolicyError::Rebuilder {
        name: name.clone(),
        reason,
    };
    let key_error = |error: KeyError| wrong(error.to_string());
    if name.trim().is_empty() {
        return Err(wrong("it has no `name`".to_owned()));
    }
    if operator.trim().is_empty() {
        return Err(wrong(
            "`operator` is empty: independence is counted by it".to_owned(),
        ));
    }
    if wire.scope.is_empty() {
        return Err(wrong(
            "`scope` is empty: it would count for nothing; `[\"pkg:*\"]` is everything".to_owned(),
        ));
    }
    let (signer, expected) = match (wire.key, wire.log_key, wire.identity, wire.issuer) {
        (Some(key), Some(log), None, None) => {
            let key = PublicKey::parse(&key).map_err(key_error)?;
            let log = LogKey::parse(&log).map_err(key_error)?;
            let expected = ExpectedSigner::key(key.clone(), log.clone())?;
            (Signer::Key(key, Box::new(log)), expected)
        }
        (None, None, Some(identity), Some(issuer)) => {
            let root = match shared {
                Some(root) => Arc::clone(root),
                None => Arc::clone(shared.insert(Arc::new(root()?))),
            };
            let expected = ExpectedSigner::identity(identity.clone(), issuer.clone(), root);
            (Signer::Identity { identity, issuer }, expected)
        }
        (Some(_), None, None, None) => {
            return Err(wrong(
                "`key` needs `log_key`, the key of the log that its signatures are entered in"
                    .to_owned(),
            ));
        }
        (None, None, Some(_), None) => {
            return Err(wrong(
                "`identity` needs `issuer`: anybody can have that identity elsewhere".to_owned(),
            ));
        }
        _ => {
            return Err(wrong(
                "it needs either `key` and `log_key`, or `identity` and `issuer`".to_owned(),
            ));
        }
    };
    Ok(Rebuilder {
        operator,
        not_after: wire
            .not_after
            .map(|time| moment(&time))
            .transpose()
            .map_err(|reason| wrong(format!("`not_after`: {reason}")))?,
        revoked: match wire.revoked {
            None | Some(RevokedV1::Entirely(false)) => None,
            Some(RevokedV1::Entirely(true)) => Some(Revocation::Entirely),
            Some(RevokedV1::Since(time)) => Some(Revocation::Since(
                moment(&time).map_err(|reason| wrong(format!("`revoked`: {reason}")))?,
            )),
        },
        scope: wire.scope,
        signer,
        name,
        expected,
    })
}

/// A moment as TOML writes it: a date, which begins at midnight UTC, or a date and time with its offset.
fn moment(time: &toml::value::Datetime) -> Result<Timestamp, String> {
    let text = match (time.date, time.time, time.offset) {
        (Some(_), None, None) => format!("{time}T00:00:00Z"),
        (Some(_), Some(_), Some(_)) => time.to_string(),
        _ => {
            return Err(format!(
                "`{time}` needs a date, and an offset where it has a time"
            ));
        }
    };
    text.parse()
        .map_err(|error| format!("`{time}` is no moment: {error}"))
}

/// What the parser says, with the nearest key where one was misspelt.
fn explained(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let unknown = text
        .split_once("unknown field `")
        .and_then(|(_, rest)| rest.split_once('`'))
        .map(|(key, _)| key);
    let near = unknown.and_then(|unknown| {
        KEYS.iter()
            .map(|key| (strsim::damerau_levenshtein(unknown, key), key))
            .min()
            .filter(|(distance, key)| *distance <= key.len() / 2)
    });
    let text = text.trim_end();
    match near {
        Some((_, key)) => format!("{text}\ndid you mean `{key}`?"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn parse(text: &str) -> Result<Policy, String> {
        let root = || TrustRoot::embedded(crate::Instance::PublicGood);
        let policy = Policy::parse(text, &root).map_err(|error| error.to_string());
        if policy.is_ok() {
            assert!(schema_accepts(text), "{text}");
        }
        policy
    }

    /// Whether the published schema accepts a policy, which it sees as JSON does.
    fn schema_accepts(text: &str) -> bool {
        let schema = include_str!("../../../../docs/trust.v1.schema.json");
        let schema = serde_json::from_str(schema).unwrap();
        let policy = toml::from_str(text).unwrap();
        jsonschema::is_valid(&schema, &as_json(policy))
    }

    fn as_json(value: toml::Value) -> serde_json::Value {
        match value {
            toml::Value::Datetime(time) => time.to_string().into(),
            toml::Value::Array(items) => items.into_iter().map(as_json).collect(),
            toml::Value::Table(entries) => entries
                .into_iter()
                .map(|(key, value)| (key, as_json(value)))
                .collect(),
            plain @ (toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)) => serde_json::to_value(plain).unwrap(),
        }
    }

    fn with_key(more: &str) -> String {
        let key = SigningKey::generate().unwrap();
        format!(
            "format = \"{FORMAT}\"\n[[rebuilder]]\nname = \"alice\"\nkey = '''{}'''\nlog_key = '{}'\n{more}",
            key.public().to_pem(),
            key.log()
        )
    }

    #[test]
    fn an_empty_policy_trusts_nobody() {
        let policy = parse(&format!("format = \"{FORMAT}\"")).unwrap();
        assert!(policy.rebuilders.is_empty());
        assert_eq!(policy.threshold, 1);
        assert!(policy.accepted_erasures.is_empty());
    }

    #[test]
    fn rebuilders_are_known_by_key_or_by_identity_and_issuer() {
        let policy = parse(&with_key(
            "scope = ['pkg:npm/*']\nnot_after = 2027-01-01\nrevoked = true",
        ))
        .unwrap();
        let alice = &policy.rebuilders[0];
        assert_eq!(alice.operator, "alice");
        assert_eq!(alice.revoked, Some(Revocation::Entirely));
        assert_eq!(alice.not_after, "2027-01-01T00:00:00Z".parse().ok());
        let policy = parse(&format!(
            "format = \"{FORMAT}\"\n[[rebuilder]]\nname = 'b'\noperator = 'B'\nidentity = 'a'\nissuer = 'i'\nscope = ['pkg:*']\nrevoked = 2026-01-01T00:00:00+01:00"
        ))
        .unwrap();
        assert_eq!(policy.rebuilders[0].operator, "B");
        assert_eq!(
            policy.rebuilders[0].revoked,
            "2025-12-31T23:00:00Z".parse().ok().map(Revocation::Since)
        );
    }

    #[test]
    fn a_misspelt_key_is_named_with_the_nearest() {
        let error = parse(&format!("format = \"{FORMAT}\"\ntreshold = 2")).unwrap_err();
        assert!(error.contains("treshold"), "{error}");
        assert!(error.contains("did you mean `threshold`?"), "{error}");
        let error = parse(&with_key("scope = ['pkg:*']\nnotafter = 2027-01-01")).unwrap_err();
        assert!(error.contains("did you mean `not_after`?"), "{error}");
        assert!(!schema_accepts(&with_key(
            "scope = ['pkg:*']\nnotafter = 2027-01-01"
        )));
    }

    #[test]
    fn what_could_be_read_as_trust_by_mistake_is_refused() {
        for (text, words) in [
            (String::new(), "format"),
            ("format = \"remint.trust/v2\"".to_owned(), "remint.trust/v2"),
            (
                format!("format = \"{FORMAT}\"\nthreshold = 0"),
                "at least 1",
            ),
            (
                format!("format = \"{FORMAT}\"\naccepted_erasures = [\"gzip-encoding\"]"),
                "NAME@VERSION",
            ),
            (
                format!("format = \"{FORMAT}\"\nminimum_isolation = \"none\""),
                "none",
            ),
            (with_key(""), "scope"),
            (with_key("scope = []"), "scope"),
            (with_key("scope = ['npm:a']"), "purl pattern"),
            (with_key("scope = ['pkg:*']\noperator = ' '"), "operator"),
            (with_key("scope = ['pkg:*']\nissuer = 'i'"), "either"),
            (
                with_key("scope = ['pkg:*']\nnot_after = 2027-01-01T00:00:00"),
                "offset",
            ),
            (
                format!(
                    "format = \"{FORMAT}\"\n[[rebuilder]]\nname = 'b'\nidentity = 'a'\nscope = ['pkg:*']"
                ),
                "issuer",
            ),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(words), "{text}\n{error}");
            assert!(!schema_accepts(&text), "{text}");
        }
    }

    #[test]
    fn nobody_counts_twice() {
        let once = with_key("scope = ['pkg:*']");
        let (_, entry) = once.split_once('\n').unwrap();
        let error = parse(&format!("{once}\n{entry}")).unwrap_err();
        assert!(error.contains("listed twice"), "{error}");
        // Nor with another log.
        let log = format!("log_key = '{}'", SigningKey::generate().unwrap().log());
        let moved: Vec<&str> = entry
            .lines()
            .map(|line| {
                if line.starts_with("log_key") {
                    &*log
                } else {
                    line
                }
            })
            .collect();
        let error = parse(&format!("{once}\n{}", moved.join("\n"))).unwrap_err();
        assert!(error.contains("listed twice"), "{error}");
    }
}
