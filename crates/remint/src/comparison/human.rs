//! What is said about two artifacts to people: the answer first, then what differs, ranked.

use remint_model::{Anomaly, Comparison};

use super::{ComparisonReport, WORDS};
use crate::report::foreign::harmless;
use crate::report::page::{BOLD, GREEN, Page, YELLOW};

/// Anomalies of one side that are shown.
const SHOWN_ANOMALIES: usize = 20;

/// The whole answer.
pub(crate) fn render(report: &ComparisonReport, width: Option<usize>) -> String {
    let mut page = Page::new(width);
    let (sign, style) = match &report.compared {
        Ok(compared) => match &compared.comparison {
            Comparison::Identical => ('=', GREEN),
            Comparison::Equivalent { .. } => ('≈', GREEN),
            Comparison::Different { .. } => ('≠', YELLOW),
        },
        Err(_) => ('?', YELLOW),
    };
    page.line(&format!(
        "{style}{sign} {}{style:#}  {BOLD}{}{BOLD:#}  {BOLD}{}{BOLD:#}",
        report.content(),
        harmless(&report.first.label),
        harmless(&report.second.label)
    ));
    page.paragraph(&report.sentence());
    for note in &report.notes {
        page.paragraph(note);
    }
    if let Ok(compared) = &report.compared {
        page.comparison(&compared.comparison, compared.gzip_encoder, WORDS);
        for (side, found) in [
            (WORDS.rebuilt, &compared.rebuilt_anomalies),
            (WORDS.published, &compared.published_anomalies),
        ] {
            anomalies(&mut page, &format!("{side} {}", report.thing), found);
        }
    }
    page.finish()
}

fn anomalies(page: &mut Page, side: &str, anomalies: &[Anomaly]) {
    if anomalies.is_empty() {
        return;
    }
    page.blank();
    for anomaly in anomalies.iter().take(SHOWN_ANOMALIES) {
        page.line(&format!(
            "  {YELLOW}anomaly{YELLOW:#}   {:<26} {side}: {} {}",
            anomaly.kind.id(),
            harmless(&anomaly.path),
            harmless(&anomaly.detail)
        ));
    }
    if anomalies.len() > SHOWN_ANOMALIES {
        page.paragraph(&format!(
            "and {} more in the {side}; the JSON report lists them all",
            anomalies.len() - SHOWN_ANOMALIES
        ));
    }
}
