//! Python that was only laid out or commented differently, as an interpreter's own parser sees it.

use super::ChangedFile;
use crate::python::PythonLikeness;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    if !matches!(&*file.extension(), "py" | "pyi" | "pyw") {
        return None;
    }
    let likeness = file.python?.likeness(file.rebuilt, file.published)?;
    Some(
        match likeness {
            PythonLikeness::SameTree => {
                "only comments and formatting differ: the same syntax tree, as Python parses it"
            }
            PythonLikeness::SameButDocumentation => {
                "only documentation strings, comments and formatting differ, as Python parses it; a program can read \
                 the first"
            }
        }
        .to_owned(),
    )
}
