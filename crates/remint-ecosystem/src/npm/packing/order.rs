//! The order in which npm packs: by ending, then by name, then by path, each as English sorts it (ECMA-402
//! `localeCompare`, which follows the default order of the Unicode Collation Algorithm).

use std::cmp::Ordering;

use super::PackedFile;

/// The files in npm's order; `None` where a name has characters whose place is not known here.
pub(super) fn sort(files: Vec<PackedFile>) -> Option<Vec<PackedFile>> {
    let mut keyed = files
        .into_iter()
        .map(|file| Some((Key::of(file.path.as_str())?, file)))
        .collect::<Option<Vec<_>>>()?;
    keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(keyed.into_iter().map(|(_, file)| file).collect())
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    ending: Collated,
    name: Collated,
    path: Collated,
}

impl Key {
    fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?;
        // Node.js `path.extname`: what follows the last dot that is not the first character.
        let ending = match name.rfind('.') {
            None | Some(0) => "",
            Some(at) => name.get(at..)?,
        };
        // npm writes a leading `@` in another way.
        if path.starts_with('@') {
            return None;
        }
        Some(Self {
            ending: Collated::of(&ending.to_ascii_lowercase())?,
            name: Collated::of(&name.to_ascii_lowercase())?,
            path: Collated::of(path)?,
        })
    }
}

/// A text as it sorts: which characters first, in which case after that.
#[derive(PartialEq, Eq)]
struct Collated {
    characters: Vec<u8>,
    upper_case: Vec<bool>,
}

/// The printable ASCII characters but letters and digits, in the order of the default collation.
const BEFORE_DIGITS: &[u8] = b" _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

impl Collated {
    fn of(text: &str) -> Option<Self> {
        let place = |byte: u8| -> Option<u8> {
            let number = |at: usize| u8::try_from(at).ok();
            match byte.to_ascii_lowercase() {
                digit @ b'0'..=b'9' => Some(100 + (digit - b'0')),
                letter @ b'a'..=b'z' => Some(150 + (letter - b'a')),
                other => number(BEFORE_DIGITS.iter().position(|known| *known == other)?),
            }
        };
        Some(Self {
            characters: text.bytes().map(place).collect::<Option<_>>()?,
            upper_case: text.bytes().map(|byte| byte.is_ascii_uppercase()).collect(),
        })
    }
}

impl Ord for Collated {
    fn cmp(&self, other: &Self) -> Ordering {
        self.characters
            .cmp(&other.characters)
            .then_with(|| self.upper_case.cmp(&other.upper_case))
    }
}

impl PartialOrd for Collated {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(paths: &[&str]) -> Option<Vec<String>> {
        let files = paths
            .iter()
            .map(|path| PackedFile {
                source: path.parse().unwrap(),
                path: path.parse().unwrap(),
                executable: false,
            })
            .collect();
        Some(
            sort(files)?
                .iter()
                .map(|file| file.path.to_string())
                .collect(),
        )
    }

    #[test]
    fn endings_come_first_and_case_last() {
        assert_eq!(
            sorted(&[
                "README.md",
                "lib/b.js",
                "package.json",
                "a.js",
                "LICENSE",
                "lib/A.js",
                "lib/a.js",
                "x-y.js",
                "x_y.js",
                "x.d.ts",
                "x1.js"
            ])
            .unwrap(),
            [
                "LICENSE",
                "a.js",
                "lib/a.js",
                "lib/A.js",
                "lib/b.js",
                "x_y.js",
                "x-y.js",
                "x1.js",
                "package.json",
                "README.md",
                "x.d.ts"
            ]
        );
    }

    #[test]
    fn what_has_no_known_place_is_not_sorted() {
        assert_eq!(sorted(&["größe.js"]), None);
        assert_eq!(sorted(&["@scope/a.js"]), None);
    }
}
