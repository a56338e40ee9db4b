//! Container images that a command line runs: `docker run … IMAGE` and its kin.

use remint_model::ImageReference;

use super::Part;
use super::beyond::Beyond;
use super::options::{Effect, Item, Opt, Options, Walk, matters, switch, value};

/// An image that is fetched and run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedImage {
    /// Which one; without a digest its tag decides, and whoever owns it may move that.
    pub image: ImageReference,
    /// What runs it: `docker run`.
    pub runner: &'static str,
}

/// A program that runs images.
#[derive(Debug)]
pub(super) struct Engine {
    program: &'static str,
    run: Options,
}

/// The engines whose `run` takes docker's options.
static ENGINES: [Engine; 4] = [
    engine("docker", "docker run"),
    engine("podman", "podman run"),
    engine("nerdctl", "nerdctl run"),
    engine("finch", "finch run"),
];

const fn engine(program: &'static str, name: &'static str) -> Engine {
    Engine {
        program,
        run: Options {
            name,
            known: OPTIONS,
        },
    }
}

/// The engine of this name.
pub(super) fn named(program: &str) -> Option<&'static Engine> {
    ENGINES.iter().find(|engine| engine.program == program)
}

impl Engine {
    /// What it runs. Where it does anything but `run`, nothing says which image that is.
    pub(super) fn start(
        &'static self,
        arguments: &[&str],
        variables: &[&str],
    ) -> Result<Vec<Part>, Beyond> {
        // `DOCKER_HOST` and its kin lead to another machine's engine, with images of its own.
        let leads_elsewhere = |variable: &&str| {
            ["DOCKER_", "CONTAINER_", "CONTAINERS_"]
                .iter()
                .any(|start| variable.trim().to_ascii_uppercase().starts_with(start))
        };
        if variables.iter().any(leads_elsewhere) {
            return Err(Beyond::OtherRegistry("DOCKER_…"));
        }
        let beyond = || Beyond::Container(self.program.to_owned());
        let (mut at, mut running) = (0, false);
        // `docker container run` is the same.
        while let Some(word) = arguments.get(at) {
            at += 1;
            match *word {
                "run" => {
                    running = true;
                    break;
                }
                "container" => {}
                _ => break,
            }
        }
        if !running {
            return Err(beyond());
        }
        let arguments = arguments.get(at..).unwrap_or_default();
        let mut walk = Walk::new(&self.run, arguments);
        let (mut entrypoint, mut chosen_by) = (None, None);
        let at = loop {
            match walk.next()? {
                Some(Item::Option(option, value)) => {
                    if option.effect == Effect::Chooses {
                        chosen_by = Some(option.name());
                    } else if option.effect == Effect::Runs {
                        entrypoint = value.filter(|value| !value.is_empty());
                    }
                }
                Some(Item::Word(at) | Item::Rest(at)) => break at,
                None => return Err(Beyond::NoPackage(self.run.name)),
            }
        };
        let image: ImageReference = arguments
            .get(at)
            .ok_or(Beyond::NoPackage(self.run.name))?
            .parse()
            .map_err(|_| Beyond::NotAName(self.run.name))?;
        let mut parts = vec![match chosen_by {
            Some(option) => Part::Beyond(Beyond::ChosenBy {
                package: format!("oci:{image}"),
                option,
            }),
            None => Part::Image(WantedImage {
                image,
                runner: self.run.name,
            }),
        }];
        let words: Vec<&str> = entrypoint
            .into_iter()
            .chain(arguments.iter().skip(at + 1).copied())
            .collect();
        parts.extend(fetched_inside(&words));
        Ok(parts)
    }
}

/// What is fetched by the words that stand behind an image: they are the image's own program and its arguments, or the
/// arguments of its entry point. Only what leads out of the image counts.
fn fetched_inside(words: &[&str]) -> Vec<Part> {
    let Some((command, arguments)) = words.split_first() else {
        return Vec::new();
    };
    // Not a line that clients take apart: an engine passes words on as they are.
    if command.contains(char::is_whitespace) || named(&command.to_ascii_lowercase()).is_some() {
        return Vec::new();
    }
    super::read(command, arguments, &[])
        .into_iter()
        .filter(|part| match part {
            Part::Release(_) | Part::Image(_) => true,
            Part::Beyond(beyond) => !matches!(
                beyond,
                Beyond::Program(_)
                    | Beyond::File
                    | Beyond::Project(_)
                    | Beyond::PythonModule
                    | Beyond::NoCommand
                    | Beyond::UnknownOption { .. }
                    | Beyond::NoPackage(_)
            ),
        })
        .collect()
}

/// Options of `docker run`. None of them changes which image is named; `--platform` decides which of an index it is.
const OPTIONS: &[Opt] = &[
    switch(&["-i", "--interactive", "-t", "--tty", "-d", "--detach"]),
    switch(&["-it", "-ti", "-id", "-di", "-itd", "-dit", "-q", "--quiet"]),
    switch(&["--rm", "--init", "--privileged", "--read-only", "-P"]),
    switch(&["--publish-all", "--sig-proxy", "--oom-kill-disable"]),
    switch(&["--no-healthcheck", "--disable-content-trust"]),
    value(&["-e", "--env", "--env-file", "--name", "-h", "--hostname"]),
    value(&["-v", "--volume", "--mount", "--tmpfs", "--volumes-from"]),
    value(&["-p", "--publish", "--expose", "--network", "--net"]),
    value(&["--network-alias", "--net-alias", "--link", "--ip", "--ip6"]),
    value(&["--dns", "--dns-option", "--dns-search", "--add-host"]),
    value(&["-u", "--user", "--userns", "--group-add", "-w", "--workdir"]),
    value(&["-m", "--memory", "--memory-swap", "--memory-reservation"]),
    value(&["-c", "--cpu-shares", "--cpus", "--cpuset-cpus", "--gpus"]),
    value(&["--pids-limit", "--shm-size", "--ulimit", "--sysctl"]),
    value(&["--cap-add", "--cap-drop", "--security-opt", "--device"]),
    value(&["--pull", "--runtime"]),
    matters(&["--entrypoint"], Effect::Runs),
    matters(&["--platform"], Effect::Chooses),
    value(&["-l", "--label", "--label-file", "--annotation"]),
    value(&["--restart", "--stop-signal", "--stop-timeout", "-a"]),
    value(&["--attach", "--log-driver", "--log-opt", "--cidfile"]),
    value(&["--ipc", "--pid", "--uts", "--cgroupns", "--isolation"]),
    value(&["--storage-opt", "--volume-driver", "--domainname"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_option_has_two_meanings() {
        let mut seen = BTreeSet::new();
        for name in OPTIONS.iter().flat_map(|option| option.names.iter()) {
            assert!(name.starts_with('-'), "{name}");
            assert!(seen.insert(name), "{name} stands there twice");
        }
    }
}
