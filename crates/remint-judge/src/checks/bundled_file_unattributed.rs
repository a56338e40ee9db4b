//! A file among a bundle's dependencies that no registry accounts for. What a silent registry might account for is
//! no finding: it keeps the bundle from being verified.

use remint_model::{Axis, Class, Finding, Severity, UnattributedFile};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["bundled-file-unattributed"],
    run: bundled_file_unattributed,
};

/// How many files one finding names.
const SHOWN: usize = 50;

fn bundled_file_unattributed(evidence: &Evidence) -> Vec<Finding> {
    let Some(bundle) = &evidence.bundle else {
        return Vec::new();
    };
    let known = bundle
        .unattributed
        .iter()
        .filter(|file| file.reason.is_known());
    let (running, others): (Vec<&UnattributedFile>, Vec<&UnattributedFile>) =
        known.partition(|file| runs(file.class));
    [(running, Severity::High), (others, Severity::Medium)]
        .into_iter()
        .filter_map(|(files, severity)| {
            let first = files.first()?;
            let more = match files.len() {
                1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            let package = first.package.as_ref();
            let of = package.map_or_else(String::new, |name| format!(" of {name}"));
            Some(Finding {
                id: "bundled-file-unattributed",
                axis: Axis::Dependencies,
                severity,
                message: format!(
                    "no registry accounts for `{}`{of}{more}: {}",
                    first.path, first.detail
                ),
                evidence: json!({
                    "count": files.len(),
                    "files": files.iter().take(SHOWN).collect::<Vec<_>>(),
                }),
            })
        })
        .collect()
}

/// Whether such a file is code. A manifest says which file of a package is loaded.
const fn runs(class: Class) -> bool {
    match class {
        Class::Startup
        | Class::InstallScript
        | Class::Native
        | Class::Executable
        | Class::Manifest => true,
        Class::DependencyList
        | Class::Data
        | Class::Types
        | Class::Sourcemap
        | Class::Metadata
        | Class::Documentation
        | Class::Licence => false,
    }
}
