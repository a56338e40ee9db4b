//! The same lines, ended as Windows ends them on one side.

use super::ChangedFile;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    let crlf_made = |lf: &[u8], crlf: &[u8]| {
        !lf.contains(&b'\r') && crlf.contains(&b'\r') && {
            let mut out = Vec::with_capacity(crlf.len());
            let mut bytes = crlf.iter().copied().peekable();
            while let Some(byte) = bytes.next() {
                if byte != b'\r' || bytes.peek() != Some(&b'\n') {
                    out.push(byte);
                }
            }
            out == lf
        }
    };
    let (crlf, lf) = if crlf_made(file.rebuilt, file.published) {
        (file.words.published, file.words.rebuilt)
    } else if crlf_made(file.published, file.rebuilt) {
        (file.words.rebuilt, file.words.published)
    } else {
        return None;
    };
    Some(format!(
        "only line ends differ: CRLF in the {crlf} file, LF in the {lf} one"
    ))
}
