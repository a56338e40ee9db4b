//! What one command of a Python project's publish workflow is to a rebuild: a build, an install, a check, or
//! something that changes the tree and has to be done again.

use crate::npm::frontend::{
    Kind, Pieces, classify, is_check, keeps_to_itself, serves, writes_plainly,
};
use crate::workflow::script::Command;

/// What a command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Changes the directory for what follows.
    Directory(String),
    /// Installs dependencies of a JavaScript project.
    Install,
    /// Makes or sends the package: nothing after it matters.
    Build,
    /// Changes nothing that is published.
    Nothing,
    /// To be done again, in these words.
    Run(String),
    /// A script of a JavaScript project that is called a check, and what runs it.
    Check(String, String),
    /// May change the tree, and cannot be done again.
    LeftOut,
    /// Runs these targets of this program's recipes.
    Recipe(String, Vec<String>),
}

/// Programs that work in a world of their own making, which no sandbox has.
const OTHER_MACHINES: [&str; 7] = [
    "brew",
    "choco",
    "devbox",
    "devenv",
    "nix",
    "nix-build",
    "nix-shell",
];

/// Sorts a command.
pub(crate) fn of(command: &Command) -> Errand {
    let (words, text) = unwrapped(command);
    if is_build(&words) {
        return Errand::Build;
    }
    if let [program @ ("make" | "just" | "task"), rest @ ..] = words.as_slice() {
        let targets: Vec<String> = rest
            .iter()
            .take_while(|word| **word != "--")
            .filter(|word| !word.starts_with('-') && !word.contains('='))
            .map(|word| (*word).to_owned())
            .collect();
        return Errand::Recipe((*program).to_owned(), targets);
    }
    if words
        .first()
        .is_some_and(|program| OTHER_MACHINES.contains(program))
    {
        return Errand::LeftOut;
    }
    if writes_anew(&words) {
        return Errand::LeftOut;
    }
    let kind = classify(command);
    let asks = reaches_out(&words, &text);
    if asks && kind == Kind::Other && writes_plainly(command) {
        return Errand::LeftOut;
    }
    if kind == Kind::Nothing || asks || (is_tooling(&words) && keeps_to_itself(command)) {
        return match kind {
            Kind::Install(_) => Errand::Install,
            Kind::Directory(_)
            | Kind::Tool(..)
            | Kind::Publish(_)
            | Kind::Script(_)
            | Kind::Stamp
            | Kind::Nothing
            | Kind::Other => Errand::Nothing,
        };
    }
    match kind {
        Kind::Directory(to) => Errand::Directory(to),
        Kind::Install(_) => Errand::Install,
        Kind::Script(name) if is_check(&name) && keeps_to_itself(command) => {
            Errand::Check(name, text)
        }
        Kind::Script(_) | Kind::Other => Errand::Run(text),
        Kind::Tool(..) | Kind::Publish(_) | Kind::Stamp | Kind::Nothing => Errand::Nothing,
    }
}

/// Whether a script with control flow changes the tree, rather than to check, to report or to talk with hosts.
pub(crate) fn changes_files(pieces: &Pieces) -> bool {
    pieces.unclear
        || pieces.commands.iter().any(|command| match of(command) {
            Errand::Run(_) => !serves(command),
            Errand::Recipe(_, targets) => !targets.iter().all(|target| is_check(target)),
            Errand::LeftOut => true,
            Errand::Directory(_)
            | Errand::Install
            | Errand::Build
            | Errand::Check(..)
            | Errand::Nothing => false,
        })
}

/// Whether a script with control flow talks with hosts and does not plainly write.
pub(crate) fn is_foreign(pieces: &Pieces) -> bool {
    pieces.commands.iter().any(|command| {
        let (words, text) = unwrapped(command);
        reaches_out(&words, &text)
    }) && !pieces.commands.iter().any(writes_plainly)
}

/// A command without the runner in front of it: `uv run x` is `x` in the environment that is there anyway.
fn unwrapped(command: &Command) -> (Vec<&str>, String) {
    const WITH_VALUE: [&str; 9] = [
        "--with",
        "--python",
        "-p",
        "--group",
        "--extra",
        "--package",
        "--env-file",
        "--only-group",
        "--from",
    ];
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let mut at = match words.as_slice() {
        [
            "uv" | "poetry" | "pdm" | "hatch" | "rye" | "pipenv",
            "run",
            ..,
        ] => 2,
        ["uvx" | "time" | "command" | "exec", ..] => 1,
        _ => return (words, command.text.clone()),
    };
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at = at.saturating_add(if WITH_VALUE.contains(word) { 2 } else { 1 });
    }
    let rest: Vec<&str> = words.get(at..).unwrap_or_default().to_vec();
    // The text is cut where the words in front end, with the quotes that they may have had.
    let mut text = command.text.as_str();
    for word in words.iter().take(at) {
        text = text
            .find(word)
            .and_then(|start| text.get(start.saturating_add(word.len())..))
            .map(|rest| rest.strip_prefix(['\'', '"']).unwrap_or(rest))
            .unwrap_or(text);
    }
    let text = text.trim();
    let script = rest.first().is_some_and(|word| word.ends_with(".py"));
    let text = if script {
        format!("python {text}")
    } else {
        text.to_owned()
    };
    (rest, text)
}

/// Commands that make or send the package.
fn is_build(words: &[&str]) -> bool {
    matches!(
        words,
        [
            "uv" | "poetry" | "flit" | "hatch" | "pdm" | "rye",
            "build" | "publish",
            ..
        ] | [
            "python" | "python3",
            "-m",
            "build" | "flit" | "hatch" | "poetry" | "pdm",
            ..
        ] | ["python" | "python3", "setup.py", ..]
            | ["python" | "python3", "-m", "twine", "upload", ..]
            | ["pyproject-build" | "maturin" | "semantic-release", ..]
            | ["twine", "upload", ..]
    )
}

/// Programs that install, check, or keep house, whatever their arguments.
fn is_tooling(words: &[&str]) -> bool {
    const TOOLING: &[&str] = &[
        "apt",
        "apt-get",
        "bandit",
        "basedpyright",
        "black",
        "brew",
        "bump-my-version",
        "bump2version",
        "bumpversion",
        "cargo",
        "check-wheel-contents",
        "chown",
        "claude",
        "codespell",
        "conda",
        "coverage",
        "cz",
        "deno",
        "deptry",
        "diff",
        "ensurepip",
        "flake8",
        "flit",
        "grep",
        "hatch",
        "isort",
        "mamba",
        "micromamba",
        "mkdocs",
        "mypy",
        "nox",
        "pdm",
        "pip",
        "pip-audit",
        "pip3",
        "pipenv",
        "pipx",
        "poetry",
        "pre-commit",
        "pylint",
        "pyright",
        "pytest",
        "ruff",
        "rustup",
        "rye",
        "safety",
        "sha256sum",
        "smithery",
        "sphinx-build",
        "stat",
        "systemctl",
        "towncrier",
        "tox",
        "tree",
        "twine",
        "ty",
        "unittest",
        "uv",
        "uvx",
        "validate-pyproject",
        "venv",
        "virtualenv",
        "which",
        "zip",
    ];
    let program = match words {
        ["python" | "python3", "-m", module, ..] => *module,
        ["python" | "python3", "--version" | "-V", ..] => return true,
        // The environment that is there anyway.
        ["source" | ".", file] => return file.ends_with("/activate"),
        [program, ..] => *program,
        [] => return false,
    };
    TOOLING.contains(&program.rsplit('/').next().unwrap_or(program))
}

/// Whether a program that keeps house is told to write files of the tree anew: of these no sandbox has the version that
/// the publisher had.
fn writes_anew(words: &[&str]) -> bool {
    const ONLY_TELLS: [&str; 7] = [
        "--check",
        "--check-only",
        "--diff",
        "--version",
        "--help",
        "--show-files",
        "-c",
    ];
    let (program, rest) = match words {
        ["python" | "python3", "-m", program, rest @ ..] | [program, rest @ ..] => (*program, rest),
        [] => return false,
    };
    let tells = rest.iter().any(|word| ONLY_TELLS.contains(word));
    let fixes = rest
        .iter()
        .any(|word| matches!(*word, "--fix" | "--unsafe-fixes"));
    match (program, rest) {
        ("black" | "isort", _) | ("ruff" | "hatch", ["format" | "fmt", ..]) => !tells,
        ("ruff", _) => fixes,
        ("pre-commit", ["run", ..]) => true,
        ("towncrier", ["build", ..]) => !rest.contains(&"--draft"),
        _ => false,
    }
}

/// Whether a command talks with other machines, or has a secret for them.
fn reaches_out(words: &[&str], text: &str) -> bool {
    const HOSTS: [&str; 8] = [
        "aws", "curl", "docker", "gcloud", "gh", "scp", "ssh", "wget",
    ];
    let words = match words {
        ["sudo", rest @ ..] => rest,
        words => words,
    };
    words.first().is_some_and(|program| HOSTS.contains(program))
        || matches!(
            words,
            [
                "git",
                "push" | "fetch" | "pull" | "clone" | "commit" | "tag",
                ..
            ] | ["pip" | "pip3", "install", ..]
                | ["python" | "python3", "-m", "pip", ..]
                | ["uv", "sync" | "pip", ..]
                | ["uvx", ..]
                | ["npm", "view", ..]
                | ["npm", "install", "-g", ..]
        )
        || ["secrets.", "GITHUB_TOKEN", "TWINE_", "UV_PUBLISH"]
            .iter()
            .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::script::{Script, split};

    #[test]
    fn commands_are_told_apart() {
        use Errand::{Build, Directory, Install, Nothing};
        let run = |text: &str| Errand::Run(text.to_owned());
        for (text, expect) in [
            ("uv build --sdist", Build),
            ("uv run python -m build", Build),
            ("uvx --from build pyproject-build --installer uv", Build),
            ("python -m twine upload dist/*", Build),
            ("twine check dist/*", Nothing),
            ("uv sync --all-extras", Nothing),
            ("uv run --group dev pytest -q", Nothing),
            ("python -m pip install build", Nothing),
            ("source .venv/bin/activate", Nothing),
            ("poetry version 1.2.3", Nothing),
            ("git describe > x", run("git describe > x")),
            ("git describe > /dev/null", Nothing),
            ("curl -s https://example.org", Nothing),
            ("curl https://example.org > x", Errand::LeftOut),
            ("nix develop --command build", Errand::LeftOut),
            ("uv run black .", Errand::LeftOut),
            ("black --check .", Nothing),
            ("python -m isort x", Errand::LeftOut),
            ("uvx ruff format", Errand::LeftOut),
            ("ruff format --diff", Nothing),
            ("ruff check --fix", Errand::LeftOut),
            ("ruff check x", Nothing),
            ("pre-commit run --all-files", Errand::LeftOut),
            ("pre-commit install", Nothing),
            ("towncrier build --yes", Errand::LeftOut),
            (
                "sed -i 's#http://a#https://b#' x",
                run("sed -i 's#http://a#https://b#' x"),
            ),
            ("source scripts/x.sh", run("source scripts/x.sh")),
            ("grep x y > z.py", run("grep x y > z.py")),
            ("cd ui", Directory("ui".to_owned())),
            ("npm ci", Install),
            (
                "npm run lint",
                Errand::Check("lint".to_owned(), "npm run lint".to_owned()),
            ),
            ("npm run lint > x", run("npm run lint > x")),
            ("npm run build", run("npm run build")),
            (
                "uv run --with 'a b' scripts/gen.py --x 'a b'",
                run("python scripts/gen.py --x 'a b'"),
            ),
            ("poetry run python gen.py", run("python gen.py")),
            ("sed -i 's/a b/c/' x", run("sed -i 's/a b/c/' x")),
            ("echo x > y", run("echo x > y")),
            (
                "make -C x build V=1",
                Errand::Recipe("make".to_owned(), vec!["x".to_owned(), "build".to_owned()]),
            ),
            (
                "make check more",
                Errand::Recipe(
                    "make".to_owned(),
                    vec!["check".to_owned(), "more".to_owned()],
                ),
            ),
        ] {
            let Script::Commands(commands) = split(text) else {
                panic!("{text} is compound");
            };
            assert_eq!(of(commands.first().unwrap()), expect, "{text}");
        }
    }
}
