//! Everything that is told about a release, whatever came of it.

use std::path::PathBuf;

use remint_attest::StatementKind;
use remint_model::{Artifact, Erasure, Finding, Published, SourcePin, Target};

use super::{Examined, Variation, Verdict};
use crate::resolve::Case;

/// What is told about a release.
#[derive(Debug)]
pub(crate) struct ReleaseReport {
    pub(crate) started: jiff::Timestamp,
    /// As people name it.
    pub(crate) label: String,
    pub(crate) target: Option<Target>,
    pub(crate) artifact: Option<Artifact<Published>>,
    pub(crate) source: Option<PublicSource>,
    /// What was varied in the second build.
    pub(crate) varied: Vec<Variation>,
    pub(crate) erased_between_builds: Vec<Erasure>,
    pub(crate) erased_from_artifact: Vec<Erasure>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) verdict: Verdict,
    /// The bundles that were written.
    pub(crate) bundles: Vec<(StatementKind, PathBuf)>,
    /// Whether causes were left alone.
    pub(crate) quick: bool,
}

/// A source as everybody can find it.
#[derive(Debug)]
pub(crate) struct PublicSource {
    pub(crate) repository: String,
    pub(crate) reference: Option<String>,
    pub(crate) commit: String,
    pub(crate) subdirectory: Option<String>,
}

impl PublicSource {
    /// The pin, with the repository's public address.
    pub(crate) fn of(pin: &SourcePin, repository: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            reference: public_reference(pin),
            commit: pin.commit.to_string(),
            subdirectory: pin.subdirectory.as_ref().map(ToString::to_string),
        }
    }
}

/// The tag or branch; `HEAD` names something only where it stands.
pub(super) fn public_reference(pin: &SourcePin) -> Option<String> {
    pin.reference.clone().filter(|name| name != "HEAD")
}

impl ReleaseReport {
    /// A report about a release of which nothing could be found out.
    pub(crate) fn open(started: jiff::Timestamp, label: String, verdict: Verdict) -> Self {
        Self {
            started,
            label,
            target: None,
            artifact: None,
            source: None,
            varied: Vec::new(),
            erased_between_builds: Vec::new(),
            erased_from_artifact: Vec::new(),
            findings: Vec::new(),
            verdict,
            bundles: Vec::new(),
            quick: false,
        }
    }

    /// The same, about this file.
    pub(crate) fn about(mut self, case: &Case) -> Self {
        self.target = Some(case.target.clone());
        self.artifact = Some(case.artifact.clone());
        self
    }

    /// What an examination came to.
    pub(crate) fn examined(mut self, examined: Examined) -> Self {
        self.varied = examined.varied;
        self.erased_between_builds = examined.erased_between_builds;
        self.erased_from_artifact = examined.erased_from_artifact;
        self.findings = examined.report.judgement.findings;
        self.verdict = examined.verdict;
        self
    }

    /// What was built: the tag, or the commit.
    pub(super) fn source_words(&self) -> String {
        match &self.source {
            Some(PublicSource {
                reference: Some(reference),
                ..
            }) => reference.clone(),
            Some(source) => source.commit.chars().take(12).collect(),
            None => "the source".to_owned(),
        }
    }
}
