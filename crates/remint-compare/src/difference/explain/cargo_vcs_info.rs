//! The mark that cargo leaves in `.cargo_vcs_info.json` where it packs a work tree that differs from its commit.

use serde_json::Value;

use super::ChangedFile;

/// Cargo's own has about a hundred bytes.
const LARGEST: usize = 4096;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    if file.path.as_str() != ".cargo_vcs_info.json"
        || file.published.len().max(file.rebuilt.len()) > LARGEST
    {
        return None;
    }
    let mut published: Value = serde_json::from_slice(file.published).ok()?;
    let rebuilt: Value = serde_json::from_slice(file.rebuilt).ok()?;
    let dirty = published
        .get_mut("git")
        .and_then(Value::as_object_mut)
        .and_then(|git| git.remove("dirty"));
    (dirty == Some(true.into()) && published == rebuilt).then(|| {
        "published from a working tree with changes that were not committed, as cargo notes"
            .to_owned()
    })
}
