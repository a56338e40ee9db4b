//! What a policy makes of attestations about one file.
//!
//! A statement counts when it is authentic and its signer is in the policy, inside their scope, neither expired nor
//! revoked. A FAILED that counts vetoes any number of PASSED.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use remint_model::{Spec, Target};
use sigstore_crypto::parse_certificate_info;

use super::policy::{Isolation, Policy, Rebuilder, Revocation, Signer};
use crate::bundle::Bundle;
use crate::compose::StatementKind;
use crate::digests::ArtifactDigests;
use crate::predicate::{
    AttemptV1, ComparisonResult, ComparisonV0_1, JudgementPolicy, ProvenanceV1, SummaryContent,
    SummaryV1, VerificationResult, uri,
};
use crate::refusal::{Refusal, RefusalReason};
use crate::verify::{TimeEvidence, Verified};

/// How far two honest clocks may be apart.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);

/// What the names of remint's rules begin with, whatever their version.
const JUDGEMENT_POLICIES: &str = "urn:x-remint:policy:judgement:";

/// What attestations about a file amount to under a policy.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What is decided.
    pub verdict: Verdict,
    /// The statements that count, in the order of the bundles.
    pub counted: Vec<Authentic>,
    /// The bundles that do not, by their position, and why.
    pub refused: Vec<(usize, Refusal)>,
}

/// The ends that a decision can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Enough independent operators found that the file is what its source builds.
    Passed,
    /// Somebody who is trusted found that it is not, or that something is wrong with it.
    Failed,
    /// What counts carries no judgement of the file.
    NoJudgement,
    /// Nothing counts, or not enough.
    Refused(Refusal),
}

/// A statement that counts.
#[derive(Debug, Clone)]
pub struct Authentic {
    /// The bundle's position.
    pub bundle: usize,
    /// Who signed it, as the policy calls them.
    pub rebuilder: String,
    /// Whose machines they are.
    pub operator: String,
    /// How they sign, for people.
    pub signer: String,
    /// The kind of statement.
    pub kind: StatementKind,
    /// The release that it is about, as a purl; `None` for provenance of another tool.
    pub release: Option<String>,
    /// When the work that it tells of ended, by its own word.
    pub stated: Option<Timestamp>,
    /// What says when it was signed.
    pub time: TimeEvidence,
    /// What it says.
    pub saying: Saying,
}

/// What a statement says about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// It is what its source builds.
    Passed {
        /// The erasures that were needed, as `name@version`; none means identical.
        erasures: Vec<String>,
    },
    /// It is not, or something is wrong with it; in words.
    Failed(String),
    /// Nothing about whether it is; in words.
    Nothing(String),
}

/// Decides. `expect` is the release that was asked for; without it, a statement may be about any release that has this
/// very file.
#[must_use]
pub fn decide(
    policy: &Policy,
    bundles: &[Bundle],
    artifact: &ArtifactDigests,
    expect: Option<&Target>,
    now: Timestamp,
) -> Decision {
    let mut counted = Vec::new();
    let mut refused = Vec::new();
    for (at, bundle) in bundles.iter().enumerate() {
        match weigh(policy, bundle, at, artifact, expect, now) {
            Ok(statement) => counted.push(statement),
            Err(refusal) => refused.push((at, refusal)),
        }
    }
    let failed = counted
        .iter()
        .any(|statement: &Authentic| matches!(statement.saying, Saying::Failed(_)));
    let operators = most_operators(&counted);
    let verdict = if failed {
        Verdict::Failed
    } else if operators >= policy.threshold {
        Verdict::Passed
    } else if operators > 0 {
        Verdict::Refused(Refusal::new(
            RefusalReason::ThresholdNotMet,
            format!(
                "{operators} of {} independent operators found that it is what its source builds",
                policy.threshold
            ),
        ))
    } else if let Some((_, refusal)) = refused.first() {
        Verdict::Refused(refusal.clone())
    } else if counted.is_empty() {
        Verdict::Refused(Refusal::new(
            RefusalReason::ThresholdNotMet,
            "there is no attestation of this file",
        ))
    } else {
        Verdict::NoJudgement
    };
    Decision {
        verdict,
        counted,
        refused,
    }
}

/// How many independent operators say the same: that the file is what the source of one release builds.
fn most_operators(counted: &[Authentic]) -> usize {
    let mut agreed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in counted {
        if let (Saying::Passed { .. }, Some(release)) = (
            &statement.saying,
            statement.release.as_deref().and_then(release_of),
        ) {
            let one = format!(
                "{} {} {}",
                release.ecosystem.name(),
                release.name,
                release.version
            );
            // Spelling makes nobody independent of himself.
            let words: Vec<&str> = statement.operator.split_whitespace().collect();
            let operators = agreed.entry(one).or_default();
            operators.insert(words.join(" ").to_lowercase());
        }
    }
    agreed.values().map(BTreeSet::len).max().unwrap_or_default()
}

/// The release that a statement names.
fn release_of(text: &str) -> Option<Target> {
    match text.parse() {
        Ok(Spec::Release {
            ecosystem,
            name,
            version: Some(version),
            file,
        }) => Some(Target {
            ecosystem,
            name,
            version,
            file,
        }),
        Ok(Spec::Release { version: None, .. } | Spec::File(_) | Spec::Image(_)) | Err(_) => None,
    }
}

/// One bundle: who, authentic, about what, still believed, and what it says.
fn weigh(
    policy: &Policy,
    bundle: &Bundle,
    at: usize,
    artifact: &ArtifactDigests,
    expect: Option<&Target>,
    now: Timestamp,
) -> Result<Authentic, Refusal> {
    let rebuilder = signer_of(policy, bundle)?;
    let verified = rebuilder.expected().verify(bundle, artifact)?;
    let read = read(&verified)?;
    check_release(&read, rebuilder, expect)?;
    check_standing(rebuilder, verified.time(), now)?;
    if !matches!(read.saying, Saying::Failed(_)) {
        check_age(policy, &read, verified.time(), now)?;
    }
    if let Saying::Passed { erasures } = &read.saying {
        check_strength(policy, &read, erasures)?;
    }
    Ok(Authentic {
        bundle: at,
        rebuilder: rebuilder.name.clone(),
        operator: rebuilder.operator.clone(),
        signer: rebuilder.signer.to_string(),
        kind: read.kind,
        release: read.release,
        stated: read.stated,
        time: verified.time(),
        saying: read.saying,
    })
}

/// Who in the policy could have signed this bundle; whether they did is verified afterwards.
fn signer_of<'a>(policy: &'a Policy, bundle: &Bundle) -> Result<&'a Rebuilder, Refusal> {
    if let Some(hint) = bundle.key_hint() {
        return policy
            .rebuilders
            .iter()
            .find(|rebuilder| match &rebuilder.signer {
                Signer::Key(key, _) => key.id().to_string() == hint,
                Signer::Identity { .. } => false,
            })
            .ok_or_else(|| {
                Refusal::new(
                    RefusalReason::SignerUnknown,
                    format!(
                        "the policy does not have key `{}`",
                        hint.escape_debug().take(80).collect::<String>()
                    ),
                )
            });
    }
    let certificate = bundle
        .inner
        .signing_certificate()
        .ok_or_else(|| {
            Refusal::new(
                RefusalReason::BundleMalformed,
                "the bundle names neither a key nor a certificate",
            )
        })
        .and_then(|certificate| {
            parse_certificate_info(certificate)
                .map_err(|error| Refusal::new(RefusalReason::CertificateInvalid, error.to_string()))
        })?;
    let claimed = certificate
        .identity
        .as_ref()
        .map_or("", sigstore_crypto::SubjectAltName::as_str);
    let claimed_issuer = certificate.issuer.as_deref().unwrap_or_default();
    // The nearest: verification then says what differs.
    let rank = |rebuilder: &Rebuilder| match &rebuilder.signer {
        Signer::Identity { identity, issuer } => {
            2 * usize::from(identity == claimed) + usize::from(issuer == claimed_issuer)
        }
        Signer::Key(..) => 0,
    };
    policy
        .rebuilders
        .iter()
        .filter(|rebuilder| rank(rebuilder) > 0)
        .max_by_key(|rebuilder| rank(rebuilder))
        .ok_or_else(|| {
            Refusal::new(
                RefusalReason::SignerUnknown,
                format!(
                    "the policy does not have `{}` of `{}`",
                    claimed.escape_debug().take(200).collect::<String>(),
                    claimed_issuer.escape_debug().take(200).collect::<String>()
                ),
            )
        })
}

/// What a verified statement says, apart from whether that is enough.
struct Read {
    kind: StatementKind,
    release: Option<String>,
    stated: Option<Timestamp>,
    isolation: Option<String>,
    saying: Saying,
}

fn read(verified: &Verified) -> Result<Read, Refusal> {
    let statement = verified.statement();
    match statement.predicate_type.as_str() {
        uri::COMPARISON => read_comparison(verified, &statement.typed()?),
        uri::SUMMARY => read_summary(&statement.typed()?),
        uri::ATTEMPT => {
            let attempt: AttemptV1 = statement.typed()?;
            Ok(Read {
                kind: StatementKind::Attempt,
                stated: moment(&attempt.finished_on)?,
                saying: Saying::Nothing(format!(
                    "it could not be judged ({}): {}",
                    printable(&attempt.reason),
                    printable(&attempt.detail)
                )),
                release: Some(attempt.resource_uri),
                isolation: None,
            })
        }
        uri::PROVENANCE => {
            // Other tools write this type as well; what they claim is not judged here.
            let ours: Option<ProvenanceV1> = statement
                .typed::<ProvenanceV1>()
                .ok()
                .filter(|provenance| provenance.build_definition.build_type == uri::BUILD_TYPE);
            Ok(Read {
                kind: StatementKind::Provenance,
                stated: ours
                    .as_ref()
                    .map(|provenance| moment(&provenance.run_details.metadata.finished_on))
                    .transpose()?
                    .flatten(),
                release: ours
                    .map(|provenance| provenance.build_definition.external_parameters.package),
                isolation: None,
                saying: Saying::Nothing("it says how a file was built".to_owned()),
            })
        }
        other => Err(Refusal::new(
            RefusalReason::PredicateUnexpected,
            format!("a statement of type `{}` judges nothing", printable(other)),
        )),
    }
}

fn read_comparison(verified: &Verified, comparison: &ComparisonV0_1) -> Result<Read, Refusal> {
    let malformed = |detail: &str| Refusal::new(RefusalReason::StatementMalformed, detail);
    let release = comparison
        .configuration
        .iter()
        .find(|entry| entry.resource.name.as_deref() == Some("release"))
        .ok_or_else(|| malformed("the comparison does not say of which release"))?;
    let notes = release
        .annotations
        .as_ref()
        .ok_or_else(|| malformed("the comparison does not say how it was made"))?;
    if release.resource.digest.get("sha256") != verified.subject().digest.get("sha256") {
        return Err(malformed(
            "the comparison is about another file than its subject",
        ));
    }
    let consistent = match comparison.result {
        ComparisonResult::Passed => {
            comparison.warned_tests.is_empty() && comparison.failed_tests.is_empty()
        }
        ComparisonResult::Warned => {
            !comparison.warned_tests.is_empty() && comparison.failed_tests.is_empty()
        }
        // A failure that says little is one all the same.
        ComparisonResult::Failed => true,
    };
    if !consistent {
        return Err(malformed("the comparison contradicts itself"));
    }
    let saying = match (comparison.result, notes.outcome.as_str()) {
        (ComparisonResult::Failed, _) => Saying::Failed(format!(
            "it differs from what its source builds: {}",
            comparison
                .failed_tests
                .iter()
                .take(3)
                .map(|test| printable(test))
                .collect::<Vec<_>>()
                .join(", ")
        )),
        (_, "failed") => Saying::Failed(
            "it is what its source builds, and the release failed for another reason".to_owned(),
        ),
        (_, "verified") => Saying::Passed {
            erasures: comparison.warned_tests.clone(),
        },
        (_, other) => {
            return Err(malformed(&format!(
                "`{}` is no outcome of a comparison",
                printable(other)
            )));
        }
    };
    Ok(Read {
        kind: StatementKind::Comparison,
        release: release.resource.uri.clone(),
        stated: moment_of(&saying, &notes.finished_on)?,
        isolation: Some(notes.isolation.clone()),
        saying,
    })
}

fn read_summary(summary: &SummaryV1) -> Result<Read, Refusal> {
    let malformed = |detail: &str| Refusal::new(RefusalReason::StatementMalformed, detail);
    let policy = JudgementPolicy::descriptor();
    let failed = summary.verification_result == VerificationResult::Failed;
    let named = summary.policy.uri.as_deref().unwrap_or_default();
    // Rules of another version may pass what these would not; whoever fails it by them has found something.
    let failed_by_our_rules = failed && named.starts_with(JUDGEMENT_POLICIES);
    let understood = summary.policy.uri == policy.uri && summary.policy.digest == policy.digest;
    if !understood && !failed_by_our_rules {
        return Err(Refusal::new(
            RefusalReason::PredicateUnexpected,
            format!(
                "the summary follows the policy `{}`, whose meaning is not known here",
                printable(summary.policy.uri.as_deref().unwrap_or("without a name"))
            ),
        ));
    }
    let saying = match (summary.verification_result, summary.content) {
        (VerificationResult::Failed, _) => Saying::Failed("the release failed".to_owned()),
        (VerificationResult::Passed, SummaryContent::Identical) if summary.erasures.is_empty() => {
            Saying::Passed {
                erasures: Vec::new(),
            }
        }
        (VerificationResult::Passed, SummaryContent::Equivalent)
            if !summary.erasures.is_empty() =>
        {
            Saying::Passed {
                erasures: summary.erasures.clone(),
            }
        }
        (VerificationResult::Passed, _) => {
            return Err(malformed("the summary contradicts itself"));
        }
    };
    Ok(Read {
        kind: StatementKind::Summary,
        release: Some(summary.resource_uri.clone()),
        stated: moment_of(&saying, &summary.time_verified)?,
        isolation: summary.isolation.clone(),
        saying,
    })
}

/// It is about the release that was asked for, and the signer's word counts for that.
fn check_release(
    read: &Read,
    rebuilder: &Rebuilder,
    expect: Option<&Target>,
) -> Result<(), Refusal> {
    let Some(release) = &read.release else {
        return if matches!(read.saying, Saying::Nothing(_)) {
            Ok(())
        } else {
            Err(Refusal::new(
                RefusalReason::StatementMalformed,
                "the statement does not say of which release",
            ))
        };
    };
    let malformed = || {
        Refusal::new(
            RefusalReason::StatementMalformed,
            format!("`{}` is no release", printable(release)),
        )
    };
    let stated = release_of(release).ok_or_else(malformed)?;
    if let Some(expect) = expect {
        let files_differ = match (&expect.file, &stated.file) {
            (Some(expected), Some(stated)) => expected != stated,
            (None, _) | (_, None) => false,
        };
        let same = expect.ecosystem == stated.ecosystem
            && expect.name == stated.name
            && expect.version == stated.version
            && !files_differ;
        if !same {
            return Err(Refusal::new(
                RefusalReason::AnotherRelease,
                format!(
                    "it is about {}, and {} was asked for",
                    stated.short(),
                    expect.short()
                ),
            ));
        }
    }
    if rebuilder.scope.iter().any(|scope| scope.covers(&stated)) {
        Ok(())
    } else {
        Err(Refusal::new(
            RefusalReason::OutOfScope,
            format!(
                "the policy does not take {}'s word for {}",
                rebuilder.name,
                stated.short()
            ),
        ))
    }
}

fn check_standing(
    rebuilder: &Rebuilder,
    time: TimeEvidence,
    now: Timestamp,
) -> Result<(), Refusal> {
    let name = &rebuilder.name;
    let revoked = match rebuilder.revoked {
        None => false,
        Some(Revocation::Entirely) => true,
        Some(Revocation::Since(since)) => match time {
            TimeEvidence::Independent(signed) => signed >= since,
            // Whoever has the key can write any time.
            TimeEvidence::SelfAsserted => now >= since,
        },
    };
    if revoked {
        return Err(Refusal::new(
            RefusalReason::SignerRevoked,
            format!("the policy has revoked {name}"),
        ));
    }
    let expired = rebuilder.not_after.is_some_and(|last| match time {
        TimeEvidence::Independent(signed) => signed > last,
        TimeEvidence::SelfAsserted => now > last,
    });
    if expired {
        return Err(Refusal::new(
            RefusalReason::SignerExpired,
            format!("the policy takes {name}'s word no longer"),
        ));
    }
    Ok(())
}

fn check_age(
    policy: &Policy,
    read: &Read,
    time: TimeEvidence,
    now: Timestamp,
) -> Result<(), Refusal> {
    let signed = match time {
        TimeEvidence::Independent(signed) => Some(signed),
        TimeEvidence::SelfAsserted => None,
    };
    if let Some(later) = signed.into_iter().chain(read.stated).max()
        && later > now + CLOCKS
    {
        return Err(Refusal::new(
            RefusalReason::ClockDisagrees,
            format!("it was made at {later}, and this machine's clock says {now}"),
        ));
    }
    match (policy.max_age, signed) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Refusal::new(
            RefusalReason::TimeUnproven,
            "the policy limits its age, and nobody but the signer says when it was made",
        )),
        (Some(most), Some(signed)) if now.duration_since(signed) > most => Err(Refusal::new(
            RefusalReason::AttestationStale,
            format!("it was signed at {signed}, longer ago than the policy allows"),
        )),
        (Some(_), Some(_)) => Ok(()),
    }
}

fn check_strength(policy: &Policy, read: &Read, erasures: &[String]) -> Result<(), Refusal> {
    let isolation = read.isolation.as_deref().unwrap_or_default();
    if Isolation::named(isolation).is_none_or(|level| level < policy.minimum_isolation) {
        return Err(Refusal::new(
            RefusalReason::IsolationTooWeak,
            format!(
                "the rebuild had isolation `{}`, and the policy asks for {}",
                printable(isolation),
                policy.minimum_isolation.name()
            ),
        ));
    }
    let unaccepted = policy.unaccepted(erasures);
    if unaccepted.is_empty() {
        Ok(())
    } else {
        let named: Vec<String> = unaccepted.iter().map(|name| printable(name)).collect();
        Err(Refusal::new(
            RefusalReason::ErasureNotAccepted,
            format!(
                "it is the same only once {} is applied, which the policy does not accept",
                named.join(", ")
            ),
        ))
    }
}

/// When a statement says that it was made. A failure is one whenever it was found.
fn moment_of(saying: &Saying, text: &str) -> Result<Option<Timestamp>, Refusal> {
    match saying {
        Saying::Failed(_) => Ok(moment(text).unwrap_or_default()),
        Saying::Passed { .. } | Saying::Nothing(_) => moment(text),
    }
}

/// A time in a statement.
fn moment(text: &str) -> Result<Option<Timestamp>, Refusal> {
    text.parse().map(Some).map_err(|_| {
        Refusal::new(
            RefusalReason::StatementMalformed,
            format!("`{}` is no time", printable(text)),
        )
    })
}

/// What a statement says, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}
