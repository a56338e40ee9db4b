//! What reports for people are made of: lines that respect the terminal, and how differences and erasures are shown on
//! them, whatever was compared.

use anstyle::{AnsiColor, Effects, Style};
use remint_compare::SideWords;
use remint_model::{Change, Class, Comparison, Difference, Erasure};

use super::count_words;
use super::foreign::harmless;

/// Columns where there is no terminal that says.
const DEFAULT_WIDTH: usize = 100;
/// Differences that are shown with their lines.
const SHOWN_WITH_HUNKS: usize = 5;
/// Differences that are shown at all.
const SHOWN: usize = 25;
/// Paths beyond these that are named where the file runs: what matters must not be pushed off the page.
const NAMED: usize = 200;
/// Lines of one difference.
const SHOWN_LINES: usize = 14;

pub(crate) const DIM: Style =
    Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::BrightBlack)));
pub(crate) const BOLD: Style = Style::new().effects(Effects::BOLD);
pub(crate) const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
pub(crate) const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
pub(crate) const YELLOW: Style =
    Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// A report as it is written.
pub(crate) struct Page {
    text: String,
    width: usize,
}

impl Page {
    /// An empty one for a terminal of this many columns, `None` where there is none.
    pub(crate) fn new(width: Option<usize>) -> Self {
        Self {
            text: String::new(),
            width: width.unwrap_or(DEFAULT_WIDTH).clamp(60, 120),
        }
    }

    /// What was written.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// Columns.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// Whether nothing was written yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds a line as it is; text of strangers has to be made harmless before.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Leaves a line empty, unless one is already.
    pub(crate) fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Adds text, wrapped and indented.
    pub(crate) fn paragraph(&mut self, paragraph: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent("  ")
            .subsequent_indent("  ")
            .break_words(false);
        for wrapped in textwrap::wrap(&harmless(paragraph), options) {
            self.line(&wrapped);
        }
    }

    /// Adds what differs, what is erased, and how the archive's bytes came about where that is known.
    pub(crate) fn comparison(
        &mut self,
        comparison: &Comparison,
        gzip_encoder: Option<&'static str>,
        words: SideWords,
    ) {
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
            self.difference(at, difference, words);
        }
        let runs = differences
            .iter()
            .enumerate()
            .skip(SHOWN)
            .filter(|(_, difference)| difference.class <= Class::Executable);
        let mut named = 0;
        for (at, difference) in runs.take(NAMED) {
            self.place(at, difference, "");
            named += 1;
        }
        if differences.len() > SHOWN + named {
            self.paragraph(&format!(
                "and {}; the JSON report lists them all",
                count_words(differences.len() - SHOWN - named, "more difference")
            ));
        }
        if !erased.is_empty() {
            self.blank();
            for erasure in erased {
                let place = match erasure.paths.as_slice() {
                    [] => match gzip_encoder {
                        Some(encoder) if erasure.normaliser == "gzip-encoding" => {
                            format!("the archive itself: its bytes are made by {encoder}")
                        }
                        Some(_) | None => "the archive itself".to_owned(),
                    },
                    [path] => harmless(path).into_owned(),
                    paths => count_words(erasure.count.max(paths.len()), "entry")
                        .replace("entrys", "entries"),
                };
                self.line(&format!("  erased    {:<26} {place}", erasure.normaliser));
            }
        }
    }

    fn place(&mut self, at: usize, difference: &Difference, what: &str) {
        self.line(&format!(
            "  {BOLD}{:>2}{BOLD:#}  {:<15} {:<40} {what}",
            at + 1,
            difference.class.word(),
            harmless(difference.path.as_str())
        ));
    }

    fn difference(&mut self, at: usize, difference: &Difference, words: SideWords) {
        self.place(at, difference, &change_words(difference, words));
        if let Some(explanation) = &difference.explanation {
            self.line(&format!(
                "      {DIM}because: {}{DIM:#}",
                harmless(explanation)
            ));
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
            self.line(&format!("      {style}{cut}{style:#}"));
        }
        if lines.len() > SHOWN_LINES {
            let more = count_words(lines.len() - SHOWN_LINES, "more line");
            self.line(&format!("      {DIM}… {more}{DIM:#}"));
        }
    }
}

/// What happened to a file, after its path.
pub(crate) fn change_words(difference: &Difference, words: SideWords) -> String {
    match difference.change {
        Change::Added => format!("only in the {} file", words.published),
        Change::Removed => format!("only in the {} file", words.rebuilt),
        Change::Metadata => "same content, other mode or header".to_owned(),
        Change::Changed => match difference.lines {
            (0, 0) => "differs".to_owned(),
            (added, 0) => format!("{} added", count_words(added, "line")),
            (0, removed) => format!("{} missing", count_words(removed, "line")),
            (added, removed) => format!("{added} added, {removed} missing"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_run_are_named_however_many_differ() {
        let difference = |number: usize, class| Difference {
            path: format!("f{number:03}").parse().unwrap(),
            change: Change::Changed,
            class,
            hunks: Vec::new(),
            lines: (0, 0),
            explanation: None,
        };
        let page = |runs: usize, other: usize| {
            let runs = (0..runs).map(|number| difference(number, Class::Executable));
            let other = (0..other).map(|number| difference(900 + number, Class::Data));
            let mut page = Page::new(None);
            let comparison = Comparison::Different {
                erased: Vec::new(),
                differences: runs.chain(other).collect(),
            };
            page.comparison(&comparison, None, SideWords::default());
            page.finish()
        };
        let some = page(31, 9);
        assert!(some.contains("f030") && !some.contains("f900"), "{some}");
        assert!(some.contains("and 9 more differences;"), "{some}");
        let many = page(300, 0);
        assert!(many.contains("f224") && !many.contains("f225"), "{many}");
        assert!(many.contains("and 75 more differences;"), "{many}");
        assert!(!page(0, 25).contains("more difference"));
    }
}
