//! Every command that the README and `docs/` show is one that this program takes.

use std::path::{Path, PathBuf};

use clap::Parser as _;

use crate::cli::Cli;

fn pages(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The words of a line, as a shell takes them: quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match c {
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            ' ' if quote.is_none() => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_that_is_shown_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("README.md")];
    pages(&root.join("docs"), &mut found);
    let mut shown = 0;
    for page in found {
        let text = fs_err::read_to_string(&page).unwrap();
        for line in text.lines() {
            let Some(command) = line.trim().strip_prefix("$ remint ") else {
                continue;
            };
            let command = command
                .split(" > ")
                .next()
                .unwrap()
                .split(" | ")
                .next()
                .unwrap();
            shown += 1;
            let mut all = vec!["remint".to_owned()];
            all.extend(words(command));
            if let Err(error) = Cli::try_parse_from(&all) {
                assert!(
                    matches!(
                        error.kind(),
                        clap::error::ErrorKind::DisplayHelp
                            | clap::error::ErrorKind::DisplayVersion
                    ),
                    "{}: {line}\n{error}",
                    page.display()
                );
            }
        }
    }
    assert!(shown > 20, "{shown}");
}
