//! Asks for the provenance that others offer for a published file, while the file is rebuilt, and finds out whether it
//! holds. What it says is judged elsewhere.

use std::sync::Arc;

use remint_attest::registry_provenance::{Offer, OfferedFor, RegistryKeys, Trusted};
use remint_attest::{ArtifactDigests, Instance, TrustRoot};
use remint_ecosystem::ReleaseFile;
use remint_fetch::source::FoundSource;
use remint_fetch::{ProvenanceReply, Registries};
use remint_judge::checks::{SourceAgreement, source_agreement};
use remint_model::{
    CommitId, Ecosystem, OfferedProvenance, Provenance, ProvenanceAnswer, ProvenanceOrigin,
    ProvenanceStanding, RepositoryUrl, Target, VerifiedProvenance,
};
use tokio::task::JoinHandle;

use crate::resolve::Case;

/// Asks the registry that served a file. A file of the user's is nobody's to vouch for, and nobody is asked.
pub(crate) fn ask(
    case: &Case,
    registries: &Arc<Registries>,
) -> JoinHandle<anyhow::Result<Provenance>> {
    let asking = Asking::of(case, registries);
    tokio::spawn(async move {
        match asking {
            Some(asking) => asking.ask().await,
            None => Ok(Provenance::default()),
        }
    })
}

/// What asking takes, apart from the case: it goes on while that is rebuilt.
struct Asking {
    registries: Arc<Registries>,
    target: Target,
    digests: ArtifactDigests,
    file: ReleaseFile,
}

impl Asking {
    fn of(case: &Case, registries: &Arc<Registries>) -> Option<Self> {
        if case.origin != "registry" {
            return None;
        }
        let files = &case.release.as_ref()?.files;
        let file = files.iter().find(|file| file.name == case.artifact.name)?;
        Some(Self {
            registries: Arc::clone(registries),
            target: case.target.clone(),
            digests: digests(case),
            file: file.clone(),
        })
    }

    async fn ask(self) -> anyhow::Result<Provenance> {
        let reply = self.registries.provenance(&self.target, &self.file).await;
        let origin = match self.target.ecosystem {
            Ecosystem::Npm => ProvenanceOrigin::Npm,
            Ecosystem::Pypi => ProvenanceOrigin::Pypi,
            Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => {
                return Ok(Provenance::default());
            }
        };
        let answer = match offer(reply, origin) {
            Ok(offer) => {
                let keys = if offer.wants_keys() {
                    self.keys().await
                } else {
                    None
                };
                let of = OfferedFor {
                    target: &self.target,
                    digests: &self.digests,
                };
                ProvenanceAnswer::Offered(claims(&offer, of, keys.as_ref())?)
            }
            Err(answer) => answer,
        };
        Ok(Provenance {
            offered: vec![OfferedProvenance {
                origin,
                announced: self.file.provenance.is_some(),
                answer,
            }],
            before: self.file.provenance_before,
            commits_of_source: Vec::new(),
        })
    }

    /// Without its keys, what the registry itself signed stays unchecked.
    async fn keys(&self) -> Option<RegistryKeys> {
        match self.registries.registry_keys(&self.target.name).await {
            ProvenanceReply::Document(text) => RegistryKeys::parse(&text).ok(),
            ProvenanceReply::NoneOffered
            | ProvenanceReply::Unreachable(_)
            | ProvenanceReply::Unreadable(_) => None,
        }
    }
}

/// Completes what the registry answered by what the source itself tells, once that is known.
pub(crate) async fn complete(
    provenance: &mut Provenance,
    case: &Case,
    found: &FoundSource,
    registries: &Registries,
) -> anyhow::Result<()> {
    if let (Some(repository), "registry") = (on_github(&found.pin.repository), case.origin) {
        let digests = digests(case);
        let reply = registries
            .github_attestations(&repository, &digests.sha256)
            .await;
        let answer = match offer(reply, ProvenanceOrigin::GitHub) {
            Ok(offer) => {
                let of = OfferedFor {
                    target: &case.target,
                    digests: &digests,
                };
                ProvenanceAnswer::Offered(claims(&offer, of, None)?)
            }
            Err(answer) => answer,
        };
        provenance.offered.push(OfferedProvenance {
            origin: ProvenanceOrigin::GitHub,
            announced: false,
            answer,
        });
    }
    let elsewhere: Vec<CommitId> = verified(provenance)
        .filter(|claim| {
            source_agreement(claim, Some(&found.pin)) == SourceAgreement::OtherRepository
        })
        .filter_map(|claim| claim.source_commit.as_ref()?.parse().ok())
        .collect();
    for commit in elsewhere {
        if provenance.commits_of_source.contains(&commit) {
            continue;
        }
        let found = found.clone();
        let asked = tokio::task::spawn_blocking(move || {
            found.reaches(&commit).map(|reaches| (commit, reaches))
        });
        // A repository that does not tell leaves the claim as it is.
        if let Ok((commit, true)) = asked.await? {
            provenance.commits_of_source.push(commit);
        }
    }
    Ok(())
}

fn digests(case: &Case) -> ArtifactDigests {
    ArtifactDigests {
        sha256: case.artifact.sha256,
        sha512: Some(case.artifact.sha512),
    }
}

/// Reads a reply; whatever is no offer is an answer by itself.
fn offer(reply: ProvenanceReply, origin: ProvenanceOrigin) -> Result<Offer, ProvenanceAnswer> {
    match reply {
        ProvenanceReply::Document(text) => match Offer::parse(origin, &text) {
            Ok(offer) if offer.is_empty() => Err(ProvenanceAnswer::NoneOffered),
            Ok(offer) => Ok(offer),
            Err(error) => Err(ProvenanceAnswer::Unreadable(error.to_string())),
        },
        ProvenanceReply::NoneOffered => Err(ProvenanceAnswer::NoneOffered),
        ProvenanceReply::Unreachable(reason) => Err(ProvenanceAnswer::Unreachable(reason)),
        ProvenanceReply::Unreadable(reason) => Err(ProvenanceAnswer::Unreadable(reason)),
    }
}

fn claims(
    offer: &Offer,
    of: OfferedFor<'_>,
    keys: Option<&RegistryKeys>,
) -> anyhow::Result<Vec<remint_model::ProvenanceClaim>> {
    let root = TrustRoot::embedded(Instance::PublicGood)?;
    Ok(offer.claims(of, Trusted { root: &root, keys }))
}

/// Every claim that holds.
pub(crate) fn verified(provenance: &Provenance) -> impl Iterator<Item = &VerifiedProvenance> {
    provenance
        .offered
        .iter()
        .flat_map(|offered| match &offered.answer {
            ProvenanceAnswer::Offered(claims) => claims.as_slice(),
            ProvenanceAnswer::NoneOffered
            | ProvenanceAnswer::Unreachable(_)
            | ProvenanceAnswer::Unreadable(_) => &[],
        })
        .filter_map(|claim| match &claim.standing {
            ProvenanceStanding::Verified(verified) => Some(&**verified),
            ProvenanceStanding::Refused(_) | ProvenanceStanding::Unchecked(_) => None,
        })
}

/// `owner/name` of a repository on GitHub.
fn on_github(repository: &str) -> Option<String> {
    let url: RepositoryUrl = repository
        .contains("://")
        .then(|| repository.parse().ok())??;
    let (_, path) = url.display_short().split_once('/')?;
    (url.host() == "github.com").then(|| path.to_owned())
}
