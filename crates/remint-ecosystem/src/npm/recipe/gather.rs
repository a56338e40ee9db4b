//! Collects the commands of one script that are to be repeated, as one step.

use std::collections::BTreeMap;

use super::{Replay, Scope};
use crate::npm::folder::Folder;
use crate::workflow::script::{Script, split};

/// Whether a command counts for itself or only serves those after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// For itself.
    Counts,
    /// It serves others: a directory, a variable.
    Follows,
}

/// The commands of one script that are to be repeated.
pub(super) struct Gathered {
    folder: Folder,
    pub(super) environment: BTreeMap<String, String>,
    lines: Vec<String>,
    scope: Scope,
    counts: bool,
    done: Vec<Replay>,
}

impl Gathered {
    /// Nothing yet, of a script in this folder.
    pub(super) fn new(folder: &Folder, environment: &BTreeMap<String, String>) -> Self {
        Self {
            folder: folder.clone(),
            environment: environment.clone(),
            lines: Vec::new(),
            scope: Scope::Other,
            counts: false,
            done: Vec::new(),
        }
    }

    /// Takes a command up.
    pub(super) fn push(&mut self, text: &str, scope: Scope, weight: Weight) {
        // A build is a step of its own, so that it can be narrowed, or left out where packing repeats it.
        if scope != Scope::Other {
            self.close();
        }
        self.lines.push(text.to_owned());
        self.counts |= weight == Weight::Counts;
        self.scope = scope;
        if scope != Scope::Other {
            self.close();
        }
    }

    /// Hands over what was gathered; directories and assignments stay for what follows.
    pub(super) fn finish(&mut self) -> Vec<Replay> {
        self.close();
        std::mem::take(&mut self.done)
    }

    fn close(&mut self) {
        if self.counts {
            self.done.push(Replay::Run {
                folder: self.folder.clone(),
                script: self.lines.join("\n"),
                environment: self.environment.clone(),
                scope: self.scope,
            });
        }
        self.lines.retain(|line| serves(line));
        self.counts = false;
        self.scope = Scope::Other;
    }
}

/// Whether a command only prepares the ground for others.
fn serves(line: &str) -> bool {
    matches!(split(line), Script::Commands(commands)
        if commands.iter().all(|command| matches!(command.word(0), "" | "cd" | "export")))
}
