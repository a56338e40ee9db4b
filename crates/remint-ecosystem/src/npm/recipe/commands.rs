//! What one command of a workflow or script is to a rebuild: an install, a publish, a check that changes
//! nothing, a stamp, or something that has to be done again.

mod managers;

use self::managers::{after_options, corepack, npm, other_manager};
use crate::npm::manager::Manager;
use crate::npm::recipe::Publisher;
use crate::workflow::script::{Command, Script, split};

/// What a command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Changes the directory for what follows.
    Directory(String),
    /// Installs the project's dependencies.
    Install(Manager),
    /// Installs a tool for everybody: name and version, range or `latest`.
    Tool(String, String),
    /// Publishes, or packs what is published afterwards.
    Publish(Publisher),
    /// Runs a script of the manifest.
    Script(String),
    /// Writes the version into the manifest.
    Stamp,
    /// Changes nothing that is published: checks, talk, access to other hosts.
    Nothing,
    /// Something else, to be done again.
    Other,
}

/// How deep substitutions are looked into.
const DEEPEST: usize = 4;

/// Sorts a command.
pub(crate) fn classify(command: &Command) -> Kind {
    let kind = of_first(command);
    match kind {
        Kind::Directory(_) | Kind::Install(_) | Kind::Tool(..) | Kind::Stamp | Kind::Nothing
            if !keeps_to_itself(command) =>
        {
            Kind::Other
        }
        Kind::Directory(_)
        | Kind::Install(_)
        | Kind::Tool(..)
        | Kind::Publish(_)
        | Kind::Script(_)
        | Kind::Stamp
        | Kind::Nothing
        | Kind::Other => kind,
    }
}

/// Whether nothing around the program of a command may write a file of the tree: neither where its output goes, nor what
/// runs beside or inside of it.
pub(crate) fn keeps_to_itself(command: &Command) -> bool {
    command.writes.iter().all(|place| is_for_the_host(place)) && is_quiet_around(command, DEEPEST)
}

/// Whether a command only serves those after it: a variable, a folder that is empty.
pub(crate) fn serves(command: &Command) -> bool {
    let hands_on = |place: &String| is_variable(place, "GITHUB_ENV");
    let for_others = matches!(command.word(0), "" | "mkdir" | "export")
        || (is_printer(command.word(0)) && command.writes.iter().any(hands_on));
    for_others
        && command
            .writes
            .iter()
            .all(|place| hands_on(place) || is_for_the_host(place))
        && is_quiet_around(command, DEEPEST)
}

fn is_quiet_around(command: &Command, depth: usize) -> bool {
    let first = of_first(command);
    let again = |words: &Vec<String>| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        matches!(first, Kind::Install(_)) && matches!(of_words(&words), Kind::Install(_))
    };
    let beside = &command.beside;
    let substitutions = command.substitutions();
    beside.iter().all(|words| is_quiet(words) || again(words))
        && substitutions.is_some_and(|inside| {
            inside.iter().all(|script| {
                let Some(depth) = depth.checked_sub(1) else {
                    return false;
                };
                let Script::Commands(commands) = split(script) else {
                    return false;
                };
                commands.iter().all(|command| {
                    (is_quiet(&command.words) || reads_manifest(&command.words))
                        && command.writes.iter().all(|place| is_for_the_host(place))
                        && is_quiet_around(command, depth)
                })
            })
        })
}

/// Sorts it by the first command of a pipeline or chain.
fn of_first(command: &Command) -> Kind {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let kind = of_words(&words);
    if kind != Kind::Other {
        kind
    } else if command.words.is_empty() {
        // `archive=$(npm pack --json)`
        substituted(&command.text).unwrap_or(Kind::Other)
    } else if is_about_the_machine(&words, &command.text) {
        // Nothing outside of the tree is part of a release.
        Kind::Nothing
    } else {
        Kind::Other
    }
}

/// Whether a command that another is piped to, or that runs beside it, writes no file of the tree.
fn is_quiet(words: &[String]) -> bool {
    const FILTERS: [&str; 7] = ["base64", "column", "cut", "less", "read", "rev", "tr"];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((program, rest)) = words.split_first() else {
        return true;
    };
    match *program {
        "sed" => !edits_in_place(rest),
        "awk" => !rest.iter().any(|word| {
            word.contains(['>', '|']) || word.contains("system") || word.contains("inplace")
        }),
        "sort" => !rest
            .iter()
            .any(|word| word.starts_with("-o") || word.starts_with("--output")),
        "uniq" => {
            let operands = rest
                .iter()
                .filter(|word| **word == "-" || !word.starts_with('-'));
            operands.count() < 2
        }
        "xargs" => of_words(&after_options(rest)) == Kind::Nothing,
        program if FILTERS.contains(&program) => true,
        _ => of_words(&words) == Kind::Nothing || is_about_the_machine(&words, ""),
    }
}

/// Whether `sed` is told to write a file, or to run something.
fn edits_in_place(rest: &[&str]) -> bool {
    rest.iter().any(|word| {
        let short = word.starts_with('-') && !word.starts_with("--");
        (short && word.contains('i'))
            || word.starts_with("--in")
            || (!word.starts_with('-')
                && (word.contains("w ") || word.ends_with(['e', 'w']) && word.contains('/')))
    })
}

/// `node -p "require('./package.json').version"`, which reads and no more.
fn reads_manifest(words: &[String]) -> bool {
    let [node, print, expression] = words else {
        return false;
    };
    let expression = expression.replace('"', "'");
    let printed = ["console.log(", "process.stdout.write("]
        .iter()
        .find_map(|call| {
            expression
                .trim_end_matches(';')
                .strip_prefix(call)?
                .strip_suffix(')')
        });
    let expression = match print.as_str() {
        "-p" | "-pe" | "--print" => expression.as_str(),
        "-e" | "--eval" => printed.unwrap_or_default(),
        _ => return false,
    };
    let file = ["JSON.parse(require('fs').readFileSync(", "require("]
        .iter()
        .find_map(|call| expression.strip_prefix(call)?.strip_prefix('\''));
    node == "node"
        && file.is_some_and(|file| {
            file.split('\'')
                .next()
                .is_some_and(|name| name.ends_with(".json"))
                && !file.contains(['(', '=', '`', ';'])
        })
}

/// The publish command inside a substitution.
fn substituted(text: &str) -> Option<Kind> {
    [
        ("$(npm pack", Manager::Npm),
        ("$(npm publish", Manager::Npm),
        ("$(pnpm pack", Manager::Pnpm),
        ("$(pnpm publish", Manager::Pnpm),
    ]
    .into_iter()
    .find(|(call, _)| text.contains(call))
    .map(|(_, manager)| Kind::Publish(Publisher::Manager(manager)))
}

/// Whether a command is about the machine of the workflow rather than the tree: one that installs there, or that makes or
/// moves files whose place is outside. A program that runs code of the tree may be told of such places and write into the
/// tree all the same.
fn is_about_the_machine(words: &[&str], text: &str) -> bool {
    let program = words.first().map_or("", |program| installed(program));
    let last = words.last().copied().unwrap_or_default();
    match program {
        "apt"
        | "apt-get"
        | "apt-key"
        | "add-apt-repository"
        | "brew"
        | "dpkg"
        | "snap"
        | "systemctl"
        | "service"
        | "usermod"
        | "update-alternatives" => true,
        "cp" | "ln" | "install" => {
            is_outside(last)
                && !words
                    .iter()
                    .any(|word| word.starts_with("-t") || word.starts_with("--target"))
        }
        "mv" | "tee" => words
            .iter()
            .skip(1)
            .all(|word| word.starts_with('-') || is_for_the_host(word)),
        "mkdir" | "chmod" | "chown" | "touch" | "rm" => words
            .iter()
            .skip(1)
            .all(|word| word.starts_with(['-', '+']) || is_octal(word) || is_outside(word)),
        // After its options and its script.
        "sed" => {
            let files = after_options(words.get(1..).unwrap_or_default());
            files.len() > 1 && files.iter().skip(1).all(|file| is_outside(file))
        }
        "export" => leaves_the_tree(text),
        "source" | "." => matches!(words, [_, file] if is_outside(file)),
        _ => false,
    }
}

/// A place outside of the tree, or the file of the publisher's credentials, which is never published.
fn is_outside(place: &str) -> bool {
    let outside = [
        "~",
        "$HOME",
        "${HOME}",
        "/usr/",
        "/etc/",
        "/opt/",
        "/var/",
        "/tmp/",
        "$RUNNER_TEMP",
        "${RUNNER_TEMP}",
        "$RUNNER_TOOL_CACHE",
        "${RUNNER_TOOL_CACHE}",
    ]
    .iter()
    .any(|start| place.starts_with(start));
    // Runners keep the tree in `~/work`.
    (outside && !place.contains("..") && !place.contains("/work/"))
        || place.rsplit('/').next() == Some(".npmrc")
}

/// A place outside of the tree, or one that only the host of the workflow reads.
pub(super) fn is_for_the_host(place: &str) -> bool {
    const VARIABLES: [&str; 4] = [
        "GITHUB_OUTPUT",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_PATH",
        "GITHUB_STATE",
    ];
    matches!(
        place,
        "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty"
    ) || VARIABLES.iter().any(|name| is_variable(place, name))
        || is_outside(place)
}

fn is_variable(place: &str, name: &str) -> bool {
    place.strip_prefix('$').is_some_and(|variable| {
        variable == name
            || variable
                .strip_prefix('{')
                .and_then(|variable| variable.strip_suffix('}'))
                == Some(name)
    })
}

fn is_octal(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a program without the folder of the machine that it lies in; one of the tree keeps its folder.
fn installed(program: &str) -> &str {
    ["/bin/", "/usr/bin/", "/usr/local/bin/"]
        .iter()
        .find_map(|folder| program.strip_prefix(folder))
        .unwrap_or(program)
}

/// Whether a script is about the machine of the workflow rather than the tree.
pub(crate) fn leaves_the_tree(text: &str) -> bool {
    [
        "~/",
        "$HOME",
        "${HOME}",
        "sudo ",
        "/usr/",
        "/etc/",
        "apt-get",
        "brew ",
        "localhost",
    ]
    .iter()
    .any(|place| text.contains(place))
}

fn is_printer(program: &str) -> bool {
    matches!(
        program,
        "cat" | "date" | "echo" | "grep" | "head" | "jq" | "printf" | "tail" | "wc" | "which"
    )
}

fn of_words(words: &[&str]) -> Kind {
    let Some((program, rest)) = words.split_first() else {
        // An assignment alone: later commands of the same script may use it.
        return Kind::Other;
    };
    match installed(program) {
        "cd" => Kind::Directory(rest.first().map_or(".", |d| d).to_owned()),
        "npx" | "bunx" | "pnpx" => of_words(&after_options(rest)),
        "cross-env" | "env" => {
            let rest: Vec<&str> = rest
                .iter()
                .skip_while(|word| word.contains('=') || word.starts_with('-'))
                .copied()
                .collect();
            of_words(&rest)
        }
        "sudo" => {
            let rest = after_options(rest);
            let kind = of_words(&rest);
            if kind == Kind::Other && is_about_the_machine(&rest, "") {
                Kind::Nothing
            } else {
                kind
            }
        }
        "time" | "command" | "exec" => of_words(rest),
        "npm" => npm(rest),
        "pnpm" | "yarn" | "bun" => other_manager(program, rest),
        "corepack" => corepack(rest),
        "semantic-release" | "release-it" | "np" | "multi-semantic-release" => {
            Kind::Publish(Publisher::Npm)
        }
        "lerna" if rest.contains(&"publish") => Kind::Publish(Publisher::Npm),
        "lerna" if rest.contains(&"version") => Kind::Stamp,
        "nx" if rest.first() == Some(&"release") => Kind::Publish(Publisher::Npm),
        "docker" if mounts(rest) => Kind::Other,
        "git" if changes_files(rest) => Kind::Other,
        program if is_told_to_fix(program, rest) || fetches_files(program, rest) => Kind::Other,
        "tar" if unpacks(rest) => Kind::Other,
        "unzip"
            if !rest
                .iter()
                .any(|word| matches!(*word, "-l" | "-t" | "-v" | "-z")) =>
        {
            Kind::Other
        }
        "changeset" | "@changesets/cli" => match rest.first() {
            Some(&"publish") => Kind::Publish(Publisher::Changesets),
            _ => Kind::Nothing,
        },
        program if is_bystander(program) || is_printer(program) => Kind::Nothing,
        "python" | "python3" if only_imports(rest) => Kind::Nothing,
        _ if only_tells(rest) => Kind::Nothing,
        _ => Kind::Other,
    }
}

/// Whether a program, or a module or script of an interpreter, is asked what it is and nothing else.
fn only_tells(rest: &[&str]) -> bool {
    let asked = match rest {
        ["-m", _, asked] | [asked] => asked,
        [script, asked] if !script.starts_with('-') => asked,
        _ => return false,
    };
    matches!(*asked, "--version" | "--help")
}

/// Whether Python is to import modules and to print something of them, which tries whether they are there.
fn only_imports(rest: &[&str]) -> bool {
    let ["-c", code] = rest else {
        return false;
    };
    let plain = |text: &str| !text.contains(['(', '[', '=']);
    code.split(['\n', ';']).map(str::trim).all(|statement| {
        let printed = statement
            .strip_prefix("print(")
            .and_then(|rest| rest.strip_suffix(')'));
        statement.is_empty()
            || printed.is_some_and(plain)
            || (plain(statement)
                && ["import ", "from "]
                    .iter()
                    .any(|word| statement.starts_with(word)))
    })
}

/// Whether a container may write into the tree, or an image is written there.
fn mounts(rest: &[&str]) -> bool {
    let runs = rest
        .iter()
        .any(|word| matches!(*word, "run" | "cp" | "compose"));
    rest.iter().any(|word| {
        *word == "-o"
            || word.starts_with("--output")
            || (runs
                && (word.starts_with("-v")
                    || word.starts_with("--volume")
                    || word.starts_with("--mount")
                    || *word == "cp"))
    })
}

/// Whether git writes files of the tree other than those of the commit that is built anyway.
fn changes_files(rest: &[&str]) -> bool {
    const LEAVES_ALONE: [&str; 37] = [
        "add",
        "blame",
        "branch",
        "cat-file",
        "check-ignore",
        "commit",
        "config",
        "describe",
        "diff",
        "diff-index",
        "diff-tree",
        "fetch",
        "for-each-ref",
        "gc",
        "grep",
        "help",
        "lfs",
        "log",
        "ls-files",
        "ls-remote",
        "ls-tree",
        "merge-base",
        "name-rev",
        "push",
        "reflog",
        "remote",
        "rev-list",
        "rev-parse",
        "shortlog",
        "show",
        "show-ref",
        "status",
        "submodule",
        "symbolic-ref",
        "tag",
        "update-index",
        "version",
    ];
    let mut at = 0;
    while let Some(word) = rest.get(at).filter(|word| word.starts_with('-')) {
        at += if matches!(*word, "-c" | "-C" | "--git-dir" | "--work-tree") {
            2
        } else {
            1
        };
    }
    let words = rest.get(at..).unwrap_or_default();
    let Some((verb, rest)) = words.split_first() else {
        return false;
    };
    let mut named = rest.iter().filter(|word| !word.starts_with('-'));
    match *verb {
        // A branch of its own starts where the tree is.
        "checkout" | "switch" if rest.iter().any(|word| matches!(*word, "-b" | "-B" | "-c")) => {
            named.nth(1).is_some_and(|start| !is_same_commit(start))
        }
        "checkout" => {
            rest.contains(&"--")
                || named.next().is_some_and(|branch| !is_same_commit(branch))
                || named.next().is_some()
        }
        "switch" | "reset" | "pull" => {
            let mut named = named.filter(|word| !matches!(**word, "origin" | "upstream"));
            named.any(|branch| !is_same_commit(branch))
        }
        "stash" => rest.iter().any(|word| matches!(*word, "apply" | "pop")),
        "clone" => !rest.last().is_some_and(|place| is_outside(place)),
        verb if LEAVES_ALONE.contains(&verb) => {
            rest.iter().any(|word| word.starts_with("--output"))
        }
        _ => true,
    }
}

/// Whether this may be another name of the commit that is built: the main branch, a tag, or what the workflow itself
/// was given.
fn is_same_commit(reference: &str) -> bool {
    let name = ["refs/heads/", "refs/tags/", "tags/", "origin/"]
        .iter()
        .find_map(|start| reference.strip_prefix(start))
        .unwrap_or(reference);
    let version = name.strip_prefix('v').unwrap_or(name);
    matches!(
        name,
        "main" | "master" | "develop" | "dev" | "trunk" | "HEAD" | "-"
    ) || name.starts_with('$')
        || version.starts_with(|c: char| c.is_ascii_digit())
        || (name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a program that checks is told to change what it finds.
fn is_told_to_fix(program: &str, rest: &[&str]) -> bool {
    matches!(program, "eslint" | "prettier" | "biome" | "oxlint" | "knip")
        && rest.iter().any(|word| {
            *word == "-w"
                || ["--fix", "--write", "--apply", "--unsafe", "--output", "-o"]
                    .iter()
                    .any(|option| word.starts_with(option))
        })
}

/// Whether a program that asks hosts puts what it gets into the tree. The registry's own publishing tool, which many
/// workflows fetch so, is not published.
fn fetches_files(program: &str, rest: &[&str]) -> bool {
    if rest.iter().any(|word| word.contains("mcp-publisher")) {
        return false;
    }
    let last = rest.last().copied().unwrap_or_default();
    let after = |option: &dyn Fn(&str) -> bool| {
        rest.iter()
            .position(|word| option(word))
            .map(|at| rest.get(at.saturating_add(1)).copied().unwrap_or_default())
    };
    let clustered = |word: &str, letter: char| {
        word.starts_with('-') && !word.starts_with("--") && word.contains(letter)
    };
    match program {
        "curl" => {
            let by_name = rest
                .iter()
                .any(|word| clustered(word, 'O') || word.starts_with("--remote-name"));
            let to = after(&|word| clustered(word, 'o') || word == "--output");
            let joined = rest.iter().any(|word| word.starts_with("--output="));
            // Tools for tests are fetched so, and bear no name of a file that is published.
            let code = rest.iter().any(|word| {
                let name = word.rsplit('/').next().unwrap_or_default();
                let ending = name.rsplit_once('.').map(|(_, ending)| ending);
                word.contains("://")
                    && matches!(
                        ending,
                        Some("js" | "cjs" | "mjs" | "ts" | "json" | "py" | "md")
                    )
            });
            (by_name && code)
                || joined
                || to.is_some_and(|place| place != "-" && !is_for_the_host(place))
        }
        "wget" => {
            let looks = rest
                .iter()
                .any(|word| clustered(word, 'O') && word.ends_with("O-") || *word == "--spider");
            let to = after(&|word| clustered(word, 'O') || clustered(word, 'P'));
            !looks && !to.is_some_and(|place| place == "-" || is_for_the_host(place))
        }
        "gh" => {
            let takes = rest
                .get(1)
                .is_some_and(|verb| matches!(*verb, "download" | "clone" | "checkout"));
            let to = after(&|word| matches!(word, "-D" | "--dir"));
            takes && !to.is_some_and(is_outside)
        }
        "aws" | "gcloud" | "kubectl" => {
            let copies = rest
                .iter()
                .any(|word| matches!(*word, "cp" | "mv" | "sync" | "rsync" | "download"));
            copies && !last.contains("://") && !is_outside(last)
        }
        _ => false,
    }
}

/// Whether tar unpacks more than the registry's own publishing tool, which many workflows fetch so.
fn unpacks(rest: &[&str]) -> bool {
    let extracts = rest.iter().enumerate().any(|(at, word)| {
        matches!(*word, "--extract" | "--get")
            || ((at == 0 || (word.starts_with('-') && !word.starts_with("--")))
                && word.contains('x'))
    });
    extracts && rest.last() != Some(&"mcp-publisher")
}

/// Programs that check, talk to hosts, or look.
fn is_bystander(program: &str) -> bool {
    const BYSTANDERS: [&str; 44] = [
        "ls",
        "pwd",
        "set",
        "exit",
        "true",
        "false",
        ":",
        "test",
        "[",
        "sleep",
        "git",
        "gh",
        "curl",
        "wget",
        "docker",
        "gcloud",
        "aws",
        "ssh",
        "tar",
        "unzip",
        "eslint",
        "prettier",
        "biome",
        "oxlint",
        "vitest",
        "jest",
        "mocha",
        "ava",
        "tap",
        "playwright",
        "cypress",
        "knip",
        "publint",
        "attw",
        "codecov",
        "husky",
        "kubectl",
        "minikube",
        "only-allow",
        "verdaccio",
        "wait-on",
        "commitlint",
        "mcp-publisher",
        "./mcp-publisher",
    ];
    BYSTANDERS.contains(&program)
}

/// Whether a script of this name checks rather than builds.
pub(crate) fn is_check(name: &str) -> bool {
    const CHECKS: [&str; 22] = [
        "test",
        "tests",
        "lint",
        "typecheck",
        "type-check",
        "types:check",
        "check",
        "format",
        "fmt",
        "prettier",
        "eslint",
        "coverage",
        "e2e",
        "audit",
        "spellcheck",
        "validate",
        "verify",
        "knip",
        "publint",
        "attw",
        "ci",
        "check-types",
    ];
    let mut parts = name.split([':', '.', '-', '_']);
    let first = parts.next().unwrap_or(name);
    let checks = |part: &str| CHECKS.contains(&part) || (part.len() <= 5 && part.ends_with("test"));
    let makes = ["build", "compile", "bundle", "generate"]
        .iter()
        .any(|word| first.contains(word));
    CHECKS.contains(&name) || checks(first) || (!makes && parts.any(checks))
}

#[cfg(test)]
mod tests;
