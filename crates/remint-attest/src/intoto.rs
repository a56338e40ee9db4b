//! in-toto's own metadata (specification 1.0): a link for a rebuild that made the very bytes that were published, and a
//! layout that demands such links from a threshold of rebuilders.
//!
//! Both are signed as DSSE envelopes (ITE-5), which need no canonical JSON. Foreign links and layouts are not read here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;

use in_toto::crypto::{HashAlgorithm, HashValue, KeyId as InTotoKeyId};
use in_toto::models::byproducts::ByProducts;
use in_toto::models::inspection::Inspection;
use in_toto::models::rule::{Artifact, ArtifactRule};
use in_toto::models::step::{Command, Step};
use in_toto::models::{LinkMetadataBuilder, TargetDescription, VirtualTargetPath};
use jiff::{SignedDuration, Timestamp};
use remint_model::{Comparison, Outcome, Sha256, SourcePin};
use serde::Serialize;
use serde_json::{Value, json};
use sigstore_types::{DsseEnvelope, DsseSignature, KeyId, PayloadBytes, SignatureContent, pae};

use crate::compose::{Judged, public_address, rfc3339};
use crate::key::{PublicKey, SigningKey};
use crate::sign::{SignError, Signed};
use crate::statement::PAYLOAD_TYPE;
use crate::trust::{Isolation, Policy, Rebuilder, Signer};

/// The step of a layout that every rebuilder performs.
pub const STEP: &str = "rebuild";

/// The inspection that holds the files at hand against the step's products.
const INSPECTION: &str = "published";

/// What a source is called among the materials, up to its address.
const SOURCE: &str = "git+";

/// How long a layout holds where nothing ends earlier.
const VALIDITY: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Succeeds where there is a file that in-toto records. Nothing else would fail where there is none: rules judge the
/// files that are there. Left out are those that its implementations leave out.
const SOMETHING_IS_THERE: &str = "for file in *; do case $file in *.link*|*.pyc|*'~') ;; \
    *) test -f \"$file\" && exit 0 ;; esac; done; echo 'there is no file to verify here' >&2; exit 1";

/// The payload of the link for a rebuild, where a link can say what was found: the release is verified, and what was
/// rebuilt is what was published to the byte. Links know nothing between equal and different.
#[must_use]
pub fn link(judged: &Judged<'_>) -> Option<Vec<u8>> {
    let (Outcome::Verified, Comparison::Identical) = (judged.judgement.outcome, judged.comparison?)
    else {
        return None;
    };
    let build = judged.build?;
    let toolchain: Vec<String> = build
        .toolchain
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let mut environment = BTreeMap::from([
        ("package".to_owned(), judged.target.purl()),
        ("isolation".to_owned(), build.isolation.clone()),
        ("toolchain".to_owned(), toolchain.join(", ")),
        ("finished".to_owned(), rfc3339(judged.finished)),
    ]);
    if let Some(plan) = judged.plan {
        environment.insert("workdir".to_owned(), plan.build_path.clone());
    }
    let command = ["sh", "-c", &build.commands.join("\n")].map(str::to_owned);
    let products = BTreeMap::from([(
        VirtualTargetPath::from(judged.published.name.as_str()),
        sha256(&judged.published.sha256),
    )]);
    let link = LinkMetadataBuilder::new()
        .name(STEP.to_owned())
        .products(products)
        .env(Some(environment))
        .command(Command::from(&command[..]))
        .byproducts(
            ByProducts::new()
                .set_return_value(0)
                .set_stdout(String::new())
                .set_stderr(String::new()),
        )
        .build()
        .ok()?;
    let mut link = serde_json::to_value(link).ok()?;
    // The library can write no other digests than those of files.
    link["materials"] = source(judged.source?);
    Some(link.to_string().into_bytes())
}

/// The source as a material, called as in the provenance. All rebuilders who are counted together must name the same.
fn source(source: &SourcePin) -> Value {
    let name = format!(
        "{SOURCE}{}@{}",
        public_address(&source.repository),
        source.commit
    );
    json!({ name: { "gitCommit": source.commit.to_string() } })
}

fn sha256(digest: &Sha256) -> TargetDescription {
    TargetDescription::from([(
        HashAlgorithm::Sha256,
        HashValue::new(digest.as_bytes().to_vec()),
    )])
}

/// The name that verifiers look for: the step, and the first digits of the key's name in in-toto.
#[must_use]
pub fn link_name(key: &PublicKey) -> String {
    let name = key_name(key);
    format!("{STEP}.{}.link", name.get(..8).unwrap_or(&name))
}

/// The link as in-toto reads it, of the bundle that was made of its payload.
///
/// # Errors
/// The bundle holds no envelope.
pub fn link_file(key: &PublicKey, signed: &Signed) -> Result<String, SignError> {
    match &signed.bundle.inner.content {
        SignatureContent::DsseEnvelope(envelope) => {
            let mut envelope = envelope.clone();
            // A hint that nothing signs; in-toto finds signatures by it.
            envelope.signature.keyid = KeyId::new(key_name(key));
            text(&envelope)
        }
        SignatureContent::MessageSignature(_) | _ => {
            Err(SignError::Crypto("a bundle has no envelope".to_owned()))
        }
    }
}

/// How in-toto's verifiers name a key: SHA-256 over its canonical JSON, with the public key in PEM (securesystemslib,
/// `compute_default_keyid`).
fn key_name(key: &PublicKey) -> String {
    // Canonical JSON escapes nothing but `"` and `\`, and PEM has neither.
    let canonical = format!(
        r#"{{"keytype":"{KEY_TYPE}","keyval":{{"public":"{}"}},"scheme":"{SCHEME}"}}"#,
        pem(key)
    );
    Sha256::of(canonical.as_bytes()).to_string()
}

/// The key with the line ends that others write: they are part of what its name is made of.
fn pem(key: &PublicKey) -> String {
    key.to_pem().replace("\r\n", "\n")
}

const KEY_TYPE: &str = "ecdsa";
const SCHEME: &str = "ecdsa-sha2-nistp256";

/// A layout that demands what a policy does, as far as in-toto can.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Until when it holds.
    pub expires: Timestamp,
    /// Whose links count.
    pub rebuilders: Vec<String>,
    /// What the policy says and the layout cannot.
    pub lost: Vec<Loss>,
    payload: Vec<u8>,
}

/// What a policy says and a layout cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// A rebuilder signs with certificates.
    Identity(String),
    /// A rebuilder's word no longer counts.
    Revoked(String),
    /// A rebuilder's word counted until then.
    Expired(String, Timestamp),
    /// A rebuilder's word counts for these packages only.
    Scope(String, Vec<String>),
    /// How old a judgement may be, in days.
    Age(i64),
    /// The weakest isolation.
    Isolation(Isolation),
    /// Erasures under which equivalent files are accepted.
    Erasures(Vec<String>),
    /// A FAILED outweighs any number of PASSED.
    Veto,
    /// Which release a file belongs to.
    Release,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(name) => write!(
                f,
                "{name} is left out: a layout knows rebuilders by key, and this one by identity"
            ),
            Self::Revoked(name) => write!(f, "{name} is left out: revoked"),
            Self::Expired(name, last) => {
                write!(
                    f,
                    "{name} is left out: the policy believes them until {last}"
                )
            }
            Self::Scope(name, scope) => write!(
                f,
                "{name} counts for every package: a layout has no scopes, and the policy says {}",
                scope.join(", ")
            ),
            Self::Age(days) => write!(
                f,
                "a link counts however old it is, and the policy says {days} days"
            ),
            Self::Isolation(level) => write!(
                f,
                "a link counts whatever isolation it names, and the policy says {} or better",
                level.name()
            ),
            Self::Erasures(names) => write!(
                f,
                "only identical files have links: what is equivalent under {} is refused",
                names.join(", ")
            ),
            Self::Veto => {
                f.write_str("a FAILED outweighs nothing: there are links for matches only")
            }
            Self::Release => f.write_str(
                "a file is known by its name and its bytes, and not by its package or registry",
            ),
        }
    }
}

/// Why a policy makes no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Two keys of one operator would count as two.
    #[error(
        "`{first}` and `{second}` are both of the operator `{operator}`: in-toto counts keys, and the policy counts operators; keep one of them"
    )]
    Operator {
        /// Whose keys they are.
        operator: String,
        /// One rebuilder.
        first: String,
        /// The other.
        second: String,
    },
    /// Too few rebuilders can be expressed.
    #[error("the threshold is {threshold}, and of those that a layout can name, {counted} count")]
    Threshold {
        /// The policy's.
        threshold: usize,
        /// How many rebuilders there are.
        counted: usize,
    },
    /// It would be of no use.
    #[error("a layout that expires at {0} has expired already")]
    Expired(Timestamp),
    /// It would believe somebody for longer than the policy.
    #[error("the policy believes `{name}` until {last}, and the layout would until {expires}")]
    Outlives {
        /// The rebuilder.
        name: String,
        /// The policy's word.
        last: Timestamp,
        /// The layout's.
        expires: Timestamp,
    },
}

impl Layout {
    /// Translates a policy. Without `expires`, the layout holds for a year, or until the first rebuilder's word ends.
    ///
    /// # Errors
    /// The layout would accept what the policy refuses, or nothing at all.
    pub fn of(
        policy: &Policy,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<Self, LayoutError> {
        let mut lost = Vec::new();
        let mut counted: Vec<(&Rebuilder, &PublicKey)> = Vec::new();
        for rebuilder in &policy.rebuilders {
            match expressible(rebuilder, now) {
                Ok(key) => counted.push((rebuilder, key)),
                Err(loss) => lost.push(loss),
            }
        }
        if policy.threshold > 1 {
            independent(&counted)?;
        }
        let threshold = u32::try_from(policy.threshold)
            .ok()
            .filter(|_| policy.threshold <= counted.len())
            .ok_or(LayoutError::Threshold {
                threshold: policy.threshold,
                counted: counted.len(),
            })?;
        let expires = expiry(&counted, now, expires)?;
        lost.extend(losses(policy, &counted));
        Ok(Self {
            expires,
            rebuilders: counted
                .iter()
                .map(|(rebuilder, _)| rebuilder.name.clone())
                .collect(),
            lost,
            payload: payload(threshold, &counted, expires),
        })
    }

    /// The layout as in-toto reads it, signed by its owner. It judges nothing, so it is entered in no log.
    ///
    /// # Errors
    /// The cryptography failed.
    pub fn sign(&self, owner: &SigningKey) -> Result<String, SignError> {
        let signature = owner
            .pair
            .sign(&pae(PAYLOAD_TYPE, &self.payload))
            .map_err(|error| SignError::Crypto(error.to_string()))?;
        text(&DsseEnvelope::new(
            PAYLOAD_TYPE,
            PayloadBytes::from_bytes(&self.payload),
            DsseSignature::new(signature, KeyId::new(key_name(owner.public()))),
        ))
    }
}

/// The key of a rebuilder whose word counts now.
fn expressible(rebuilder: &Rebuilder, now: Timestamp) -> Result<&PublicKey, Loss> {
    let name = || rebuilder.name.clone();
    // A key that is revoked or expired takes everything with it that it ever signed: its own clock says nothing.
    if rebuilder.revoked.is_some() {
        return Err(Loss::Revoked(name()));
    }
    if let Some(last) = rebuilder.not_after.filter(|last| *last <= now) {
        return Err(Loss::Expired(name(), last));
    }
    match &rebuilder.signer {
        Signer::Key(key, _) => Ok(key),
        Signer::Identity { .. } => Err(Loss::Identity(name())),
    }
}

fn independent(counted: &[(&Rebuilder, &PublicKey)]) -> Result<(), LayoutError> {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (rebuilder, _) in counted {
        if let Some(first) = known.insert(&rebuilder.operator, &rebuilder.name) {
            return Err(LayoutError::Operator {
                operator: rebuilder.operator.clone(),
                first: first.to_owned(),
                second: rebuilder.name.clone(),
            });
        }
    }
    Ok(())
}

fn expiry(
    counted: &[(&Rebuilder, &PublicKey)],
    now: Timestamp,
    wanted: Option<Timestamp>,
) -> Result<Timestamp, LayoutError> {
    let first = counted
        .iter()
        .filter_map(|(rebuilder, _)| Some((rebuilder.not_after?, rebuilder)))
        .min_by_key(|(last, _)| *last);
    let expires = match (wanted, first) {
        (Some(expires), Some((last, rebuilder))) if last < expires => {
            return Err(LayoutError::Outlives {
                name: rebuilder.name.clone(),
                last,
                expires,
            });
        }
        (Some(expires), _) => expires,
        (None, Some((last, _))) => last.min(now + VALIDITY),
        (None, None) => now + VALIDITY,
    };
    if expires <= now {
        return Err(LayoutError::Expired(expires));
    }
    Ok(expires)
}

fn losses(policy: &Policy, counted: &[(&Rebuilder, &PublicKey)]) -> Vec<Loss> {
    let mut lost = Vec::new();
    for (rebuilder, _) in counted {
        let scope: Vec<String> = rebuilder.scope.iter().map(ToString::to_string).collect();
        if !scope.iter().any(|pattern| pattern == "pkg:*") {
            lost.push(Loss::Scope(rebuilder.name.clone(), scope));
        }
    }
    if let Some(age) = policy.max_age {
        lost.push(Loss::Age(age.as_hours() / 24));
    }
    if policy.minimum_isolation > Isolation::Landlock {
        lost.push(Loss::Isolation(policy.minimum_isolation));
    }
    if !policy.accepted_erasures.is_empty() {
        let names = policy.accepted_erasures.iter();
        let names = names.map(|erasure| erasure.as_str().to_owned());
        lost.push(Loss::Erasures(names.collect()));
    }
    lost.extend([Loss::Veto, Loss::Release]);
    lost
}

/// A layout (in-toto specification 1.0, section 4.3). The library's own type holds P-256 keys in hexadecimal, where
/// every verifier reads PEM.
#[derive(Serialize)]
struct LayoutV1 {
    #[serde(rename = "_type")]
    kind: &'static str,
    expires: String,
    readme: &'static str,
    keys: BTreeMap<String, Value>,
    steps: [Step; 1],
    inspect: [Inspection; 1],
}

const README: &str = "The files at hand are what their source builds: as many rebuilders as the threshold says made \
    these very bytes from the same commit.";

fn payload(threshold: u32, counted: &[(&Rebuilder, &PublicKey)], expires: Timestamp) -> Vec<u8> {
    let anything = || VirtualTargetPath::from("*");
    let mut step = Step::new(STEP)
        .threshold(threshold)
        .add_expected_material(ArtifactRule::Allow(VirtualTargetPath::from(&*format!(
            "{SOURCE}*"
        ))))
        .add_expected_material(ArtifactRule::Disallow(anything()))
        .add_expected_product(ArtifactRule::Create(anything()))
        .add_expected_product(ArtifactRule::Disallow(anything()));
    for (_, key) in counted {
        let name = InTotoKeyId::from_str(&key_name(key));
        step = step.add_key(name.expect("a SHA-256 has 64 digits"));
    }
    let inspection = Inspection::new(INSPECTION)
        .run(Command::from(
            &["sh", "-c", SOMETHING_IS_THERE].map(str::to_owned)[..],
        ))
        .add_expected_material(ArtifactRule::Match {
            pattern: anything(),
            in_src: None,
            with: Artifact::Products,
            in_dst: None,
            from: STEP.to_owned(),
        })
        .add_expected_material(ArtifactRule::Disallow(anything()));
    let keys = counted.iter().map(|(_, key)| {
        let name = key_name(key);
        let key = json!({
            "keyid": name,
            "keytype": KEY_TYPE,
            "scheme": SCHEME,
            "keyval": { "public": pem(key) },
        });
        (name, key)
    });
    let layout = LayoutV1 {
        kind: "layout",
        expires: rfc3339(expires),
        readme: README,
        keys: keys.collect(),
        steps: [step],
        inspect: [inspection],
    };
    serde_json::to_vec(&layout).expect("strings, numbers and lists serialise")
}

fn text(envelope: &DsseEnvelope) -> Result<String, SignError> {
    serde_json::to_string(envelope)
        .map(|text| text + "\n")
        .map_err(|error| SignError::Crypto(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Instance, TrustRoot};

    const NOW: &str = "2026-11-26T12:00:00Z";

    fn policy(top: &str, rebuilders: &[&str]) -> Policy {
        let mut text = format!("format = \"remint.trust/v1\"\n{top}\n");
        for rebuilder in rebuilders {
            text += "[[rebuilder]]\n";
            if !rebuilder.contains("identity") {
                let key = SigningKey::generate().unwrap();
                text.extend([format!(
                    "key = '''{}'''\nlog_key = '{}'\n",
                    key.public().to_pem(),
                    key.log()
                )]);
            }
            if !rebuilder.contains("scope") {
                text += "scope = ['pkg:*']\n";
            }
            text += rebuilder;
            text += "\n";
        }
        let root = || TrustRoot::embedded(Instance::PublicGood);
        Policy::parse(&text, &root).unwrap()
    }

    fn check(
        top: &str,
        rebuilders: &[&str],
        expires: Option<&str>,
    ) -> Result<(Layout, Value), LayoutError> {
        let expires = expires.map(|time| time.parse().unwrap());
        let layout = Layout::of(&policy(top, rebuilders), NOW.parse().unwrap(), expires)?;
        let payload = serde_json::from_slice(&layout.payload).unwrap();
        Ok((layout, payload))
    }

    #[test]
    fn a_policy_of_keys_is_a_layout_of_one_step() {
        let (layout, payload) =
            check("threshold = 2", &["name = 'alice'", "name = 'bob'"], None).unwrap();
        assert_eq!(layout.rebuilders, ["alice", "bob"]);
        assert_eq!(layout.lost, [Loss::Veto, Loss::Release]);
        assert_eq!(payload["expires"], "2027-11-26T12:00:00Z");
        let step = &payload["steps"][0];
        assert_eq!(step["name"], "rebuild");
        assert_eq!(step["threshold"], 2);
        let names: Vec<&str> = step["pubkeys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        assert_eq!(payload["keys"].as_object().unwrap().len(), 2);
        for name in names {
            assert_eq!(payload["keys"][name]["keyid"], name);
        }
        assert_eq!(
            payload["inspect"][0]["expected_materials"],
            json!([
                ["MATCH", "*", "WITH", "PRODUCTS", "FROM", "rebuild"],
                ["DISALLOW", "*"]
            ])
        );
    }

    #[test]
    fn what_a_layout_cannot_say_is_told() {
        let (layout, _) = check(
            "max_age_days = 90\nminimum_isolation = 'namespaces'\naccepted_erasures = ['gzip-encoding@1']",
            &[
                "name = 'alice'\nscope = ['pkg:npm/a']",
                "name = 'nightly'\nidentity = 'a'\nissuer = 'i'",
                "name = 'gone'\nrevoked = true",
                "name = 'going'\nrevoked = 2099-01-01",
                "name = 'late'\nnot_after = 2026-01-01",
            ],
            None,
        )
        .unwrap();
        assert_eq!(layout.rebuilders, ["alice"]);
        assert_eq!(
            layout.lost,
            [
                Loss::Identity("nightly".to_owned()),
                Loss::Revoked("gone".to_owned()),
                Loss::Revoked("going".to_owned()),
                Loss::Expired("late".to_owned(), "2026-01-01T00:00:00Z".parse().unwrap()),
                Loss::Scope("alice".to_owned(), vec!["pkg:npm/a".to_owned()]),
                Loss::Age(90),
                Loss::Isolation(Isolation::Namespaces),
                Loss::Erasures(vec!["gzip-encoding@1".to_owned()]),
                Loss::Veto,
                Loss::Release,
            ]
        );
    }

    #[test]
    fn one_operator_does_not_meet_a_threshold_alone() {
        let twice = [
            "name = 'a'\noperator = 'X'",
            "name = 'b'\noperator = 'X'",
            "name = 'c'",
        ];
        assert_eq!(
            check("threshold = 2", &twice, None).unwrap_err(),
            LayoutError::Operator {
                operator: "X".to_owned(),
                first: "a".to_owned(),
                second: "b".to_owned(),
            }
        );
        // Where one is enough, it does not matter whose it is.
        assert!(check("threshold = 1", &twice, None).is_ok());
    }

    #[test]
    fn a_threshold_that_nobody_can_meet_is_refused() {
        let refused = |top: &str, rebuilders: &[&str], counted| {
            let Err(LayoutError::Threshold { counted: found, .. }) = check(top, rebuilders, None)
            else {
                panic!("{top}");
            };
            assert_eq!(found, counted, "{top}");
        };
        refused("", &[], 0);
        refused("threshold = 1", &["name = 'a'\nrevoked = true"], 0);
        refused(
            "threshold = 2",
            &["name = 'a'", "name = 'b'\nidentity = 'a'\nissuer = 'i'"],
            1,
        );
        refused("threshold = 5000000000", &["name = 'a'"], 1);
    }

    #[test]
    fn a_layout_ends_no_later_than_the_trust_in_anybody() {
        let until = ["name = 'a'\nnot_after = 2027-01-01", "name = 'b'"];
        let expires = |wanted| check("", &until, wanted).map(|(layout, _)| layout.expires);
        let end: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(expires(None), Ok(end));
        assert_eq!(
            expires(Some("2026-12-01T00:00:00Z")),
            Ok("2026-12-01T00:00:00Z".parse().unwrap())
        );
        assert!(matches!(
            expires(Some("2027-01-02T00:00:00Z")),
            Err(LayoutError::Outlives { last, .. }) if last == end
        ));
        assert!(matches!(
            expires(Some("2026-11-26T12:00:00Z")),
            Err(LayoutError::Expired(_))
        ));
    }

    #[test]
    fn keys_are_called_as_securesystemslib_calls_them() {
        // Named by securesystemslib 1.6.0, `SSlibKey.from_crypto(key).keyid`.
        let pem = "-----BEGIN PUBLIC KEY-----\n\
            MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVb90zcC7u45/IsBlcVAnQyiEQAdV\n\
            dH8p0xI9pah0HcXQiEgEM146X4OoucX1CXawMmEN6m/gpsHwjuAyu34fxw==\n\
            -----END PUBLIC KEY-----\n";
        let key = PublicKey::parse(pem).unwrap();
        assert_eq!(
            key_name(&key),
            "0b436e810869c23f999aa0e99409152fe9bebbf885f69b4df4aebbc9f32bbfbd"
        );
    }
}
