//! A file that is an archive itself: which of its entries differ, or that only the packing does, down to a few archives
//! inside archives. What else stands in such a file is named, not explained.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{Anomaly, AnomalyKind, ArtifactFormat, Change, Class, Difference, EntryPath};

use super::{ChangedFile, Explanation, SideWords, quoted};
use crate::archive::{Container, Entry, Room, contents_inside, list_inside, texts_beside};
use crate::difference::classify;
use crate::difference::describe::{describe, is_beyond_entries, order_difference};
use crate::difference::install_scripts::InstallScripts;
use crate::error::ReadError;
use crate::normalise::{Facets, Pairs, Row, erase_mode_bits};

/// How many archives deep is looked, the file itself being the first.
const DEEPEST: usize = 3;
/// Entries that are named of the file itself; of each archive further inside half as many.
const NAMED: usize = 4;
/// The largest archive further inside, and all of one archive together; they are held in memory.
const LARGEST: u64 = 8 << 20;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    let pair = Pair {
        path: file.path,
        published: file.published,
        rebuilt: file.rebuilt,
        executable: file.executable,
    };
    Look {
        words: file.words,
        room: file.room,
    }
    .explain(pair, 1)
}

/// The two contents of one path.
#[derive(Clone, Copy)]
struct Pair<'a> {
    path: &'a EntryPath,
    published: &'a [u8],
    rebuilt: &'a [u8],
    /// Whether one of the two may be executed.
    executable: bool,
}

/// What is the same for all archives of a nest.
#[derive(Clone, Copy)]
struct Look<'a> {
    words: SideWords,
    room: &'a Room,
}

impl Look<'_> {
    fn explain(self, pair: Pair<'_>, depth: usize) -> Option<Explanation> {
        if is_a_program(pair) {
            return None;
        }
        let container = Container::of(pair.published)?;
        let other = Container::of(pair.rebuilt)?;
        let SideWords {
            published: ours,
            rebuilt: theirs,
        } = self.words;
        if container != other {
            return Some(Explanation::pointer(format!(
                "another kind of archive: a {} {ours}, a {} {theirs}",
                container.word(),
                other.word()
            )));
        }
        if self.room.is_used_up() {
            return Some(Explanation::pointer(
                "could not be looked into: other archives took all that may be unpacked".to_owned(),
            ));
        }
        let list = |archive, side| {
            let is_short = self.room.is_short();
            list_inside(container, archive, self.room)
                .map_err(|error| Explanation::pointer(unreadable(side, container, error, is_short)))
        };
        let listings = list(pair.published, ours)
            .and_then(|published| Ok((published, list(pair.rebuilt, theirs)?)));
        let (published, rebuilt) = match listings {
            Ok(listings) => listings,
            Err(unreadable) => return Some(unreadable),
        };
        let beyond_entries = beyond_entries(&published.anomalies, &rebuilt.anomalies, self.words);
        let same_framing = published.framing == rebuilt.framing;
        let mut anomalies = published.anomalies.iter().chain(&rebuilt.anomalies);
        let has_links = anomalies.any(|anomaly| anomaly.kind == AnomalyKind::LinkEntry);
        let mut pairs = Pairs::new(ArtifactFormat::Mcpb, published, rebuilt);
        let beyond_entries = beyond_entries.or_else(|| strange_owner(&pairs, self.words));
        let mut packing = packing(container, &pairs);
        let other_order = pairs.archive_facets().has(Facets::ORDER);
        let differing = self.differing(pair.path, &mut pairs);
        let signature = pairs.archive_facets().has(Facets::SIGNATURE);
        let mut accounts_for_all = beyond_entries.is_none() && !signature;
        let mut words = if differing.is_empty() {
            let entries = match (container, pairs.rows.len()) {
                (Container::Gzip, _) => "the same content in the gzip".to_owned(),
                (_, 1) => format!("the same entry in the {}", container.word()),
                (_, count) => format!("the same {count} entries in the {}", container.word()),
            };
            let same_texts = self.same_texts(container, pair);
            let time_counts = times_count(&pairs);
            // Of entries that can be one file the last one stays, and a link decides where later entries lie.
            let order_counts =
                order_difference(&pairs, self.words).is_some() || (other_order && has_links);
            accounts_for_all &= same_texts && !time_counts && !order_counts;
            if !same_texts {
                packing.push("comments or other texts beside the entries");
            }
            if packing.is_empty() {
                packing.push(match container {
                    Container::GzippedTar | Container::Gzip if same_framing => "compression",
                    Container::GzippedTar | Container::Gzip | Container::Tar | Container::Zip => {
                        "what stands between and after the entries"
                    }
                });
            }
            let packing = packing.join(", ");
            let times = if time_counts {
                "; Python goes by times where it takes a `.pyc`"
            } else {
                ""
            };
            let order = if order_counts {
                "; which entry is unpacked last can decide what is there"
            } else {
                ""
            };
            format!("{entries}; only the packing differs: {packing}{times}{order}")
        } else {
            let inside = self.inside(container, pair, &pairs.rows, &differing, depth);
            accounts_for_all &= differing.iter().all(|(row, _)| {
                inside
                    .get(row)
                    .is_some_and(|explanation| explanation.accounts_for_all)
            });
            self.entries(container, &pairs, &differing, &inside, depth)
        };
        if signature {
            words.push_str("; the signature after its end differs");
        }
        if let Some(beyond_entries) = beyond_entries {
            words.push_str("; ");
            words.push_str(&beyond_entries);
        }
        Some(Explanation {
            words,
            accounts_for_all,
        })
    }

    /// Whether what no reader needs says the same. What cannot be told does not.
    fn same_texts(self, container: Container, pair: Pair<'_>) -> bool {
        let texts = |archive| texts_beside(container, archive, self.room);
        matches!(
            (texts(pair.published), texts(pair.rebuilt)),
            (Ok(Some(one)), Ok(Some(other))) if one == other
        )
    }

    /// The rows that differ in more than packing, the most serious first.
    fn differing(self, path: &EntryPath, pairs: &mut Pairs) -> Vec<(usize, Difference)> {
        let format = if path.file_name().to_ascii_lowercase().ends_with(".whl") {
            ArtifactFormat::Wheel
        } else {
            ArtifactFormat::Mcpb
        };
        let mut differing = Vec::new();
        for (number, row) in pairs.rows.iter_mut().enumerate() {
            let entries = row.published.iter_mut().chain(&mut row.rebuilt);
            entries.for_each(erase_mode_bits);
            let facets = row.facets();
            let differs = [
                Facets::COPIES,
                Facets::KIND,
                Facets::CONTENT,
                Facets::MODE,
                Facets::ATTRIBUTES,
                Facets::NAME,
            ]
            .into_iter()
            .any(|facet| facets.has(facet));
            if differs {
                let scripts = InstallScripts::default();
                let difference = describe(format, row, facets, &scripts, self.words);
                differing.push((number, difference));
            }
        }
        differing.sort_by(|(_, one), (_, other)| {
            (one.class, &one.path).cmp(&(other.class, &other.path))
        });
        differing
    }

    /// Explanations of those of the named entries that are archives, by their rows.
    fn inside(
        self,
        container: Container,
        pair: Pair<'_>,
        rows: &[Row],
        differing: &[(usize, Difference)],
        depth: usize,
    ) -> BTreeMap<usize, Explanation> {
        let mut explanations = BTreeMap::new();
        if depth == DEEPEST {
            return explanations;
        }
        let mut room = LARGEST;
        let archives: Vec<(usize, &Row, [&Entry; 2])> = differing
            .iter()
            .take(named(depth))
            .filter_map(|(number, difference)| {
                let row = rows.get(*number)?;
                let (one, other) = row.files()?;
                let size = one.size.max(other.size);
                if difference.explanation.is_some()
                    || ![one, other]
                        .iter()
                        .all(|entry| Container::may_be(&row.path, &entry.head))
                    || size > room
                {
                    return None;
                }
                room -= size;
                Some((*number, row, [one, other]))
            })
            .collect();
        if archives.is_empty() {
            return explanations;
        }
        let wanted = |side: usize| -> BTreeSet<u32> {
            archives
                .iter()
                .filter_map(|(_, _, entries)| Some(entries.get(side)?.index))
                .collect()
        };
        let (Ok(published), Ok(rebuilt)) = (
            contents_inside(container, pair.published, self.room, &wanted(0)),
            contents_inside(container, pair.rebuilt, self.room, &wanted(1)),
        ) else {
            // They were read a moment ago: what has changed is how much may still be unpacked.
            return explanations;
        };
        for (number, row, [one, other]) in archives {
            let (Some(published), Some(rebuilt)) =
                (published.get(&one.index), rebuilt.get(&other.index))
            else {
                continue;
            };
            let inner = Pair {
                path: &row.path,
                published,
                rebuilt,
                executable: one.is_executable() || other.is_executable(),
            };
            if let Some(explanation) = self.explain(inner, depth + 1) {
                explanations.insert(number, explanation);
            }
        }
        explanations
    }

    /// How many entries differ, and the first of them.
    fn entries(
        self,
        container: Container,
        pairs: &Pairs,
        differing: &[(usize, Difference)],
        inside: &BTreeMap<usize, Explanation>,
        depth: usize,
    ) -> String {
        let more = |row: &usize, difference: &Difference| {
            let words = match (difference.change, inside.get(row)) {
                (Change::Added, _) => format!("{} only", self.words.published),
                (Change::Removed, _) => format!("{} only", self.words.rebuilt),
                (Change::Changed | Change::Metadata, Some(inside)) => inside.words.clone(),
                (Change::Changed | Change::Metadata, None) => difference.explanation.clone()?,
            };
            Some(format!(" ({words})"))
        };
        if container == Container::Gzip {
            let more = differing.first().and_then(|(row, one)| more(row, one));
            return format!(
                "the content of the gzip differs{}",
                more.unwrap_or_default()
            );
        }
        let mut shown: Vec<String> = differing
            .iter()
            .take(named(depth))
            .map(|(row, difference)| {
                let path = quoted(difference.path.as_str().as_bytes());
                path + &more(row, difference).unwrap_or_default()
            })
            .collect();
        if differing.len() > shown.len() {
            shown.push(format!("{} more", differing.len() - shown.len()));
        }
        let class = differing.first().map_or(Class::Data, |(_, one)| one.class);
        let count = differing.len();
        let (differ, rank) = if count == 1 {
            ("differs", "of class")
        } else {
            ("differ", "the most serious of class")
        };
        format!(
            "{count} of {} in the {} {differ}, {rank} {}: {}",
            match pairs.rows.len() {
                1 => "1 entry".to_owned(),
                count => format!("{count} entries"),
            },
            container.word(),
            class.word(),
            shown.join(", ")
        )
    }
}

const fn named(depth: usize) -> usize {
    NAMED >> (depth - 1)
}

/// A script or machine code that can be read as an archive, too, does what no entry says.
fn is_a_program(pair: Pair<'_>) -> bool {
    let name = pair.path.file_name().to_ascii_lowercase();
    let is_recipe = RECIPES.iter().any(|recipe| {
        name.strip_prefix(recipe)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            || name
                .strip_suffix(recipe)
                .is_some_and(|before| before.ends_with('.'))
    });
    if is_recipe {
        return true;
    }
    let is_jar = name.ends_with(".jar");
    [pair.published, pair.rebuilt].into_iter().any(|content| {
        let executable = pair.executable && !is_jar;
        match classify(ArtifactFormat::Mcpb, pair.path, content, executable) {
            Class::Startup | Class::InstallScript | Class::Native => true,
            // A class that comes before that of code may hide it.
            Class::Executable => !is_jar || content.starts_with(b"#!"),
            Class::Manifest
            | Class::DependencyList
            | Class::Data
            | Class::Types
            | Class::Sourcemap
            | Class::Metadata
            | Class::Documentation
            | Class::Licence => executable || content.starts_with(b"#!"),
        }
    })
}

/// What programs carry out that know it by its name, and that can begin with anything.
const RECIPES: [&str; 13] = [
    "dockerfile",
    "containerfile",
    "makefile",
    "gnumakefile",
    "justfile",
    "jenkinsfile",
    "rakefile",
    "gemfile",
    "vagrantfile",
    "procfile",
    "cmakelists",
    "configure",
    "mk",
];

/// An owner whose name could not be anybody's: tars have room for a line of a script there.
fn strange_owner(pairs: &Pairs, words: SideWords) -> Option<String> {
    let is_strange = |entry: &Entry| {
        let owner = &entry.written.owner;
        let mut letters = owner.user_name.iter().chain(&owner.group_name);
        letters.any(u8::is_ascii_control)
    };
    let has = |side: fn(&Row) -> &Vec<Entry>| pairs.rows.iter().flat_map(side).any(is_strange);
    let side = if has(|row| &row.published) {
        words.published
    } else if has(|row| &row.rebuilt) {
        words.rebuilt
    } else {
        return None;
    };
    Some(format!(
        "the {side} one has names of owners with control characters"
    ))
}

/// Python takes a `.pyc` for a file of code only where the time in it is that file's.
fn times_count(pairs: &Pairs) -> bool {
    let any = |holds: fn(&Row) -> bool| pairs.rows.iter().any(holds);
    any(|row| row.facets().has(Facets::TIME)) && any(|row| row.path.as_str().ends_with(".pyc"))
}

/// What the packing differs in, as far as it is known.
fn packing(container: Container, pairs: &Pairs) -> Vec<&'static str> {
    let rows: Vec<Facets> = pairs.rows.iter().map(Row::facets).collect();
    let archive = pairs.archive_facets();
    let any = |facet| rows.iter().any(|facets| facets.has(facet));
    let deflated_otherwise = || {
        pairs.rows.iter().any(|row| {
            row.files().is_some_and(|(one, other)| {
                one.sha256 == other.sha256 && one.written.packed != other.written.packed
            })
        })
    };
    let is_zip = container == Container::Zip;
    [
        ("times", any(Facets::TIME)),
        ("order", archive.has(Facets::ORDER)),
        ("compression", is_zip && deflated_otherwise()),
        ("owners", any(Facets::OWNER)),
        ("permissions", any(Facets::MODE)),
        ("entries for directories", archive.has(Facets::DIRECTORIES)),
        (
            "headers",
            pairs.rows.iter().any(|row| {
                let sides = row.published.iter().zip(&row.rebuilt);
                let mut sides = sides.map(|(one, other)| (&one.written, &other.written));
                sides.any(|(one, other)| one.encoding != other.encoding)
            }),
        ),
        ("gzip header", archive.has(Facets::GZIP)),
    ]
    .into_iter()
    .filter_map(|(word, differs)| differs.then_some(word))
    .collect()
}

/// What a bound is said to be on that all archives share.
const UNPACKED: &str = "unpacked content";
const TOOK: &str =
    "is larger than what other archives left of all that may be unpacked in one comparison";

/// What comparing entries would miss, in the first archive that holds such a thing.
fn beyond_entries(published: &[Anomaly], rebuilt: &[Anomaly], words: SideWords) -> Option<String> {
    // Names that lead elsewhere are escaped into others, which may be entries of their own.
    let beyond = |anomaly: &&Anomaly| is_beyond_entries(anomaly);
    let (side, anomaly) = published
        .iter()
        .find(beyond)
        .map(|anomaly| (words.published, anomaly))
        .or_else(|| Some((words.rebuilt, rebuilt.iter().find(beyond)?)))?;
    let what = if anomaly.kind == AnomalyKind::PathTraversal {
        "has names that lead elsewhere"
    } else {
        "holds bytes that belong to no entry or can be read in two ways"
    };
    Some(format!("the {side} one {what}: {}", anomaly.detail))
}

fn unreadable(side: &str, container: Container, error: ReadError, is_short: bool) -> String {
    let why = match error {
        ReadError::TooManyEntries { .. } if is_short => TOOK.to_owned(),
        ReadError::TooLarge { what: UNPACKED, .. } if is_short => TOOK.to_owned(),
        ReadError::Malformed { offset, reason } => format!(
            "is malformed at byte {offset}: {}",
            crate::text::escape(reason.as_bytes(), 200)
        ),
        ReadError::TooLarge { what, limit } => {
            format!("is too large: {what} exceeds {limit} bytes")
        }
        ReadError::TooManyEntries { limit } => format!("has more than {limit} entries"),
        ReadError::Io(_) => "cannot be read".to_owned(),
    };
    format!(
        "could not be looked into: the {side} {} {why}",
        container.word()
    )
}
