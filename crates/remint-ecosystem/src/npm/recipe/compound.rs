//! Scripts with control flow, taken apart as far as it takes to see what they are about.

use super::commands::{Kind, classify, is_for_the_host};
use crate::workflow::script::{Command, assignment, loosely};

/// The commands of a script, whatever decides which of them run.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) commands: Vec<Command>,
    /// Whether some of it could not be read.
    pub(crate) unclear: bool,
}

/// Takes a script apart.
pub(crate) fn read(script: &str) -> Pieces {
    let mut pieces = Pieces::default();
    let commands = loosely(script).unwrap_or_else(|| {
        let mut found = Vec::new();
        for line in script
            .lines()
            .filter(|line| !line.trim_start().starts_with("(("))
        {
            match loosely(line) {
                Some(commands) => found.extend(commands),
                None => pieces.unclear = true,
            }
        }
        found
    });
    pieces.commands = commands
        .into_iter()
        .map(without_control)
        .filter(|command| !is_control(command.word(0)))
        .collect();
    pieces
}

/// Whether a command writes files of the tree by what it is called.
pub(crate) fn writes_plainly(command: &Command) -> bool {
    const WRITERS: [&str; 15] = [
        "cp", "dd", "git", "install", "ln", "mv", "patch", "perl", "rm", "rsync", "sed", "tar",
        "tee", "touch", "unzip",
    ];
    let sends = command
        .writes
        .iter()
        .any(|place| !is_for_the_host(place) && !place.contains("GITHUB_ENV"));
    let programs = std::iter::once(&command.words).chain(&command.beside);
    let mut programs = programs.filter_map(|words| words.first());
    sends
        || (classify(command) == Kind::Other
            && programs.any(|program| WRITERS.contains(&program.as_str())))
}

/// Whether a command talks with hosts, or needs what only the machine of a workflow has.
pub(crate) fn is_foreign(command: &Command) -> bool {
    const FOREIGN: [&str; 11] = [
        "aws", "curl", "docker", "gcloud", "gh", "kill", "kubectl", "pkill", "scp", "ssh", "wget",
    ];
    std::iter::once(&command.words)
        .chain(&command.beside)
        .any(|words| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            words
                .first()
                .is_some_and(|program| FOREIGN.contains(program))
                || matches!(
                    words.as_slice(),
                    ["git", "push" | "commit", ..] | ["npm", "view" | "whoami", ..]
                )
        })
        || command.text.contains("secrets.")
        || command.text.contains("RUNNER_TEMP")
}

/// The command behind `then`, `do` and their like.
fn without_control(mut command: Command) -> Command {
    const BEFORE: [&str; 9] = [
        "if", "then", "elif", "else", "do", "while", "until", "!", "{",
    ];
    while let Some(first) = command.words.first() {
        let is_case = first.ends_with(')') && !first.contains('(');
        if !is_case && !BEFORE.contains(&first.as_str()) {
            let count = command.words.iter();
            let count = count.take_while(|word| assignment(word).is_some()).count();
            command.words.drain(..count);
            break;
        }
        if let Some(rest) = command.text.strip_prefix(first.as_str()) {
            command.text = rest.trim_start().to_owned();
        }
        command.words.remove(0);
    }
    command
}

/// Words after which nothing is done.
fn is_control(word: &str) -> bool {
    const WORDS: [&str; 24] = [
        "[[", "break", "case", "continue", "declare", "done", "esac", "exit", "fi", "for",
        "function", "local", "read", "readonly", "return", "select", "set", "shift", "sleep",
        "trap", "typeset", "unset", "wait", "}",
    ];
    WORDS.contains(&word)
}
