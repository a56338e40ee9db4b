//! The flags of go's linker that a rebuild may be given. They come from strangers, and some of them run programs
//! (`-extld`, `-extldflags`) or read files, so those that are not known to do neither are refused.

use std::fmt;

/// Nobody gives more, or longer ones.
const MOST: usize = 64;
const LONGEST: usize = 1024;

/// Flags that were found to be harmless, as a list of words: go tells two links apart by this list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkerFlags(Vec<String>);

/// Why flags are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedFlag {
    /// Quotes that do not end, or words that cannot be written down again.
    #[error("they cannot be taken apart")]
    Quotes,
    /// A flag that is not allowed here.
    #[error("`{0}` is not used here")]
    Flag(String),
    /// There are too many, or they are too long.
    #[error("they are too long")]
    Length,
}

impl LinkerFlags {
    /// Takes apart what follows `-ldflags=` (`cmd/internal/quoted`), and looks at each flag.
    ///
    /// # Errors
    /// One of them is none of `-s`, `-w`, `-X`, `-buildid`.
    pub fn parse(text: &str) -> Result<Self, RefusedFlag> {
        Self::of_words(split(text).ok_or(RefusedFlag::Quotes)?)
    }

    /// The same for words that are apart already.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of_words(words: Vec<String>) -> Result<Self, RefusedFlag> {
        if words.len() > MOST || words.iter().any(|word| word.len() > LONGEST) {
            return Err(RefusedFlag::Length);
        }
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            // Go's flags may have one dash or two.
            let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
            let allowed = match name.map(|name| name.split_once('=').unwrap_or((name, ""))) {
                Some(("s" | "w", "")) => !word.ends_with('='),
                Some(("buildid", value)) => word.contains('=') && is_build_id(value),
                Some(("X", "")) => rest.next().is_some_and(|value| is_definition(value)),
                Some(("X", value)) => is_definition(value),
                Some(_) | None => false,
            };
            if !allowed {
                return Err(RefusedFlag::Flag(word.chars().take(80).collect()));
            }
        }
        if words.iter().any(|word| quoted(word).is_none()) {
            return Err(RefusedFlag::Quotes);
        }
        Ok(Self(words))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they leave out what debuggers need.
    #[must_use]
    pub fn strips(&self) -> bool {
        self.has("s") || self.has("w")
    }

    /// Whether they leave out the symbol table.
    #[must_use]
    pub fn strips_symbols(&self) -> bool {
        self.has("s")
    }

    /// Whether they write another build id than go's own.
    #[must_use]
    pub fn set_build_id(&self) -> bool {
        self.0
            .iter()
            .any(|word| word.trim_start_matches('-').starts_with("buildid="))
    }

    fn has(&self, flag: &str) -> bool {
        // What follows `-X` always holds `=`.
        self.0
            .iter()
            .any(|word| word.starts_with('-') && word.trim_start_matches('-') == flag)
    }
}

impl fmt::Display for LinkerFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().filter_map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// `importpath.name=value`: the linker sets a variable of that name to this text.
fn is_definition(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, value)| {
        name.contains('.')
            && !name.starts_with('-')
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b))
            && !value.chars().any(char::is_control)
    })
}

fn is_build_id(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_/.".contains(&b))
}

/// Splits at white space; a word in quotes may hold some, and there are no escapes (`quoted.Split`).
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = if matches!(first, '"' | '\'') {
            rest.get(1..)?.split_once(first)?
        } else {
            let end = rest
                .find(|c: char| c.is_ascii_whitespace())
                .unwrap_or(rest.len());
            rest.split_at(end)
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

/// A word that `split` takes for one (`quoted.Join`); there is none for a word with both quotes.
fn quoted(word: &str) -> Option<String> {
    let is_plain = !word.is_empty()
        && !word.starts_with(['"', '\''])
        && !word.contains(|c: char| c.is_whitespace());
    if is_plain {
        return Some(word.to_owned());
    }
    ['"', '\'']
        .into_iter()
        .find(|quote| !word.contains(*quote))
        .map(|quote| format!("{quote}{word}{quote}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn harmless_flags_are_kept_as_they_are() {
        for text in [
            "",
            "-s -w",
            "-w",
            "-s -w -X main.version=1.0.0 -X=main.commit=abc",
            "-X \"main.built=by hand\"",
            "-X 'example.org/x/internal.name=a \"b\"'",
            "-X main.empty=",
            "-buildid=",
            "--s -buildid=abc/def",
        ] {
            assert_eq!(LinkerFlags::parse(text).unwrap().to_string(), text);
        }
        let flags = LinkerFlags::parse("  -s\t-X  main.v=-w ").unwrap();
        assert_eq!(flags.to_string(), "-s -X main.v=-w");
        assert!(flags.strips() && flags.strips_symbols() && !flags.set_build_id());
        assert!(LinkerFlags::parse("-buildid=").unwrap().set_build_id());
        assert!(!LinkerFlags::parse("-X main.s=-s").unwrap().strips());
    }

    #[test]
    fn what_could_run_or_read_something_is_refused() {
        for text in [
            "-extld=/tmp/evil",
            "-extldflags=-static",
            "-extldflags '-Wl,-plugin=x'",
            "-linkmode=external",
            "-toolexec=x",
            "-I /tmp/ld.so",
            "-r /tmp",
            "-L/tmp",
            "-o /out/other",
            "-X",
            "-X novariable",
            "-X main.a",
            "-X -extld=x.y",
            "-s=",
            "-s=false",
            "-buildid",
            "-buildid=a;b",
            "@/tmp/flags",
            "main.o",
            "-X main.a=\u{1b}[31m",
        ] {
            assert!(
                matches!(LinkerFlags::parse(text), Err(RefusedFlag::Flag(_))),
                "{text}"
            );
        }
        for text in ["\"-s", "-X 'main.a=b"] {
            assert_eq!(LinkerFlags::parse(text), Err(RefusedFlag::Quotes), "{text}");
        }
        assert_eq!(
            LinkerFlags::parse(&"-s ".repeat(MOST + 1)),
            Err(RefusedFlag::Length)
        );
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_again_as_the_same(
            text in "(-s|-w|-X|=| |\"|'|main.v|-buildid=|-extld|\t|a|é){0,24}",
        ) {
            if let Ok(flags) = LinkerFlags::parse(&text) {
                prop_assert_eq!(LinkerFlags::parse(&flags.to_string()), Ok(flags));
            }
        }
    }
}
