//! What SARIF calls rules: one for each id that results carry, described by the pages of `docs/checks/`.
//!
//! `<finding id>` for findings, `difference/<class>` for files that differ, `outcome/failed` and
//! `outcome/inconclusive/<reason>` for outcomes.

use remint_model::{Class, InconclusiveReason, Severity};
use serde_json::{Map, Value, json};

use super::wire::{Configuration, Level, Message, Rule};
use crate::commands::explain;

/// What a result is an instance of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A finding, by its id.
    Finding(&'static str, Severity),
    /// A file that the source does not build as it was published.
    Difference(Class),
    /// The target failed.
    Failed,
    /// It could not be found out.
    Inconclusive(Option<InconclusiveReason>),
}

impl Kind {
    /// The rule's id.
    pub(super) fn id(self) -> String {
        match self {
            Self::Finding(id, _) => id.to_owned(),
            Self::Difference(class) => format!("difference/{}", class.word()),
            Self::Failed => "outcome/failed".to_owned(),
            Self::Inconclusive(None) => "outcome/inconclusive".to_owned(),
            Self::Inconclusive(Some(reason)) => {
                format!("outcome/inconclusive/{}", reason_word(reason))
            }
        }
    }

    /// How much one result of this kind matters.
    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::Finding(_, severity) => severity,
            Self::Difference(class) => class_severity(class),
            Self::Failed => Severity::High,
            Self::Inconclusive(_) => Severity::Medium,
        }
    }

    /// The rule itself.
    pub(super) fn rule(self) -> Rule {
        let id = self.id();
        let (page, help) = match self {
            Self::Finding(page, _) => (page, page_of(page)),
            Self::Inconclusive(Some(reason)) => (reason_word(reason), page_of(reason_word(reason))),
            Self::Inconclusive(None) | Self::Difference(_) | Self::Failed => ("", None),
        };
        // A rule says how severe its kind usually is; a single result may say otherwise.
        let severity = help
            .and_then(severity_on)
            .unwrap_or_else(|| self.severity());
        let (short, full, text, uri) = match help {
            Some(text) => (
                first_sentence(text).to_owned(),
                section(text, "## Why it matters").to_owned(),
                text.to_owned(),
                format!("{DOCUMENTATION}checks/{page}.md"),
            ),
            None => {
                let (short, full) = self.words();
                (
                    short.to_owned(),
                    full.to_owned(),
                    format!("{short} {full}"),
                    format!("{DOCUMENTATION}sarif.md#rules"),
                )
            }
        };
        let plain = |text: String| Message {
            text,
            markdown: None,
        };
        Rule {
            id,
            short_description: plain(short),
            full_description: plain(full),
            help: Message {
                markdown: Some(text.clone()),
                text,
            },
            help_uri: uri,
            default_configuration: Configuration {
                level: level(severity),
            },
            properties: properties(self, severity),
        }
    }

    /// What there is no page for.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Finding(..) => (
                "Something was found about the published file.",
                "`remint explain` lists every id and what it means.",
            ),
            Self::Difference(_) => (
                "A published file is not what its source builds.",
                "A clean build of the source that the release names does not make this file as it was published. \
                 Do not run this version before somebody has looked at it.",
            ),
            Self::Failed => (
                "The published file failed.",
                "Its content differs from what its source builds, it is not the file that its registry declares, \
                 or something serious was found. Do not run this version before somebody has looked at it.",
            ),
            Self::Inconclusive(_) => (
                "It could not be found out.",
                "Unknown is not good: nothing is known about whether the published file is what its source builds.",
            ),
        }
    }
}

const DOCUMENTATION: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/HEAD/docs/");

/// The level that a severity is shown with.
pub(super) const fn level(severity: Severity) -> Level {
    match severity {
        Severity::Critical | Severity::High => Level::Error,
        Severity::Medium => Level::Warning,
        Severity::Low | Severity::Info => Level::Note,
    }
}

/// The word for a reason, as in the JSON report and as the name of its page.
pub(super) const fn reason_word(reason: InconclusiveReason) -> &'static str {
    match reason {
        InconclusiveReason::NotFound => "not-found",
        InconclusiveReason::NoSource => "no-source",
        InconclusiveReason::NotBuilt => "not-built",
        InconclusiveReason::Unsupported => "unsupported",
        InconclusiveReason::Malformed => "malformed",
        InconclusiveReason::Unavailable => "unavailable",
        InconclusiveReason::SdistOnly => "sdist-only",
    }
}

/// The word for a severity, as in the JSON report.
pub(super) const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Info => "info",
    }
}

/// Whatever differs fails its target; what runs, or decides what runs, is worse than what people read.
const fn class_severity(class: Class) -> Severity {
    match class {
        Class::Startup
        | Class::InstallScript
        | Class::Native
        | Class::Executable
        | Class::Manifest
        | Class::DependencyList
        | Class::Data => Severity::High,
        Class::Types
        | Class::Sourcemap
        | Class::Metadata
        | Class::Documentation
        | Class::Licence => Severity::Medium,
    }
}

fn properties(kind: Kind, severity: Severity) -> Map<String, Value> {
    let about = match kind {
        Kind::Finding(..) => "finding",
        Kind::Difference(_) => "difference",
        Kind::Failed | Kind::Inconclusive(_) => "outcome",
    };
    let mut properties = Map::new();
    properties.insert("tags".into(), json!(["security", "supply-chain", about]));
    // How code scanning services rank: a CVSS-like number, as text. What is not known has none.
    let number = match (kind, severity) {
        (Kind::Inconclusive(_), _) | (_, Severity::Info) => None,
        (_, Severity::Critical) => Some("9.5"),
        (_, Severity::High) => Some("8.0"),
        (_, Severity::Medium) => Some("5.5"),
        (_, Severity::Low) => Some("2.5"),
    };
    if let Some(number) = number {
        properties.insert("security-severity".into(), json!(number));
    }
    properties
}

fn page_of(id: &str) -> Option<&'static str> {
    explain::PAGES
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, page)| *page)
}

/// The page's third line: `One sentence. (Axis, severity)`.
fn first_sentence(page: &str) -> &str {
    let line = page.lines().nth(2).unwrap_or_default();
    line.rsplit_once(" (")
        .map_or(line, |(sentence, _)| sentence)
}

fn severity_on(page: &str) -> Option<Severity> {
    let line = page.lines().nth(2)?;
    let (_, word) = line.strip_suffix(')')?.rsplit_once(", ")?;
    [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Info,
    ]
    .into_iter()
    .find(|severity| severity_word(*severity) == word)
}

fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    page.split_once(heading)
        .map(|(_, rest)| rest.split_once("\n## ").map_or(rest, |(part, _)| part))
        .unwrap_or(page)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_a_rule_with_its_page_and_its_severity() {
        let images = [remint_judge::IMAGE_FINDINGS];
        let packages = remint_judge::checks::ALL.iter().map(|check| check.ids);
        for ids in packages.chain(images) {
            for id in ids {
                let rule = Kind::Finding(id, Severity::Info).rule();
                assert_eq!(rule.id, *id);
                assert!(rule.help_uri.ends_with(&format!("/docs/checks/{id}.md")));
                assert!(rule.help.text.starts_with(&format!("# {id}\n")));
                assert!(!rule.full_description.text.contains("##"), "{id}");
                assert!(
                    severity_on(page_of(id).unwrap()).is_some(),
                    "the page of {id} names no severity"
                );
            }
        }
    }

    #[test]
    fn a_rule_says_how_severe_its_kind_is_whatever_one_result_was() {
        let rule = Kind::Finding("undeclared-dependency", Severity::Info).rule();
        assert_eq!(rule.default_configuration.level, Level::Error);
        assert_eq!(rule.properties["security-severity"], "8.0");
        let rule = Kind::Finding("unexpected-network-access", Severity::Medium).rule();
        assert_eq!(rule.default_configuration.level, Level::Warning);
        assert_eq!(
            rule.short_description.text,
            "The build tried to reach the network."
        );
    }

    #[test]
    fn reasons_have_pages_and_outcomes_have_words() {
        for reason in [
            InconclusiveReason::NotFound,
            InconclusiveReason::NoSource,
            InconclusiveReason::NotBuilt,
            InconclusiveReason::Unsupported,
            InconclusiveReason::Malformed,
            InconclusiveReason::Unavailable,
            InconclusiveReason::SdistOnly,
        ] {
            let rule = Kind::Inconclusive(Some(reason)).rule();
            let word = reason_word(reason);
            assert_eq!(serde_json::to_value(reason).unwrap(), word);
            assert_eq!(rule.id, format!("outcome/inconclusive/{word}"));
            assert!(rule.help.text.starts_with(&format!("# {word}\n")));
            assert!(!rule.properties.contains_key("security-severity"));
        }
        let rule = Kind::Failed.rule();
        assert!(rule.help_uri.ends_with("/docs/sarif.md#rules"));
        assert_eq!(rule.default_configuration.level, Level::Error);
    }
}
