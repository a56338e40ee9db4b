//! Which cargo packs: told from what a published file shows of the one that packed it, among those that this machine
//! has.

use std::cmp::Reverse;

use remint_model::{Assumption, AssumptionKind, SourceTree, Survey, Tool, ToolOrigin};

use crate::request::{PlanRequest, RustToolchain};

/// How many toolchains are tried. One that is further away than the second explains nothing that they do not.
const MOST: usize = 2;
/// The time that cargo gives to what it generates itself, before and since 1.93 (rust-lang/cargo#16242).
const OLD_TIME: i64 = 1;
const NEW_TIME: i64 = 1_153_704_088;
const ONE_TIME_SINCE: u64 = 93;
/// From this version on, cargo can be told to leave `Cargo.lock` out; before 1.84 it did so by itself for libraries.
const LOCKFILE_OPTION_SINCE: u64 = 88;
/// The first stable release, 2015-05-14, and the time from one to the next, in seconds.
const FIRST_RELEASE: i64 = 1_431_561_600;
const RELEASE_CYCLE: i64 = 42 * 86_400;

/// A toolchain to pack with.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) tool: Tool,
    /// Set where nothing in the source names this version.
    pub(crate) guess: Option<Assumption>,
    /// Whether it can be told to leave `Cargo.lock` out.
    pub(crate) can_exclude_lockfile: bool,
}

/// The toolchains to try, the likeliest first.
pub(crate) fn choose(request: &PlanRequest<'_>) -> Vec<Choice> {
    let print = Fingerprint::of(request.survey);
    let named = named(request.tree);
    let moment = request.uploaded.unwrap_or(request.pin.commit_time);
    let mut ranked: Vec<(&RustToolchain, Numbers)> = request
        .toolchains
        .iter()
        .filter_map(|toolchain| Some((toolchain, Numbers::parse(&toolchain.version)?)))
        .collect();
    ranked.sort_by_key(|(toolchain, numbers)| {
        (
            print.contradicts(numbers),
            named.as_deref().map(|named| !numbers.is(named)),
            numbers.is_prerelease,
            numbers.minor.abs_diff(stable_at(moment)),
            Reverse(toolchain.version.clone()),
        )
    });
    ranked.truncate(MOST);
    ranked
        .into_iter()
        .map(|(toolchain, numbers)| {
            let because = because(&print, named.as_deref(), &numbers, moment);
            let is_named = named.as_deref().is_some_and(|named| numbers.is(named));
            Choice {
                guess: (!is_named).then(|| Assumption {
                    kind: AssumptionKind::ToolchainGuess,
                    value: format!("cargo {}", toolchain.version),
                    from: because.clone(),
                }),
                can_exclude_lockfile: numbers.minor >= LOCKFILE_OPTION_SINCE,
                tool: Tool {
                    name: "cargo".to_owned(),
                    version: Some(toolchain.version.clone()),
                    as_of: None,
                    origin: ToolOrigin::System,
                    because,
                },
            }
        })
        .collect()
}

fn because(print: &Fingerprint, named: Option<&str>, numbers: &Numbers, moment: i64) -> String {
    match named {
        Some(named) if numbers.is(named) => {
            return format!("`rust-toolchain` names {named}");
        }
        Some(_) | None => {}
    }
    let stable = stable_at(moment);
    let usual = format!("1.{stable} was the stable one when the file was made");
    match print.era {
        Some(Era::Old) if numbers.minor >= ONE_TIME_SINCE => format!(
            "the file was packed by a cargo before 1.{ONE_TIME_SINCE}, which this machine does not have; {usual}"
        ),
        Some(Era::New) if numbers.minor < ONE_TIME_SINCE => format!(
            "the file was packed by cargo 1.{ONE_TIME_SINCE} or a later one, which this machine does not have; {usual}"
        ),
        Some(Era::Old | Era::New) | None => {
            format!("nearest that this machine has: {usual}")
        }
    }
}

/// The minor version of the Rust that was the stable one at this moment.
fn stable_at(moment: i64) -> u64 {
    u64::try_from((moment - FIRST_RELEASE) / RELEASE_CYCLE).unwrap_or(0)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    Old,
    New,
}

/// What a published file shows of the cargo that packed it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    era: Option<Era>,
}

impl Fingerprint {
    fn of(survey: &Survey) -> Self {
        let time = |path: &str| {
            survey
                .entries
                .iter()
                .find(|entry| entry.path.as_str() == path)
                .map(|entry| entry.modified)
        };
        let era = match time("Cargo.toml") {
            Some(OLD_TIME) => Some(Era::Old),
            Some(NEW_TIME) => Some(Era::New),
            Some(_) | None => None,
        };
        Self { era }
    }

    fn contradicts(&self, numbers: &Numbers) -> bool {
        match self.era {
            Some(Era::Old) => numbers.minor >= ONE_TIME_SINCE,
            Some(Era::New) => numbers.minor < ONE_TIME_SINCE,
            None => false,
        }
    }
}

/// A version of Rust: `1.95.0`, `1.97.0-nightly`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbers {
    minor: u64,
    text: String,
    is_prerelease: bool,
}

impl Numbers {
    fn parse(text: &str) -> Option<Self> {
        let version = nodejs_semver::Version::parse(text).ok()?;
        (version.major() == 1).then(|| Self {
            minor: version.minor(),
            is_prerelease: version.is_prerelease(),
            text: text.to_owned(),
        })
    }

    /// Whether a channel of `rust-toolchain` is this one: `1.95.0`, or `1.95` for any patch of it.
    fn is(&self, channel: &str) -> bool {
        self.text == channel
            || (!self.is_prerelease
                && channel.matches('.').count() == 1
                && self
                    .text
                    .strip_prefix(channel)
                    .is_some_and(|rest| rest.starts_with('.')))
    }
}

/// The version that the repository tells rustup to take; `stable` and the like say nothing.
fn named(tree: &SourceTree) -> Option<String> {
    let channel = match tree.text("rust-toolchain.toml") {
        Some(text) => channel(text)?,
        None => {
            let text = tree.text("rust-toolchain")?;
            channel(text).unwrap_or_else(|| text.trim().to_owned())
        }
    };
    channel
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(channel)
        .filter(|channel| channel.len() <= 40)
}

fn channel(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    let channel = table.get("toolchain")?.get("channel")?.as_str()?;
    Some(channel.trim().to_owned())
}

/// The files that name a toolchain.
pub(crate) fn is_of_interest(name: &str) -> bool {
    matches!(name, "rust-toolchain" | "rust-toolchain.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_come_every_six_weeks() {
        for (time, expect) in [
            // The day before, the day of 1.95.0.
            (1_776_297_600 - 86_400, 94),
            (1_776_297_600, 95),
            (FIRST_RELEASE, 0),
            (0, 0),
        ] {
            assert_eq!(stable_at(time), expect, "{time}");
        }
    }

    #[test]
    fn only_a_version_names_a_toolchain() {
        let check = |file: &str, text: &str, expect: Option<&str>| {
            let mut tree = SourceTree::default();
            tree.texts
                .insert(file.parse().unwrap(), text.as_bytes().to_vec());
            assert_eq!(named(&tree).as_deref(), expect, "{text}");
        };
        check(
            "rust-toolchain.toml",
            "[toolchain]\nchannel = \"1.88\"\n",
            Some("1.88"),
        );
        check(
            "rust-toolchain.toml",
            "[toolchain]\nchannel = \"stable\"\n",
            None,
        );
        check("rust-toolchain.toml", "not toml", None);
        check("rust-toolchain", "1.90.0\n", Some("1.90.0"));
        check("rust-toolchain", "nightly-2026-01-01\n", None);
    }

    #[test]
    fn a_channel_without_patch_means_any() {
        let numbers = |text: &str| Numbers::parse(text).unwrap();
        assert!(numbers("1.95.0").is("1.95"));
        assert!(numbers("1.95.0").is("1.95.0"));
        assert!(!numbers("1.95.0").is("1.9"));
        assert!(!numbers("1.95.0-beta.1").is("1.95"));
        assert!(!numbers("1.95.1").is("1.95.0"));
    }
}
