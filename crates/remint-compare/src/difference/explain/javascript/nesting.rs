//! How deeply a parser may have to call itself for a text, estimated from above without recursion. Whatever is not
//! sure counts as too deep.
//!
//! Every level of nesting takes a token of its own, and a token that ends a statement or an element of a list ends
//! what was nested in it. So the tokens since the last such end, over all brackets that are open, are never fewer
//! than the levels.

use oxc_span::SourceType;

/// Brackets inside brackets.
const MOST_BRACKETS: usize = 128;

/// What parsing this text may cost; `None` where more than `most` levels may be nested in it, or too many brackets.
///
/// Parsers go back to tell parameters from parentheses, once for each bracket around: the cost is the depth of every
/// bracket, added up.
pub(super) fn cost(text: &str, goal: SourceType, most: usize) -> Option<u64> {
    // Shallow whatever its tokens are: each has at least one byte, each bracket is seen.
    let openers = text
        .bytes()
        .filter(|byte| b"([{<`".contains(byte))
        .take(MOST_BRACKETS + 1)
        .count();
    if text.len() <= most && openers <= MOST_BRACKETS {
        return Some((openers * openers) as u64);
    }
    // What is text and what is code in JSX takes a parser to tell.
    if goal.is_jsx() {
        return None;
    }
    Scan::new(text, goal.is_typescript(), most).run()
}

/// What the last token was, as far as the next `/` and the next reset depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// After it an expression begins, and `/` a regular expression.
    Operator,
    /// After it an expression is complete, and `/` divides.
    Operand,
    /// A keyword whose parenthesis is no operand.
    Control,
    Dot,
    Semicolon,
    CloseBrace,
    /// No `/` may follow, or not by what is known here.
    Unsure,
}

#[derive(Debug)]
struct Level {
    closer: u8,
    /// A template continues after it.
    in_template: bool,
    /// What a `/` after its end is.
    after: Last,
    tokens: usize,
    /// Angle brackets that may have opened lists of types, whose commas end nothing here.
    angles: usize,
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    typescript: bool,
    most: usize,
    levels: Vec<Level>,
    /// Tokens of all open levels.
    tokens: usize,
    cost: u64,
    last: Last,
    line_start: bool,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str, typescript: bool, most: usize) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            typescript,
            most,
            levels: vec![Level {
                closer: 0,
                in_template: false,
                after: Last::Unsure,
                tokens: 0,
                angles: 0,
            }],
            tokens: 0,
            cost: 0,
            last: Last::Operator,
            line_start: true,
        }
    }

    /// `None` where the text is too deep or cannot be followed.
    fn run(mut self) -> Option<u64> {
        if self.text.starts_with(b"#!") {
            self.skip_line();
        }
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'\n' | b'\r' => {
                    self.at += 1;
                    self.line_start = true;
                }
                0xe2 if self.separator() => {
                    self.at += 3;
                    self.line_start = true;
                }
                b'/' if self.peek(1) == Some(b'/') => self.skip_line(),
                b'/' if self.peek(1) == Some(b'*') => self.skip_block()?,
                _ => {
                    self.token(byte)?;
                    self.line_start = false;
                }
            }
        }
        (self.levels.len() == 1).then_some(self.cost)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// Whether U+2028 or U+2029 is here.
    fn separator(&self) -> bool {
        self.peek(1) == Some(0x80) && matches!(self.peek(2), Some(0xa8 | 0xa9))
    }

    fn skip_line(&mut self) {
        while let Some(byte) = self.peek(0) {
            if matches!(byte, b'\n' | b'\r') || (byte == 0xe2 && self.separator()) {
                return;
            }
            self.at += 1;
        }
    }

    fn skip_block(&mut self) -> Option<()> {
        self.at += 2;
        loop {
            match self.peek(0)? {
                b'*' if self.peek(1) == Some(b'/') => {
                    self.at += 2;
                    return Some(());
                }
                b'\n' | b'\r' | 0xe2 => self.line_start = true,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn token(&mut self, byte: u8) -> Option<()> {
        let last = self.last;
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'$' | b'_' | b'\\' | 0x80.. => {
                return self.word();
            }
            b'"' | b'\'' => {
                self.string(byte)?;
                return self.count(Last::Operand);
            }
            b'`' => {
                self.count(Last::Operand)?;
                self.at += 1;
                return self.template();
            }
            b'/' => {
                match last {
                    Last::Operator | Last::Semicolon => {
                        self.regex()?;
                        return self.count(Last::Operand);
                    }
                    Last::Operand => {}
                    Last::Control | Last::Dot | Last::CloseBrace | Last::Unsure => return None,
                }
                self.at += 1;
                return self.count(Last::Operator);
            }
            b'(' | b'[' | b'{' => {
                let after = match (byte, last) {
                    (b'(', Last::Control) => Last::Operator,
                    (b'(', Last::Unsure) => Last::Unsure,
                    (b'{', _) => Last::CloseBrace,
                    _ => Last::Operand,
                };
                self.count(Last::Operator)?;
                self.at += 1;
                let closer = match byte {
                    b'(' => b')',
                    b'[' => b']',
                    _ => b'}',
                };
                return self.open(closer, after, false);
            }
            b')' | b']' | b'}' => return self.close(byte),
            _ => {}
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        // Comments to a script, operators to a module.
        if rest.starts_with(b"<!--") || (self.line_start && rest.starts_with(b"-->")) {
            return None;
        }
        if rest.starts_with(b"++") || rest.starts_with(b"--") {
            self.at += 2;
            return self.count(Last::Unsure);
        }
        self.at += 1;
        match byte {
            b';' => {
                // An `else` after it goes on with what seemed to have ended; see `word`.
                self.last = Last::Semicolon;
                let next_word = self.next_word();
                if !continues(next_word) {
                    self.reset();
                }
                Some(())
            }
            b',' => {
                if self.levels.last().is_some_and(|level| level.angles == 0) {
                    self.reset();
                }
                self.last = Last::Operator;
                Some(())
            }
            b'.' if rest.starts_with(b"...") => {
                self.at += 2;
                self.count(Last::Operator)
            }
            // A private name may be any word, too.
            b'.' | b'#' => self.count(Last::Dot),
            b'<' if self.typescript => {
                if let Some(level) = self.levels.last_mut() {
                    level.angles += 1;
                }
                self.bracket()?;
                self.count(Last::Operator)
            }
            // Types end in `>`, and operands of TypeScript in `!`.
            b'>' | b'!' if self.typescript => self.count(Last::Unsure),
            _ => self.count(Last::Operator),
        }
    }

    fn count(&mut self, last: Last) -> Option<()> {
        self.last = last;
        self.tokens += 1;
        self.levels.last_mut()?.tokens += 1;
        (self.tokens <= self.most).then_some(())
    }

    fn reset(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            self.tokens -= level.tokens;
            level.tokens = 0;
            if self.last == Last::Semicolon {
                level.angles = 0;
            }
        }
    }

    fn open(&mut self, closer: u8, after: Last, in_template: bool) -> Option<()> {
        self.levels.push(Level {
            closer,
            in_template,
            after,
            tokens: 0,
            angles: 0,
        });
        self.bracket()
    }

    fn bracket(&mut self) -> Option<()> {
        let angles: usize = self.levels.iter().map(|level| level.angles).sum();
        let depth = self.levels.len() + angles;
        self.cost += depth as u64;
        (depth <= MOST_BRACKETS).then_some(())
    }

    fn close(&mut self, byte: u8) -> Option<()> {
        let level = self.levels.pop().filter(|level| level.closer == byte)?;
        self.at += 1;
        self.tokens -= level.tokens;
        self.last = level.after;
        if level.in_template {
            return self.template();
        }
        self.count(level.after)
    }

    fn word(&mut self) -> Option<()> {
        let word = self.word_at(self.at);
        let plain = word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"$_".contains(byte));
        // After a block, another statement or member begins unless the word goes on with it.
        if self.last == Last::CloseBrace && !continues(word) {
            self.reset();
        }
        let last = if !plain {
            Last::Unsure
        } else if self.last == Last::Dot {
            Last::Operand
        } else {
            match word {
                b"return" | b"typeof" | b"case" | b"do" | b"else" | b"in" | b"instanceof"
                | b"new" | b"void" | b"delete" | b"throw" | b"default" | b"extends" => {
                    Last::Operator
                }
                b"if" | b"while" | b"for" | b"with" => Last::Control,
                b"yield" | b"await" | b"of" | b"break" | b"continue" | b"debugger" | b"as"
                | b"satisfies" | b"is" | b"keyof" | b"asserts" => Last::Unsure,
                _ => Last::Operand,
            }
        };
        self.at += word.len();
        self.count(last)
    }

    fn word_at(&self, start: usize) -> &'t [u8] {
        let rest = self.text.get(start..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|byte| {
                byte.is_ascii_alphanumeric() || b"$_\\".contains(byte) || **byte >= 0x80
            })
            .count();
        rest.get(..length).unwrap_or_default()
    }

    /// The word that follows at once or after plain white space; a word that goes on where a comment is between.
    fn next_word(&self) -> &'t [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blank = rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b)
            .count();
        if rest.get(blank) == Some(&b'/') {
            return b"else";
        }
        self.word_at(self.at + blank)
    }

    fn string(&mut self, quote: u8) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek(0)? {
                b'\\' => {
                    self.at += if self.peek(1) == Some(b'\r') && self.peek(2) == Some(b'\n') {
                        3
                    } else {
                        2
                    }
                }
                b'\n' | b'\r' => return None,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return Some(());
                    }
                }
            }
        }
    }

    /// Up to the end of a template or to its next `${`.
    fn template(&mut self) -> Option<()> {
        loop {
            match self.peek(0)? {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    self.last = Last::Operand;
                    return Some(());
                }
                b'$' if self.peek(1) == Some(b'{') => {
                    self.at += 2;
                    self.count(Last::Operator)?;
                    return self.open(b'}', Last::Operand, true);
                }
                _ => self.at += 1,
            }
        }
    }

    fn regex(&mut self) -> Option<()> {
        self.at += 1;
        let mut in_class = false;
        loop {
            match self.peek(0)? {
                b'\n' | b'\r' => return None,
                0xe2 if self.separator() => return None,
                b'\\' => {
                    if matches!(self.peek(1)?, b'\n' | b'\r') {
                        return None;
                    }
                    self.at += 1;
                }
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => {
                    self.at += 1;
                    self.at += self.word_at(self.at).len();
                    return Some(());
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

/// Whether a word at the start of what may be a statement goes on with the one before. What cannot be read here
/// may be any word.
fn continues(word: &[u8]) -> bool {
    matches!(
        word,
        b"else"
            | b"catch"
            | b"finally"
            | b"while"
            | b"in"
            | b"of"
            | b"instanceof"
            | b"as"
            | b"satisfies"
            | b"from"
            | b"extends"
            | b"implements"
            | b"is"
    ) || word
        .iter()
        .any(|byte| !(byte.is_ascii_alphanumeric() || b"$_".contains(byte)))
}
