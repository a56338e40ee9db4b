//! The same lines, ended as Windows ends them on one side.

use remint_model::line_ends::with_lf;

use super::{ChangedFile, Explanation};

/// Whether the second text is the first with other line ends.
fn are_alike(lf: &[u8], crlf: &[u8]) -> bool {
    with_lf(crlf).is_some_and(|converted| converted == lf)
}

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    let (crlf, lf) = if are_alike(file.rebuilt, file.published) {
        (file.words.published, file.words.rebuilt)
    } else if are_alike(file.published, file.rebuilt) {
        (file.words.rebuilt, file.words.published)
    } else {
        return None;
    };
    let words = format!("only line ends differ: CRLF in the {crlf} file, LF in the {lf} one");
    // A kernel takes the carriage return for a part of the interpreter's name.
    let is_started = file.rebuilt.starts_with(b"#!");
    Some(if !is_started && takes_crlf_for_lf(&file.extension()) {
        Explanation::proof(words)
    } else {
        Explanation::pointer(format!("{words}, which can change what such a file means"))
    })
}

/// Whether the readers of such files do, be it by their specifications. Shells and make do not.
fn takes_crlf_for_lf(extension: &str) -> bool {
    super::javascript::speaks(extension)
        || matches!(
            extension,
            "py" | "pyi"
                | "pyw"
                | "json"
                | "map"
                | "md"
                | "markdown"
                | "rst"
                | "adoc"
                | "txt"
                | "html"
                | "htm"
                | "xml"
                | "svg"
                | "css"
                | "scss"
                | "less"
                | "vue"
                | "svelte"
                | "rs"
                | "go"
                | "java"
                | "c"
                | "cc"
                | "cpp"
                | "h"
                | "hpp"
                | "yaml"
                | "yml"
                | "toml"
                | "ini"
                | "cfg"
        )
}
