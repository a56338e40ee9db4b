//! The report for people: verdict first, then what matters, then what was not checked, then the next step.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Effects, Style};
use remint_judge::ResultEvidence;
use remint_model::{
    Basis, Change, Class, Comparison, Content, Difference, Erasure, Finding, FoundBy, Outcome,
    Severity, SourcePin,
};

use super::foreign::harmless;
use super::{RunReport, TargetReport, count_words, outcome_word, provenance};

/// Columns where there is no terminal that says.
const DEFAULT_WIDTH: usize = 100;
/// Differences that are shown with their lines.
const SHOWN_WITH_HUNKS: usize = 5;
/// Differences that are shown at all.
const SHOWN: usize = 25;
/// Lines of one difference.
const SHOWN_LINES: usize = 14;

pub(super) const DIM: Style =
    Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::BrightBlack)));
pub(super) const BOLD: Style = Style::new().effects(Effects::BOLD);
pub(super) const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
pub(super) const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
pub(super) const YELLOW: Style =
    Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// All targets, with an empty line between them.
pub(super) fn render(report: &RunReport, width: Option<usize>) -> String {
    let width = width.unwrap_or(DEFAULT_WIDTH).clamp(60, 120);
    let mut text = String::new();
    for (at, target) in report.targets.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let mut page = Page {
            text: &mut text,
            width,
        };
        page.target(target);
    }
    for words in &report.unjudged {
        if !text.is_empty() {
            text.push('\n');
        }
        line(
            &mut text,
            &format!("{RED}✘ not judged{RED:#}  {}", harmless(words)),
        );
    }
    if report.targets.len() + report.unjudged.len() > 1 {
        let count = |outcome| {
            report
                .targets
                .iter()
                .filter(|target| target.judgement.outcome == outcome)
                .count()
        };
        let mut totals = format!(
            "\n{} verified, {} failed, {} inconclusive",
            count(Outcome::Verified),
            count(Outcome::Failed),
            count(Outcome::Inconclusive)
        );
        if !report.unjudged.is_empty() {
            push(
                &mut totals,
                format_args!(", {} not judged", report.unjudged.len()),
            );
        }
        line(&mut text, &totals);
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

struct Page<'a> {
    text: &'a mut String,
    width: usize,
}

impl Page<'_> {
    fn target(&mut self, report: &TargetReport) {
        let judgement = &report.judgement;
        let (sign, style) = match judgement.outcome {
            Outcome::Verified => ('✔', GREEN),
            Outcome::Failed => ('✘', RED),
            Outcome::Inconclusive => ('?', YELLOW),
        };
        let file = match &report.target {
            Some(target) => target
                .file
                .as_ref()
                .map(|file| format!("  {DIM}{file}{DIM:#}"))
                .unwrap_or_default(),
            None => String::new(),
        };
        line(
            self.text,
            &format!(
                "{style}{sign} {}{style:#}  {BOLD}{}{BOLD:#}{file}",
                outcome_word(judgement.outcome),
                harmless(&report.label)
            ),
        );
        self.paragraph(&headline(report));
        for note in &report.notes {
            self.paragraph(note);
        }
        self.findings(&judgement.findings);
        if let Some(ResultEvidence::Compared { comparison, .. }) =
            report.evidence.as_ref().map(|evidence| &evidence.result)
        {
            self.comparison(report, comparison);
        }
        self.failure(report);
        self.provenance(report);
        self.source(report);
        if judgement.outcome == Outcome::Verified {
            self.blank();
            self.paragraph(&format!("not checked: {}", report.limits.join("; ")));
        }
        if !report.next.is_empty() {
            self.blank();
            for next in &report.next {
                line(self.text, &format!("  {}", harmless(next)));
            }
        }
    }

    fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn paragraph(&mut self, paragraph: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent("  ")
            .subsequent_indent("  ")
            .break_words(false);
        for wrapped in textwrap::wrap(&harmless(paragraph), options) {
            line(self.text, &wrapped);
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        self.blank();
        for finding in findings {
            let (word, style) = match finding.severity {
                Severity::Critical => ("critical", RED),
                Severity::High => ("high", RED),
                Severity::Medium => ("medium", YELLOW),
                Severity::Low => ("low", DIM),
                Severity::Info => ("info", DIM),
            };
            let head = format!("{word:<9} {:<26} ", finding.id);
            let continued = " ".repeat(head.chars().count());
            let options = textwrap::Options::new(self.width.saturating_sub(2))
                .initial_indent(&head)
                .subsequent_indent(&continued)
                .break_words(false);
            for (at, wrapped) in textwrap::wrap(&harmless(&finding.message), options)
                .iter()
                .enumerate()
            {
                let wrapped = if at == 0 {
                    wrapped.replacen(word, &format!("{style}{word}{style:#}"), 1)
                } else {
                    wrapped.to_string()
                };
                line(self.text, &format!("  {wrapped}"));
            }
        }
    }

    fn comparison(&mut self, report: &TargetReport, comparison: &Comparison) {
        let (erased, differences): (&[Erasure], &[Difference]) = match comparison {
            Comparison::Identical => (&[], &[]),
            Comparison::Equivalent { erased } => (erased, &[]),
            Comparison::Different {
                erased,
                differences,
            } => (erased, differences),
        };
        if !differences.is_empty() {
            self.blank();
        }
        for (at, difference) in differences.iter().take(SHOWN).enumerate() {
            self.difference(at, difference);
        }
        if differences.len() > SHOWN {
            self.paragraph(&format!(
                "and {}; the JSON report lists them all",
                count_words(differences.len() - SHOWN, "more difference")
            ));
        }
        if !erased.is_empty() {
            self.blank();
            for erasure in erased {
                let place = match erasure.paths.as_slice() {
                    [] => match report.gzip_encoder {
                        Some(encoder) if erasure.normaliser == "gzip-encoding" => {
                            format!("the archive itself: its bytes are made by {encoder}")
                        }
                        Some(_) | None => "the archive itself".to_owned(),
                    },
                    [path] => harmless(path).into_owned(),
                    paths => count_words(erasure.count.max(paths.len()), "entry")
                        .replace("entrys", "entries"),
                };
                line(
                    self.text,
                    &format!("  erased    {:<26} {place}", erasure.normaliser),
                );
            }
        }
        if let Some((equal, total)) = report.files
            && !differences.is_empty()
        {
            self.blank();
            self.paragraph(&format!("{equal} of {} equal", count_words(total, "file")));
        }
    }

    fn difference(&mut self, at: usize, difference: &Difference) {
        let what = change_words(difference);
        line(
            self.text,
            &format!(
                "  {BOLD}{:>2}{BOLD:#}  {:<15} {:<40} {what}",
                at + 1,
                class_word(difference.class),
                harmless(difference.path.as_str())
            ),
        );
        if let Some(explanation) = &difference.explanation {
            line(
                self.text,
                &format!("      {DIM}because: {}{DIM:#}", harmless(explanation)),
            );
        }
        if at >= SHOWN_WITH_HUNKS {
            return;
        }
        let lines: Vec<&str> = difference
            .hunks
            .iter()
            .flat_map(|hunk| hunk.lines())
            .collect();
        for shown in lines.iter().take(SHOWN_LINES) {
            let style = match shown.chars().next() {
                Some('+') => GREEN,
                Some('-') => RED,
                Some('@') => DIM,
                _ => Style::new(),
            };
            let shown = harmless(shown);
            let cut: String = shown.chars().take(self.width.saturating_sub(8)).collect();
            line(self.text, &format!("      {style}{cut}{style:#}"));
        }
        if lines.len() > SHOWN_LINES {
            let more = count_words(lines.len() - SHOWN_LINES, "more line");
            line(self.text, &format!("      {DIM}… {more}{DIM:#}"));
        }
    }

    fn failure(&mut self, report: &TargetReport) {
        let Some(failure) = &report.failure else {
            return;
        };
        self.blank();
        line(
            self.text,
            &format!("  {BOLD}{}{BOLD:#}", harmless(&failure.step)),
        );
        for shown in tail(&failure.log_tail, 12) {
            let shown = harmless(shown);
            let cut: String = shown.chars().take(self.width.saturating_sub(6)).collect();
            line(self.text, &format!("    {DIM}{cut}{DIM:#}"));
        }
        if report.tried.len() > 1 {
            self.blank();
            for tried in &report.tried {
                line(
                    self.text,
                    &format!(
                        "  tried     {:<26} {}",
                        harmless(&tried.variant),
                        harmless(&tried.result)
                    ),
                );
            }
        }
    }

    fn provenance(&mut self, report: &TargetReport) {
        let Some(evidence) = &report.evidence else {
            return;
        };
        let lines = provenance::lines(evidence);
        if lines.is_empty() {
            return;
        }
        self.blank();
        for words in lines {
            line(self.text, &format!("  provenance  {}", harmless(&words)));
        }
    }

    fn source(&mut self, report: &TargetReport) {
        let Some(pin) = report
            .evidence
            .as_ref()
            .and_then(|evidence| evidence.source.as_ref())
        else {
            return;
        };
        if report.judgement.outcome == Outcome::Verified {
            return;
        }
        self.blank();
        self.paragraph(&format!("source: {}", source_words(pin)));
    }
}

/// One sentence that says what the verdict means.
pub(super) fn headline(report: &TargetReport) -> String {
    let judgement = &report.judgement;
    let pin = report
        .evidence
        .as_ref()
        .and_then(|evidence| evidence.source.as_ref());
    let built_from = match (judgement.basis, pin) {
        (Some(Basis::Sdist), _) => "a build of the registry's own source archive".to_owned(),
        (Some(Basis::Attestation), _) => "what trusted rebuilders built".to_owned(),
        (Some(Basis::SourceTree), Some(pin)) => format!("the files of {}", short_source(pin)),
        (_, Some(pin)) => format!("a clean build of {}", short_source(pin)),
        (_, None) => "a clean build".to_owned(),
    };
    match (judgement.outcome, judgement.content) {
        (_, Content::Different) => {
            let ranked = match report.evidence.as_ref().map(|evidence| &evidence.result) {
                Some(ResultEvidence::Compared {
                    comparison: Comparison::Different { differences, .. },
                    ..
                }) => differences.first().map(|first| first.class),
                Some(_) | None => None,
            };
            match ranked {
                Some(Class::Startup | Class::InstallScript | Class::Native | Class::Executable) => {
                    format!("the published file runs code that differs from {built_from}")
                }
                Some(Class::Manifest | Class::DependencyList) => {
                    format!("the published file's manifest differs from {built_from}")
                }
                Some(
                    Class::Data
                    | Class::Types
                    | Class::Sourcemap
                    | Class::Metadata
                    | Class::Documentation
                    | Class::Licence,
                )
                | None => format!("the published file differs from {built_from}"),
            }
        }
        (Outcome::Failed, _) => {
            let finding = judgement
                .findings
                .first()
                .map_or_else(String::new, |finding| finding.message.clone());
            match judgement.content {
                Content::Identical | Content::Equivalent => {
                    format!("the content is what its source builds, and yet: {finding}")
                }
                Content::Different | Content::Inconclusive => finding,
            }
        }
        (Outcome::Verified, Content::Equivalent) => {
            format!("equivalent to {built_from}: only what is listed as erased differs")
        }
        (Outcome::Verified, _) => format!("identical, bit for bit, to {built_from}"),
        (Outcome::Inconclusive, _) => judgement
            .detail
            .clone()
            .unwrap_or_else(|| "it could not be found out".to_owned()),
    }
}

fn short_source(pin: &SourcePin) -> String {
    match (&pin.reference, pin.found_by) {
        (Some(reference), FoundBy::Tag) => format!("tag {reference} ({})", pin.commit.short()),
        (Some(reference), _) => format!("{reference} ({})", pin.commit.short()),
        (None, _) => format!("commit {}", pin.commit.short()),
    }
}

fn source_words(pin: &SourcePin) -> String {
    let repository = pin
        .repository
        .split_once("://")
        .map_or(&*pin.repository, |(_, rest)| rest);
    let folder = pin
        .subdirectory
        .as_ref()
        .map(|folder| format!(", folder {folder}"))
        .unwrap_or_default();
    let found = match pin.found_by {
        FoundBy::User => "given by you",
        FoundBy::Tag => "found by tag",
        FoundBy::Provenance => "found by provenance",
        FoundBy::GitHead => "found by the registry's gitHead",
        FoundBy::VcsInfo => "found by .cargo_vcs_info.json",
        FoundBy::VersionCommit => "the commit that set the version",
        FoundBy::Neighbour => "a commit next to a tag or to the one that set the version",
        FoundBy::Blobs => "found by matching the published files",
    };
    let agreeing: Vec<&str> = pin
        .candidates
        .iter()
        .filter(|candidate| candidate.agrees && candidate.found_by != pin.found_by)
        .filter_map(|candidate| match candidate.found_by {
            FoundBy::GitHead => Some("gitHead"),
            FoundBy::VcsInfo => Some(".cargo_vcs_info.json"),
            FoundBy::Provenance => Some("provenance"),
            FoundBy::Tag => Some("a tag"),
            FoundBy::User | FoundBy::VersionCommit | FoundBy::Neighbour | FoundBy::Blobs => None,
        })
        .collect();
    let agrees = if agreeing.is_empty() {
        String::new()
    } else {
        format!(", agrees with {}", agreeing.join(" and "))
    };
    format!(
        "{repository}{folder}, {}, {found}{agrees}",
        short_source(pin)
    )
}

/// What happened to a file, after its path.
pub(super) fn change_words(difference: &Difference) -> String {
    match difference.change {
        Change::Added => "only in the published file".to_owned(),
        Change::Removed => "only in the rebuilt file".to_owned(),
        Change::Metadata => "same content, other mode or header".to_owned(),
        Change::Changed => match difference.lines {
            (0, 0) => "differs".to_owned(),
            (added, 0) => format!("{} added", count_words(added, "line")),
            (0, removed) => format!("{} missing", count_words(removed, "line")),
            (added, removed) => format!("{added} added, {removed} missing"),
        },
    }
}

/// The word for a class, as in the JSON report.
pub(super) const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Startup => "startup",
        Class::InstallScript => "install-script",
        Class::Native => "native",
        Class::Executable => "executable",
        Class::Manifest => "manifest",
        Class::DependencyList => "dependency-list",
        Class::Data => "data",
        Class::Types => "types",
        Class::Sourcemap => "sourcemap",
        Class::Metadata => "metadata",
        Class::Documentation => "documentation",
        Class::Licence => "licence",
    }
}

fn tail(log: &str, lines: usize) -> Vec<&str> {
    let all: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    all.into_iter().rev().take(lines).rev().collect()
}

/// Adds formatted text to a string; writing to one cannot fail.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}
