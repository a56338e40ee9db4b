//! Answers requests of cargo: the index, and nothing else. Packing looks packages up and needs no file of theirs.

use remint_ecosystem::cargo::locate;
use remint_model::{Ecosystem, PackageName};

use crate::proxy::Shared;
use crate::proxy::address::canonical_index_file;
use crate::proxy::answer::{Answer, Wanted};
use crate::proxy::rules::Rules;

/// crates.io's own, so that nothing inside depends on which mirror the user has.
const CONFIG: &[u8] = br#"{"dl":"https://static.crates.io/crates","api":"https://crates.io"}"#;

/// The index's description of itself.
pub(super) fn config() -> Answer {
    Answer::Document {
        bytes: CONFIG.to_vec(),
        media_type: "application/json",
    }
}

/// A package's file.
pub(super) async fn index_file(shared: &Shared, name: &PackageName) -> Answer {
    let url = canonical_index_file(name);
    if let Err(refusal) = shared.rules.metadata(Ecosystem::Cargo, name) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    let document = match shared.registries.index_file(name, shared.tokens).await {
        Ok(document) => document,
        Err(error) => return shared.failed(&url, &error, Wanted::Metadata),
    };
    let size = document.bytes.len() as u64;
    if let Err(refusal) = shared.pass_on(&url, document.sha256, size) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    Answer::Document {
        bytes: for_inside(&shared.rules, name, &document.bytes),
        media_type: "text/plain; charset=utf-8",
    }
}

/// Without the release itself, and without what is newer than it.
fn for_inside(rules: &Rules, name: &PackageName, content: &[u8]) -> Vec<u8> {
    let other = |version: &str| !rules.withholds(Ecosystem::Cargo, name, version);
    if let Some(moment) = rules.as_of() {
        let in_time = locate::filtered(content, &|version, time| {
            other(version) && time.is_none_or(|time| time <= moment)
        });
        // Where nothing was out in time, the times are no information.
        if !in_time.is_empty() {
            return in_time;
        }
    }
    locate::filtered(content, &|version, _| other(version))
}
