//! Shell scripts of workflows and manifests, split into commands. Enough of the POSIX shell's grammar to tell
//! where a command ends; loops, conditions and here-documents are not taken apart.

/// A script as far as it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Script {
    /// Commands that run one after the other.
    Commands(Vec<Command>),
    /// Something with control flow, as it stands.
    Compound(String),
}

/// One command, or a pipeline or `||` chain, which is named by its first command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The text, as a shell would have to be given it.
    pub(crate) text: String,
    /// `NAME=value` in front of the command, values unquoted as far as possible.
    pub(crate) assignments: Vec<(String, String)>,
    /// Program and arguments, unquoted; expansions are left as they are.
    pub(crate) words: Vec<String>,
    /// The same of what it is piped to, of what runs where it fails, and of what runs beside it.
    pub(crate) beside: Vec<Vec<String>>,
    /// The files that output of any of them is sent to.
    pub(crate) writes: Vec<String>,
}

impl Command {
    /// A word by its position, or an empty text.
    pub(crate) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }

    /// Whether one of the arguments is this one.
    pub(crate) fn has(&self, argument: &str) -> bool {
        self.words.iter().skip(1).any(|word| word == argument)
    }

    /// The value of an option: `--name value`, `--name=value`.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.words.iter().enumerate().find_map(|(at, word)| {
            if word == name {
                self.words.get(at + 1).map(String::as_str)
            } else {
                word.strip_prefix(name)?.strip_prefix('=')
            }
        })
    }

    /// What runs inside of it, in `$(…)` and in backticks; `None` where that cannot be told.
    pub(crate) fn substitutions(&self) -> Option<Vec<&str>> {
        let mut found = Vec::new();
        let mut doubly_quoted = false;
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find(['$', '`', '\'', '"', '\\']) {
            let (_, after) = rest.split_at(at);
            let inner = after.get(1..)?;
            rest = match after.as_bytes() {
                [b'\\', ..] => {
                    let mut characters = inner.chars();
                    characters.next();
                    characters.as_str()
                }
                [b'"', ..] => {
                    doubly_quoted = !doubly_quoted;
                    inner
                }
                [b'\'', ..] if !doubly_quoted => inner.split_once('\'')?.1,
                // A number is computed, which may take substitutions of its own.
                [b'$', b'(', b'(', ..] => inner,
                [b'$', b'(', ..] => {
                    let inner = inner.get(1..)?;
                    let end = closing(inner)?;
                    found.push(inner.get(..end)?);
                    inner.get(end..)?
                }
                [b'`', ..] => {
                    let (inner, after) = inner.split_once('`')?;
                    found.push(inner);
                    after
                }
                _ => inner,
            };
        }
        Some(found)
    }
}

/// Where the parenthesis closes that was opened before.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Words that open control flow where a command may stand.
const CONTROL: [&str; 10] = [
    "if", "for", "while", "until", "case", "function", "{", "(", "select", "[[",
];

/// Splits a script.
pub(crate) fn split(script: &str) -> Script {
    match loosely(script) {
        Some(commands)
            if !commands
                .iter()
                .any(|command| CONTROL.contains(&command.word(0))) =>
        {
            Script::Commands(commands)
        }
        Some(_) | None => Script::Compound(script.to_owned()),
    }
}

/// The commands of a script, words of control flow taken for such; `None` where it has more than that.
pub(crate) fn loosely(script: &str) -> Option<Vec<Command>> {
    let mut commands = Vec::new();
    let mut current = Current::default();
    let mut characters = script.chars().peekable();
    let mut quote = Quote::None;
    // Depth of `$( … )`, `${ … }` and `( … )` inside a word.
    let mut nested = 0_usize;
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Quote::Single, '\'') | (Quote::Double, '"') => {
                quote = Quote::None;
                current.quoted(c);
            }
            (Quote::Single, _) => current.push(c),
            (_, '\\') => match characters.next() {
                // A line that goes on.
                Some('\n') if quote == Quote::None && nested == 0 => current.space(' '),
                Some('\n') if quote == Quote::None => current.push(' '),
                Some(next) => current.escaped(next),
                None => {}
            },
            (Quote::Double, _) => current.push(c),
            (Quote::None, '\'') => {
                quote = Quote::Single;
                current.quoted(c);
            }
            (Quote::None, '"') => {
                quote = Quote::Double;
                current.quoted(c);
            }
            (Quote::None, '$') if matches!(characters.peek(), Some('(' | '{')) => {
                current.push(c);
                current.push(characters.next().unwrap_or_default());
                nested += 1;
            }
            (Quote::None, '(') if nested > 0 => {
                nested += 1;
                current.push(c);
            }
            (Quote::None, ')' | '}') if nested > 0 => {
                nested -= 1;
                current.push(c);
            }
            (Quote::None, _) if nested > 0 => current.push(c),
            (Quote::None, '<') if characters.peek() == Some(&'<') => {
                return None;
            }
            (Quote::None, '#') if current.word.is_none() => {
                for next in characters.by_ref() {
                    if next == '\n' {
                        break;
                    }
                }
                current.finish(&mut commands);
            }
            (Quote::None, '\n' | ';') => current.finish(&mut commands),
            (Quote::None, '&') if characters.peek() == Some(&'&') => {
                characters.next();
                current.finish(&mut commands);
            }
            // `2>&1`, `&>file` and `>|file` are redirections.
            (Quote::None, '&') if current.is_redirected() || characters.peek() == Some(&'>') => {
                current.redirect(c);
            }
            (Quote::None, '|') if current.is_redirected() => current.redirect(c),
            (Quote::None, '<' | '>') => current.redirect(c),
            (Quote::None, '|' | '&') => current.go_on_beside(c),
            (Quote::None, c) if c.is_whitespace() => current.space(c),
            (Quote::None, '(') if current.word.is_none() => {
                return None;
            }
            (Quote::None, _) => current.push(c),
        }
    }
    current.finish(&mut commands);
    (quote == Quote::None && nested == 0).then_some(commands)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// The command that is being read.
#[derive(Default)]
struct Current {
    text: String,
    /// Where the text ends, white space behind it left out.
    end: usize,
    word: Option<String>,
    words: Vec<String>,
    /// Set after a pipe or `||`: what follows are words of another command.
    stopped: bool,
    /// Set after a redirection, up to its target.
    redirection: Option<Redirection>,
    beside: Vec<Vec<String>>,
    writes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Redirection {
    Read,
    Write,
    /// To where another one goes, or to a file.
    Join,
}

impl Current {
    fn push(&mut self, c: char) {
        self.text.push(c);
        self.end = self.text.len();
        self.word.get_or_insert_default().push(c);
    }

    fn quoted(&mut self, c: char) {
        self.text.push(c);
        self.end = self.text.len();
        self.word.get_or_insert_default();
    }

    fn escaped(&mut self, c: char) {
        self.text.push('\\');
        self.push(c);
    }

    fn space(&mut self, c: char) {
        if !self.text.is_empty() {
            self.text.push(c);
        }
        self.end_word();
    }

    /// Whether the target of a redirection comes next.
    const fn is_redirected(&self) -> bool {
        self.redirection.is_some() && self.word.is_none()
    }

    fn redirect(&mut self, c: char) {
        // The number of what is redirected.
        let number =
            |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if c != '&' && self.word.as_ref().is_some_and(number) {
            self.word = None;
        }
        self.end_word();
        self.push_sign(c);
        self.redirection = Some(match (c, self.redirection) {
            ('&', Some(Redirection::Write)) => Redirection::Join,
            ('<', _) | ('&', Some(Redirection::Read)) => Redirection::Read,
            _ => Redirection::Write,
        });
    }

    fn go_on_beside(&mut self, c: char) {
        self.end_word();
        self.push_sign(c);
        self.redirection = None;
        self.stopped = true;
        self.beside.push(Vec::new());
    }

    fn push_sign(&mut self, c: char) {
        self.text.push(c);
        self.end = self.text.len();
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else {
            return;
        };
        if let Some(redirection) = self.redirection.take() {
            let another = word
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-');
            if redirection == Redirection::Write || (redirection == Redirection::Join && !another) {
                self.writes.push(word);
            }
        } else if !self.stopped {
            self.words.push(word);
        } else if let Some(words) = self.beside.last_mut()
            && !(words.is_empty() && assignment(&word).is_some())
        {
            words.push(word);
        }
    }

    fn finish(&mut self, commands: &mut Vec<Command>) {
        self.end_word();
        let mut done = std::mem::take(self);
        // White space that is quoted or escaped belongs to the command.
        done.text.truncate(done.end);
        let text = done.text;
        if text.is_empty() {
            return;
        }
        let count = done
            .words
            .iter()
            .take_while(|word| assignment(word).is_some())
            .count();
        let rest = done.words.split_off(count);
        commands.push(Command {
            text,
            assignments: done
                .words
                .iter()
                .filter_map(|word| assignment(word))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            words: rest,
            beside: done
                .beside
                .into_iter()
                .filter(|words| !words.is_empty())
                .collect(),
            writes: done.writes,
        });
    }
}

/// `NAME=value`, where NAME is a shell name.
pub(crate) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let valid = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    valid.then_some((name, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(script: &str, expect: &[&[&str]]) {
        let Script::Commands(commands) = split(script) else {
            panic!("{script} was not taken apart");
        };
        let words: Vec<Vec<&str>> = commands
            .iter()
            .map(|command| command.words.iter().map(String::as_str).collect())
            .collect();
        assert_eq!(words, expect, "{script}");
    }

    #[test]
    fn commands_end_where_a_shell_ends_them() {
        check(
            "npm ci && npm run build",
            &[&["npm", "ci"], &["npm", "run", "build"]],
        );
        check("a; b\nc # d && e\nf", &[&["a"], &["b"], &["c"], &["f"]]);
        check("npm run \\\n  build", &[&["npm", "run", "build"]]);
        check("echo 'a && b' \"c; d\"", &[&["echo", "a && b", "c; d"]]);
        check("node -e \"x(\\\"y\\\")\"", &[&["node", "-e", "x(\"y\")"]]);
        check(
            "V=$(jq -r '.a && .b' f | tr a b) npm version ${V#v}",
            &[&["npm", "version", "${V#v}"]],
        );
        check("a | b && c > d || true", &[&["a"], &["c"]]);
        check("", &[]);
    }

    #[test]
    fn the_text_of_a_command_is_what_a_shell_needs() {
        let Script::Commands(commands) = split("A=1 x 'y z' | tee log && w") else {
            panic!("compound");
        };
        let first = commands.first().unwrap();
        assert_eq!(first.text, "A=1 x 'y z' | tee log");
        assert_eq!(first.assignments, [("A".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn what_a_command_writes_to_and_what_runs_inside_of_it_is_told() {
        for (text, words, writes, inside) in [
            ("a > x b", &["a", "b"][..], &["x"][..], &[][..]),
            ("> x a", &["a"], &["x"], &[]),
            ("a 2>/dev/null 2>&1 b", &["a", "b"], &["/dev/null"], &[]),
            ("a &> 'x y'", &["a"], &["x y"], &[]),
            ("a >& x", &["a"], &["x"], &[]),
            ("a >|x", &["a"], &["x"], &[]),
            ("a <in >>\"$OUT\"", &["a"], &["$OUT"], &[]),
            ("a '>' \">\" \\> x", &["a", ">", ">", ">", "x"], &[], &[]),
            ("a | b > x", &["a"], &["x"], &[]),
            (
                "a \"$(b > x)\" `c`",
                &["a", "$(b > x)", "`c`"],
                &[],
                &["b > x", "c"],
            ),
            (
                "a '$(b)' \"it's $(c)\"",
                &["a", "$(b)", "it's $(c)"],
                &[],
                &["c"],
            ),
            ("a $((1 + 2))", &["a", "$((1 + 2))"], &[], &[]),
        ] {
            let Script::Commands(commands) = split(text) else {
                panic!("{text} is compound");
            };
            let command = commands.first().unwrap();
            assert_eq!(command.words, words, "{text}");
            assert_eq!(command.writes, writes, "{text}");
            assert_eq!(command.substitutions().unwrap(), inside, "{text}");
        }
    }

    #[test]
    fn control_flow_is_left_whole() {
        for script in [
            "if [ -f x ]; then y; fi",
            "for x in a b; do y; done",
            "cat <<EOF\nx\nEOF",
            "(cd x && y)",
            "echo \"open",
            "echo $(open",
        ] {
            assert_eq!(split(script), Script::Compound(script.to_owned()));
        }
    }

    #[test]
    fn options_are_found_in_both_spellings() {
        let Script::Commands(commands) = split("npm publish --tag=next -w a --access public")
        else {
            panic!("compound");
        };
        let command = commands.first().unwrap();
        assert_eq!(command.option("--tag"), Some("next"));
        assert_eq!(command.option("-w"), Some("a"));
        assert_eq!(command.option("--x"), None);
        assert!(command.has("--access"));
    }

    proptest! {
        #[test]
        fn the_text_of_commands_is_the_same_commands(
            any: String,
            shaped in "([a-z=]{1,3}| |\n|;|&&?|\\|\\|?|[<>#(){}'\"]|\\$[({]?|\\\\|\\\\\n|A=|é|\t){0,16}",
        ) {
            for script in [any, shaped] {
                let Script::Commands(commands) = split(&script) else {
                    continue;
                };
                let texts: Vec<&str> = commands.iter().map(|command| command.text.as_str()).collect();
                prop_assert!(texts.iter().all(|text| !text.is_empty()));
                prop_assert_eq!(split(&texts.join("\n")), Script::Commands(commands.clone()));
            }
        }
    }
}
