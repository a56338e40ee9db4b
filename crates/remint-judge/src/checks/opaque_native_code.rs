//! Machine code of which nobody can say what it was made from: the rebuild did not make it, or what was rebuilt is
//! only a copy of what the repository holds. What was rebuilt byte for byte from something else is not named.

use remint_model::{Axis, Finding, Severity};
use serde_json::{Value, json};

use super::Check;
use crate::evidence::Evidence;
use crate::native::{Opaque, Origin, linked_as_is, opaque};

pub(super) const CHECK: Check = Check {
    ids: &["opaque-native-code"],
    run: opaque_native_code,
};

/// How many files one finding names. No honest package has more.
const SHOWN: usize = 1000;
/// How many files the sentence for people names.
const NAMED: usize = 3;

fn opaque_native_code(evidence: &Evidence) -> Vec<Finding> {
    let (committed, others): (Vec<Opaque<'_>>, Vec<_>) = opaque(evidence)
        .into_iter()
        .partition(|opaque| opaque.origin == Origin::Committed);
    let linked = linked_as_is(evidence);
    let linked = (!linked.is_empty()).then(|| Finding {
        id: "opaque-native-code",
        axis: Axis::Content,
        severity: Severity::Medium,
        message: format!(
            "machine code that is linked in as it is committed, where nobody can read it: {}",
            paths(linked)
        ),
        evidence: json!({ "count": linked.len(), "linked": linked }),
    });
    [
        (others, "that no rebuild made"),
        (
            committed,
            "that is committed to the repository as it is, where nobody can read it",
        ),
    ]
    .into_iter()
    .filter(|(files, _)| !files.is_empty())
    .map(|(files, what)| Finding {
        id: "opaque-native-code",
        axis: Axis::Content,
        severity: Severity::Medium,
        message: format!("machine code {what}: {}", names(&files)),
        evidence: json!({
            "count": files.len(),
            "files": files.iter().take(SHOWN).map(described).collect::<Vec<_>>(),
        }),
    })
    .chain(linked)
    .collect()
}

fn paths(linked: &[String]) -> String {
    let mut said: Vec<String> = linked
        .iter()
        .take(NAMED)
        .map(|path| format!("`{path}`"))
        .collect();
    if linked.len() > NAMED {
        said.push(format!("and {} more", linked.len() - NAMED));
    }
    said.join(", ")
}

fn names(files: &[Opaque<'_>]) -> String {
    let mut said: Vec<String> = files
        .iter()
        .take(NAMED)
        .map(|opaque| {
            let file = opaque.file;
            let processor = file
                .architecture
                .map_or_else(String::new, |architecture| format!(" for {architecture}"));
            format!("`{}` ({}{processor})", file.path, file.format.words())
        })
        .collect();
    if files.len() > NAMED {
        said.push(format!("and {} more", files.len() - NAMED));
    }
    said.join(", ")
}

fn described(opaque: &Opaque<'_>) -> Value {
    let mut value = json!(opaque.file);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("origin".to_owned(), json!(opaque.origin));
    }
    value
}
