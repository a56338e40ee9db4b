//! From a judgement to the statements that are signed.
//!
//! A release that was judged gives provenance of the rebuild, the comparison and a summary, as far as it came to each;
//! one that could not be judged gives an attempt and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use remint_model::{
    Artifact, BuildPlan, BuildRecord, Comparison, Content, Erasure, Failure, Judgement, Outcome,
    Published, Rebuilt, RepositoryUrl, Sha256, SourcePin, Target,
};

use crate::predicate::{
    AttemptV1, BuildDefinition, Builder, ComparisonResult, ComparisonV0_1, Configuration,
    ConfigurationNotes, ExternalParameters, InternalParameters, JudgementPolicy, Metadata,
    ProvenanceV1, ResourceDescriptor, RunDetails, SourceParameters, SummaryContent, SummaryV1,
    VerificationResult, Verifier, uri,
};
use crate::statement::{PAYLOAD_TYPE, Statement, Subject};

/// The most failed tests that a comparison names; the report has the rest.
const MOST_PATHS: usize = 100;

/// What stands for a repository that has no address but on the machine that built it.
const LOCAL_REPOSITORY: &str = "urn:x-remint:repository:local";

/// Everything about one judged file that its statements are made of.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// What was judged.
    pub target: &'a Target,
    /// The file that was judged.
    pub published: &'a Artifact<Published>,
    /// The file that was built, where one was.
    pub rebuilt: Option<&'a Artifact<Rebuilt>>,
    /// The source, where it was found.
    pub source: Option<&'a SourcePin>,
    /// The plan that was executed.
    pub plan: Option<&'a BuildPlan>,
    /// What happened during the build.
    pub build: Option<&'a BuildRecord>,
    /// Why the build made nothing.
    pub failure: Option<&'a Failure>,
    /// The comparison, where there was one.
    pub comparison: Option<&'a Comparison>,
    /// The verdict.
    pub judgement: &'a Judgement,
    /// SHA-256 of the JSON report about this target.
    pub report: Sha256,
    /// When the work began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
}

/// The kinds of statement, in the order in which they are made; the names are parts of file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatementKind {
    /// How the file was rebuilt.
    Provenance,
    /// Published against rebuilt.
    Comparison,
    /// The outcome.
    Summary,
    /// It could not be found out.
    Attempt,
}

impl StatementKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Provenance,
        Self::Comparison,
        Self::Summary,
        Self::Attempt,
    ];

    /// The word for it in file names and indexes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provenance => "provenance",
            Self::Comparison => "comparison",
            Self::Summary => "summary",
            Self::Attempt => "attempt",
        }
    }
}

/// A statement that is ready to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// What it is.
    pub kind: StatementKind,
    /// The bytes that are signed.
    pub payload: Vec<u8>,
}

impl Unsigned {
    fn new<Predicate: serde::Serialize>(
        kind: StatementKind,
        statement: &Statement<Predicate>,
    ) -> Self {
        Self {
            kind,
            payload: statement.to_bytes(),
        }
    }

    fn descriptor(&self) -> ResourceDescriptor {
        ResourceDescriptor {
            name: Some(self.kind.name().to_owned()),
            media_type: Some(PAYLOAD_TYPE.to_owned()),
            ..ResourceDescriptor::sha256(&Sha256::of(&self.payload))
        }
    }
}

/// The statements about a judged file; never empty.
#[must_use]
pub fn statements(judged: &Judged<'_>) -> Vec<Unsigned> {
    let result = match judged.judgement.outcome {
        Outcome::Verified => VerificationResult::Passed,
        Outcome::Failed => VerificationResult::Failed,
        Outcome::Inconclusive => return vec![attempt(judged)],
    };
    let mut made = Vec::new();
    made.extend(provenance(judged));
    made.extend(comparison(judged));
    let summary = summary(judged, result, &made);
    made.push(summary);
    made
}

fn published_subject(judged: &Judged<'_>) -> Subject {
    let file = judged.published;
    Subject::new(file.name.as_str(), &file.sha256, &file.sha512)
}

fn provenance(judged: &Judged<'_>) -> Option<Unsigned> {
    let rebuilt = judged.rebuilt?;
    let source = judged.source?;
    let build = judged.build?;
    let mut dependencies = vec![ResourceDescriptor {
        uri: Some(format!(
            "git+{}@{}",
            public_address(&source.repository),
            source.commit
        )),
        digest: BTreeMap::from([("gitCommit".to_owned(), source.commit.to_string())]),
        ..ResourceDescriptor::default()
    }];
    let fetched: BTreeSet<_> = build.fetched.iter().collect();
    dependencies.extend(fetched.into_iter().map(|file| ResourceDescriptor {
        uri: Some(file.url.clone()),
        ..ResourceDescriptor::sha256(&file.sha256)
    }));
    let predicate = ProvenanceV1 {
        build_definition: BuildDefinition {
            build_type: uri::BUILD_TYPE.to_owned(),
            external_parameters: ExternalParameters {
                package: judged.target.purl(),
                source: source_parameters(source),
            },
            internal_parameters: InternalParameters {
                strategy: judged
                    .plan
                    .map(|plan| plan.variant.clone())
                    .unwrap_or_default(),
                isolation: build.isolation.clone(),
                toolchain: build.toolchain.clone(),
                commands: build.commands.clone(),
                assumptions: build
                    .assumptions
                    .iter()
                    .map(|assumption| {
                        format!(
                            "{}: {} (from {})",
                            word(&assumption.kind),
                            assumption.value,
                            assumption.from
                        )
                    })
                    .collect(),
                reproduced_under: build.reproduced_under.clone(),
            },
            resolved_dependencies: dependencies,
        },
        run_details: RunDetails {
            builder: Builder {
                id: uri::BUILDER.to_owned(),
                version: versions(),
            },
            metadata: Metadata {
                started_on: rfc3339(judged.started),
                finished_on: rfc3339(judged.finished),
            },
            byproducts: build_log(judged),
        },
    };
    let subject = Subject::new(rebuilt.name.as_str(), &rebuilt.sha256, &rebuilt.sha512);
    let statement = Statement::new(subject, uri::PROVENANCE, predicate);
    Some(Unsigned::new(StatementKind::Provenance, &statement))
}

fn comparison(judged: &Judged<'_>) -> Option<Unsigned> {
    let (result, erased, differences) = match judged.comparison? {
        Comparison::Identical => (ComparisonResult::Passed, &[][..], &[][..]),
        Comparison::Equivalent { erased } => (ComparisonResult::Warned, &erased[..], &[][..]),
        Comparison::Different {
            erased,
            differences,
        } => (ComparisonResult::Failed, &erased[..], &differences[..]),
    };
    let release = Configuration {
        resource: ResourceDescriptor {
            name: Some("release".to_owned()),
            uri: Some(judged.target.purl()),
            ..ResourceDescriptor::sha256(&judged.published.sha256)
        },
        annotations: Some(ConfigurationNotes {
            outcome: word(&judged.judgement.outcome),
            isolation: judged
                .build
                .map(|build| build.isolation.clone())
                .unwrap_or_default(),
            finished_on: rfc3339(judged.finished),
        }),
    };
    let report = Configuration {
        resource: ResourceDescriptor {
            name: Some("report".to_owned()),
            media_type: Some("application/json".to_owned()),
            ..ResourceDescriptor::sha256(&judged.report)
        },
        annotations: None,
    };
    let rebuilt = judged.rebuilt.map(|file| Configuration {
        resource: ResourceDescriptor {
            name: Some("rebuilt".to_owned()),
            ..ResourceDescriptor::sha256(&file.sha256)
        },
        annotations: None,
    });
    let predicate = ComparisonV0_1 {
        result,
        configuration: [release]
            .into_iter()
            .chain(rebuilt)
            .chain([report])
            .collect(),
        passed_tests: match result {
            ComparisonResult::Passed => vec!["bitwise-equality".to_owned()],
            ComparisonResult::Warned | ComparisonResult::Failed => Vec::new(),
        },
        warned_tests: erased.iter().map(erasure_name).collect(),
        failed_tests: differences
            .iter()
            .take(MOST_PATHS)
            .map(|difference| format!("{}:{}", word(&difference.class), difference.path))
            .collect(),
    };
    let statement = Statement::new(published_subject(judged), uri::COMPARISON, predicate);
    Some(Unsigned::new(StatementKind::Comparison, &statement))
}

fn summary(judged: &Judged<'_>, result: VerificationResult, inputs: &[Unsigned]) -> Unsigned {
    let predicate = SummaryV1 {
        verifier: verifier(),
        time_verified: rfc3339(judged.finished),
        resource_uri: judged.target.purl(),
        policy: JudgementPolicy::descriptor(),
        input_attestations: inputs.iter().map(Unsigned::descriptor).collect(),
        verification_result: result,
        verified_levels: vec!["SLSA_BUILD_LEVEL_UNEVALUATED".to_owned()],
        slsa_version: "1.0".to_owned(),
        content: match judged.judgement.content {
            Content::Identical => SummaryContent::Identical,
            Content::Equivalent => SummaryContent::Equivalent,
            Content::Different => SummaryContent::Different,
            Content::Inconclusive => SummaryContent::Inconclusive,
        },
        erasures: match judged.comparison {
            Some(Comparison::Equivalent { erased } | Comparison::Different { erased, .. }) => {
                erased.iter().map(erasure_name).collect()
            }
            Some(Comparison::Identical) | None => Vec::new(),
        },
        isolation: judged.build.map(|build| build.isolation.clone()),
    };
    let statement = Statement::new(published_subject(judged), uri::SUMMARY, predicate);
    Unsigned::new(StatementKind::Summary, &statement)
}

fn attempt(judged: &Judged<'_>) -> Unsigned {
    let judgement = judged.judgement;
    let predicate = AttemptV1 {
        verifier: verifier(),
        started_on: rfc3339(judged.started),
        finished_on: rfc3339(judged.finished),
        resource_uri: judged.target.purl(),
        reason: judgement
            .reason
            .map_or_else(|| "not-built".to_owned(), |reason| word(&reason)),
        detail: judgement.detail.clone().unwrap_or_default(),
        step: judged.failure.map(|failure| failure.step.clone()),
        source: judged.source.map(source_parameters),
        byproducts: build_log(judged),
    };
    let statement = Statement::new(published_subject(judged), uri::ATTEMPT, predicate);
    Unsigned::new(StatementKind::Attempt, &statement)
}

fn erasure_name(erasure: &Erasure) -> String {
    format!("{}@{}", erasure.normaliser, erasure.version)
}

/// A repository as others know it. A directory of this machine is nobody else's business: the commit says what was
/// built, wherever it lay.
#[must_use]
pub fn public_address(repository: &str) -> String {
    match repository.parse::<RepositoryUrl>() {
        Ok(url) => url.to_string(),
        Err(_) => LOCAL_REPOSITORY.to_owned(),
    }
}

fn source_parameters(source: &SourcePin) -> SourceParameters {
    SourceParameters {
        repository: public_address(&source.repository),
        reference: source.reference.clone(),
        commit: source.commit.to_string(),
        path: source.subdirectory.as_ref().map(ToString::to_string),
    }
}

fn build_log(judged: &Judged<'_>) -> Vec<ResourceDescriptor> {
    judged
        .build
        .and_then(|build| build.log)
        .map(|digest| ResourceDescriptor {
            name: Some("build.log".to_owned()),
            ..ResourceDescriptor::sha256(&digest)
        })
        .into_iter()
        .collect()
}

fn verifier() -> Verifier {
    Verifier {
        id: uri::BUILDER.to_owned(),
        version: versions(),
    }
}

fn versions() -> BTreeMap<String, String> {
    BTreeMap::from([("remint".to_owned(), env!("CARGO_PKG_VERSION").to_owned())])
}

/// The word for a value, as in the JSON report.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("words of a report are strings, and this is {other:?}"),
    }
}

pub(crate) fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
