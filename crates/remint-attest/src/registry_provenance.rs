//! What registries offer as provenance of files that others published: npm's attestations and PyPI's (PEP 740), and
//! what GitHub keeps beside a repository.
//!
//! Nobody knows the signer beforehand: any workflow of a known CI service may have signed. [`crate::ExpectedSigner`]
//! has no such wildcard on purpose, so what comes out here is no [`crate::Verified`] but a claim. It is worth nothing
//! until its repository and commit are held against a source that was found without it.
//!
//! What may only be newer than the embedded root, or of a kind that is not understood, is left unchecked rather than
//! refused: it vouches for nothing, and honest releases must not fail when a log or an authority is replaced.

mod answer;
mod keys;
mod sources;

use remint_model::{
    Doubt, Ecosystem, ProvenanceClaim, ProvenanceKind, ProvenanceOrigin, ProvenanceStanding,
    Target, VerifiedProvenance,
};
use sigstore_verify::{
    CertificateError, Error as SigstoreError, PublicKeyVerificationPolicy, TransparencyLogError,
    VerificationPolicy, VerificationResult,
};

pub use answer::{AnswerError, LARGEST_ANSWER, MOST_ATTESTATIONS, Offer};
pub use keys::RegistryKeys;

use crate::bundle::Bundle;
use crate::digests::ArtifactDigests;
use crate::refusal::{Refusal, RefusalReason};
use crate::roots::TrustRoot;
use crate::statement::{Statement, Subject};
use crate::verify::{
    check_signature, check_signature_of_certificate, handed, independent_time, subject_of,
};
use answer::{Item, Publisher};
use sources::{Workload, check_publisher, check_sources};

/// The issuers whose certificates say which repository and commit a workflow ran for.
const CI_ISSUERS: [&str; 2] = [GITHUB_ACTIONS, GITLAB];
const GITHUB_ACTIONS: &str = "https://token.actions.githubusercontent.com";
const GITLAB: &str = "https://gitlab.com";

/// The most log entries or timestamps that one bundle is believed to need; all known ones have one or two.
const MOST_EVIDENCE: usize = 16;

/// The statements that are understood.
const SLSA_V1: &str = "https://slsa.dev/provenance/v1";
const SLSA_V0_2: &str = "https://slsa.dev/provenance/v0.2";
const NPM_PUBLISH: &str = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1";
const PYPI_PUBLISH: &str = "https://docs.pypi.org/attestations/publish/v1";

/// The published file that provenance is offered for.
#[derive(Debug, Clone, Copy)]
pub struct OfferedFor<'a> {
    /// What it is.
    pub target: &'a Target,
    /// Its digests, computed from its bytes.
    pub digests: &'a ArtifactDigests,
}

/// Whom to believe about the signers.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// The public-good instance's root, to which npm, PyPI and public repositories lead.
    pub root: &'a TrustRoot,
    /// The keys with which the registry itself signs; `None` where it did not tell them.
    pub keys: Option<&'a RegistryKeys>,
}

impl Offer {
    /// Finds out of each attestation whether it holds for this file.
    ///
    /// 1. The bundle can be read, and is of the type that the registry announces.
    /// 2. Signature, certificate, certificate transparency, log and timestamps (Sigstore client specification,
    ///    "Verification"); or, where the registry's own key signed, that key's signature, log and validity.
    /// 3. The certificate is one of a known CI service and names a repository and a commit.
    /// 4. The payload is an in-toto statement, and a subject of it is this file, by digest and by name.
    /// 5. What the statement says of its source, and the registry of the publisher, is what the certificate says.
    #[must_use]
    pub fn claims(&self, of: OfferedFor<'_>, trusted: Trusted<'_>) -> Vec<ProvenanceClaim> {
        self.items
            .iter()
            .map(|item| claim(self.origin, item, of, trusted))
            .collect()
    }

    /// Whether the registry's own keys are needed.
    #[must_use]
    pub fn wants_keys(&self) -> bool {
        self.items.iter().any(|item| {
            item.bundle
                .as_ref()
                .is_ok_and(|bundle| bundle.key_hint().is_some())
        })
    }
}

fn claim(
    origin: ProvenanceOrigin,
    item: &Item,
    of: OfferedFor<'_>,
    trusted: Trusted<'_>,
) -> ProvenanceClaim {
    let announced = item.announced.as_deref();
    if let Some(announced) = announced
        && kind(origin, announced).is_none()
    {
        return ProvenanceClaim {
            kind: ProvenanceKind::Other,
            standing: Outcome::unchecked(
                RefusalReason::PredicateUnexpected,
                format!("`{}` is no type that is understood", printable(announced)),
            )
            .into(),
        };
    }
    let known = announced.and_then(|announced| kind(origin, announced));
    let signed = item.bundle.as_ref().ok().and_then(payload_type);
    let kind = known
        .or_else(|| kind(origin, &signed?))
        .unwrap_or(ProvenanceKind::Other);
    let standing = match &item.bundle {
        Err(refusal) => Outcome::of_refusal(refusal.clone()),
        Ok(bundle) => {
            examine(origin, item, bundle, of, trusted).unwrap_or_else(Outcome::of_refusal)
        }
    };
    ProvenanceClaim {
        kind,
        standing: standing.into(),
    }
}

/// What came of one attestation.
enum Outcome {
    Verified(VerifiedProvenance),
    Refused(Refusal),
    Unchecked(Refusal),
}

impl Outcome {
    fn of_refusal(refusal: Refusal) -> Self {
        if refusal.reason == RefusalReason::BundleUnsupported {
            Self::Unchecked(refusal)
        } else {
            Self::Refused(refusal)
        }
    }

    fn unchecked(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self::Unchecked(Refusal::new(reason, detail))
    }
}

impl From<Outcome> for ProvenanceStanding {
    fn from(outcome: Outcome) -> Self {
        let doubt = |refusal: Refusal| Doubt {
            reason: refusal.reason.id(),
            detail: refusal.detail,
        };
        match outcome {
            Outcome::Verified(verified) => Self::Verified(Box::new(verified)),
            Outcome::Refused(refusal) => Self::Refused(doubt(refusal)),
            Outcome::Unchecked(refusal) => Self::Unchecked(doubt(refusal)),
        }
    }
}

fn examine(
    origin: ProvenanceOrigin,
    item: &Item,
    bundle: &Bundle,
    of: OfferedFor<'_>,
    trusted: Trusted<'_>,
) -> Result<Outcome, Refusal> {
    let Some(payload) = bundle.payload() else {
        return Err(Refusal::new(
            RefusalReason::BundleUnsupported,
            "the bundle holds a bare signature, not a statement",
        ));
    };
    if let Some(refusal) = beyond_what_is_made(origin, bundle) {
        about(origin, payload, of)?;
        return Ok(Outcome::Unchecked(refusal));
    }
    if let Some(hint) = bundle.key_hint() {
        return signed_by_registry(origin, item, (bundle, payload, hint), of, trusted);
    }
    let (result, workload) = match signed_by_workflow(bundle, payload, of.digests, trusted.root)? {
        Signed::ByWorkflow(result, workload) => (result, workload),
        Signed::ByOther(refusal) => {
            // Whoever signed it, it must be about this file.
            about(origin, payload, of)?;
            return Ok(Outcome::Unchecked(refusal));
        }
    };
    let statement = about(origin, payload, of)?;
    match check_type(origin, item.announced.as_deref(), &statement)? {
        None => {
            return Ok(Outcome::unchecked(
                RefusalReason::PredicateUnexpected,
                format!(
                    "`{}` is no type that is understood",
                    printable(&statement.predicate_type)
                ),
            ));
        }
        Some(ProvenanceKind::SlsaProvenance) => check_sources(&statement, &workload)?,
        Some(ProvenanceKind::Publish | ProvenanceKind::Other) => {}
    }
    match &item.publisher {
        None => {}
        Some(Publisher::Known(publisher)) => check_publisher(publisher, &workload)?,
        Some(Publisher::Unknown(kind)) => {
            return Ok(Outcome::unchecked(
                RefusalReason::IdentityMismatch,
                format!(
                    "the registry names a publisher of kind `{}`, which is not understood",
                    printable(kind)
                ),
            ));
        }
    }
    Ok(Outcome::Verified(VerifiedProvenance {
        signer: result
            .identity()
            .map(|identity| printable(identity.as_str()))
            .unwrap_or_default(),
        issuer: Some(workload.issuer),
        source_repository: Some(workload.repository),
        source_commit: Some(workload.commit),
        source_reference: workload.reference,
        runner_environment: workload.runner,
    }))
}

/// What no registry's attestation looks like, and what is not worth the work.
fn beyond_what_is_made(origin: ProvenanceOrigin, bundle: &Bundle) -> Option<Refusal> {
    let material = &bundle.inner.verification_material;
    let evidence = material.tlog_entries.len().max(
        material
            .timestamp_verification_data
            .rfc3161_timestamps
            .len(),
    );
    if evidence > MOST_EVIDENCE {
        return Some(Refusal::new(
            RefusalReason::BundleUnsupported,
            format!(
                "the bundle has {evidence} log entries or timestamps, and {MOST_EVIDENCE} is the most that is checked"
            ),
        ));
    }
    // GitHub's own instance, which signs for private repositories and releases, has timestamps and no log.
    (origin == ProvenanceOrigin::GitHub && material.tlog_entries.is_empty()).then(|| {
        Refusal::new(
            RefusalReason::InclusionMissing,
            "the bundle is not of the public-good instance, whose log it does not name",
        )
    })
}

/// Who signed with a certificate.
enum Signed {
    /// A workflow of a known CI service.
    ByWorkflow(Box<VerificationResult>, Workload),
    /// Somebody else, or by the word of an authority or a log that is not among the embedded ones.
    ByOther(Refusal),
}

/// Verifies the signature of whatever workflow of a known CI service: the one place where no signer is expected.
fn signed_by_workflow(
    bundle: &Bundle,
    payload: &[u8],
    digests: &ArtifactDigests,
    root: &TrustRoot,
) -> Result<Signed, Refusal> {
    check_signature_of_certificate(bundle)?;
    let result = match root.verifier.verify(
        handed(&subject_of(&Statement::parse(payload)?, digests)?, digests)?,
        &bundle.inner,
        &VerificationPolicy::any_identity(),
    ) {
        Ok(result) => result,
        Err(error) if is_beyond_root(&error) => return Ok(Signed::ByOther(error.into())),
        Err(error) => return Err(error.into()),
    };
    independent_time(&result)?;
    let issuer = result.issuer().unwrap_or("nobody");
    if !CI_ISSUERS.contains(&issuer) {
        return Ok(Signed::ByOther(Refusal::new(
            RefusalReason::IssuerMismatch,
            format!(
                "`{}` vouches for the signer, which is no CI service whose certificates are understood",
                printable(issuer)
            ),
        )));
    }
    let workload = Workload::of(&result, issuer)?;
    Ok(Signed::ByWorkflow(Box::new(result), workload))
}

/// Whether the only thing wrong is that the root does not know an authority or a log.
fn is_beyond_root(error: &SigstoreError) -> bool {
    // The library passes some of it on as text; tests hold it to this form.
    if let SigstoreError::Certificate(error) = error {
        return match error {
            CertificateError::NoValidAuthority { .. } => true,
            CertificateError::ChainInvalid(words) => words.contains("UnknownIssuer"),
            CertificateError::Sct(words) => words.contains("key not found"),
            CertificateError::Malformed(_)
            | CertificateError::NotYetValid { .. }
            | CertificateError::Expired { .. }
            | _ => false,
        };
    }
    if let SigstoreError::TransparencyLog(TransparencyLogError::InclusionPromise(words)) = error {
        return words.starts_with("No log key");
    }
    matches!(
        error,
        SigstoreError::TransparencyLog(TransparencyLogError::UnknownLog { .. })
    )
}

/// npm signs with a key of its own that it published a file.
fn signed_by_registry(
    origin: ProvenanceOrigin,
    item: &Item,
    (bundle, payload, hint): (&Bundle, &[u8], &str),
    of: OfferedFor<'_>,
    trusted: Trusted<'_>,
) -> Result<Outcome, Refusal> {
    let Some(keys) = trusted.keys else {
        return Ok(Outcome::unchecked(
            RefusalReason::KeyMismatch,
            "the registry does not tell the keys with which it signs",
        ));
    };
    let key = keys.find(hint).ok_or_else(|| {
        Refusal::new(
            RefusalReason::KeyMismatch,
            format!("the registry has no key `{}`", printable(hint)),
        )
    })?;
    check_signature(bundle, &key.public.der)?;
    let result = trusted.root.verifier.verify(
        handed(
            &subject_of(&Statement::parse(payload)?, of.digests)?,
            of.digests,
        )?,
        &bundle.inner,
        &PublicKeyVerificationPolicy::new(key.public.der.clone()),
    )?;
    independent_time(&result)?;
    key.check_validity(result.verified_timestamps())?;
    let statement = about(origin, payload, of)?;
    match check_type(origin, item.announced.as_deref(), &statement)? {
        Some(ProvenanceKind::Publish) => {}
        // Where a file was built is a workflow's to say, not the registry's.
        Some(ProvenanceKind::SlsaProvenance | ProvenanceKind::Other) | None => {
            return Err(Refusal::new(
                RefusalReason::PredicateUnexpected,
                format!(
                    "the registry's key signed a statement of type `{}`",
                    printable(&statement.predicate_type)
                ),
            ));
        }
    }
    let says = |field: &str| statement.predicate.get(field).and_then(|it| it.as_str());
    let (name, version) = (of.target.name.as_str(), of.target.version.as_str());
    if says("name") != Some(name) || says("version") != Some(version) {
        return Err(Refusal::new(
            RefusalReason::ArtifactMismatch,
            format!("the statement is not about the publishing of {name} {version}"),
        ));
    }
    Ok(Outcome::Verified(VerifiedProvenance {
        signer: format!("the registry's key {}", printable(hint)),
        issuer: None,
        source_repository: None,
        source_commit: None,
        source_reference: None,
        runner_environment: None,
    }))
}

/// What a statement of this type is, where it comes from such a place; `None` where it is not understood.
fn kind(origin: ProvenanceOrigin, predicate_type: &str) -> Option<ProvenanceKind> {
    match (origin, predicate_type) {
        (ProvenanceOrigin::Npm | ProvenanceOrigin::GitHub, SLSA_V1 | SLSA_V0_2)
        | (ProvenanceOrigin::Pypi, SLSA_V1) => Some(ProvenanceKind::SlsaProvenance),
        (ProvenanceOrigin::Npm, NPM_PUBLISH) | (ProvenanceOrigin::Pypi, PYPI_PUBLISH) => {
            Some(ProvenanceKind::Publish)
        }
        _ => None,
    }
}

/// The type of a signed statement, which must be the announced one.
fn check_type(
    origin: ProvenanceOrigin,
    announced: Option<&str>,
    statement: &Statement,
) -> Result<Option<ProvenanceKind>, Refusal> {
    match announced {
        Some(announced) if announced != statement.predicate_type => Err(Refusal::new(
            RefusalReason::PredicateUnexpected,
            format!(
                "the statement is of type `{}`, announced as `{}`",
                printable(&statement.predicate_type),
                printable(announced)
            ),
        )),
        Some(_) | None => Ok(kind(origin, &statement.predicate_type)),
    }
}

/// The type that an unverified statement has, to name an attestation that is refused.
fn payload_type(bundle: &Bundle) -> Option<String> {
    Statement::parse(bundle.payload()?)
        .ok()
        .map(|statement| statement.predicate_type)
}

/// The statement, which must be about this file.
fn about(
    origin: ProvenanceOrigin,
    payload: &[u8],
    of: OfferedFor<'_>,
) -> Result<Statement, Refusal> {
    let statement = Statement::parse(payload)?;
    let subject = subject_of(&statement, of.digests)?;
    match origin {
        ProvenanceOrigin::Npm | ProvenanceOrigin::Pypi => check_subject(&subject, of.target)?,
        // A workflow names its files as it likes; the digest is what was asked for.
        ProvenanceOrigin::GitHub => {}
    }
    Ok(statement)
}

/// The digest binds the bytes; the name binds them to this package and version, under which they were published.
fn check_subject(subject: &Subject, target: &Target) -> Result<(), Refusal> {
    let same = match (target.ecosystem, &target.file) {
        (Ecosystem::Npm, _) => {
            let bare = |purl: &str| purl.replace("%40", "@").to_ascii_lowercase();
            bare(&subject.name) == bare(&target.purl())
        }
        // PEP 503 and 427: the same file under any spelling of its project's name.
        (Ecosystem::Pypi, Some(file)) => {
            let bare = |name: &str| name.replace(['-', '.'], "_").to_ascii_lowercase();
            bare(&subject.name) == bare(file.as_str())
        }
        // Neither crates.io nor whoever has a bundle offers any.
        (Ecosystem::Pypi, None) | (Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang, _) => {
            false
        }
    };
    if same {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalReason::ArtifactMismatch,
        format!(
            "the statement is about `{}`, not {}",
            printable(&subject.name),
            target.short()
        ),
    ))
}

/// Foreign text, short enough and fit for a line of a report.
fn printable(text: &str) -> String {
    text.escape_debug().take(200).collect()
}
