//! What a run is asked about: specs, and the servers of clients' configurations.
//!
//! A configuration is written by others: what it names is not the user's own will.
//!
//! Nothing of a configuration is shown but its path, the names of its servers, and packages with their versions.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use remint_ecosystem::client_config::{self, Server};
use remint_ecosystem::command_line::{Beyond, Part, Wanted, WantedImage};
use remint_fetch::Will;
use remint_model::{ImagePlace, InconclusiveReason, Spec};

use crate::failure::Usage;
use crate::report::TargetReport;
use crate::resolve::Unresolved;

/// One thing that is to be reported on.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// To be judged, with who named it and what is to be told beside the judgement.
    Spec(Spec, Will, Vec<String>),
    /// A server that leads to nothing that could be judged: its report stands already.
    Answered(Box<TargetReport>),
}

/// Everything that the command line asks for: its specs, then the servers of its configurations, in their order. A
/// release that several servers start stands there once.
///
/// # Errors
/// A configuration cannot be read or names no server.
pub(crate) fn all(specs: &[Spec], configurations: &[PathBuf]) -> anyhow::Result<Vec<Asked>> {
    let mut asked = Vec::new();
    for spec in specs {
        add(&mut asked, spec.clone(), Will::User, None);
    }
    for path in configurations {
        let servers = read(path)?;
        for server in servers {
            add_server(&mut asked, server, path);
        }
    }
    Ok(asked)
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<Server>> {
    let unusable = || Usage(format!("cannot take servers from `{}`", path.display()));
    let mut content = Vec::new();
    let limit = client_config::LARGEST as u64 + 1;
    fs_err::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut content))
        .map_err(|error| anyhow::Error::new(error).context(unusable()))?;
    client_config::servers(&content).map_err(|error| anyhow::Error::new(error).context(unusable()))
}

fn add_server(asked: &mut Vec<Asked>, server: Server, path: &Path) {
    let place = format!("`{}`", path.display());
    for part in server.parts {
        match part {
            Part::Release(wanted) => {
                let note = started_by(&server.name, &place, &wanted);
                add(asked, wanted.spec(), Will::Metadata, Some(note));
            }
            Part::Image(wanted) => {
                let note = run_from(&server.name, &place, &wanted);
                let image = ImagePlace::Registry(wanted.image);
                add(asked, Spec::Image(image), Will::Metadata, Some(note));
            }
            Part::Beyond(beyond) => {
                let report = answered(&server.name, &place, &beyond);
                asked.push(Asked::Answered(Box::new(report)));
            }
        }
    }
}

/// What the user names himself stays his will, whoever else names it: the command line comes first.
fn add(asked: &mut Vec<Asked>, spec: Spec, will: Will, note: Option<String>) {
    let known = asked.iter_mut().find_map(|one| match one {
        Asked::Spec(known, _, notes) if *known == spec => Some(notes),
        Asked::Spec(..) | Asked::Answered(_) => None,
    });
    match known {
        Some(notes) => notes.extend(note),
        None => asked.push(Asked::Spec(spec, will, note.into_iter().collect())),
    }
}

fn started_by(server: &str, place: &str, wanted: &Wanted) -> String {
    let runner = wanted.runner;
    let start = format!("the server `{server}` of {place} starts it with `{runner}`");
    match wanted.version {
        Some(_) => start,
        None => {
            format!("{start}, without an exact version: from day to day that is another release")
        }
    }
}

fn run_from(server: &str, place: &str, wanted: &WantedImage) -> String {
    let runner = wanted.runner;
    let start = format!("the server `{server}` of {place} runs it with `{runner}`");
    match wanted.image.digest() {
        Some(_) => start,
        None => format!("{start}, by a tag: whoever owns it can move that to another image"),
    }
}

fn answered(server: &str, place: &str, beyond: &Beyond) -> TargetReport {
    let reason = if beyond.is_malformed() {
        InconclusiveReason::Malformed
    } else {
        InconclusiveReason::Unsupported
    };
    let unresolved = Unresolved {
        target: None,
        reason,
        detail: beyond.to_string(),
        integrity: None,
    };
    let mut report = TargetReport::unresolved(format!("server:{server}"), unresolved, false);
    report.notes = vec![format!("the server `{server}` of {place}")];
    report.next = beyond.hint().map(str::to_owned).into_iter().collect();
    report
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    /// What these arguments ask for: `spec | note | note`, or `server:name! detail`.
    fn check(arguments: &[&str], config: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mcp.json");
        fs_err::write(&path, config).unwrap();
        let line = ["remint", "verify-build", "--config"].map(str::to_owned);
        let line = line
            .into_iter()
            .chain([path.display().to_string()])
            .chain(arguments.iter().map(|argument| (*argument).to_owned()));
        let Command::VerifyBuild(arguments) = Cli::try_parse_from(line).unwrap().command else {
            unreachable!("another command was typed");
        };
        let shown = |text: &str| text.replace(&path.display().to_string(), "mcp.json");
        all(&arguments.specs, &arguments.config)
            .unwrap()
            .iter()
            .map(|asked| match asked {
                Asked::Spec(spec, _, notes) => {
                    let notes: Vec<String> = notes.iter().map(|note| shown(note)).collect();
                    [&[spec.to_string()], &*notes].concat().join(" | ")
                }
                Asked::Answered(report) => format!(
                    "{}! {}",
                    report.label,
                    report.judgement.detail.as_deref().unwrap_or_default()
                ),
            })
            .collect()
    }

    #[test]
    fn specs_come_first_and_a_release_stands_there_once() {
        assert_eq!(
            check(
                &["npm:name@1.2.3", "pypi:other@1.0"],
                r#"{"mcpServers": {
                    "one": {"command": "npx", "args": ["name@1.2.3"]},
                    "box": {"command": "docker", "args": ["run", "-i", "image"]},
                    "two": {"command": "npx", "args": ["-y", "name@1.2.3"]},
                    "any": {"command": "npx", "args": ["name"]}
                }}"#,
            ),
            [
                "npm:name@1.2.3 | the server `one` of `mcp.json` starts it with `npx` \
                 | the server `two` of `mcp.json` starts it with `npx`",
                "pypi:other@1.0",
                "oci:docker.io/library/image:latest | the server `box` of `mcp.json` runs it with `docker run`, by a tag: \
                 whoever owns it can move that to another image",
                "npm:name | the server `any` of `mcp.json` starts it with `npx`, without an exact version: \
                 from day to day that is another release",
            ]
        );
    }
}
