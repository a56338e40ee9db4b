//! What package managers note beside the packages that they install.

use std::collections::BTreeSet;

use remint_model::{EntryPath, Survey};
use serde_json::{Map, Value};

/// What npm writes into `node_modules`.
const NPM_LIST: &str = ".package-lock.json";

/// What has the name of npm's list, and can be read as none.
pub(super) fn spoilt_lists(survey: &Survey) -> BTreeSet<&EntryPath> {
    survey
        .texts
        .iter()
        .filter(|(path, content)| {
            path.file_name() == NPM_LIST
                && serde_json::from_slice::<Map<String, Value>>(content).is_err()
        })
        .map(|(path, _)| path)
        .collect()
}

/// Why a file is not what its name says, a package manager's record. Nothing else looks into records.
pub(super) fn no_record(
    survey: &Survey,
    spoilt_lists: &BTreeSet<&EntryPath>,
    path: &EntryPath,
) -> Option<String> {
    if survey.native.contains_key(path) {
        return Some("it is machine code under the name of a package manager's record".to_owned());
    }
    (spoilt_lists.contains(path))
        .then(|| "it has the name of npm's own list, and cannot be read as one".to_owned())
}
