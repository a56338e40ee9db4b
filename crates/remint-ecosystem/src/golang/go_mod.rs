//! `go.mod` files (Go modules reference, "go.mod files"): the directives that say what a module is called and what it
//! needs. Lax, as go reads the files of dependencies: what is not known is passed over.

use remint_model::{Ecosystem, PackageName};

use crate::release::MetadataError;
use crate::text_file::text;

/// The largest that go packs (`MaxGoMod` of `golang.org/x/mod/zip`).
pub(crate) const LARGEST: usize = 16 << 20;
/// Nobody requires more.
const MOST_LINES: usize = 200_000;

/// What a `go.mod` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoMod {
    /// The module's own path.
    pub module: Option<PackageName>,
    /// The language version, which is also the least toolchain.
    pub go: Option<String>,
    /// The toolchain that its authors use, where they say so.
    pub toolchain: Option<String>,
    /// The modules that it requires.
    pub required: Vec<Required>,
    /// What stands in for them where the module is built by itself.
    pub replaced: Vec<(String, String)>,
}

/// One required module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// Its path.
    pub path: String,
    /// Its least version.
    pub version: String,
    /// Whether only others need it.
    pub indirect: bool,
}

impl GoMod {
    /// Reads a file.
    ///
    /// # Errors
    /// It is too large, no UTF-8, or states no valid module path.
    pub fn parse(content: &[u8]) -> Result<Self, MetadataError> {
        let malformed = |reason: String| MetadataError::malformed("go.mod", reason);
        let text = text("go.mod", content, LARGEST)?;
        let mut read = Self::default();
        let mut block: Option<String> = None;
        for (number, line) in text.lines().enumerate() {
            if number >= MOST_LINES {
                return Err(malformed(format!("it has more than {MOST_LINES} lines")));
            }
            let Some((words, comment)) = words(line) else {
                return Err(malformed(format!(
                    "line {}: a string that does not end",
                    number + 1
                )));
            };
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match (block.as_deref(), words.as_slice()) {
                (_, []) => {}
                (Some(_), [")"]) => block = None,
                (Some(directive), arguments) => read.directive(directive, arguments, comment),
                (None, [directive, "("]) => block = Some((*directive).to_owned()),
                (None, [directive, arguments @ ..]) => {
                    read.directive(directive, arguments, comment);
                }
            }
        }
        if read.module.is_none() {
            return Err(malformed("it states no valid module path".to_owned()));
        }
        Ok(read)
    }

    fn directive(&mut self, directive: &str, arguments: &[&str], comment: &str) {
        match (directive, arguments) {
            // Go refuses a second one; here the first counts.
            ("module", [path]) if self.module.is_none() => {
                self.module = PackageName::parse(Ecosystem::Golang, path).ok();
            }
            ("go", [version]) => self.go = Some((*version).to_owned()),
            ("toolchain", [name]) => self.toolchain = Some((*name).to_owned()),
            ("require", [path, version]) => self.required.push(Required {
                path: (*path).to_owned(),
                version: (*version).to_owned(),
                indirect: comment
                    .split(';')
                    .next()
                    .is_some_and(|first| first.trim() == "indirect"),
            }),
            ("replace", arguments) => {
                let mut sides = arguments.splitn(2, |word| *word == "=>");
                if let (Some(from), Some(to)) = (sides.next(), sides.next()) {
                    self.replaced.push((from.join(" "), to.join(" ")));
                }
            }
            _ => {}
        }
    }

    /// Whether its language version is at least this one.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let Some(go) = &self.go else { return false };
        let mut numbers = go.split('.');
        let number = |text: Option<&str>| -> Option<u32> {
            let text = text?;
            let end = text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len());
            text.get(..end)?.parse().ok()
        };
        let found = (number(numbers.next()), number(numbers.next()));
        matches!(found, (Some(own), own_minor) if (own, own_minor.unwrap_or(0)) >= (major, minor))
    }
}

/// The folders that a `go.work` uses, whose syntax is the same; `None` where it cannot be read.
pub(super) fn uses(content: &[u8]) -> Option<Vec<String>> {
    let text = text("go.work", content, LARGEST).ok()?;
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines().take(MOST_LINES) {
        let (words, _) = words(line)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [")"] => in_block = false,
            ["use", "("] => in_block = true,
            ["use", folder] => found.push((*folder).to_owned()),
            [folder] if in_block => found.push((*folder).to_owned()),
            _ => {}
        }
    }
    Some(found)
}

/// The words of a line, quotes resolved, and its comment; `None` where a string does not end.
fn words(line: &str) -> Option<(Vec<String>, &str)> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some((words, ""));
        }
        if let Some(comment) = rest.strip_prefix("//") {
            return Some((words, comment));
        }
        let first = rest.chars().next()?;
        if matches!(first, '"' | '`') {
            let (word, after) = rest.get(1..)?.split_once(first)?;
            // No valid path or version needs an escape.
            words.push(word.to_owned());
            rest = after;
            continue;
        }
        if matches!(first, '(' | ')' | ',') {
            words.push(first.to_string());
            rest = rest.get(1..)?;
            continue;
        }
        let end = rest
            .char_indices()
            .find(|(at, c)| {
                c.is_whitespace()
                    || matches!(c, '(' | ')' | ',' | '"' | '`')
                    || rest.get(*at..).is_some_and(|tail| tail.starts_with("//"))
            })
            .map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        words.push(word.to_owned());
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "\
// Deprecated: not really.
module example.org/x/v2 // why not

go 1.24.1

toolchain go1.24.3

require (
\texample.org/a v1.2.3
\t\"example.org/b\" v0.0.0-20191109021931-daa7c04131f5 // indirect; and more
)

require example.org/c v1.0.0 // direct
replace example.org/a v1.2.3 => ../a
replace (
\texample.org/b => example.org/d v1.0.0
)
retract [v1.0.0, v1.9.9]
unknown things // pass
";

    #[test]
    fn directives_are_read_alone_and_in_blocks() {
        let read = GoMod::parse(FILE.as_bytes()).unwrap();
        assert_eq!(read.module.as_ref().unwrap().as_str(), "example.org/x/v2");
        assert_eq!(read.go.as_deref(), Some("1.24.1"));
        assert_eq!(read.toolchain.as_deref(), Some("go1.24.3"));
        let required: Vec<(&str, bool)> = read
            .required
            .iter()
            .map(|required| (required.path.as_str(), required.indirect))
            .collect();
        assert_eq!(
            required,
            [
                ("example.org/a", false),
                ("example.org/b", true),
                ("example.org/c", false)
            ]
        );
        let replaced = [
            ("example.org/a v1.2.3", "../a"),
            ("example.org/b", "example.org/d v1.0.0"),
        ];
        let replaced = replaced.map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(read.replaced, replaced);
    }

    #[test]
    fn language_versions_are_numbers() {
        let at_least = |go: &str| {
            let text = format!("module example.org/x\ngo {go}\n");
            GoMod::parse(text.as_bytes()).unwrap().is_at_least(1, 24)
        };
        for go in ["1.24", "1.24.0", "1.24rc1", "1.100", "2.0"] {
            assert!(at_least(go), "{go}");
        }
        for go in ["1.23.9", "1.3", "1", "x"] {
            assert!(!at_least(go), "{go}");
        }
    }

    #[test]
    fn a_file_that_names_no_module_is_malformed() {
        for text in [
            "",
            "go 1.24\n",
            "module\n",
            "module x\n",
            "module ../x\n",
            "module \"example.org/x\n",
            "module example.org/x y\n",
        ] {
            assert!(GoMod::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(GoMod::parse(b"module example.org/\xff\n").is_err());
        let quoted = GoMod::parse(b"module `example.org/x`\n").unwrap();
        assert_eq!(quoted.module.unwrap().as_str(), "example.org/x");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(any: Vec<u8>, shaped in "(module|require|replace|go| |\\(|\\)|\n|\"|`|//|=>|,|example.org/x|v1.0.0|é){0,40}") {
            for content in [any, shaped.into_bytes()] {
                if let Ok(read) = GoMod::parse(&content) {
                    let _ = read.is_at_least(1, 24);
                }
            }
        }
    }
}
