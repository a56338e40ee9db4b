//! The same lines, ended as Windows ends them on one side.

use remint_model::line_ends::with_lf;

use super::ChangedFile;

/// Whether the second text is the first with other line ends.
fn are_alike(lf: &[u8], crlf: &[u8]) -> bool {
    with_lf(crlf).is_some_and(|converted| converted == lf)
}

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    let (crlf, lf) = if are_alike(file.rebuilt, file.published) {
        (file.words.published, file.words.rebuilt)
    } else if are_alike(file.published, file.rebuilt) {
        (file.words.rebuilt, file.words.published)
    } else {
        return None;
    };
    Some(format!(
        "only line ends differ: CRLF in the {crlf} file, LF in the {lf} one"
    ))
}
