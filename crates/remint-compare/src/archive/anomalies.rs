//! Collects anomalies without letting a hostile archive flood the report.

use std::collections::BTreeMap;

use remint_model::{Anomaly, AnomalyKind};

use crate::text::escape;

/// How many of one kind are listed one by one.
const LISTED: usize = 50;
/// How much of a path or detail is kept, in characters.
const KEPT: usize = 400;

#[derive(Debug, Default)]
pub(crate) struct Anomalies {
    found: Vec<Anomaly>,
    counts: BTreeMap<AnomalyKind, usize>,
}

impl Anomalies {
    /// Notes one; `path` is escaped here.
    pub(crate) fn add(&mut self, kind: AnomalyKind, path: &[u8], detail: impl Into<String>) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= LISTED {
            self.found.push(Anomaly {
                kind,
                path: escape(path, KEPT),
                detail: escape(detail.into().as_bytes(), KEPT),
            });
        }
    }

    /// All of them in a stable order, with one line for those of a kind that were too many to list.
    pub(crate) fn finish(mut self) -> Vec<Anomaly> {
        for (kind, count) in self.counts {
            if count > LISTED {
                self.found.push(Anomaly {
                    kind,
                    path: String::new(),
                    detail: format!("and {} more", count - LISTED),
                });
            }
        }
        self.found.sort();
        self.found.dedup();
        self.found
    }
}
