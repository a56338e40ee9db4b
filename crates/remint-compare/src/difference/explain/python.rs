//! Python that was only laid out or commented differently, as an interpreter's own parser sees it.
//!
//! Starting an interpreter takes many times what all else does, so it is asked only about texts with the same names and
//! signs outside of strings and comments: other ones have no tree in common.

mod values;

use remint_model::EntryPath;

use super::{ChangedFile, extension};
use crate::python::PythonLikeness;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    let python = file.python?;
    if !may_be_one_program(file.path, file.rebuilt, file.published) {
        return None;
    }
    let likeness = python.likeness(file.rebuilt, file.published)?;
    Some(
        match likeness {
            PythonLikeness::SameTree => {
                "only comments and formatting differ: the same syntax tree, as Python parses it"
            }
            PythonLikeness::SameButDocumentation => {
                "only documentation strings, comments and formatting differ, as Python parses it; a program can read \
                 the first, and servers tell models what their tools do with them"
            }
        }
        .to_owned(),
    )
}

/// Whether a file is Python by its name.
pub(crate) fn is_python(path: &EntryPath) -> bool {
    matches!(&*extension(path), "py" | "pyi" | "pyw")
}

/// Whether an interpreter is worth asking.
fn may_be_one_program(path: &EntryPath, rebuilt: &[u8], published: &[u8]) -> bool {
    is_python(path)
        && words(rebuilt).eq(words(published))
        && instructions(rebuilt).eq(instructions(published))
        && values::may_be_alike(rebuilt, published)
}

/// Comments that somebody acts on: the interpreter's line and the encoding (PEP 263) among the first two lines, and
/// blocks from `# /// name` on (PEP 723), which say what is installed before the file runs.
fn instructions(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut in_block = false;
    // A carriage return ends a line for the interpreter, too, but not where a line feed follows.
    let lines = text.split(|byte| *byte == b'\n').flat_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.split(|byte| *byte == b'\r')
    });
    // Nothing executes a file whose interpreter's name ends in a carriage return.
    let executed = text
        .starts_with(b"#!")
        .then(|| text.split(|byte| *byte == b'\n').next())
        .flatten();
    let told = lines
        .enumerate()
        .filter(move |(at, line)| {
            let line = line.trim_ascii();
            in_block = line.starts_with(b"#") && (in_block || line.starts_with(b"# ///"));
            in_block || (*at < 2 && line.starts_with(b"#"))
        })
        .map(|(_, line)| line.trim_ascii());
    executed.into_iter().chain(told)
}

/// Names, keywords and numbers in their order, outside of strings and comments. Prefixes of strings are left out, too,
/// since a documentation string may come and go. Only a first look: it may take something else for Python.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (first, after) = rest.split_first()?;
            match first {
                b'#' => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    rest = rest.get(end.unwrap_or(rest.len())..)?;
                }
                b'"' | b'\'' => rest = after_string(rest),
                byte if is_word(*byte) => {
                    let end = rest.iter().position(|byte| !is_word(*byte));
                    let (word, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
                    rest = after;
                    if !matches!(after.first(), Some(b'"' | b'\'')) {
                        return Some(word);
                    }
                }
                _ => rest = after,
            }
        }
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// What follows the string at the start; nothing, where it has no end.
fn after_string(text: &[u8]) -> &[u8] {
    let Some(quote) = text.first() else {
        return &[];
    };
    let triple = [*quote; 3];
    let mark = if text.starts_with(&triple) {
        triple.as_slice()
    } else {
        &triple[..1]
    };
    let mut rest = text.get(mark.len()..).unwrap_or_default();
    loop {
        if let Some(after) = rest.strip_prefix(mark) {
            return after;
        }
        let step = if rest.first() == Some(&b'\\') { 2 } else { 1 };
        match rest.get(step..) {
            Some(after) => rest = after,
            None => return &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        words(one.as_bytes()).eq(words(other.as_bytes()))
    }

    #[test]
    fn strings_comments_and_layout_are_passed_over_and_names_are_not() {
        let text =
            "def send(to):\n    \"\"\"It's 'sent'.\"\"\"\n    return post(to, r'\\'x')  # once\n";
        for other in [
            "def send(\n  to,\n):\n  '''Sends \" it.'''\n  return post(to, 'y')\n",
            "def send(to):\n    return post(to, f\"\") # it's\n",
        ] {
            assert!(alike(text, other), "{other}");
        }
        for other in [
            "def send(to):\n    return post(text, '')\n",
            "def send(to):\n    return post(to, '', x)\n",
            "def send(to):\n    return post(to, '\n",
        ] {
            assert_eq!(alike(text, other), other.ends_with("'\n"), "{other}");
        }
        assert!(alike("x = 1", "x = (1)"));
        assert!(!alike("x = 1", "x = 2"));
    }

    #[test]
    fn comments_that_somebody_acts_on_are_no_mere_comments() {
        let told = |text: &str| {
            instructions(text.as_bytes())
                .map(|line| String::from_utf8(line.to_vec()).unwrap())
                .collect::<Vec<_>>()
        };
        let script = "#!/usr/bin/env python3\n# why\n# ///  script\nx = 1  # not\n  # /// script\n# dependencies = [\"a\"]\n# ///\ny = 2\n# end\n";
        assert_eq!(
            told(script),
            [
                "#!/usr/bin/env python3",
                "#!/usr/bin/env python3",
                "# why",
                "# ///  script",
                "# /// script",
                "# dependencies = [\"a\"]",
                "# ///"
            ]
        );
        assert_eq!(told("x = 1\n\n# later\n"), Vec::<String>::new());
        let dependent = |on: &str, end: &str| {
            [
                "x = 1",
                "",
                "# /// script",
                &format!("# dependencies = [\"{on}\"]"),
                "# ///",
                "",
            ]
            .join(end)
        };
        for end in ["\n", "\r\n", "\r"] {
            assert_eq!(told(&dependent("a", end)).len(), 3, "{end:?}");
            assert_ne!(told(&dependent("a", end)), told(&dependent("b", end)));
        }
        assert_eq!(told(&dependent("a", "\n")), told(&dependent("a", "\r\n")));
        assert_ne!(told("#!/bin/x\ny\n"), told("#!/bin/x\r\ny\n"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), shaped in "[a'\"\\\\#\n ]{0,40}") {
            let _any = words(&bytes).count() + instructions(&bytes).count();
            let _shaped = words(shaped.as_bytes()).count();
        }
    }
}
