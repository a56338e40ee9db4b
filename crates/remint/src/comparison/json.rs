//! `remint.comparison/v1`: the wire types, apart from the types that the program works with. The schema is
//! `docs/comparison.v1.schema.json`; a test holds the two together.

use remint_model::{Anomaly, Difference, Erasure, Sha256};
use serde::Serialize;

use super::{ComparisonReport, Given};

/// The format's name.
const FORMAT: &str = "remint.comparison/v1";

#[derive(Serialize)]
struct ComparisonV1<'a> {
    format: &'static str,
    remint: &'static str,
    started: String,
    content: &'static str,
    detail: Option<&'a str>,
    first: FileV1<'a>,
    second: FileV1<'a>,
    erasures: &'a [Erasure],
    gzip_encoder: Option<&'static str>,
    differences: &'a [Difference],
    files: Option<FilesV1>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct FileV1<'a> {
    given: &'a str,
    name: Option<&'a str>,
    sha256: Option<Sha256>,
    size: Option<u64>,
    anomalies: &'a [Anomaly],
}

#[derive(Serialize)]
struct FilesV1 {
    equal: usize,
    total: usize,
}

/// The report as JSON text, with a newline at its end.
pub(crate) fn render(report: &ComparisonReport) -> String {
    let compared = report.compared.as_ref().ok();
    let anomalies = |of: fn(&remint_compare::Compared) -> &Vec<Anomaly>| {
        compared.map_or(&[][..], |compared| of(compared))
    };
    let wire = ComparisonV1 {
        format: FORMAT,
        remint: env!("CARGO_PKG_VERSION"),
        started: report.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        content: report.content(),
        detail: report.compared.as_ref().err().map(String::as_str),
        first: file(
            &report.first,
            anomalies(|compared| &compared.rebuilt_anomalies),
        ),
        second: file(
            &report.second,
            anomalies(|compared| &compared.published_anomalies),
        ),
        erasures: report.erased(),
        gzip_encoder: compared.and_then(|compared| compared.gzip_encoder),
        differences: report.differences(),
        files: compared.map(|compared| FilesV1 {
            equal: compared.entries.equal,
            total: compared.paths.len(),
        }),
        notes: &report.notes,
    };
    // Plain structs of strings and numbers always serialise; an empty answer would be noticed by every reader.
    let mut text = serde_json::to_string_pretty(&wire).unwrap_or_default();
    text.push('\n');
    text
}

fn file<'a>(side: &'a Given, anomalies: &'a [Anomaly]) -> FileV1<'a> {
    let identity = side.identity.as_ref();
    FileV1 {
        given: &side.label,
        name: identity.map(|identity| identity.name.as_str()),
        sha256: identity.map(|identity| identity.sha256),
        size: identity.map(|identity| identity.size),
        anomalies,
    }
}
