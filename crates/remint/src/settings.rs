//! Flags, `REMINT_*` variables and settings files become one complete value before any work starts.
//!
//! This is the one place that reads the environment.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use etcetera::BaseStrategy as _;
use remint_fetch::UserConfiguration;
use serde::Deserialize;

use crate::cli::{
    BuildNetwork, BuildOptions, ColorChoice, GlobalOptions, GoneDependencies, IsolationLevel,
    ReportFormat, ReportOptions,
};

/// What the process was started in, read once.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Every variable that is UTF-8.
    pub(crate) variables: BTreeMap<String, String>,
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// The user's home.
    pub(crate) home: Option<PathBuf>,
    /// The moment the run started.
    pub(crate) now: jiff::Timestamp,
    /// Whether standard error is a terminal.
    pub(crate) interactive: bool,
}

impl Surroundings {
    /// Reads environment, working directory and clock.
    pub(crate) fn read() -> anyhow::Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the environment"
        )]
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect::<BTreeMap<_, _>>();
        let directory = std::env::current_dir().context("cannot tell the working directory")?;
        let home = etcetera::home_dir().ok();
        Ok(Self {
            variables,
            directory,
            home,
            now: jiff::Timestamp::now(),
            interactive: std::io::stderr().is_terminal(),
        })
    }

    /// Whether and when to use colours.
    ///
    /// # Errors
    /// `REMINT_COLOR` is no choice.
    pub(crate) fn color(&self, global: &GlobalOptions) -> anyhow::Result<ColorChoice> {
        let name = "REMINT_COLOR";
        choose(
            global.color,
            self.variable(name),
            name,
            None,
            ColorChoice::Auto,
        )
    }

    /// Whether a variable asks for something: set, and to none of the words for no.
    fn switch(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| {
            let no = ["0", "f", "false", "n", "no", "off"];
            !no.contains(&value.to_ascii_lowercase().as_str())
        })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// Everything that steers a run, complete.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// When the run started.
    pub(crate) now: jiff::Timestamp,
    /// Whether to draw progress on standard error.
    pub(crate) interactive: bool,
    /// How the user's clients reach registries and git hosts, and where caches are.
    pub(crate) user: UserConfiguration,
    /// Where the trusted root that was fetched last is kept; `None` without a home. Unlike a cache, no settings file of
    /// the working directory can move it: whoever writes it says whose certificates count.
    pub(crate) trusted_root: Option<PathBuf>,
    /// What a build may use.
    pub(crate) limits: BuildLimits,
    /// What a build step may reach.
    pub(crate) build_network: BuildNetwork,
    /// What is done where the registry no longer has what is locked.
    pub(crate) gone_dependencies: GoneDependencies,
    /// How builds are confined.
    pub(crate) isolation: IsolationLevel,
    /// How many targets at once.
    pub(crate) jobs: usize,
    /// Bytes that the caches may hold.
    pub(crate) cache_limit: u64,
    /// How the answer is written.
    pub(crate) format: ReportFormat,
    /// Where it is written; `None` is standard output.
    pub(crate) output: Option<PathBuf>,
}

/// What one build may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildLimits {
    /// For all steps of one plan.
    pub(crate) deadline: Duration,
    /// Bytes.
    pub(crate) memory: u64,
    /// Bytes.
    pub(crate) disk: u64,
    /// Bytes that the steps of one plan may fetch.
    pub(crate) downloads: u64,
}

/// A settings file; every key is optional, an unknown one is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileSettings {
    cache_dir: Option<PathBuf>,
    cache_limit: Option<String>,
    build_network: Option<BuildNetwork>,
    gone_dependencies: Option<GoneDependencies>,
    isolation: Option<IsolationLevel>,
    deadline: Option<u64>,
    memory: Option<String>,
    disk: Option<String>,
    downloads: Option<String>,
    jobs: Option<usize>,
    format: Option<ReportFormat>,
}

impl Settings {
    /// Resolves everything: a flag beats a variable, a variable the file in the working directory, that the
    /// user's file, and that the defaults.
    ///
    /// # Errors
    /// A settings file cannot be read, a value cannot be understood, or no cache directory can be determined.
    pub(crate) fn resolve(
        surroundings: &Surroundings,
        global: &GlobalOptions,
        build: Option<&BuildOptions>,
        report: Option<&ReportOptions>,
    ) -> anyhow::Result<Self> {
        let local = read_file(&surroundings.directory.join("remint.toml"))?;
        // Tools and clones in a cache are believed: a checkout must not bring its own.
        if local.cache_dir.is_some() {
            bail!(
                "`cache-dir` in the working directory's `remint.toml` is refused, because whoever wrote that file would \
                 choose what is believed; set it in your own settings, or pass --cache-dir"
            );
        }
        let strategy = etcetera::choose_base_strategy().ok();
        let user = match &strategy {
            Some(strategy) => read_file(&strategy.config_dir().join("remint/config.toml"))?,
            None => FileSettings::default(),
        };
        let trusted_root = strategy
            .as_ref()
            .map(|strategy| strategy.data_dir().join("remint/trusted_root.json"));
        let variable = |name: &str| surroundings.variable(name);
        type Parse = fn(&str) -> Result<u64, String>;
        let read = |name: &str, local: &Option<String>, user: &Option<String>, parse: Parse| {
            variable(name)
                .or(local.as_deref())
                .or(user.as_deref())
                .map(|text| parse(text).map_err(|reason| anyhow::anyhow!("{name}: {reason}")))
                .transpose()
        };
        let number = |name: &str| {
            variable(name)
                .map(|text| {
                    text.parse::<u64>()
                        .with_context(|| format!("{name} is `{text}`, which is not a number"))
                })
                .transpose()
        };

        let cache = global
            .cache_dir
            .clone()
            .or_else(|| variable("REMINT_CACHE_DIR").map(PathBuf::from))
            .or(user.cache_dir)
            .or_else(|| strategy.map(|strategy| strategy.cache_dir().join("remint")))
            .context("cannot tell where caches belong: set HOME, or pass --cache-dir")?;
        let minutes = match build.and_then(|build| build.deadline) {
            Some(minutes) => minutes,
            None => number("REMINT_DEADLINE")?
                .or(local.deadline)
                .or(user.deadline)
                .unwrap_or(30),
        };
        if minutes == 0 || minutes > 24 * 60 {
            bail!("the deadline must lie between 1 and 1440 minutes");
        }
        let jobs = match build.and_then(|build| build.jobs) {
            Some(jobs) => jobs,
            None => match number("REMINT_JOBS")? {
                Some(jobs) => usize::try_from(jobs).unwrap_or(usize::MAX),
                None => local.jobs.or(user.jobs).unwrap_or(1),
            },
        };
        if jobs == 0 || jobs > 64 {
            bail!("the number of jobs must lie between 1 and 64");
        }

        Ok(Self {
            now: surroundings.now,
            interactive: surroundings.interactive,
            user: UserConfiguration {
                home: surroundings.home.clone(),
                directory: surroundings.directory.clone(),
                variables: surroundings.variables.clone(),
                cache: cache.join("v1"),
                offline: global.offline || surroundings.switch("REMINT_OFFLINE"),
            },
            trusted_root,
            limits: BuildLimits {
                deadline: Duration::from_secs(minutes * 60),
                memory: match build.and_then(|build| build.memory) {
                    Some(memory) => memory,
                    None => read("REMINT_MEMORY", &local.memory, &user.memory, parse_room)?
                        .unwrap_or(8 << 30),
                },
                disk: match build.and_then(|build| build.disk) {
                    Some(disk) => disk,
                    None => read("REMINT_DISK", &local.disk, &user.disk, parse_room)?
                        .unwrap_or(10 << 30),
                },
                downloads: read(
                    "REMINT_DOWNLOADS",
                    &local.downloads,
                    &user.downloads,
                    parse_size,
                )?
                .unwrap_or(4 << 30),
            },
            build_network: choose(
                build.and_then(|build| build.build_network),
                variable("REMINT_BUILD_NETWORK"),
                "REMINT_BUILD_NETWORK",
                local.build_network.or(user.build_network),
                BuildNetwork::None,
            )?,
            gone_dependencies: choose(
                build.and_then(|build| build.gone_dependencies),
                variable("REMINT_GONE_DEPENDENCIES"),
                "REMINT_GONE_DEPENDENCIES",
                local.gone_dependencies.or(user.gone_dependencies),
                GoneDependencies::Refuse,
            )?,
            isolation: choose(
                build.and_then(|build| build.isolation),
                variable("REMINT_ISOLATION"),
                "REMINT_ISOLATION",
                local.isolation.or(user.isolation),
                IsolationLevel::Namespaces,
            )?,
            jobs,
            cache_limit: read(
                "REMINT_CACHE_LIMIT",
                &local.cache_limit,
                &user.cache_limit,
                parse_size,
            )?
            .unwrap_or(20 << 30),
            format: choose(
                report.and_then(|report| report.format),
                variable("REMINT_FORMAT"),
                "REMINT_FORMAT",
                local.format.or(user.format),
                ReportFormat::Human,
            )?,
            output: report.and_then(|report| report.output.clone()),
        })
    }
}

/// A flag, else a variable, else what the files say, else the default.
fn choose<T: clap::ValueEnum>(
    flag: Option<T>,
    variable: Option<&str>,
    name: &str,
    files: Option<T>,
    default: T,
) -> anyhow::Result<T> {
    if let Some(flag) = flag {
        return Ok(flag);
    }
    match variable {
        Some(text) => T::from_str(text, true).map_err(|_| {
            let known: Vec<_> = T::value_variants()
                .iter()
                .filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()))
                .collect();
            anyhow::anyhow!("{name} is `{text}`; it can be {}", known.join(", "))
        }),
        None => Ok(files.unwrap_or(default)),
    }
}

fn read_file(path: &Path) -> anyhow::Result<FileSettings> {
    match fs_err::read_to_string(path) {
        Ok(text) => toml::from_str(&text)
            .with_context(|| format!("`{}` is not a valid settings file", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(FileSettings::default()),
        Err(error) => Err(error).context("cannot read settings"),
    }
}

/// With less than this nothing can be built.
const LEAST_ROOM: u64 = 16 << 20;

/// Reads what a build may use of memory or disk.
///
/// # Errors
/// The text is no size, or one that no build can do with.
pub(crate) fn parse_room(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        bytes if bytes < LEAST_ROOM => Err(format!("`{text}` is too little: give at least 16M")),
        bytes => Ok(bytes),
    }
}

/// Reads `512M`, `4G`, `4GiB`, `1000`: bytes, with binary units.
///
/// # Errors
/// The text is no number with an optional unit, or too large.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(format!("`{text}` is not a size such as 512M or 4G")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is not a size such as 512M or 4G"))
}

/// A size as people give it: `300M`, `4G`.
pub(crate) fn given_size(bytes: u64) -> String {
    [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')]
        .into_iter()
        .find(|(shift, _)| bytes >> shift > 0 && bytes.trailing_zeros() >= *shift)
        .map_or_else(
            || bytes.to_string(),
            |(shift, unit)| format!("{}{unit}", bytes >> shift),
        )
}

#[cfg(test)]
mod tests {
    use super::{given_size, parse_room, parse_size};

    #[test]
    fn builds_are_not_given_less_than_they_can_do_with() {
        assert_eq!(parse_room("16M"), Ok(16 << 20));
        for little in ["0", "4", "15M"] {
            assert!(parse_room(little).is_err(), "{little}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("4G"), Ok(4 << 30));
        assert_eq!(parse_size("512MiB"), Ok(512 << 20));
        assert_eq!(parse_size("17"), Ok(17));
        for text in ["300M", "4G", "1025", "3K", "2T"] {
            assert_eq!(given_size(parse_size(text).unwrap()), text);
        }
        for bad in ["", "G", "4X", "-1", "99999999999T"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
