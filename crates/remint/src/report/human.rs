//! The report for people: verdict first, then what matters, then what was not checked, then the next step.

use std::fmt::Write as _;

use remint_compare::SideWords;
use remint_judge::ResultEvidence;
use remint_model::{
    Basis, Class, Comparison, Content, Finding, FoundBy, Image, Outcome, Severity, SourcePin,
};

use super::foreign::harmless;
use super::page::{BOLD, DIM, GREEN, Page, RED, YELLOW};
use super::{RunReport, TargetReport, count_words, outcome_word, provenance, size_words, traced};

/// All targets, with an empty line between them.
pub(super) fn render(report: &RunReport, width: Option<usize>) -> String {
    let mut page = Page::new(width);
    for target in &report.targets {
        if !page.is_empty() {
            page.line("");
        }
        page.target(target);
    }
    for words in &report.unjudged {
        if !page.is_empty() {
            page.line("");
        }
        page.line(&format!("{RED}✘ not judged{RED:#}  {}", harmless(words)));
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
        page.line(&totals);
    }
    page.finish()
}

impl Page {
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
        self.line(&format!(
            "{style}{sign} {}{style:#}  {BOLD}{}{BOLD:#}{file}",
            outcome_word(judgement.outcome),
            harmless(&report.label)
        ));
        self.paragraph(&headline(report));
        for note in &report.notes {
            self.paragraph(note);
        }
        if let Some(image) = &report.image {
            self.layers(image);
        }
        self.findings(&judgement.findings);
        if let Some(ResultEvidence::Compared { comparison, .. }) =
            report.evidence.as_ref().map(|evidence| &evidence.result)
        {
            self.comparison(comparison, report.gzip_encoder, SideWords::default());
            if let (Comparison::Different { .. }, Some((equal, total))) = (comparison, report.files)
            {
                self.blank();
                self.paragraph(&format!("{equal} of {} equal", count_words(total, "file")));
            }
            if report.judgement.content == Content::Different
                && matches!(
                    report.judgement.basis,
                    Some(Basis::Rebuild | Basis::SourceTree)
                )
                && let Some(share) = report.traced.and_then(traced::words)
            {
                self.paragraph(&share);
            }
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
                self.line(&format!("  {}", harmless(next)));
            }
        }
    }

    fn layers(&mut self, image: &Image) {
        const MOST: usize = 40;
        self.blank();
        for (at, layer) in image.layers.iter().take(MOST).enumerate() {
            let short: String = layer.digest.to_string().chars().take(12).collect();
            let base = if layer.of_base { "base  " } else { "      " };
            let made = layer.created_by.as_deref().unwrap_or("");
            let line = format!(
                "layer {at:<3} {short} {:>9}  {base}{}",
                size_words(layer.size),
                harmless(made)
            );
            let cut: String = line.chars().take(self.width().saturating_sub(4)).collect();
            self.line(&format!("  {DIM}{}{DIM:#}", cut.trim_end()));
        }
        if image.layers.len() > MOST {
            let more = count_words(image.layers.len() - MOST, "more layer");
            self.line(&format!("  {DIM}and {more}{DIM:#}"));
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
            let options = textwrap::Options::new(self.width().saturating_sub(2))
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
                self.line(&format!("  {wrapped}"));
            }
        }
    }

    fn failure(&mut self, report: &TargetReport) {
        let Some(failure) = &report.failure else {
            return;
        };
        self.blank();
        self.line(&format!("  {BOLD}{}{BOLD:#}", harmless(&failure.step)));
        for shown in tail(&failure.log_tail, 12) {
            let shown = harmless(shown);
            let cut: String = shown.chars().take(self.width().saturating_sub(6)).collect();
            self.line(&format!("    {DIM}{cut}{DIM:#}"));
        }
        if report.tried.len() > 1 {
            self.blank();
            for tried in &report.tried {
                self.line(&format!(
                    "  tried     {:<26} {}",
                    harmless(&tried.variant),
                    harmless(&tried.result)
                ));
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
            self.line(&format!("  provenance  {}", harmless(&words)));
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
        FoundBy::Origin => "found by the proxy's Origin",
        FoundBy::BuildInfo => "found by what the program says",
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
            FoundBy::Origin => Some("the proxy's Origin"),
            FoundBy::BuildInfo => Some("the program's own word"),
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

fn tail(log: &str, lines: usize) -> Vec<&str> {
    let all: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    all.into_iter().rev().take(lines).rev().collect()
}

/// Adds formatted text to a string; writing to one cannot fail.
pub(super) fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
}
