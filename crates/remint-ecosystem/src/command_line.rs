//! The command line that starts an MCP server, read as the packages that it fetches and runs.
//!
//! Nothing is guessed: an option that is not known, a version that is not exact, a registry that is not the user's
//! are named as what they are. Arguments may hold secrets: what is kept of them is a package's name and version,
//! and never anything that stands behind it.

use remint_model::{Ecosystem, PackageName, Spec, Version};

use self::options::{Effect, Item, Walk};
use self::runners::{BUNX, GO_RUN, NPM_EXEC, NPX, PIPX_RUN, PNPM_DLX, Runner, UVX, YARN_DLX};

mod beyond;
mod container;
mod options;
mod package;
mod redirected;
mod runners;
mod variables_of_code;

pub use beyond::{Beyond, Origin};
pub use container::WantedImage;
pub(crate) use variables_of_code::names_code;

/// Arguments that are looked at; nobody writes more by hand.
const MOST_ARGUMENTS: usize = 1024;
/// Packages that one command may name.
const MOST_PACKAGES: usize = 32;
/// How many wrappers (`env`, `cmd /c`, `sh -c`) may stand around a command.
const MOST_WRAPPERS: usize = 4;

/// One thing that a command line starts or takes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A release of a registry.
    Release(Wanted),
    /// An image of a container registry.
    Image(WantedImage),
    /// Something that cannot be judged, and why.
    Beyond(Beyond),
}

/// A release that a runner fetches and runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose registry.
    pub ecosystem: Ecosystem,
    /// The package; of Go perhaps one that lies in a module.
    pub name: PackageName,
    /// The version, where an exact one is named; else the runner takes the latest.
    pub version: Option<Version>,
    /// What fetches it: `npx`, `uvx`, `go run`.
    pub runner: &'static str,
}

impl Wanted {
    /// What is to be judged.
    #[must_use]
    pub fn spec(&self) -> Spec {
        Spec::Release {
            ecosystem: self.ecosystem,
            name: self.name.clone(),
            version: self.version.clone(),
            file: None,
        }
    }
}

/// What a command starts: at least one part. `variables` are the names, never the values, of the environment
/// variables that are set for it.
#[must_use]
pub fn read(command: &str, arguments: &[&str], variables: &[&str]) -> Vec<Part> {
    if arguments.len() > MOST_ARGUMENTS || variables.len() > MOST_ARGUMENTS {
        return vec![Part::Beyond(Beyond::TooMuch)];
    }
    parts(command, arguments, variables).unwrap_or_else(|beyond| vec![Part::Beyond(beyond)])
}

fn parts(command: &str, arguments: &[&str], variables: &[&str]) -> Result<Vec<Part>, Beyond> {
    let mut words: Vec<&str> = [command]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    // Some clients take the whole line as `command`.
    if arguments.is_empty() && !is_absolute(command) && command.trim().contains(char::is_whitespace)
    {
        words = plain_words(command).ok_or(Beyond::Shell)?;
    }
    let mut variables = variables.to_vec();
    for _ in 0..MOST_WRAPPERS {
        let Some((command, arguments)) = words.split_first() else {
            return Err(Beyond::NoCommand);
        };
        let program = Program::of(command)?;
        words = match program.name.as_str() {
            "env" => without_env(arguments, &mut variables)?,
            "cmd" => behind_cmd(arguments)?,
            "sh" | "bash" | "dash" | "zsh" | "fish" => behind_shell(arguments, &program)?,
            _ => return start(&program, arguments, &variables),
        };
    }
    Err(Beyond::Shell)
}

/// A program by the last part of its path, in lower case and without Windows' endings.
struct Program {
    name: String,
}

impl Program {
    fn of(command: &str) -> Result<Self, Beyond> {
        let command = command.trim();
        let base = command.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut name = base.to_ascii_lowercase();
        for ending in [".cmd", ".exe", ".bat", ".ps1"] {
            if let Some(stem) = name.strip_suffix(ending) {
                name = stem.to_owned();
                break;
            }
        }
        if name.is_empty() {
            return Err(Beyond::NoCommand);
        }
        // A relative path leads to a file that merely has the name of a program.
        if base.len() != command.len() && !is_installed(command) {
            return Err(Beyond::File);
        }
        Ok(Self { name })
    }

    /// A program that fetches nothing.
    fn beyond(&self) -> Beyond {
        Beyond::program(&self.name)
    }
}

fn is_absolute(command: &str) -> bool {
    let drive = command
        .strip_prefix(|c: char| c.is_ascii_alphabetic())
        .is_some_and(|rest| rest.starts_with(":\\") || rest.starts_with(":/"));
    // Two of them lead to another machine.
    (command.starts_with('/') && !command.starts_with("//")) || drive
}

/// Whether a path leads to where programs are installed, as far as its words tell: what lies elsewhere may merely have
/// the name of a program.
fn is_installed(command: &str) -> bool {
    const PLACES: [&str; 9] = [
        "bin", "sbin", "shims", "nodejs", "npm", "pnpm", "scripts", "volta", "links",
    ];
    let place = command.rsplit(['/', '\\']).nth(1).unwrap_or_default();
    is_absolute(command) && PLACES.contains(&&*place.to_ascii_lowercase())
}

/// Words of a line that every shell reads alike: nothing quoted, expanded, piped or chained.
fn plain_words(line: &str) -> Option<Vec<&str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ' || "@/._=:+-,".contains(c);
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    // An assignment before the command would be one for its environment.
    let assigns = words.first().is_some_and(|first| first.contains('='));
    (line.chars().all(plain) && !words.is_empty() && !assigns && words.len() <= MOST_ARGUMENTS)
        .then(|| match words.split_first() {
            Some((&"exec", rest)) if !rest.is_empty() => rest.to_vec(),
            Some(_) | None => words,
        })
}

/// `env NAME=value command …`
fn without_env<'a>(
    arguments: &[&'a str],
    variables: &mut Vec<&'a str>,
) -> Result<Vec<&'a str>, Beyond> {
    for (at, word) in arguments.iter().enumerate() {
        if word.starts_with('-') {
            return Err(Beyond::option("env", word));
        }
        match word.split_once('=') {
            Some((name, _)) => variables.push(name),
            None => return Ok(arguments.get(at..).unwrap_or_default().to_vec()),
        }
    }
    Err(Beyond::NoCommand)
}

/// `cmd /c npx …`, in several words or in one.
fn behind_cmd<'a>(arguments: &[&'a str]) -> Result<Vec<&'a str>, Beyond> {
    let at = arguments
        .iter()
        .position(|word| !["/d", "/s", "/q"].contains(&&*word.to_ascii_lowercase()))
        .ok_or(Beyond::NoCommand)?;
    let [first, rest @ ..] = arguments.get(at..).unwrap_or_default() else {
        return Err(Beyond::NoCommand);
    };
    if !first.eq_ignore_ascii_case("/c") {
        return Err(Beyond::Shell);
    }
    match rest {
        [] => Err(Beyond::NoCommand),
        [line] => plain_words(line).ok_or(Beyond::Shell),
        // `cmd` joins the words and reads the line again: `&`, `|`, `%` and `^` would mean something there.
        words
            if words
                .iter()
                .any(|word| word.contains(['&', '|', '<', '>', '%', '^'])) =>
        {
            Err(Beyond::Shell)
        }
        words => Ok(words.to_vec()),
    }
}

/// `sh -c "npx …"`
fn behind_shell<'a>(arguments: &[&'a str], shell: &Program) -> Result<Vec<&'a str>, Beyond> {
    match arguments {
        ["-c" | "-lc" | "-ic" | "-lic" | "-cl", line, ..] | ["-l", "-c", line, ..] => {
            plain_words(line).ok_or(Beyond::Shell)
        }
        _ => Err(shell.beyond()),
    }
}

/// What a program, with no wrapper around it, starts.
fn start(program: &Program, arguments: &[&str], variables: &[&str]) -> Result<Vec<Part>, Beyond> {
    if let Some(variable) = variables_of_code::among(variables) {
        return Err(Beyond::Runs(variable));
    }
    if let Some(engine) = container::named(&program.name) {
        return engine.start(arguments, variables);
    }
    let (runner, subcommand): (&'static Runner, &[&str]) = match program.name.as_str() {
        "npx" => (&NPX, &[]),
        "npm" => (&NPM_EXEC, &["exec|x"]),
        "pnpx" | "pnx" => (&PNPM_DLX, &[]),
        "pnpm" => (&PNPM_DLX, &["dlx"]),
        "yarn" | "yarnpkg" => (&YARN_DLX, &["dlx"]),
        "bunx" => (&BUNX, &[]),
        "bun" => (&BUNX, &["x"]),
        "uvx" => (&UVX, &[]),
        "uv" => (&UVX, &["tool", "run"]),
        "pipx" => (&PIPX_RUN, &["run"]),
        "go" => (&GO_RUN, &["run"]),
        name if is_python(name) || name == "py" => {
            return Err(match arguments.contains(&"-m") {
                true => Beyond::PythonModule,
                false => program.beyond(),
            });
        }
        _ => return Err(program.beyond()),
    };
    let arguments = behind_subcommand(runner, arguments, subcommand, program)?;
    if let Some(variable) = redirected::by(variables, runner.ecosystem) {
        return Err(Beyond::OtherRegistry(variable));
    }
    run(runner, &arguments)
}

/// The arguments without the words of the subcommand; options may stand before and between them.
fn behind_subcommand<'a>(
    runner: &'static Runner,
    arguments: &[&'a str],
    subcommand: &[&str],
    program: &Program,
) -> Result<Vec<&'a str>, Beyond> {
    let mut left = arguments.to_vec();
    for wanted in subcommand {
        let mut walk = Walk::new(&runner.options, &left);
        let at = loop {
            match walk.next()? {
                Some(Item::Option(..)) => {}
                Some(Item::Word(at)) => break at,
                Some(Item::Rest(_)) | None => return Err(Beyond::NoPackage(runner.name())),
            }
        };
        let word = left.get(at).copied().unwrap_or_default();
        if !wanted.split('|').any(|one| one == word) {
            // `uv run`, `npm start`, `bun server.ts`
            return Err(Beyond::project(&program.name));
        }
        left.remove(at);
    }
    Ok(left)
}

/// What a runner fetches.
fn run(runner: &'static Runner, arguments: &[&str]) -> Result<Vec<Part>, Beyond> {
    let mut named: Vec<&str> = Vec::new();
    let mut beside: Vec<&str> = Vec::new();
    let mut files = None;
    let mut chosen_by = None;
    let mut shell = false;
    let mut word = None;
    let mut walk = Walk::new(&runner.options, arguments);
    while let Some(item) = walk.next()? {
        match item {
            Item::Option(option, value) => match option.effect {
                Effect::Nothing => {}
                Effect::Package => named.extend(value),
                Effect::Beside => beside.extend(value.into_iter().flat_map(package::listed)),
                Effect::Elsewhere => return Err(Beyond::OtherRegistry(option.name())),
                Effect::Chooses => chosen_by = Some(option.name()),
                Effect::Local => return Err(Beyond::Local(option.name())),
                Effect::Runs => return Err(Beyond::Runs(option.name())),
                Effect::Interpreter => {
                    // `3.12`, `cpython@3.12`, `>=3.10`; a name alone would be looked up on the path.
                    if value.is_some_and(|value| value.contains(['/', '\\', '~', '$'])) {
                        return Err(Beyond::Runs(option.name()));
                    }
                }
                Effect::Files => files = Some(option.name()),
                Effect::Shell => shell = true,
            },
            Item::Word(at) => {
                word = word.or(arguments.get(at).copied());
                if !runner.options_anywhere {
                    break;
                }
            }
            Item::Rest(rest) => {
                word = word.or(arguments.get(rest).copied());
                break;
            }
        }
    }
    if named.len() + beside.len() > MOST_PACKAGES {
        return Err(Beyond::TooMuch);
    }
    let mut texts = named;
    if texts.is_empty() {
        match word {
            _ if shell => return Err(Beyond::Shell),
            // uv has the interpreter itself under these names.
            Some(word) if runner.ecosystem == Ecosystem::Pypi && is_interpreter(word) => {
                if beside.is_empty() && files.is_none() {
                    return Err(Beyond::PythonModule);
                }
            }
            Some(word) => texts.push(word),
            None => return Err(Beyond::NoPackage(runner.name())),
        }
    }
    let mut parts: Vec<Part> = Vec::new();
    for text in texts.into_iter().chain(beside) {
        let part = match package::read(runner, text) {
            Ok(wanted) => match (chosen_by, &wanted.version) {
                (Some(option), None) => Part::Beyond(Beyond::ChosenBy {
                    package: wanted.spec().to_string(),
                    option,
                }),
                (Some(_) | None, _) => Part::Release(wanted),
            },
            Err(beyond) => Part::Beyond(beyond),
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.extend(files.map(|option| Part::Beyond(Beyond::Local(option))));
    Ok(parts)
}

/// `python`, `python3`, `python3.12`
fn is_python(name: &str) -> bool {
    name.strip_prefix("python")
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// What `uvx` takes for an interpreter instead of a package: `python`, `python@3.12`, `pypy`.
fn is_interpreter(word: &str) -> bool {
    let name = word.split('@').next().unwrap_or_default();
    is_python(name) || ["pypy", "cpython", "graalpy"].contains(&name)
}

#[cfg(test)]
mod tests;
