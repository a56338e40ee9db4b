//! What can be read of a Python file without running it: string literals assigned to names, as in
//! `setup(name="x", version="1.0")` and `__version__ = "1.0"`. Anything computed stays unknown.

use std::ops::Range;

const LARGEST: usize = 1 << 20;

/// Every `name = "literal"` of a Python file, at any depth, in order. Comments and docstrings are skipped.
///
/// A literal that is only the start of an expression (`"1." + MINOR`) is left out, as are f-strings and bytes.
pub(crate) fn literals(content: &[u8]) -> Vec<Literal> {
    let mut found = Vec::new();
    if content.len() > LARGEST {
        return found;
    }
    let Ok(text) = std::str::from_utf8(content) else {
        return found;
    };
    let mut scanner = Scanner {
        rest: text,
        depth: 0,
    };
    let mut recent: [Option<Token<'_>>; 2] = [None, None];
    while let Some(token) = scanner.next() {
        if let (Some(Token::Name(name)), Some(Token::Equals), Token::Text(value)) =
            (recent[0], recent[1], token)
        {
            let at = scanner.depth;
            let mut ahead = scanner.clone();
            let ends = matches!(
                ahead.next(),
                None | Some(Token::Comma | Token::Close | Token::LineEnd | Token::Name(_))
            );
            if ends && !value.contains('\\') {
                let start = value.as_ptr().addr().saturating_sub(text.as_ptr().addr());
                found.push(Literal {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    place: start..start.saturating_add(value.len()),
                    top_level: at == 0,
                });
            }
        }
        match token {
            // An annotation between name and `=`: `__version__: str = "1"`.
            Token::Colon | Token::LineEnd if scanner.depth > 0 => {}
            Token::Colon => {
                let mut ahead = scanner.clone();
                if matches!(recent[1], Some(Token::Name(_)))
                    && matches!(ahead.next(), Some(Token::Name(_)))
                {
                    scanner = ahead;
                } else {
                    recent = [recent[1], Some(token)];
                }
            }
            Token::LineEnd
            | Token::Name(_)
            | Token::Text(_)
            | Token::Equals
            | Token::Comma
            | Token::Open
            | Token::Close
            | Token::Other => recent = [recent[1], Some(token)],
        }
    }
    found
}

/// The texts of `name = ["a", "b"]`, or of the list that `name` stands for; `None` where anything in it is computed.
pub(crate) fn list(content: &[u8], name: &str) -> Option<Vec<String>> {
    let mut scanner = after_assignment(content, name)?;
    let mut ahead = scanner.clone();
    // A list made beforehand: `install_requires=requirements`.
    if let Token::Name(other) = ahead.next_on_any_line()?
        && other != name
    {
        scanner = after_assignment(content, other)?;
    }
    let texts = scanner.texts()?;
    scanner.ends().then_some(texts)
}

/// The lists of `name = {"a": ["b"]}`; `None` where anything in it is computed.
pub(crate) fn lists(content: &[u8], name: &str) -> Option<Vec<(String, Vec<String>)>> {
    let mut scanner = after_assignment(content, name)?;
    if scanner.next_on_any_line()? != Token::Open {
        return None;
    }
    let mut found = Vec::new();
    loop {
        match scanner.next_on_any_line()? {
            Token::Close => return scanner.ends().then_some(found),
            Token::Comma => {}
            Token::Text(key) => {
                if scanner.next_on_any_line()? != Token::Colon {
                    return None;
                }
                found.push((key.to_owned(), scanner.texts()?));
            }
            Token::Name(_)
            | Token::Equals
            | Token::Colon
            | Token::Open
            | Token::LineEnd
            | Token::Other => return None,
        }
    }
}

/// What follows the last `name =`, since the last one counts.
fn after_assignment<'a>(content: &'a [u8], name: &str) -> Option<Scanner<'a>> {
    if content.len() > LARGEST {
        return None;
    }
    let mut scanner = Scanner {
        rest: std::str::from_utf8(content).ok()?,
        depth: 0,
    };
    let mut found = None;
    let mut named = false;
    while let Some(token) = scanner.next() {
        if named && token == Token::Equals {
            found = Some(scanner.clone());
        }
        named = token == Token::Name(name);
    }
    found
}

/// The value of a literal by name; the last one wins, as it does in Python.
pub(crate) fn literal<'a>(literals: &'a [Literal], name: &str) -> Option<&'a str> {
    literals
        .iter()
        .rev()
        .find(|literal| literal.name == name)
        .map(|literal| literal.value.as_str())
}

/// A string assigned to a name, or given as a keyword argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Where the value stands in the file, without its quotes.
    pub(crate) place: Range<usize>,
    /// Outside all brackets: an assignment and no argument.
    pub(crate) top_level: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Text(&'a str),
    Equals,
    Comma,
    Colon,
    Open,
    Close,
    LineEnd,
    Other,
}

#[derive(Clone)]
struct Scanner<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.rest = self
                .rest
                .trim_start_matches([' ', '\t', '\r', '\x0c', '\u{feff}']);
            if let Some(comment) = self.rest.strip_prefix('#') {
                self.rest = comment
                    .find('\n')
                    .map_or("", |end| comment.get(end..).unwrap_or(""));
                continue;
            }
            if let Some(after) = self.rest.strip_prefix("\\\n") {
                self.rest = after;
                continue;
            }
            break;
        }
        let first = self.rest.chars().next()?;
        if first.is_alphabetic() || first == '_' {
            let name = self.take_while(|c| c.is_alphanumeric() || c == '_');
            // A prefix of a string: raw and unicode ones are read, bytes and formatted ones are not literals.
            if self.rest.starts_with(['"', '\'']) && name.len() <= 2 {
                let text = self.string();
                let plain = matches!(name, "r" | "R" | "u" | "U");
                return Some(if plain {
                    Token::Text(text)
                } else {
                    Token::Other
                });
            }
            return Some(Token::Name(name));
        }
        if matches!(first, '"' | '\'') {
            return Some(Token::Text(self.string()));
        }
        if self.rest.starts_with("==") {
            self.skip(2);
            return Some(Token::Other);
        }
        self.skip(first.len_utf8());
        Some(match first {
            '=' => Token::Equals,
            ',' => Token::Comma,
            ':' => Token::Colon,
            '\n' => Token::LineEnd,
            '(' | '[' | '{' => {
                self.depth = self.depth.saturating_add(1);
                Token::Open
            }
            ')' | ']' | '}' => {
                self.depth = self.depth.saturating_sub(1);
                Token::Close
            }
            _ => Token::Other,
        })
    }
}

impl<'a> Scanner<'a> {
    /// The next token, line ends left out: they mean nothing inside brackets.
    fn next_on_any_line(&mut self) -> Option<Token<'a>> {
        self.find(|token| *token != Token::LineEnd)
    }

    /// A list or tuple of string literals, with adjacent ones joined.
    fn texts(&mut self) -> Option<Vec<String>> {
        if self.next_on_any_line()? != Token::Open {
            return None;
        }
        let mut texts: Vec<String> = Vec::new();
        let mut joins = false;
        loop {
            match self.next_on_any_line()? {
                Token::Close => return Some(texts),
                Token::Comma => joins = false,
                Token::Text(text) if text.contains('\\') => return None,
                Token::Text(text) => {
                    match texts.last_mut() {
                        Some(last) if joins => last.push_str(text),
                        Some(_) | None => texts.push(text.to_owned()),
                    }
                    joins = true;
                }
                Token::Name(_)
                | Token::Equals
                | Token::Colon
                | Token::Open
                | Token::LineEnd
                | Token::Other => return None,
            }
        }
    }

    /// Whether the expression ends here, rather than to be added to something.
    fn ends(&mut self) -> bool {
        matches!(
            self.next(),
            None | Some(Token::Comma | Token::Close | Token::LineEnd)
        )
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// The string literal at the start of the rest, which starts with a quote.
    fn string(&mut self) -> &'a str {
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| self.rest.starts_with(quote))
            .unwrap_or("\"");
        self.skip(quote.len());
        let text = self.rest;
        let mut escaped = false;
        for (at, c) in text.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if text.get(at..).is_some_and(|rest| rest.starts_with(quote)) {
                self.skip(at.saturating_add(quote.len()));
                return text.get(..at).unwrap_or("");
            } else if c == '\n' && quote.len() == 1 {
                // Not Python: a plain string ends at the line's end.
                self.skip(at);
                return "";
            }
        }
        self.rest = "";
        ""
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, name: &str, expect: Option<&str>) {
        let found = literals(text.as_bytes());
        assert_eq!(literal(&found, name), expect, "{text}");
    }

    #[test]
    fn literal_arguments_and_assignments_are_read() {
        check(
            "from setuptools import setup\nsetup(\n  name=\"x\",\n  version='1.0',\n)",
            "version",
            Some("1.0"),
        );
        check(
            "__version__ = \"1.2.3\"  # the version",
            "__version__",
            Some("1.2.3"),
        );
        check("__version__: str = '1'\n", "__version__", Some("1"));
        check("__version__ = version = u'1'\n", "version", Some("1"));
        check("setup(name=r'x')", "name", Some("x"));
    }

    #[test]
    fn computed_values_stay_unknown() {
        for text in [
            "version = '1.' + minor",
            "version = f'{x}'",
            "version = b'1'",
            "version = read('VERSION')",
            "# version = '1'",
            "\"\"\"\nversion = '1'\n\"\"\"",
            "if version == '1': pass",
            "version = '1' % x",
            "version = 'a\\x31'",
        ] {
            check(text, "version", None);
        }
    }

    #[test]
    fn literal_lists_are_read_and_computed_ones_are_not() {
        let check = |text: &str, expect: Option<&[&str]>| {
            let found = list(text.as_bytes(), "install_requires");
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|list| list.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), expect, "{text}");
        };
        check(
            "setup(install_requires=[\n  'a>=1',  # why\n  \"b\" '<2',\n],)",
            Some(&["a>=1", "b<2"]),
        );
        check("reqs = ['a']\nsetup(install_requires=reqs)", Some(&["a"]));
        check("setup(install_requires=[])", Some(&[]));
        for text in [
            "setup(install_requires=['a'] + more)",
            "setup(install_requires=['a', *more])",
            "setup(install_requires=read())",
            "setup(install_requires=install_requires)",
            "setup(install_requires=[f'a'])",
            "setup(install_requires=['a'",
            "setup()",
        ] {
            check(text, None);
        }
        assert_eq!(
            lists(
                b"setup(extras_require={'dev': ['a', 'b'], 'x': []})",
                "extras_require"
            ),
            Some(vec![
                ("dev".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
                ("x".to_owned(), Vec::new())
            ])
        );
        assert_eq!(
            lists(b"setup(extras_require={**x})", "extras_require"),
            None
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z_ =:,()'\"#\\\\\nfé]{0,200}") {
            let _found = literals(text.as_bytes());
            let _found = list(text.as_bytes(), "a");
            let _found = lists(text.as_bytes(), "a");
        }
    }
}
