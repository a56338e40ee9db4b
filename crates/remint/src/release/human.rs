//! What is said about a release to people: the verdict first, then what is behind it, then what to do.

use anstyle::{AnsiColor, Effects, Style};
use remint_model::{Change, Difference, Erasure, Severity};

use super::{Diagnosed, Refusal, ReleaseReport, Verdict};
use crate::report::count_words;
use crate::report::foreign::harmless;

/// Columns where there is no terminal that says.
const DEFAULT_WIDTH: usize = 100;
/// Differences that are shown.
const SHOWN: usize = 10;
/// Lines of one difference.
const SHOWN_LINES: usize = 8;

const BOLD: Style = Style::new().effects(Effects::BOLD);
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// The whole answer.
pub(crate) fn render(report: &ReleaseReport, width: Option<usize>) -> String {
    let mut page = Page {
        text: String::new(),
        width: width.unwrap_or(DEFAULT_WIDTH).clamp(60, 120),
    };
    match &report.verdict {
        Verdict::Sound => page.signed(report),
        Verdict::Refused(refusal) => page.refused(report, refusal),
        Verdict::Open { detail, .. } => {
            page.line(&format!(
                "{YELLOW}? not signed:{YELLOW:#} {}",
                harmless(&report.label)
            ));
            page.paragraph(detail);
        }
    }
    page.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn paragraph(&mut self, paragraph: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent("  ")
            .subsequent_indent("  ")
            .break_words(false);
        for wrapped in textwrap::wrap(&harmless(paragraph), options) {
            self.line(&wrapped);
        }
    }

    fn signed(&mut self, report: &ReleaseReport) {
        self.line(&format!(
            "{GREEN}✔ signed{GREEN:#}  {BOLD}{}{BOLD:#}",
            harmless(&report.label)
        ));
        let erased = [&report.erased_between_builds, &report.erased_from_artifact];
        let how = if erased.iter().all(|erased| erased.is_empty()) {
            "bit for bit"
        } else {
            "but for what is listed as erased"
        };
        self.paragraph(&format!(
            "two builds of {} and this file are the same, {how}",
            report.source_words()
        ));
        let varied: Vec<&str> = report
            .varied
            .iter()
            .map(|variation| variation.condition.words())
            .collect();
        self.paragraph(&format!(
            "the second build found changed: {}",
            varied.join(", ")
        ));
        self.erasures("between the builds", &report.erased_between_builds);
        self.erasures("from this file", &report.erased_from_artifact);
        for (_, path) in &report.bundles {
            self.line(&format!(
                "  wrote     {}",
                harmless(&path.display().to_string())
            ));
        }
    }

    fn erasures(&mut self, place: &str, erased: &[Erasure]) {
        for erasure in erased {
            let what = match erasure.paths.as_slice() {
                [] => "the archive itself".to_owned(),
                [path] => harmless(path).into_owned(),
                paths => format!("{} entries", erasure.count.max(paths.len())),
            };
            self.line(&format!(
                "  erased    {:<22} {what}, {place}",
                erasure.normaliser
            ));
        }
    }

    fn refused(&mut self, report: &ReleaseReport, refusal: &Refusal) {
        let source = report.source_words();
        let file = report
            .artifact
            .as_ref()
            .map_or("the file", |artifact| artifact.name.as_str());
        let why = match refusal {
            Refusal::BuildsDiffer(_) => format!("two builds of {source} differ"),
            Refusal::BuildFails { .. } => {
                format!("{source} builds once, and not under other conditions")
            }
            Refusal::ArtifactDiffers(_) => format!("{file} is not what {source} builds"),
            Refusal::Findings => {
                format!("there are findings about {}", report.label)
            }
        };
        self.line(&format!("{RED}✘ not signed:{RED:#} {}", harmless(&why)));
        match refusal {
            Refusal::BuildsDiffer(diagnosed) => {
                for one in diagnosed.iter().take(SHOWN) {
                    self.diagnosed(one);
                }
                self.more(diagnosed.len());
                if report.quick {
                    self.paragraph("only causes that show were looked for: `--quick`");
                }
            }
            Refusal::BuildFails { failure, cause } => {
                match cause {
                    Some(cause) => {
                        self.paragraph(&format!("it fails where this is changed: {cause}"));
                    }
                    None => self.paragraph("no condition alone was found to make it fail"),
                }
                self.line(&format!("  {BOLD}{}{BOLD:#}", harmless(&failure.step)));
                let lines: Vec<&str> = failure.log_tail.lines().collect();
                let from = lines.len().saturating_sub(SHOWN_LINES);
                for line in lines.get(from..).unwrap_or_default() {
                    self.cut(&format!("      {}", harmless(line)));
                }
            }
            Refusal::ArtifactDiffers(differences) => {
                for difference in differences.iter().take(SHOWN) {
                    self.line(&format!(
                        "  {BOLD}{}{BOLD:#}   {}",
                        harmless(difference.path.as_str()),
                        change_words(difference)
                    ));
                    if let Some(explanation) = &difference.explanation {
                        self.paragraph(&format!("    because: {explanation}"));
                    }
                    self.hunks(difference);
                }
                self.more(differences.len());
                self.paragraph(&format!(
                    "fix: build the file from a clean checkout of {source}, and sign that"
                ));
            }
            Refusal::Findings => {}
        }
        for finding in &report.findings {
            if finding.severity >= Severity::High {
                self.paragraph(&format!("{}: {}", finding.id, finding.message));
            }
        }
    }

    fn more(&mut self, count: usize) {
        if count > SHOWN {
            self.paragraph(&format!(
                "and {}; `--format json` lists them all",
                count_words(count - SHOWN, "more difference")
            ));
        }
    }

    fn diagnosed(&mut self, diagnosed: &Diagnosed) {
        let difference = &diagnosed.difference;
        let which = match difference.change {
            Change::Added => "only in the second build; ",
            Change::Removed => "only in the first build; ",
            Change::Changed => "",
            Change::Metadata => "another mode; ",
        };
        self.line(&format!(
            "  {BOLD}{}{BOLD:#}   {which}{}",
            harmless(difference.path.as_str()),
            diagnosed.words()
        ));
        self.hunks(difference);
        if let Some(cause) = diagnosed.cause {
            let place = diagnosed
                .places
                .first()
                .map(|place| format!("  (perhaps {}:{})", harmless(&place.path), place.line));
            self.line(&format!(
                "  fix: {}{}",
                cause.fix(),
                place.unwrap_or_default()
            ));
        }
    }

    /// The changed lines, with their numbers.
    fn hunks(&mut self, difference: &Difference) {
        let lines = changed_lines(difference);
        for (number, sign, line) in lines.iter().take(SHOWN_LINES) {
            let style = if *sign == '+' { GREEN } else { RED };
            let number = number.map_or_else(String::new, |number| number.to_string());
            let text: String = harmless(line)
                .chars()
                .take(self.width.saturating_sub(14))
                .collect();
            self.line(&format!("  {number:>7}  {style}{sign} {text}{style:#}"));
        }
        if lines.len() > SHOWN_LINES {
            let more = count_words(lines.len() - SHOWN_LINES, "more line");
            self.line(&format!("           … {more}"));
        }
    }

    fn cut(&mut self, line: &str) {
        let cut: String = line.chars().take(self.width).collect();
        self.line(&cut);
    }
}

/// Number, sign and text of each changed line.
fn changed_lines(difference: &Difference) -> Vec<(Option<usize>, char, &str)> {
    let mut lines = Vec::new();
    for hunk in &difference.hunks {
        let (mut old, mut new) = (None, None);
        for line in hunk.lines() {
            let next = |at: &mut Option<usize>| {
                let now = *at;
                *at = now.and_then(|number: usize| number.checked_add(1));
                now
            };
            match line.chars().next() {
                Some('@') => (old, new) = numbers(line),
                Some('-') => lines.push((next(&mut old), '-', line.get(1..).unwrap_or_default())),
                Some('+') => lines.push((next(&mut new), '+', line.get(1..).unwrap_or_default())),
                Some(' ') => {
                    next(&mut old);
                    next(&mut new);
                }
                Some(_) | None => {}
            }
        }
    }
    lines
}

/// Where a hunk begins on either side: `@@ -5,6 +5,7 @@`.
fn numbers(head: &str) -> (Option<usize>, Option<usize>) {
    let number = |sign: char| {
        head.split(' ')
            .find_map(|word| word.strip_prefix(sign))?
            .split(',')
            .next()?
            .parse()
            .ok()
    };
    (number('-'), number('+'))
}

fn change_words(difference: &Difference) -> String {
    match (difference.change, difference.lines) {
        (Change::Added, _) => "only in the file".to_owned(),
        (Change::Removed, _) => "only in the build".to_owned(),
        (Change::Metadata, _) => "another mode or header".to_owned(),
        (Change::Changed, (0, 0)) => "differs".to_owned(),
        (Change::Changed, (more, 0)) => format!("{} added", count_words(more, "line")),
        (Change::Changed, (0, less)) => format!("{} missing", count_words(less, "line")),
        (Change::Changed, (more, less)) => {
            format!("{} added, {less} missing", count_words(more, "line"))
        }
    }
}

#[cfg(test)]
mod tests {
    use remint_model::Class;

    use super::*;

    fn difference(hunk: &str) -> Difference {
        Difference {
            path: "dist/build-info.js".parse().unwrap(),
            change: Change::Changed,
            class: Class::Executable,
            hunks: vec![hunk.to_owned()],
            lines: (1, 1),
            explanation: None,
        }
    }

    #[test]
    fn changed_lines_carry_the_numbers_of_their_own_side() {
        let difference = difference("@@ -2,3 +2,4 @@\n a\n-b\n+c\n+d\n e\n");
        assert_eq!(
            changed_lines(&difference),
            [
                (Some(3), '-', "b"),
                (Some(3), '+', "c"),
                (Some(4), '+', "d")
            ]
        );
    }

    #[test]
    fn a_head_that_is_none_numbers_nothing() {
        for head in ["@@", "@@ -x +y @@", "@@ -99999999999999999999 +1 @@"] {
            assert_eq!(numbers(head).0, None, "{head}");
        }
    }
}
