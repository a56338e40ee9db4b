//! Machine code: which sections differ, and which functions where the file still names them. It says where the
//! difference is, not what it does.

mod debugging;
mod object_file;
mod wasm;

use super::{ChangedFile, Explanation, SideWords, quoted};

/// Larger files are not taken apart.
const LARGEST: usize = 8 << 20;
/// More sections are no honest file's.
const MOST_PARTS: usize = 10_000;
/// More are counted and not named.
const NAMED: usize = 4;
/// Sections do not overlap, so that all of them are no longer than the file, but for what links them.
const MOST_OVERLAP: usize = 2;
/// Functions have few names each: those of a section are all in all no longer than so many of it.
const MOST_NAMES: usize = 8;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    if file.rebuilt.len().max(file.published.len()) > LARGEST {
        return None;
    }
    let SideWords {
        published: ours,
        rebuilt: theirs,
    } = file.words;
    let read = if file.published.starts_with(b"\0asm") {
        wasm::parts
    } else {
        object_file::parts
    };
    let (rebuilt, published) = (read(file.rebuilt)?, read(file.published)?);
    if rebuilt.overlap(file.rebuilt) || published.overlap(file.published) {
        return None;
    }
    if rebuilt.kind != published.kind {
        return Some(Explanation::pointer(format!(
            "another kind of machine code: {} {ours}, {} {theirs}",
            published.kind, rebuilt.kind
        )));
    }
    let mut said = Vec::new();
    let mut debugging = Vec::new();
    let mut more = 0;
    let names: std::collections::BTreeSet<_> =
        rebuilt.parts.keys().chain(published.parts.keys()).collect();
    for name in names {
        let (old, new) = (rebuilt.parts.get(name), published.parts.get(name));
        if old.map(|part| part.content) == new.map(|part| part.content) {
            continue;
        }
        let shown = quoted(name.0);
        let words = match (old, new) {
            (Some(old), Some(new)) => match functions(old, new) {
                Some(functions) => format!("{shown} ({functions})"),
                None => shown,
            },
            (None, _) => format!("{shown} ({ours} only)"),
            (_, None) => format!("{shown} ({theirs} only)"),
        };
        if [old, new]
            .into_iter()
            .flatten()
            .all(|part| part.for_debuggers)
        {
            debugging.push(words);
        } else if said.len() < 8 {
            said.push(words);
        } else {
            more += 1;
        }
    }
    if more > 0 {
        said.push(format!("{more} more"));
    }
    const ONLY: &str =
        "no section with code or data differs, only build ids and sections for debuggers";
    Some(match (said.is_empty(), debugging.is_empty()) {
        (true, true) => Explanation::pointer(
            "the sections are the same; headers or what lies between sections differ".to_owned(),
        ),
        (true, false)
            if rebuilt.same_but_for_debuggers(file.rebuilt, &published, file.published) =>
        {
            Explanation::proof(ONLY.to_owned())
        }
        (true, false) => Explanation::pointer(format!("{ONLY} (headers were not compared)")),
        (false, true) => Explanation::pointer(format!("sections that differ: {}", said.join(", "))),
        (false, false) => Explanation::pointer(format!(
            "sections that differ: {}, and sections for debuggers",
            said.join(", ")
        )),
    })
}

/// A file in parts, by name; parts of one name are told apart by a number.
pub(super) struct Taken<'a> {
    kind: String,
    parts: std::collections::BTreeMap<(&'a [u8], usize), Part<'a>>,
}

impl Taken<'_> {
    /// Whether the parts stand for far more bytes than the file has.
    fn overlap(&self, file: &[u8]) -> bool {
        total(self.parts.values().map(|part| part.content)) > file.len() * MOST_OVERLAP
    }

    /// Whether nothing beyond sections for debuggers differs, headers included, all of them in the same places.
    fn same_but_for_debuggers(&self, file: &[u8], other: &Self, other_file: &[u8]) -> bool {
        let blanked = |taken: &Self, file: &[u8]| {
            let mut blanked = file.to_vec();
            for part in taken.parts.values().filter(|part| part.for_debuggers) {
                if let Some(section) = blanked.get_mut(part.range.clone()) {
                    section.fill(0);
                }
            }
            blanked
        };
        let ranges = |taken: &Self| -> Vec<std::ops::Range<usize>> {
            let parts = taken.parts.values().filter(|part| part.for_debuggers);
            parts.map(|part| part.range.clone()).collect()
        };
        ranges(self) == ranges(other) && blanked(self, file) == blanked(other, other_file)
    }
}

/// One section.
#[derive(Default)]
pub(super) struct Part<'a> {
    content: &'a [u8],
    /// Where it is in the file.
    range: std::ops::Range<usize>,
    /// Whether only debuggers have a use for it: by what the file says is done with it, not by its name alone.
    for_debuggers: bool,
    /// The named functions in it: name, and their bytes.
    functions: std::collections::BTreeMap<&'a [u8], &'a [u8]>,
}

impl Part<'_> {
    /// Whether the functions stand for far more bytes than the part has.
    fn functions_overlap(&self) -> bool {
        total(self.functions.values().copied()) > self.content.len() * MOST_NAMES
    }
}

fn total<'a>(contents: impl Iterator<Item = &'a [u8]>) -> usize {
    contents.map(<[u8]>::len).fold(0, usize::saturating_add)
}

/// The functions that differ, where the part has names.
fn functions(old: &Part<'_>, new: &Part<'_>) -> Option<String> {
    if old.functions_overlap() || new.functions_overlap() {
        return None;
    }
    let names: std::collections::BTreeSet<&[u8]> = old
        .functions
        .keys()
        .chain(new.functions.keys())
        .copied()
        .filter(|name| old.functions.get(name) != new.functions.get(name))
        .collect();
    if names.is_empty() {
        return None;
    }
    let named: Vec<String> = names.iter().take(NAMED).map(|name| quoted(name)).collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    let word = if names.len() == 1 {
        "function"
    } else {
        "functions"
    };
    Some(format!(
        "{} {word}: {}{more}",
        names.len(),
        named.join(", ")
    ))
}

/// Whether it is called so. Anything can be.
fn is_named_for_debuggers(name: &[u8]) -> bool {
    [
        &b".debug_"[..],
        b".zdebug_",
        b"__debug_",
        b".gnu_debuglink",
        b"build_id",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}
