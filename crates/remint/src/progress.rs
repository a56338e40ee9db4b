//! What is being done now, on a terminal; nothing anywhere else.

use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The stages of one target, drawn on standard error as they pass.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    all: MultiProgress,
    bar: Option<ProgressBar>,
}

/// A stage that is under way.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    progress: &'a Progress,
    name: &'static str,
    started: Instant,
}

impl Progress {
    /// Draws when `interactive`, else stays silent.
    pub(crate) fn new(interactive: bool) -> Self {
        let all = MultiProgress::new();
        let bar = interactive.then(|| line(&all));
        Self { all, bar }
    }

    /// A line of its own for another target that is worked on at the same time.
    pub(crate) fn another(&self) -> Self {
        Self {
            all: self.all.clone(),
            bar: self.bar.as_ref().map(|_| line(&self.all)),
        }
    }

    /// Begins a stage; `doing` says what in a few words.
    pub(crate) fn begin(&self, name: &'static str, doing: &str) -> Stage<'_> {
        if let Some(bar) = &self.bar {
            bar.reset_elapsed();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.set_message(format!("{name:<9} {}", one_line(doing)));
        }
        Stage {
            progress: self,
            name,
            started: Instant::now(),
        }
    }

    /// Lines that were asked for: told wherever standard error leads.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => crate::terminal::tell(text),
        }
    }

    /// Removes what is still drawn.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(all: &MultiProgress) -> ProgressBar {
    let bar = all.add(ProgressBar::new_spinner());
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.set_style(style);
    bar
}

impl Stage<'_> {
    /// Says what is being done within the stage.
    pub(crate) fn doing(&self, what: &str) {
        if let Some(bar) = &self.progress.bar {
            bar.set_message(format!("{:<9} {}", self.name, one_line(what)));
        }
    }

    /// Ends the stage with a line that stays, and returns how long it took, in seconds.
    pub(crate) fn end(self, result: &str) -> f64 {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = &self.progress.bar {
            let dim = Style::new().fg_color(Some(AnsiColor::BrightBlack.into()));
            let result = one_line(result);
            bar.println(format!(
                "  {:<9} {result:<60} {dim}{seconds:>6.1} s{dim:#}",
                self.name
            ));
        }
        seconds
    }
}

/// Progress lines come partly from strangers: no control characters, one line, no more than fits.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
