//! `remint.report/v1`: the wire types, apart from the types that the program works with. The schema is
//! `docs/report.v1.schema.json`; a test holds the two together.

use std::collections::BTreeMap;

use remint_judge::ResultEvidence;
use remint_judge::checks::{SourceAgreement, source_agreement};
use remint_model::{
    Artifact, Assumption, AttributedPackage, Basis, BuildPlan, BundleSignature, BundleSigner,
    Candidate, CommitId, Comparison, Content, DatabaseAnswer, Difference, Ecosystem, Erasure,
    Failure, Fetched, Finding, FoundBy, Image, InconclusiveReason, LockDisagreement,
    NetworkAttempt, OfferedProvenance, Outcome, ProvenanceAnswer, ProvenanceClaim,
    ProvenanceStanding, RefusedRequest, RemoteCode, Renaming, Sha256, SourcePin, Stamp,
    UnattributedFile, VerifiedProvenance,
};
use serde::Serialize;

use crate::report::{RunReport, TargetReport, Tried};

/// The format's name.
pub(crate) const FORMAT: &str = "remint.report/v1";

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    remint: &'static str,
    started: String,
    targets: Vec<TargetV1<'a>>,
    unjudged: &'a [String],
}

#[derive(Serialize)]
struct TargetV1<'a> {
    target: String,
    outcome: Outcome,
    content: Content,
    basis: Option<Basis>,
    reason: Option<InconclusiveReason>,
    detail: Option<&'a str>,
    published: Option<FileV1<'a>>,
    rebuilt: Option<FileV1<'a>>,
    source: Option<SourceV1<'a>>,
    erasures: &'a [Erasure],
    gzip_encoder: Option<&'static str>,
    differences: &'a [Difference],
    findings: &'a [Finding],
    bundle: Option<BundleV1<'a>>,
    checksums: Option<ChecksumsV1<'a>>,
    program: Option<ProgramV1<'a>>,
    image: Option<&'a Image>,
    files: Option<FilesV1>,
    traced: Option<TracedV1>,
    build: Option<BuildV1<'a>>,
    limits: &'a [String],
    notes: &'a [String],
    provenance: Vec<ProvenanceV1<'a>>,
    attestations: Vec<AttestationV1<'a>>,
}

/// What a program of Go says about how it was built.
#[derive(Serialize)]
struct ProgramV1<'a> {
    go: &'a str,
    package: &'a str,
    module: Option<&'a str>,
    version: Option<&'a str>,
    sum: Option<&'a str>,
    settings: BTreeMap<&'a str, &'a str>,
    dependencies: usize,
    linked_otherwise: Option<bool>,
}

/// The digests of a Go module.
#[derive(Serialize)]
struct ChecksumsV1<'a> {
    zip: &'a str,
    go_mod: Option<&'a str>,
    source: Option<&'a str>,
    database: DatabaseV1<'a>,
}

/// What the checksum database has.
#[derive(Serialize)]
struct DatabaseV1<'a> {
    name: Option<&'a str>,
    answer: &'static str,
    detail: Option<&'a str>,
    zip: Option<&'a str>,
    go_mod: Option<&'a str>,
}

/// What a bundle is made of.
#[derive(Serialize)]
struct BundleV1<'a> {
    server_type: Option<&'a str>,
    entry_point: Option<&'a str>,
    remote: &'a [RemoteCode],
    tools: &'a [String],
    signature: SignatureV1<'a>,
    packages: &'a [AttributedPackage],
    unattributed: &'a [UnattributedFile],
    lock_disagreements: &'a [LockDisagreement],
    unlocked: Option<Ecosystem>,
    records: usize,
    own: usize,
}

/// Who signed a bundle.
#[derive(Serialize)]
struct SignatureV1<'a> {
    state: &'static str,
    detail: Option<&'a str>,
    signer: Option<&'a BundleSigner>,
}

/// What a place answered that was asked for provenance.
#[derive(Serialize)]
struct ProvenanceV1<'a> {
    from: &'static str,
    announced: bool,
    answer: &'static str,
    detail: Option<&'a str>,
}

/// One attestation that others offer.
#[derive(Serialize)]
struct AttestationV1<'a> {
    kind: &'static str,
    from: &'static str,
    verified: bool,
    signer: Option<&'a str>,
    issuer: Option<&'a str>,
    source_repository: Option<&'a str>,
    source_commit: Option<&'a str>,
    source_ref: Option<&'a str>,
    runner_environment: Option<&'a str>,
    source_agreement: Option<&'static str>,
    reason: Option<&'static str>,
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct FileV1<'a> {
    name: &'a str,
    sha256: Sha256,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
}

#[derive(Serialize)]
struct FilesV1 {
    equal: usize,
    total: usize,
}

#[derive(Serialize)]
struct TracedV1 {
    executable_bytes: u64,
    traced_bytes: u64,
}

#[derive(Serialize)]
struct SourceV1<'a> {
    repository: &'a str,
    #[serde(rename = "ref")]
    reference: Option<&'a str>,
    commit: &'a CommitId,
    subdirectory: Option<&'a str>,
    found_by: FoundBy,
    reachable: bool,
    candidates: &'a [Candidate],
    stamp: Option<&'a Stamp>,
    renamed: Option<&'a Renaming>,
}

#[derive(Serialize)]
struct BuildV1<'a> {
    isolation: &'a str,
    toolchain: &'a BTreeMap<String, String>,
    commands: &'a [String],
    failed_commands: &'a [String],
    assumptions: &'a [Assumption],
    fetched: &'a [Fetched],
    network_attempts: &'a [NetworkAttempt],
    refused: &'a [RefusedRequest],
    snapshot: bool,
    log_sha256: Option<Sha256>,
    seconds: BTreeMap<&'static str, f64>,
    plan: Option<&'a BuildPlan>,
    tried: &'a [Tried],
    failure: Option<&'a Failure>,
}

/// The report as JSON text, with a newline at its end.
pub(crate) fn render(report: &RunReport) -> String {
    let wire = Report {
        format: FORMAT,
        remint: env!("CARGO_PKG_VERSION"),
        started: report.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        targets: report.targets.iter().map(target).collect(),
        unjudged: &report.unjudged,
    };
    // Plain structs of strings and numbers always serialise; an empty answer would be noticed by every reader.
    let mut text = serde_json::to_string_pretty(&wire).unwrap_or_default();
    text.push('\n');
    text
}

fn checksums(report: &TargetReport) -> Option<ChecksumsV1<'_>> {
    let found = report.evidence.as_ref()?.checksums.as_ref()?;
    let database = |name, answer, detail| DatabaseV1 {
        name,
        answer,
        detail,
        zip: None,
        go_mod: None,
    };
    let database = match &found.database {
        DatabaseAnswer::Same { name } => database(Some(&**name), "same", None),
        DatabaseAnswer::Other { name, zip, go_mod } => DatabaseV1 {
            zip: Some(zip),
            go_mod: Some(go_mod),
            ..database(Some(&**name), "other", None)
        },
        DatabaseAnswer::Unavailable { name, reason } => {
            database(Some(&**name), "unavailable", Some(&**reason))
        }
        DatabaseAnswer::Untrusted { name, reason } => {
            database(Some(&**name), "untrusted", Some(&**reason))
        }
        DatabaseAnswer::NotAsked(reason) => database(None, "not-asked", Some(&**reason)),
    };
    Some(ChecksumsV1 {
        zip: &found.zip,
        go_mod: found.go_mod.as_deref(),
        source: found.source.as_deref(),
        database,
    })
}

fn program(report: &TargetReport) -> Option<ProgramV1<'_>> {
    use crate::module::program::beginning;
    let evidence = report.evidence.as_ref()?;
    let programs = evidence.programs.as_ref()?;
    let differs = matches!(
        evidence.result,
        ResultEvidence::Compared {
            comparison: Comparison::Different { .. },
            ..
        }
    );
    let said = &programs.published;
    let main = said.main.as_ref();
    Some(ProgramV1 {
        go: beginning(&said.go_version),
        package: beginning(&said.package),
        module: main.map(|main| beginning(&main.path)),
        version: main.map(|main| beginning(&main.version)),
        sum: main.and_then(|main| main.sum.as_deref()).map(beginning),
        settings: said
            .settings
            .iter()
            .map(|(key, value)| (beginning(key), beginning(value)))
            .collect(),
        dependencies: said.dependencies.len(),
        linked_otherwise: programs
            .rebuilt
            .as_ref()
            .map(|rebuilt| differs && said.says_it_was_linked_otherwise(rebuilt)),
    })
}

fn target(report: &TargetReport) -> TargetV1<'_> {
    let judgement = &report.judgement;
    let (erasures, differences): (&[Erasure], &[Difference]) =
        match report.evidence.as_ref().map(|evidence| &evidence.result) {
            Some(ResultEvidence::Compared { comparison, .. }) => match comparison {
                Comparison::Identical => (&[], &[]),
                Comparison::Equivalent { erased } => (erased, &[]),
                Comparison::Different {
                    erased,
                    differences,
                } => (erased, differences),
            },
            Some(ResultEvidence::NotCompared { .. }) | None => (&[], &[]),
        };
    TargetV1 {
        target: report
            .target
            .as_ref()
            .map(|target| target.purl())
            .or_else(|| report.image_purl.clone())
            .unwrap_or_else(|| report.label.clone()),
        outcome: judgement.outcome,
        content: judgement.content,
        basis: judgement.basis,
        reason: judgement.reason,
        detail: judgement.detail.as_deref(),
        published: report
            .published
            .as_ref()
            .map(|artifact| file(artifact, report.origin))
            .or_else(|| report.image.as_deref().map(manifest_file)),
        rebuilt: report.rebuilt.as_ref().map(|artifact| file(artifact, None)),
        source: source(report),
        erasures,
        gzip_encoder: report.gzip_encoder,
        differences,
        findings: &judgement.findings,
        bundle: bundle(report),
        checksums: checksums(report),
        program: program(report),
        image: report.image.as_deref(),
        files: report.files.map(|(equal, total)| FilesV1 { equal, total }),
        traced: report.traced.map(|traced| TracedV1 {
            executable_bytes: traced.executable_bytes,
            traced_bytes: traced.traced_bytes,
        }),
        build: build(report),
        limits: &report.limits,
        notes: &report.notes,
        provenance: provenance(report),
        attestations: attestations(report),
    }
}

fn bundle(report: &TargetReport) -> Option<BundleV1<'_>> {
    let bundle = report.evidence.as_ref()?.bundle.as_ref()?;
    let (state, detail, signer) = match &bundle.signature {
        BundleSignature::Absent => ("absent", None, None),
        BundleSignature::Malformed(why) => ("malformed", Some(why.as_str()), None),
        BundleSignature::NotVerified(why) => ("not-verified", Some(why.as_str()), None),
        BundleSignature::Invalid(why) => ("invalid", Some(why.as_str()), None),
        BundleSignature::Valid(signer) => ("valid", None, Some(signer)),
    };
    Some(BundleV1 {
        server_type: bundle.facts.server_type.as_deref(),
        entry_point: bundle.facts.entry_point.as_deref(),
        remote: &bundle.facts.remote,
        tools: &bundle.facts.tools,
        signature: SignatureV1 {
            state,
            detail,
            signer,
        },
        packages: &bundle.packages,
        unattributed: &bundle.unattributed,
        lock_disagreements: &bundle.lock_disagreements,
        unlocked: bundle.unlocked,
        records: bundle.records,
        own: bundle.own,
    })
}

/// An image is its manifest: whoever has its digest has all of it.
fn manifest_file(image: &Image) -> FileV1<'_> {
    FileV1 {
        name: &image.asked,
        sha256: image.manifest,
        size: image.manifest_size,
        origin: None,
    }
}

fn file<'a, Origin>(file: &'a Artifact<Origin>, origin: Option<&'static str>) -> FileV1<'a> {
    FileV1 {
        name: file.name.as_str(),
        sha256: file.sha256,
        size: file.size,
        origin,
    }
}

fn source(report: &TargetReport) -> Option<SourceV1<'_>> {
    let pin = report.evidence.as_ref()?.source.as_ref()?;
    Some(SourceV1 {
        repository: &pin.repository,
        reference: pin.reference.as_deref(),
        commit: &pin.commit,
        subdirectory: pin.subdirectory.as_ref().map(|path| path.as_str()),
        found_by: pin.found_by,
        reachable: pin.reach.is_advertised(),
        candidates: &pin.candidates,
        stamp: pin.stamp.as_ref(),
        renamed: pin.renamed.as_ref(),
    })
}

fn offered(report: &TargetReport) -> &[OfferedProvenance] {
    report
        .evidence
        .as_ref()
        .map_or(&[], |evidence| &evidence.provenance.offered)
}

fn provenance(report: &TargetReport) -> Vec<ProvenanceV1<'_>> {
    offered(report)
        .iter()
        .map(|offered| {
            let (answer, detail) = match &offered.answer {
                ProvenanceAnswer::NoneOffered => ("none-offered", None),
                ProvenanceAnswer::Offered(_) => ("offered", None),
                ProvenanceAnswer::Unreachable(reason) => ("unreachable", Some(reason.as_str())),
                ProvenanceAnswer::Unreadable(reason) => ("unreadable", Some(reason.as_str())),
            };
            ProvenanceV1 {
                from: offered.origin.id(),
                announced: offered.announced,
                answer,
                detail,
            }
        })
        .collect()
}

fn attestations(report: &TargetReport) -> Vec<AttestationV1<'_>> {
    let pin = report
        .evidence
        .as_ref()
        .and_then(|evidence| evidence.source.as_ref());
    let mut attestations = Vec::new();
    for offered in offered(report) {
        let ProvenanceAnswer::Offered(claims) = &offered.answer else {
            continue;
        };
        attestations.extend(
            claims
                .iter()
                .map(|claim| attestation(offered.origin.id(), claim, pin)),
        );
    }
    attestations
}

fn attestation<'a>(
    from: &'static str,
    claim: &'a ProvenanceClaim,
    pin: Option<&SourcePin>,
) -> AttestationV1<'a> {
    let (verified, doubt) = match &claim.standing {
        ProvenanceStanding::Verified(verified) => (Some(&**verified), None),
        ProvenanceStanding::Refused(doubt) | ProvenanceStanding::Unchecked(doubt) => {
            (None, Some(doubt))
        }
    };
    let told = |of: fn(&VerifiedProvenance) -> Option<&str>| verified.and_then(of);
    AttestationV1 {
        kind: claim.kind.id(),
        from,
        verified: verified.is_some(),
        signer: verified.map(|verified| verified.signer.as_str()),
        issuer: told(|verified| verified.issuer.as_deref()),
        source_repository: told(|verified| verified.source_repository.as_deref()),
        source_commit: told(|verified| verified.source_commit.as_deref()),
        source_ref: told(|verified| verified.source_reference.as_deref()),
        runner_environment: told(|verified| verified.runner_environment.as_deref()),
        source_agreement: verified.and_then(|verified| match source_agreement(verified, pin) {
            SourceAgreement::Agrees => Some("agrees"),
            SourceAgreement::OtherName => Some("other-name"),
            SourceAgreement::OtherCommit => Some("other-commit"),
            SourceAgreement::OtherRepository => Some("other-repository"),
            SourceAgreement::Unknown => None,
        }),
        reason: doubt.map(|doubt| doubt.reason),
        detail: doubt.map(|doubt| doubt.detail.as_str()),
    }
}

fn build(report: &TargetReport) -> Option<BuildV1<'_>> {
    let record = report.evidence.as_ref()?.build.as_ref()?;
    let mut seconds: BTreeMap<&'static str, f64> = report.seconds.iter().copied().collect();
    seconds.extend(&record.seconds);
    Some(BuildV1 {
        isolation: &record.isolation,
        toolchain: &record.toolchain,
        commands: &record.commands,
        failed_commands: &record.failed_commands,
        assumptions: &record.assumptions,
        fetched: &record.fetched,
        network_attempts: &record.attempts,
        refused: &record.refused,
        snapshot: record.snapshot,
        log_sha256: record.log,
        seconds,
        plan: report.plan.as_ref(),
        tried: &report.tried,
        failure: report.failure.as_ref(),
    })
}
