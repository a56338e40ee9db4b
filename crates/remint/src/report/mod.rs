//! What is said about a target, in each format. The formats only arrange; nothing is decided here.

use remint_judge::Evidence;
use remint_model::{
    Artifact, BuildPlan, Failure, Image, Judgement, Outcome, Published, Rebuilt, Target,
};

use crate::cli::ReportFormat;
use crate::exit::Exit;

pub(crate) mod attestation;
mod compose;
pub(crate) mod foreign;
mod human;
pub(crate) mod json;
mod markdown;
pub(crate) mod page;
mod provenance;
mod sarif;
mod traced;

pub(crate) use compose::{gap_notes, plan_words, quoted};

/// Everything that a report can tell about one target.
#[derive(Debug, Clone)]
pub(crate) struct TargetReport {
    /// As people name it: `npm:name@1.2.3`, or the file.
    pub(crate) label: String,
    /// The target; `None` where the spec led to no release.
    pub(crate) target: Option<Target>,
    /// The verdict.
    pub(crate) judgement: Judgement,
    /// What it rests on; `None` where nothing was fetched.
    pub(crate) evidence: Option<Evidence>,
    /// The image, where that is what was asked about.
    pub(crate) image: Option<Box<Image>>,
    /// Its package URL, where it is of a registry.
    pub(crate) image_purl: Option<String>,
    /// The published file.
    pub(crate) published: Option<Artifact<Published>>,
    /// Where it came from: `registry` or `user`.
    pub(crate) origin: Option<&'static str>,
    /// The rebuilt file.
    pub(crate) rebuilt: Option<Artifact<Rebuilt>>,
    /// The plan whose result counts.
    pub(crate) plan: Option<BuildPlan>,
    /// All plans that were tried, in order.
    pub(crate) tried: Vec<Tried>,
    /// Why the last plan made nothing.
    pub(crate) failure: Option<Failure>,
    /// Files that are equal, and files in all.
    pub(crate) files: Option<(usize, usize)>,
    /// How much of the published code the rebuild has, too.
    pub(crate) traced: Option<remint_compare::Traced>,
    /// The encoder that makes the published archive's bytes of the rebuilt content, where one was found.
    pub(crate) gzip_encoder: Option<&'static str>,
    /// Seconds by stage, in order.
    pub(crate) seconds: Vec<(&'static str, f64)>,
    /// What a pass does not say.
    pub(crate) limits: Vec<String>,
    /// Things to tell a person on the way: which version was taken, what was overridden.
    pub(crate) notes: Vec<String>,
    /// What to do next.
    pub(crate) next: Vec<String>,
}

/// A plan that was tried, and what came of it in words.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Tried {
    pub(crate) variant: String,
    pub(crate) result: String,
}

/// The reports of a run, in the order of the specs.
#[derive(Debug, Clone)]
pub(crate) struct RunReport {
    pub(crate) started: jiff::Timestamp,
    pub(crate) targets: Vec<TargetReport>,
    /// What this machine could not do its part for, in words.
    pub(crate) unjudged: Vec<String>,
    /// How the run ends.
    pub(crate) exit: Exit,
}

impl RunReport {
    /// The answer in a format; `width` is the terminal's, `None` where there is none.
    pub(crate) fn render(&self, format: ReportFormat, width: Option<usize>) -> String {
        match format {
            ReportFormat::Human => human::render(self, width),
            ReportFormat::Json => json::v1::render(self),
            ReportFormat::Markdown => markdown::render(self),
            ReportFormat::Sarif => sarif::render(self),
        }
    }
}

/// The word for an outcome, the same in every format.
pub(crate) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "verified",
        Outcome::Failed => "failed",
        Outcome::Inconclusive => "inconclusive",
    }
}

/// A size for people: `14.2 kB`.
pub(crate) fn size_words(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count_words(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}
