//! One thing that was found out about a target, with its severity.

use serde::Serialize;

/// A stable statement about a target; the id never changes its meaning once published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// A kebab-case noun for what was found; `docs/checks/<id>.md` describes it.
    pub id: &'static str,
    /// Which question it belongs to.
    pub axis: Axis,
    /// How much it matters.
    pub severity: Severity,
    /// For people: one sentence, lower case, no full stop.
    pub message: String,
    /// For programs: the values the message was made from.
    pub evidence: serde_json::Value,
}

/// The question that a finding answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Is it what the source builds?
    Content,
    /// Is it who it seems to be?
    Identity,
    /// Is the source what it seems to be?
    Source,
    /// What does it pull in?
    Dependencies,
    /// What runs on install?
    Install,
    /// What does it tell a model?
    Surface,
    /// How is it packed?
    Packaging,
    /// Who else vouches for it?
    Provenance,
}

/// How much a finding matters; `High` and `Critical` fail a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Odd, and usually harmless.
    Low,
    /// A person should look.
    Medium,
    /// Fails the target.
    High,
    /// Fails the target, and nothing excuses it.
    Critical,
}
