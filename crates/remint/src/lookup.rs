//! Whether others have rebuilt a file already, and whether the user's policy takes their word for it.
//!
//! Nothing here makes an outcome better than the policy allows: what is absent, silent or unreadable is said, and then
//! the file is rebuilt, or the question stays open where the user forbids that.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;
use remint_attest::layout::{self, INDEX, Index, IndexEntry, LARGEST_INDEX, SignerId};
use remint_attest::trust::{Authentic, Decision, Policy, Saying, Verdict, decide};
use remint_attest::{ArtifactDigests, Bundle, LARGEST_BUNDLE, StatementKind};
use remint_fetch::{AttestationStore, FetchError};
use remint_judge::{AttestedFailure, ResultEvidence};
use remint_model::{Basis, Comparison, Erasure, InconclusiveReason, Sha256};

use crate::build::chain;
use crate::cli::{Rebuild, TrustOptions};
use crate::commands::trust::read_policy;
use crate::pipeline::Request;
use crate::progress::Progress;
use crate::resolve::Case;
use crate::settings::Settings;

/// The most bundles that are read about one file from one place.
const MOST_BUNDLES: usize = 200;

/// The most bytes that all bundles about one file may have together.
const MOST_BYTES: usize = 64 << 20;

/// Whose word is taken, and where it is looked for.
#[derive(Debug)]
pub(crate) struct Trusting {
    policy: Policy,
    stores: Vec<AttestationStore>,
    rebuild: Rebuild,
    now: Timestamp,
}

impl Trusting {
    /// What the options ask for; `None` where nobody's word is to be taken.
    ///
    /// # Errors
    /// The policy cannot be used, or a place is none.
    pub(crate) fn resolve(
        options: &TrustOptions,
        settings: &Settings,
    ) -> anyhow::Result<Option<Self>> {
        let Some(policy) = &options.trust else {
            anyhow::ensure!(
                options.rebuild != Rebuild::Never,
                crate::failure::Usage(
                    "`--rebuild never` needs attestations to go by: give --trust and --attestations"
                        .to_owned()
                )
            );
            return Ok(None);
        };
        let stores = options
            .attestations
            .iter()
            .map(|named| AttestationStore::open(named, &settings.user))
            .collect::<Result<_, _>>()?;
        Ok(Some(Self {
            policy: read_policy(policy, options.trusted_root.as_ref(), settings)?,
            stores,
            rebuild: options.rebuild,
            now: settings.now,
        }))
    }
}

/// What asking came to.
pub(crate) enum Consulted {
    /// Nothing is to be rebuilt.
    Settled(Settled),
    /// It is to be rebuilt; why, in words.
    Open(Vec<String>),
}

/// What attestations settle.
pub(crate) struct Settled {
    pub(crate) result: ResultEvidence,
    pub(crate) failures: Vec<AttestedFailure>,
    pub(crate) notes: Vec<String>,
    pub(crate) seconds: f64,
}

/// Looks for attestations of a published file and weighs them.
pub(crate) async fn consult(
    case: &Case,
    trust: &Trusting,
    request: &Request,
    progress: &Progress,
) -> Consulted {
    if trust.rebuild == Rebuild::Always {
        return Consulted::Open(Vec::new());
    }
    let overrides = &request.overrides;
    let about_another_source = request.from_sdist
        || overrides.source.is_some()
        || overrides.reference.is_some()
        || overrides.subdirectory.is_some();
    if about_another_source {
        let words =
            "no attestation was looked for: what you said of the source is another question";
        return unsettled(trust, words, Vec::new(), 0.0, &Gathered::default());
    }
    let stage = progress.begin("trust", "looking for attestations");
    let gathered = gather(case, trust).await;
    let digests = ArtifactDigests {
        sha256: case.artifact.sha256,
        sha512: Some(case.artifact.sha512),
    };
    let decision = decide(
        &trust.policy,
        &gathered.bundles,
        &digests,
        Some(&case.target),
        trust.now,
    );
    let words = words(&decision, &gathered);
    let seconds = stage.end(&words);
    // Several statements of one signer are one word.
    let told: BTreeSet<String> = decision.counted.iter().filter_map(told).collect();
    let mut notes: Vec<String> = told.into_iter().collect();
    notes.extend(gathered.faults.iter().cloned());
    let settled = |result, failures, notes| {
        Consulted::Settled(Settled {
            result,
            failures,
            notes,
            seconds,
        })
    };
    match &decision.verdict {
        Verdict::Failed => {
            let failures = decision.counted.iter().filter_map(failure).collect();
            let result = ResultEvidence::NotCompared {
                reason: InconclusiveReason::NotBuilt,
                detail: "it was not rebuilt: somebody trusted found that it failed".to_owned(),
            };
            settled(result, failures, notes)
        }
        // A place that cannot be read may hold somebody's FAILED.
        Verdict::Passed if !gathered.faults.is_empty() => unsettled(
            trust,
            "not all attestations could be read",
            notes,
            seconds,
            &gathered,
        ),
        Verdict::Passed => match comparison(&decision) {
            Some(comparison) => {
                let result = ResultEvidence::Compared {
                    basis: Basis::Attestation,
                    comparison,
                };
                settled(result, Vec::new(), notes)
            }
            None => unsettled(
                trust,
                "an attestation names an erasure that is not known here",
                notes,
                seconds,
                &gathered,
            ),
        },
        Verdict::NoJudgement | Verdict::Refused(_) => {
            unsettled(trust, &words, notes, seconds, &gathered)
        }
    }
}

fn unsettled(
    trust: &Trusting,
    words: &str,
    mut notes: Vec<String>,
    seconds: f64,
    gathered: &Gathered,
) -> Consulted {
    if trust.rebuild == Rebuild::Never {
        return Consulted::Settled(Settled {
            result: ResultEvidence::NotCompared {
                reason: if gathered.silent {
                    InconclusiveReason::Unavailable
                } else {
                    InconclusiveReason::NotBuilt
                },
                detail: format!("{words}, and `--rebuild never` forbids to rebuild it"),
            },
            failures: Vec::new(),
            notes,
            seconds,
        });
    }
    notes.push(format!("rebuilt: {words}"));
    Consulted::Open(notes)
}

/// What was found, and what stood in the way.
#[derive(Default)]
struct Gathered {
    bundles: Vec<Bundle>,
    bytes: usize,
    faults: Vec<String>,
    /// Whether a place did not answer: what is not found there may be there.
    silent: bool,
}

async fn gather(case: &Case, trust: &Trusting) -> Gathered {
    let mut gathered = Gathered::default();
    for store in &trust.stores {
        if let Err(fault) = gather_from(case, trust, store, &mut gathered).await {
            gathered.silent |= matches!(
                fault,
                Fault::Fetch(FetchError::Unavailable { .. } | FetchError::Offline(_))
            );
            gathered.faults.push(format!(
                "attestations at {}: {}",
                store.named(),
                fault.words()
            ));
        }
    }
    gathered
}

enum Fault {
    Fetch(FetchError),
    Index(layout::IndexError),
}

impl Fault {
    fn words(&self) -> String {
        match self {
            Self::Fetch(error) => chain(error),
            Self::Index(error) => error.to_string(),
        }
    }
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

/// Reads what a place has about this file by signers of the policy.
async fn gather_from(
    case: &Case,
    trust: &Trusting,
    store: &AttestationStore,
    gathered: &mut Gathered,
) -> Result<(), Fault> {
    if let Some(referring) = store
        .referring_to(&case.artifact.sha256, MOST_BUNDLES, LARGEST_BUNDLE as u64)
        .await
    {
        for text in referring? {
            match Bundle::parse(&text) {
                Ok(bundle) => gathered.bundles.push(bundle),
                Err(refusal) => gathered.faults.push(format!(
                    "{}: {}: {refusal}",
                    store.named(),
                    refusal.reason
                )),
            }
        }
        return Ok(());
    }
    let folder = layout::artifact_folder(&case.target, &case.artifact.name);
    let Some(text) = store
        .read(&format!("{folder}/{INDEX}"), LARGEST_INDEX)
        .await?
    else {
        return Ok(());
    };
    let index = Index::parse(&text).map_err(Fault::Index)?;
    let signers = trust.policy.rebuilders.iter();
    let signers: Vec<SignerId> = signers.map(|rebuilder| rebuilder.signer.id()).collect();
    let entries = newest_first(&index, &case.artifact.sha256, &signers);
    let fault = |words: String| format!("attestations at {}: {words}", store.named());
    if entries.len() > MOST_BUNDLES {
        // Any of the others may be somebody's FAILED.
        gathered.faults.push(fault(format!(
            "{} are listed, and {MOST_BUNDLES} is the most that is read",
            entries.len()
        )));
    }
    for entry in entries.into_iter().take(MOST_BUNDLES) {
        let path = format!("{folder}/{}", entry.path);
        let Some(text) = store.read(&path, LARGEST_BUNDLE as u64).await? else {
            let words = format!("{path} is listed and not there");
            gathered.faults.push(fault(words));
            continue;
        };
        gathered.bytes = gathered.bytes.saturating_add(text.len());
        if gathered.bytes > MOST_BYTES {
            let words = format!("more than {MOST_BYTES} bytes, which is the most that is read");
            gathered.faults.push(fault(words));
            break;
        }
        if Sha256::of(&text) != entry.sha256 {
            let words = format!("{path} is not the bundle that is listed");
            gathered.faults.push(fault(words));
            continue;
        }
        match Bundle::parse(&text) {
            Ok(bundle) => gathered.bundles.push(bundle),
            Err(refusal) => gathered
                .faults
                .push(format!("{path}: {}: {refusal}", refusal.reason)),
        }
    }
    Ok(())
}

/// The judgements of this file by these signers, the newest first, whoever signed them: a file's name begins with its
/// time.
fn newest_first<'a>(
    index: &'a Index,
    artifact: &Sha256,
    signers: &[SignerId],
) -> Vec<&'a IndexEntry> {
    let wanted = [StatementKind::Comparison, StatementKind::Summary];
    let mut entries: Vec<&IndexEntry> = index
        .attestations
        .iter()
        .filter(|entry| entry.artifact == *artifact)
        .filter(|entry| wanted.iter().any(|kind| kind.name() == entry.kind))
        .filter(|entry| signers.iter().any(|signer| signer.as_str() == entry.signer))
        .collect();
    entries.sort_by_key(|entry| Reverse(entry.path.rsplit('/').next()));
    entries
}

fn words(decision: &Decision, gathered: &Gathered) -> String {
    match &decision.verdict {
        Verdict::Passed => "trusted rebuilders found that it is what its source builds".to_owned(),
        Verdict::Failed => "a trusted rebuilder found that it failed".to_owned(),
        Verdict::NoJudgement => "attestations carry no judgement of it".to_owned(),
        Verdict::Refused(_) if gathered.bundles.is_empty() && gathered.faults.is_empty() => {
            "nobody trusted has attested it".to_owned()
        }
        Verdict::Refused(_) if gathered.bundles.is_empty() => {
            "attestations could not be read".to_owned()
        }
        Verdict::Refused(refusal) => format!("attestations do not suffice: {refusal}"),
    }
}

fn told(statement: &Authentic) -> Option<String> {
    match &statement.saying {
        Saying::Passed { .. } => Some(format!(
            "attested by {} ({}), {}",
            statement.rebuilder, statement.operator, statement.signer
        )),
        Saying::Failed(_) | Saying::Nothing(_) => None,
    }
}

fn failure(statement: &Authentic) -> Option<AttestedFailure> {
    match &statement.saying {
        Saying::Failed(words) => Some(AttestedFailure {
            rebuilder: format!("{} ({})", statement.rebuilder, statement.signer),
            words: words.clone(),
        }),
        Saying::Passed { .. } | Saying::Nothing(_) => None,
    }
}

/// The comparison that the statements tell of: with every erasure that any of them needed. `None` where one is not
/// known here.
fn comparison(decision: &Decision) -> Option<Comparison> {
    let mut erased: Vec<Erasure> = Vec::new();
    for statement in &decision.counted {
        let Saying::Passed { erasures } = &statement.saying else {
            continue;
        };
        for named in erasures {
            let (name, version) = named.split_once('@')?;
            let version = version.parse().ok()?;
            let known = remint_compare::normalise::ALL
                .iter()
                .find(|normaliser| normaliser.id == name)?;
            let erasure = Erasure {
                normaliser: known.id,
                version,
                paths: Vec::new(),
                count: 1,
            };
            if !erased.contains(&erasure) {
                erased.push(erasure);
            }
        }
    }
    Some(if erased.is_empty() {
        Comparison::Identical
    } else {
        Comparison::Equivalent { erased }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_first_is_the_newest_whoever_signed_it() {
        let [often, once] = ["key-ffffffffffffffff", "key-0000000000000000"];
        let artifact = Sha256::of(b"a");
        let entry = |signer: &str, at: usize, kind: StatementKind| {
            let run = format!("202611{:02}T{:02}0000Z", 1 + at / 24, at % 24);
            IndexEntry {
                path: format!(
                    "0123456789abcdef/{signer}/{}",
                    layout::bundle_name(&run, kind)
                ),
                artifact,
                kind: kind.name().to_owned(),
                signer: signer.to_owned(),
                sha256: Sha256::of(b""),
            }
        };
        let runs = (0..300).map(|at| entry(often, at, StatementKind::Summary));
        let newest = entry(once, 301, StatementKind::Comparison);
        let foreign = IndexEntry {
            artifact: Sha256::of(b"b"),
            ..entry(once, 302, StatementKind::Summary)
        };
        let index = Index::default().with(runs).with([
            newest.clone(),
            foreign,
            entry(once, 303, StatementKind::Provenance),
            entry("key-1111111111111111", 304, StatementKind::Summary),
        ]);
        let signers: Vec<SignerId> = [often, once]
            .iter()
            .map(|name| serde_json::from_value((*name).into()).unwrap())
            .collect();
        let chosen = newest_first(&index, &artifact, &signers);
        assert_eq!(chosen.len(), 301);
        assert_eq!(*chosen[0], newest);
        assert_eq!(*chosen[1], entry(often, 299, StatementKind::Summary));
    }
}
