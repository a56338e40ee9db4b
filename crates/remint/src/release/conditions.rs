//! The conditions that a second build finds changed, each with what it was and what it becomes.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use remint_model::{Action, BuildPlan, Ecosystem, OnFailure, Phase, Step};
use remint_sandbox::{Command, Owner, Surroundings};
use serde::Serialize;

use crate::build::{Builder, Conditions, DirectoryOrder};

/// By how much the clock is put forward, in seconds: another year, month, day of the month and of the week, hour and
/// minute.
const AHEAD: i64 = 373 * 86_400 + 7 * 3600 + 13 * 60;
const ELSEWHERE: &str = "/srv/elsewhere/checkout";
const USER: u32 = 4321;
const USER_NAME: &str = "somebody";
const HOME: &str = "/home/somebody";
const HOST_NAME: &str = "elsewhere";
const UMASK: u32 = 0o077;
/// As far from UTC as anybody lives: it is another day there most of the time.
const ZONE: &str = "Pacific/Kiritimati";
/// The same, for a C library without its tables.
const ZONE_IN_FULL: &str = "XXX-14";
const ZONES: &str = "/usr/share/zoneinfo";
/// Stands in the command that finds out whether the clock is another one.
const PROBE: &str = "/tmp/remint-clock";

/// What can be otherwise. The order is that in which one is suspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    /// What programs of Node.js and Python take for the time.
    Clock,
    /// Where the tree lies.
    BuildPath,
    /// In which order directories list committed files.
    DirectoryOrder,
    /// The user's number, name and home directory.
    User,
    /// The host's name.
    HostName,
    /// The language.
    Locale,
    /// The time zone.
    TimeZone,
    /// How many processors there are.
    Processors,
    /// Which rights new files do not get.
    Umask,
}

impl Condition {
    /// All of them.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Clock,
        Self::BuildPath,
        Self::DirectoryOrder,
        Self::User,
        Self::HostName,
        Self::Locale,
        Self::TimeZone,
        Self::Processors,
        Self::Umask,
    ];

    /// What it is called.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::BuildPath => "build path",
            Self::DirectoryOrder => "directory order",
            Self::User => "user",
            Self::HostName => "host name",
            Self::Locale => "locale",
            Self::TimeZone => "time zone",
            Self::Processors => "processors",
            Self::Umask => "umask",
        }
    }
}

/// A condition and its two values, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Variation {
    /// Which.
    pub(crate) condition: Condition,
    /// In the build that counts.
    pub(crate) first: String,
    /// In the other one.
    pub(crate) second: String,
}

impl Variation {
    /// As attestations and reports have it: `umask: 022, 077`.
    pub(crate) fn words(&self) -> String {
        format!(
            "{}: {}, {}",
            self.condition.words(),
            self.first,
            self.second
        )
    }
}

/// What can be varied on this machine for this plan.
///
/// # Errors
/// The machine's languages cannot be asked for.
pub(crate) async fn variations(
    plan: &BuildPlan,
    ecosystem: Ecosystem,
    builder: &Builder,
) -> anyhow::Result<Vec<Variation>> {
    let usual = Surroundings::default();
    let locale = other_locale(builder).await?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let values = |condition: Condition| -> Option<(String, String)> {
        Some(match condition {
            Condition::Clock => (
                "now".to_owned(),
                match ecosystem {
                    Ecosystem::Npm | Ecosystem::Mcpb => {
                        "373 days later, for programs of Node.js".to_owned()
                    }
                    Ecosystem::Pypi => "373 days later, for programs of Python".to_owned(),
                    // Nothing stands between cargo, or go, and the machine's clock.
                    Ecosystem::Cargo | Ecosystem::Golang => return None,
                },
            ),
            Condition::BuildPath => (plan.build_path.clone(), ELSEWHERE.to_owned()),
            Condition::DirectoryOrder => (
                "as the file system has it".to_owned(),
                "later files first".to_owned(),
            ),
            Condition::User => (
                format!("{} ({}) in {}", usual.user_name, usual.user, usual.home),
                format!("{USER_NAME} ({USER}) in {HOME}"),
            ),
            Condition::HostName => (usual.host_name.clone(), HOST_NAME.to_owned()),
            Condition::Locale => ("C.UTF-8".to_owned(), locale.clone()),
            Condition::TimeZone => ("UTC".to_owned(), zone(ecosystem).to_owned()),
            Condition::Processors if processors > 1 => (processors.to_string(), "1".to_owned()),
            Condition::Processors => return None,
            Condition::Umask => (format!("{:03o}", usual.umask), format!("{UMASK:03o}")),
        })
    };
    Ok(Condition::ALL
        .iter()
        .filter_map(|condition| {
            let (first, second) = values(*condition)?;
            Some(Variation {
                condition: *condition,
                first,
                second,
            })
        })
        .collect())
}

/// The conditions of a build in which these are varied.
pub(crate) fn conditions<'v>(varied: impl IntoIterator<Item = &'v Variation>) -> Conditions {
    let mut conditions = Conditions::default();
    let surroundings = &mut conditions.surroundings;
    for variation in varied {
        let second = || Some(variation.second.clone());
        match variation.condition {
            Condition::Clock => conditions.clock = AHEAD,
            Condition::BuildPath => conditions.build_path = second(),
            Condition::DirectoryOrder => conditions.directory_order = DirectoryOrder::LaterFirst,
            Condition::User => {
                surroundings.user = USER;
                surroundings.user_name = USER_NAME.to_owned();
                surroundings.home = HOME.to_owned();
            }
            Condition::HostName => surroundings.host_name = HOST_NAME.to_owned(),
            Condition::Locale => conditions.locale = second(),
            Condition::TimeZone => conditions.time_zone = second(),
            Condition::Processors => surroundings.processors = Some(1),
            Condition::Umask => surroundings.umask = UMASK,
        }
    }
    conditions
}

/// Whether what differs shows the condition itself: its first value among the lines of the first build, its second one
/// among those of the other. Nothing else would write that down.
pub(crate) fn shows(condition: Condition, first: &str, second: &str, now: jiff::Timestamp) -> bool {
    let stands = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    match condition {
        Condition::Clock => shows_time(first, second, now),
        Condition::BuildPath => stands(second, &[ELSEWHERE]),
        Condition::User => stands(second, &[HOME, USER_NAME, "4321"]),
        Condition::HostName => stands(second, &[HOST_NAME]) && !stands(second, &[ELSEWHERE]),
        Condition::TimeZone => stands(second, &[ZONE, "+14:00", "+1400"]),
        Condition::DirectoryOrder
        | Condition::Locale
        | Condition::Processors
        | Condition::Umask => false,
    }
}

/// Whether the year of now stands in the first text and that of the other clock in the second; or seconds since 1970 in
/// both, as far apart as the clocks.
fn shows_time(first: &str, second: &str, now: jiff::Timestamp) -> bool {
    let year = |time: jiff::Timestamp| time.strftime("%Y").to_string();
    let Ok(later) = now.checked_add(jiff::SignedDuration::from_secs(AHEAD)) else {
        return false;
    };
    let (first, second) = (numbers(first), numbers(second));
    if first.contains(&&*year(now)) && second.contains(&&*year(later)) {
        return true;
    }
    let seconds = |numbers: &[&str]| -> Vec<i64> {
        let number = |text: &&str| match text.len() {
            10 => text.parse().ok(),
            13 => text.get(..10)?.parse().ok(),
            _ => None,
        };
        numbers.iter().filter_map(number).collect()
    };
    let (first, second) = (seconds(&first), seconds(&second));
    first.iter().any(|one| {
        second
            .iter()
            .any(|other| (other - one - AHEAD).abs() < 86_400)
    })
}

fn numbers(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|number| matches!(number.len(), 4 | 10 | 13))
        .take(10_000)
        .collect()
}

/// The plan with a first command that fails where the clock is not another one.
pub(crate) fn with_probe(plan: &BuildPlan, ecosystem: Ecosystem) -> BuildPlan {
    let argv = match ecosystem {
        // Its clock is not varied.
        Ecosystem::Cargo | Ecosystem::Golang => return plan.clone(),
        Ecosystem::Npm | Ecosystem::Mcpb => vec![
            "node".to_owned(),
            "-e".to_owned(),
            format!(
                "const fs=require('fs'),f='{PROBE}';fs.writeFileSync(f,'');\
                 process.exit(Date.now()-fs.statSync(f).mtimeMs>1e9?0:1)"
            ),
        ],
        Ecosystem::Pypi => {
            let python = plan.steps.last().and_then(|step| match &step.action {
                Action::Run { argv } | Action::InstallListed { argv, .. } => argv.first().cloned(),
            });
            vec![
                python.unwrap_or_else(|| "python3".to_owned()),
                "-c".to_owned(),
                format!(
                    "import datetime as d,os,time;f='{PROBE}';open(f,'w').close();\
                     raise SystemExit(min(time.time(),d.datetime.now().timestamp())-os.stat(f).st_mtime<1e6)"
                ),
            ]
        }
    };
    let mut probed = plan.clone();
    let at = probed
        .steps
        .iter()
        .take_while(|step| step.phase == Phase::Install)
        .count();
    probed.steps.insert(
        at,
        Step {
            phase: Phase::Build,
            directory: None,
            action: Action::Run { argv },
            environment: std::collections::BTreeMap::new(),
            on_failure: OnFailure::GoesOnInDoubt,
        },
    );
    probed
}

/// Whether this is the command of [`with_probe`].
pub(crate) fn is_probe(command: &str) -> bool {
    command.contains(PROBE)
}

/// Node.js brings its own tables of time zones.
fn zone(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Mcpb => ZONE,
        Ecosystem::Pypi if Path::new(ZONES).join(ZONE).exists() => ZONE,
        Ecosystem::Cargo | Ecosystem::Golang if Path::new(ZONES).join(ZONE).exists() => ZONE,
        Ecosystem::Pypi | Ecosystem::Cargo | Ecosystem::Golang => ZONE_IN_FULL,
    }
}

/// A language that the machine has, as far from the usual one as there is.
async fn other_locale(builder: &Builder) -> anyhow::Result<String> {
    let cancel = Arc::clone(&builder.cancel);
    let (finished, listed) = tokio::task::spawn_blocking(move || {
        let command = Command::new(["locale", "-a"], Owner::of_this_process()?);
        let mut listed = Vec::new();
        let finished = remint_sandbox::run(&command, &mut listed, &cancel, |_| ())?;
        anyhow::Ok((finished, listed))
    })
    .await
    .context("the sandbox's thread ended unexpectedly")??;
    if finished.ending == remint_sandbox::Ending::Cancelled {
        anyhow::bail!(crate::interrupt::Interrupted);
    }
    Ok(choose_locale(&String::from_utf8_lossy(&listed)))
}

fn choose_locale(listed: &str) -> String {
    let mut known: Vec<&str> = listed
        .lines()
        .map(str::trim)
        .filter(|name| {
            let name = name.to_ascii_lowercase();
            let language = name.split('_').next().unwrap_or_default();
            (name.ends_with(".utf8") || name.ends_with(".utf-8"))
                && (2..=3).contains(&language.len())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-@".contains(&byte))
        })
        .collect();
    known.sort_by_key(|name| (name.starts_with("en_"), *name));
    known
        .first()
        .map_or_else(|| "C".to_owned(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> jiff::Timestamp {
        "2026-11-22T10:03:11Z".parse().unwrap()
    }

    #[test]
    fn a_time_that_moved_with_the_clock_shows() {
        for (first, second) in [
            (
                "built = \"2026-11-22T10:03:11Z\"",
                "built = \"2027-11-30T17:16:11Z\"",
            ),
            ("© 2026", "© 2027"),
            ("t = 1795341791;", "t = 1827594971;"),
            ("t=1795341791123", "t=1827594972456"),
        ] {
            assert!(shows(Condition::Clock, first, second, now()), "{first}");
            assert!(!shows(Condition::Clock, second, first, now()), "{first}");
            assert!(!shows(Condition::Clock, first, first, now()), "{first}");
        }
        for (first, second) in [
            ("", ""),
            ("id = 20261", "id = 20271"),
            ("v = 1795341791", "v = 1795341999"),
            ("99999999999999999999", "2027"),
        ] {
            assert!(!shows(Condition::Clock, first, second, now()), "{first}");
        }
    }

    #[test]
    fn each_condition_is_varied_alone() {
        let usual = Conditions::default();
        let mut seen = Vec::new();
        for condition in Condition::ALL {
            let varied = conditions([&Variation {
                condition: *condition,
                first: String::new(),
                second: "other".to_owned(),
            }]);
            assert_ne!(varied, usual, "{condition:?}");
            assert!(!seen.contains(&varied), "{condition:?}");
            seen.push(varied);
        }
    }

    #[test]
    fn the_language_is_one_that_the_machine_has() {
        for (listed, expected) in [
            ("C\nC.utf8\nPOSIX\n", "C"),
            ("C\nC.utf8\nen_US.utf8\nPOSIX\n", "en_US.utf8"),
            ("C.utf8\nde_DE.utf8\nen_US.utf8\n", "de_DE.utf8"),
            ("de_DE\nde_DE.iso88591\n", "C"),
            ("sh: locale: not found\n", "C"),
            ("", "C"),
        ] {
            assert_eq!(choose_locale(listed), expected, "{listed}");
        }
    }
}
