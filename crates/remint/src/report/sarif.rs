//! The report for code scanning: SARIF 2.1.0. One run; a result for each finding and each file that differs.
//!
//! A target that is not verified has at least one result, whatever is known about it: nobody may read an empty list
//! as a pass. A verified one has nothing above a note. `docs/sarif.md` describes the format.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use remint_compare::SideWords;
use remint_judge::ResultEvidence;
use remint_model::{Change, Comparison, Difference, Outcome};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use self::rules::Kind;
use self::wire::{
    Artifact, ArtifactLocation, AutomationDetails, Driver, Invocation, Level, Location, Log,
    LogicalLocation, Message, Notification, PhysicalLocation, Region, ResultObject, Rule, Run,
    Tool,
};
use super::human::headline;
use super::page::change_words;
use super::{RunReport, TargetReport, outcome_word};
use crate::exit::Exit;

mod rules;
mod wire;

/// Differences of one target that become results; services refuse logs with very many.
const MOST_DIFFERENCES: usize = 1000;

/// The report as SARIF text, with a newline at its end.
pub(super) fn render(report: &RunReport) -> String {
    let mut rules: Vec<Rule> = Vec::new();
    let mut results = Vec::new();
    let mut notifications: Vec<Notification> = report
        .unjudged
        .iter()
        .map(|error| notification(Level::Error, error))
        .collect();
    for (at, target) in report.targets.iter().enumerate() {
        for draft in drafts(target) {
            results.push(draft.result(target, at, &mut rules));
        }
        let left_out = differences(target).len().saturating_sub(MOST_DIFFERENCES);
        if left_out > 0 {
            let words = format!(
                "{}: {left_out} more differences are in the JSON report only",
                target.label
            );
            notifications.push(notification(Level::Warning, &words));
        }
    }
    let started = report.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let log = Log {
        schema: wire::SCHEMA,
        version: "2.1.0",
        runs: vec![Run {
            tool: Tool {
                driver: Driver {
                    name: "remint",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules,
                },
            },
            automation_details: AutomationDetails {
                id: format!("remint/verify-build/{started}"),
            },
            invocations: vec![Invocation {
                execution_successful: match report.exit {
                    Exit::Verified | Exit::Failed | Exit::Inconclusive => true,
                    Exit::Usage | Exit::Machine | Exit::Interrupted => false,
                },
                exit_code: report.exit.code(),
                exit_code_description: report.exit.words(),
                start_time_utc: started,
                tool_execution_notifications: notifications,
            }],
            artifacts: report.targets.iter().map(artifact).collect(),
            results,
        }],
    };
    // Plain structs of strings and numbers always serialise; an empty answer would be noticed by every reader.
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn notification(level: Level, words: &str) -> Notification {
    Notification {
        level,
        message: message(words),
    }
}

fn artifact(target: &TargetReport) -> Artifact {
    let judgement = &target.judgement;
    let mut hashes = Map::new();
    if let Some(published) = &target.published {
        hashes.insert("sha-256".into(), json!(published.sha256));
    }
    let mut properties = Map::new();
    properties.insert("target".into(), json!(name(target)));
    properties.insert("outcome".into(), json!(judgement.outcome));
    properties.insert("content".into(), json!(judgement.content));
    properties.insert("basis".into(), json!(judgement.basis));
    properties.insert("reason".into(), json!(judgement.reason));
    properties.insert("notes".into(), json!(target.notes));
    properties.insert("limits".into(), json!(target.limits));
    Artifact {
        location: ArtifactLocation {
            uri: uri(target, None),
            index: None,
        },
        roles: ["analysisTarget"],
        length: target.published.as_ref().map(|published| published.size),
        hashes,
        properties,
    }
}

/// A result before it is put into SARIF's words.
struct Draft<'a> {
    kind: Kind,
    words: String,
    difference: Option<&'a Difference>,
    properties: Vec<(&'static str, Value)>,
}

/// Everything that is to be said about a target, most serious first.
fn drafts(target: &TargetReport) -> Vec<Draft<'_>> {
    let judgement = &target.judgement;
    let mut drafts: Vec<Draft<'_>> = judgement
        .findings
        .iter()
        .map(|finding| Draft {
            kind: Kind::Finding(finding.id, finding.severity),
            words: finding.message.clone(),
            difference: None,
            properties: vec![
                ("axis", json!(finding.axis)),
                ("evidence", finding.evidence.clone()),
            ],
        })
        .collect();
    drafts.extend(
        differences(target)
            .iter()
            .take(MOST_DIFFERENCES)
            .map(|difference| Draft {
                kind: Kind::Difference(difference.class),
                words: format!(
                    "`{}` {}",
                    difference.path,
                    change_words(difference, SideWords::default())
                ),
                difference: Some(difference),
                properties: vec![
                    ("change", json!(difference.change)),
                    ("class", json!(difference.class)),
                    ("explanation", json!(difference.explanation)),
                ],
            }),
    );
    let outcome = match judgement.outcome {
        Outcome::Verified => None,
        // What made it fail usually stands there already; where it does not, the failure speaks for itself.
        Outcome::Failed => drafts
            .iter()
            .all(|draft| rules::level(draft.kind.severity()) != Level::Error)
            .then_some(Kind::Failed),
        // Why nothing is known stands nowhere else.
        Outcome::Inconclusive => Some(Kind::Inconclusive(judgement.reason)),
    };
    if let Some(kind) = outcome {
        let draft = Draft {
            kind,
            words: headline(target),
            difference: None,
            properties: vec![("next", json!(target.next))],
        };
        drafts.insert(0, draft);
    }
    drafts
}

impl Draft<'_> {
    fn result(self, target: &TargetReport, at: usize, rules: &mut Vec<Rule>) -> ResultObject {
        let rule_id = self.kind.id();
        let rule_index = match rules.iter().position(|rule| rule.id == rule_id) {
            Some(known) => known,
            None => {
                rules.push(self.kind.rule());
                rules.len() - 1
            }
        };
        let path = self.difference.map(|difference| difference.path.as_str());
        let severity = self.kind.severity();
        let mut properties: Map<String, Value> = [
            ("target", json!(name(target))),
            ("outcome", json!(outcome_word(target.judgement.outcome))),
            ("severity", json!(rules::severity_word(severity))),
        ]
        .into_iter()
        .chain(self.properties)
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        properties.retain(|_, value| !value.is_null());
        let mut fingerprints = Map::new();
        fingerprints.insert(
            "remint/v1".into(),
            json!(fingerprint(&[
                &name(target),
                &rule_id,
                path.unwrap_or_default(),
                &self.words,
            ])),
        );
        ResultObject {
            rule_id,
            rule_index,
            level: match target.judgement.outcome {
                // What does not keep a target from being verified must not stop whoever reads levels only.
                Outcome::Verified => Level::Note,
                Outcome::Failed | Outcome::Inconclusive => rules::level(severity),
            },
            message: message(&format!("{}: {}", target.label, self.words)),
            locations: [Location {
                physical_location: PhysicalLocation {
                    artifact_location: ArtifactLocation {
                        uri: uri(target, path),
                        index: path.is_none().then_some(at),
                    },
                    region: self
                        .difference
                        .and_then(changed_line)
                        .map(|start_line| Region { start_line }),
                },
                logical_locations: [LogicalLocation {
                    fully_qualified_name: name(target),
                    kind: "package",
                }],
            }],
            partial_fingerprints: fingerprints,
            properties,
        }
    }
}

fn differences(target: &TargetReport) -> &[Difference] {
    match target.evidence.as_ref().map(|evidence| &evidence.result) {
        Some(ResultEvidence::Compared {
            comparison: Comparison::Different { differences, .. },
            ..
        }) => differences,
        Some(ResultEvidence::Compared { .. } | ResultEvidence::NotCompared { .. }) | None => &[],
    }
}

/// The package URL, or what the target was asked for as.
fn name(target: &TargetReport) -> String {
    target
        .target
        .as_ref()
        .map_or_else(|| target.label.clone(), |target| target.purl())
}

/// RFC 3986, "unreserved": everything else is encoded, so that no name reads as a scheme, a query or a way up.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The published file, or a file inside of it, as a relative URI: services take no other.
fn uri(target: &TargetReport, inside: Option<&str>) -> String {
    let file = target
        .published
        .as_ref()
        .map_or(&*target.label, |published| published.name.as_str());
    std::iter::once(file)
        .chain(inside.into_iter().flat_map(|path| path.split('/')))
        .map(|part| utf8_percent_encode(part, ENCODED).to_string())
        .collect::<Vec<_>>()
        .join("/")
}

/// The first line of the published file that its source does not build, where the difference is shown as text.
fn changed_line(difference: &Difference) -> Option<u64> {
    match difference.change {
        Change::Added | Change::Changed => {}
        Change::Removed | Change::Metadata => return None,
    }
    let mut lines = difference.hunks.first()?.lines();
    // `@@ -5,6 +5,7 @@`
    let (_, published) = lines.next()?.split_once(" +")?;
    let digits = published
        .find(|c: char| !c.is_ascii_digit())
        .and_then(|end| published.get(..end))?;
    let start: u64 = digits.parse().ok()?;
    let unchanged = lines.take_while(|line| line.starts_with(' ')).count();
    Some(start.checked_add(u64::try_from(unchanged).ok()?)?.max(1))
}

fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A message that reads as it stands. Text from strangers could hold what SARIF takes for a link (3.11.6) or a
/// placeholder (3.11.5); where it does, the brackets or braces are escaped.
fn message(words: &str) -> Message {
    let mut text = words.to_owned();
    if text.contains("](") {
        text = text
            .replace('\\', "\\\\")
            .replace('[', "\\[")
            .replace(']', "\\]");
    }
    let placeholder = text
        .split('{')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if placeholder {
        text = text.replace('{', "{{").replace('}', "}}");
    }
    Message {
        text,
        markdown: None,
    }
}

#[cfg(test)]
mod tests;
