//! The same text but for spaces, tabs and line breaks. That is a fact about the texts, not about what they mean:
//! where white space can matter, the words say so.

use super::{ChangedFile, Explanation, javascript};

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    let visible = |content: &'_ [u8]| -> Vec<u8> {
        content
            .iter()
            .copied()
            .filter(|byte| !b" \t\r\n".contains(byte))
            .collect()
    };
    if visible(file.rebuilt) != visible(file.published) {
        return None;
    }
    let extension = file.extension();
    Some(if is_prose(&extension) {
        Explanation::proof("only white space differs".to_owned())
    } else if javascript::speaks(&extension) {
        // The same tree would have been found before.
        Explanation::pointer(
            "only white space differs, and not shown to be without effect: the syntax trees are not the same, or could \
             not be compared"
                .to_owned(),
        )
    } else {
        Explanation::pointer(
            "only white space differs, which can change what such a file means".to_owned(),
        )
    })
}

fn is_prose(extension: &str) -> bool {
    matches!(extension, "md" | "markdown" | "rst" | "adoc" | "txt")
}
