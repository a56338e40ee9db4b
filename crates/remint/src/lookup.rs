//! Whether others have rebuilt a file already, and whether the user's policy takes their word for it.
//!
//! Nothing here makes an outcome better than the policy allows: what is absent, silent or unreadable is said, and then
//! the file is rebuilt, or the question stays open where the user forbids that.

use jiff::Timestamp;
use remint_attest::layout::{self, INDEX, Index, LARGEST_INDEX};
use remint_attest::trust::{Authentic, Decision, Policy, Saying, Verdict, decide};
use remint_attest::{ArtifactDigests, Bundle, LARGEST_BUNDLE, StatementKind};
use remint_fetch::{AttestationStore, FetchError};
use remint_judge::{AttestedFailure, ResultEvidence};
use remint_model::{Basis, Comparison, Erasure, InconclusiveReason};

use crate::build::chain;
use crate::cli::{Rebuild, TrustOptions};
use crate::commands::trust::read_policy;
use crate::pipeline::Request;
use crate::progress::Progress;
use crate::resolve::Case;
use crate::settings::Settings;

/// The most bundles that are read about one file from one place.
const MOST_BUNDLES: usize = 200;

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
    if about_another_source && trust.rebuild == Rebuild::Auto {
        return Consulted::Open(vec![
            "no attestation was looked for: what you said of the source is another question"
                .to_owned(),
        ]);
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
    let mut notes: Vec<String> = decision.counted.iter().filter_map(told).collect();
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
    let wanted = [StatementKind::Comparison, StatementKind::Summary];
    let entries: Vec<_> = index
        .attestations
        .iter()
        .filter(|entry| entry.artifact == case.artifact.sha256)
        .filter(|entry| wanted.iter().any(|kind| kind.name() == entry.kind))
        .filter(|entry| {
            trust
                .policy
                .rebuilders
                .iter()
                .any(|rebuilder| rebuilder.signer.id().as_str() == entry.signer)
        })
        .collect();
    // The newest are last.
    for entry in entries.iter().rev().take(MOST_BUNDLES) {
        let path = format!("{folder}/{}", entry.path);
        let missing = || {
            format!(
                "attestations at {}: {path} is listed and not there",
                store.named()
            )
        };
        match store.read(&path, LARGEST_BUNDLE as u64).await? {
            Some(text) => match Bundle::parse(&text) {
                Ok(bundle) => gathered.bundles.push(bundle),
                Err(refusal) => gathered
                    .faults
                    .push(format!("{path}: {}: {refusal}", refusal.reason)),
            },
            None => gathered.faults.push(missing()),
        }
    }
    Ok(())
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
