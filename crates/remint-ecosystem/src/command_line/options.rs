//! Options of a command line, taken apart by a table of those that are known.

use super::beyond::Beyond;

/// The options of a program that are known.
#[derive(Debug)]
pub(super) struct Options {
    /// The program, as people write it.
    pub(super) name: &'static str,
    pub(super) known: &'static [Opt],
}

/// A known option, in all its spellings.
#[derive(Debug)]
pub(super) struct Opt {
    /// With their dashes; the first is the one that is shown.
    pub(super) names: &'static [&'static str],
    pub(super) takes: Takes,
    pub(super) effect: Effect,
}

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
}

/// What an option means for the question which package is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Nothing,
    /// Its value is the package.
    Package,
    /// Its value is a package that comes along.
    Beside,
    /// The package comes from somewhere else.
    Elsewhere,
    /// It decides about a version that is not named.
    Chooses,
    /// A project of this machine takes part.
    Local,
    /// Files of this machine come along.
    Files,
    /// A shell takes part.
    Shell,
    /// Its value is code, or says which program reads code.
    Runs,
    /// Its value is an interpreter: a version, or a file of this machine.
    Interpreter,
}

impl Opt {
    /// The spelling that is shown.
    pub(super) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// A switch without meaning for the question.
pub(super) const fn switch(names: &'static [&'static str]) -> Opt {
    Opt {
        names,
        takes: Takes::Nothing,
        effect: Effect::Nothing,
    }
}

/// An option with a value, both without meaning for the question.
pub(super) const fn value(names: &'static [&'static str]) -> Opt {
    Opt {
        names,
        takes: Takes::Value,
        effect: Effect::Nothing,
    }
}

/// An option with a value that matters.
pub(super) const fn matters(names: &'static [&'static str], effect: Effect) -> Opt {
    Opt {
        names,
        takes: Takes::Value,
        effect,
    }
}

/// A switch that matters.
pub(super) const fn mode(names: &'static [&'static str], effect: Effect) -> Opt {
    Opt {
        names,
        takes: Takes::Nothing,
        effect,
    }
}

/// One step along a command line.
pub(super) enum Item<'a> {
    /// An option and its value.
    Option(&'static Opt, Option<&'a str>),
    /// The position of a word that is no option.
    Word(usize),
    /// The position behind `--`.
    Rest(usize),
}

/// A walk along the arguments of a program.
pub(super) struct Walk<'w, 'a> {
    options: &'static Options,
    words: &'w [&'a str],
    at: usize,
}

impl<'w, 'a> Walk<'w, 'a> {
    pub(super) fn new(options: &'static Options, words: &'w [&'a str]) -> Self {
        Self {
            options,
            words,
            at: 0,
        }
    }

    /// The next option or word; an option that is not in the table ends the walk, for what follows it may be its
    /// value or the package.
    pub(super) fn next(&mut self) -> Result<Option<Item<'a>>, Beyond> {
        let at = self.at;
        let Some(word) = self.take() else {
            return Ok(None);
        };
        if word == "--" {
            return Ok(Some(Item::Rest(self.at)));
        }
        if !word.starts_with('-') || word == "-" {
            return Ok(Some(Item::Word(at)));
        }
        let unknown = || Beyond::option(self.options.name, word);
        if let Some(option) = self.known(word) {
            let value = match option.takes {
                Takes::Nothing => None,
                Takes::Value => Some(self.words.get(self.at).copied().ok_or_else(unknown)?),
            };
            self.at += usize::from(value.is_some());
            return Ok(Some(Item::Option(option, value)));
        }
        if word.starts_with("--") {
            let (name, value) = word.split_once('=').ok_or_else(unknown)?;
            let option = self.known(name).ok_or_else(unknown)?;
            return Ok(Some(Item::Option(option, Some(value))));
        }
        // `-ppackage`, `-p=package`; `-qv` is not taken apart.
        let letter = word.get(..2).ok_or_else(unknown)?;
        let option = self.known(letter).ok_or_else(unknown)?;
        let glued = word.get(2..).unwrap_or_default();
        match option.takes {
            Takes::Value => {
                let value = glued.strip_prefix('=').unwrap_or(glued);
                Ok(Some(Item::Option(option, Some(value))))
            }
            Takes::Nothing => Err(unknown()),
        }
    }

    fn take(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied()?;
        self.at += 1;
        Some(word)
    }

    fn known(&self, name: &str) -> Option<&'static Opt> {
        self.options
            .known
            .iter()
            .find(|option| option.names.contains(&name))
    }
}
