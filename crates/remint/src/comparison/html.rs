//! The page for a browser: a tree of all files, and the differing ones side by side. It is one file that loads nothing
//! and runs nothing, so that it can be sent around and opened anywhere.

mod side_by_side;
mod tree;

use askama::Template;
use remint_compare::normalise;
use remint_model::{Anomaly, Change, Difference};

use self::side_by_side::{Line, rows};
use self::tree::{Node, Tree, tree};
use super::{ComparisonReport, Given, Identity, WORDS};
use crate::report::foreign::harmless;
use crate::report::page::change_words;
use crate::report::size_words;

/// Anomalies of one side that are shown.
const SHOWN_ANOMALIES: usize = 100;
/// Differences that have a section of their own.
const SHOWN_DIFFERENCES: usize = 2_000;
/// Characters of one path or text.
const LONGEST: usize = 500;

#[derive(Template)]
#[template(path = "comparison.html")]
struct PageOfComparison {
    content: &'static str,
    sentence: String,
    sides: [FileFacts; 2],
    notes: Vec<String>,
    erasures: Vec<ErasureFacts>,
    tree: Tree,
    differences: Vec<DifferenceFacts>,
    more_differences: usize,
    version: &'static str,
    started: String,
}

struct FileFacts {
    which: &'static str,
    given: String,
    name: String,
    size: String,
    sha256: String,
    anomalies: Vec<String>,
    more_anomalies: usize,
}

struct ErasureFacts {
    name: String,
    hides: &'static str,
    place: String,
}

struct DifferenceFacts {
    anchor: String,
    path: String,
    class: &'static str,
    what: String,
    explanation: Option<String>,
    hunks: Vec<HunkFacts>,
}

struct HunkFacts {
    head: String,
    lines: Vec<Line>,
}

/// The page, whole.
///
/// # Errors
/// The template cannot be filled in, which is a bug of ours.
pub(crate) fn render(report: &ComparisonReport) -> anyhow::Result<String> {
    let compared = report.compared.as_ref().ok();
    let page = PageOfComparison {
        content: report.content(),
        sentence: harmless(&report.sentence()).into_owned(),
        sides: [
            file(
                WORDS.rebuilt,
                &report.first,
                compared.map_or(&[][..], |compared| &compared.rebuilt_anomalies),
            ),
            file(
                WORDS.published,
                &report.second,
                compared.map_or(&[][..], |compared| &compared.published_anomalies),
            ),
        ],
        notes: report
            .notes
            .iter()
            .map(|note| harmless(note).into_owned())
            .collect(),
        erasures: erasures(report, compared.and_then(|compared| compared.gzip_encoder)),
        tree: tree(
            compared.map_or(&[][..], |compared| &compared.paths),
            report.differences(),
            report.erased(),
            SHOWN_DIFFERENCES,
        ),
        differences: report
            .differences()
            .iter()
            .take(SHOWN_DIFFERENCES)
            .enumerate()
            .map(|(at, difference)| facts(at, difference))
            .collect(),
        more_differences: report.differences().len().saturating_sub(SHOWN_DIFFERENCES),
        version: env!("CARGO_PKG_VERSION"),
        started: report.started.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    };
    Ok(page.render()?)
}

fn file(which: &'static str, side: &Given, anomalies: &[Anomaly]) -> FileFacts {
    let told = |of: &dyn Fn(&Identity) -> String| {
        side.identity.as_ref().map_or_else(|| "—".to_owned(), of)
    };
    FileFacts {
        which,
        given: harmless(&side.label).into_owned(),
        name: told(&|identity| harmless(&identity.name).into_owned()),
        size: told(&|identity| size_words(identity.size)),
        sha256: told(&|identity| identity.sha256.to_string()),
        anomalies: anomalies
            .iter()
            .take(SHOWN_ANOMALIES)
            .map(|anomaly| {
                let words = format!("{}: {} {}", anomaly.kind.id(), anomaly.path, anomaly.detail);
                shown(&words, LONGEST)
            })
            .collect(),
        more_anomalies: anomalies.len().saturating_sub(SHOWN_ANOMALIES),
    }
}

fn erasures(report: &ComparisonReport, gzip_encoder: Option<&'static str>) -> Vec<ErasureFacts> {
    let hides = |id: &str| {
        let known = normalise::ALL.iter().find(|normaliser| normaliser.id == id);
        known.map_or("", |normaliser| normaliser.hides)
    };
    report
        .erased()
        .iter()
        .map(|erasure| ErasureFacts {
            name: format!("{}@{}", erasure.normaliser, erasure.version),
            hides: hides(erasure.normaliser),
            place: match (erasure.paths.as_slice(), gzip_encoder) {
                ([], Some(encoder)) if erasure.normaliser == "gzip-encoding" => {
                    format!("the archive itself: its bytes are made by {encoder}")
                }
                ([], _) => "the archive itself".to_owned(),
                ([path], _) if erasure.count == 1 => shown(path, LONGEST),
                (_, _) => format!("{} entries", erasure.count),
            },
        })
        .collect()
}

fn facts(at: usize, difference: &Difference) -> DifferenceFacts {
    DifferenceFacts {
        anchor: anchor(at),
        path: shown(difference.path.as_str(), LONGEST),
        class: difference.class.word(),
        what: change_words(difference, WORDS),
        explanation: difference
            .explanation
            .as_ref()
            .map(|explanation| harmless(explanation).into_owned()),
        hunks: difference
            .hunks
            .iter()
            .map(|hunk| hunk_facts(hunk))
            .collect(),
    }
}

fn hunk_facts(hunk: &str) -> HunkFacts {
    let (head, body) = hunk.split_once('\n').unwrap_or((hunk, ""));
    HunkFacts {
        head: head.to_owned(),
        lines: rows(head, body),
    }
}

/// Text of strangers; of a longer one, the beginning and the end.
fn shown(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return harmless(text).into_owned();
    }
    let end = most / 2;
    let begin = most - 1 - end;
    let cut: String = text
        .chars()
        .take(begin)
        .chain(['…'])
        .chain(text.chars().skip(length - end))
        .collect();
    harmless(&cut).into_owned()
}

/// Where a difference is on the page, from its place in the ranking.
fn anchor(at: usize) -> String {
    format!("difference-{}", at + 1)
}

/// How a path is marked in the tree.
const fn mark(change: Change) -> &'static str {
    match change {
        Change::Added => "only in the second",
        Change::Removed => "only in the first",
        Change::Changed => "differs",
        Change::Metadata => "other mode or header",
    }
}
