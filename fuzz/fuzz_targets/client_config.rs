#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::client_config;
use remint_ecosystem::command_line::{self, Part};
use remint_model::{ImagePlace, Spec};

#[derive(Debug, Arbitrary)]
enum Input {
    File(Vec<u8>),
    Line {
        command: Command,
        arguments: Vec<Word>,
        variables: Vec<String>,
    },
}

#[derive(Debug, Arbitrary)]
enum Command {
    Npx,
    Npm,
    Pnpm,
    Yarn,
    Bun,
    Uvx,
    Uv,
    Pipx,
    Env,
    Cmd,
    Sh,
    Other(String),
}

/// Words that steer the parser, so that fuzzing gets past them.
#[derive(Debug, Arbitrary)]
enum Word {
    Exec,
    Dlx,
    Tool,
    Run,
    Package,
    From,
    With,
    End,
    Slash,
    Line(String),
    Npm(String),
    Pypi(String),
    Other(String),
}

impl Command {
    fn text(&self) -> &str {
        match self {
            Self::Npx => "npx",
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Bun => "bun",
            Self::Uvx => "uvx",
            Self::Uv => "uv",
            Self::Pipx => "pipx",
            Self::Env => "env",
            Self::Cmd => "cmd",
            Self::Sh => "sh",
            Self::Other(text) => text,
        }
    }
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Exec => "exec".to_owned(),
            Self::Dlx => "dlx".to_owned(),
            Self::Tool => "tool".to_owned(),
            Self::Run => "run".to_owned(),
            Self::Package => "-p".to_owned(),
            Self::From => "--from".to_owned(),
            Self::With => "--with".to_owned(),
            Self::End => "--".to_owned(),
            Self::Slash => "/c".to_owned(),
            Self::Line(text) => format!("-c npx {text}"),
            Self::Npm(text) => format!("@scope/name@{text}"),
            Self::Pypi(text) => format!("name=={text}"),
            Self::Other(text) => text.clone(),
        }
    }
}

fn check(parts: &[Part]) {
    assert!(!parts.is_empty());
    for part in parts {
        match part {
            // What is judged reads as the same spec again.
            Part::Release(wanted) => {
                let spec = wanted.spec();
                assert_eq!(spec.to_string().parse::<Spec>().as_ref(), Ok(&spec));
            }
            Part::Image(wanted) => {
                let spec = Spec::Image(ImagePlace::Registry(wanted.image.clone()));
                assert_eq!(spec.to_string().parse::<Spec>().as_ref(), Ok(&spec));
            }
            Part::Beyond(beyond) => assert!(!beyond.to_string().chars().any(char::is_control)),
        }
    }
}

fuzz_target!(|input: Input| {
    match input {
        Input::File(bytes) => {
            if let Ok(servers) = client_config::servers(&bytes) {
                assert!(!servers.is_empty());
                for server in servers {
                    assert!(!server.name.chars().any(char::is_control));
                    check(&server.parts);
                }
            }
        }
        Input::Line {
            command,
            arguments,
            variables,
        } => {
            let arguments: Vec<String> = arguments.iter().map(Word::text).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
            check(&command_line::read(command.text(), &arguments, &variables));
        }
    }
});
