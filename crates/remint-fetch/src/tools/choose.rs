//! Which version of a tool, and which of its files.

use std::collections::BTreeMap;
use std::fmt;

use nodejs_semver::{Range, Version as Semver};
use pep440_rs::{Version as PythonVersion, VersionSpecifiers};
use remint_ecosystem::{Platform, npm};
use remint_model::{Ecosystem, Integrity, PackageName, Tool, Version};
use url::Url;

use crate::client::Tokens;
use crate::error::FetchError;
use crate::registry::Registries;
use crate::registry::simple::{SimpleFile, SimplePage};
use crate::tools::refuse;
use crate::tools::unpack::ArchiveKind;

/// The package that a tool is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Npm {
        package: PackageName,
    },
    Pypi {
        project: PackageName,
        platform: Platform,
    },
}

impl Source {
    pub(crate) fn npm(package: &str, tool: &Tool) -> Result<Self, FetchError> {
        let package = PackageName::parse(Ecosystem::Npm, package)
            .map_err(|error| refuse(tool, &error.to_string()))?;
        Ok(Self::Npm { package })
    }

    pub(crate) fn pypi(project: &str, platform: Platform, tool: &Tool) -> Result<Self, FetchError> {
        let project = PackageName::parse(Ecosystem::Pypi, project)
            .map_err(|error| refuse(tool, &error.to_string()))?;
        Ok(Self::Pypi { project, platform })
    }

    pub(crate) const fn kind(&self) -> ArchiveKind {
        match self {
            Self::Npm { .. } => ArchiveKind::NpmTarball,
            Self::Pypi { .. } => ArchiveKind::Wheel,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Npm { package } => write!(f, "npm:{package}"),
            Self::Pypi { project, platform } => {
                write!(
                    f,
                    "pypi:{project} {}-{}",
                    platform.system, platform.processor
                )
            }
        }
    }
}

/// One file of one version.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) version: String,
    pub(crate) url: Url,
    pub(crate) integrity: Option<Integrity>,
}

/// The version, where the tool names exactly one.
pub(crate) fn exact(source: &Source, tool: &Tool) -> Option<String> {
    let text = tool.version.as_deref()?.trim();
    match source {
        Source::Npm { .. } => {
            let text = text.trim_start_matches(['v', '=']);
            let complete = text.split(['-', '+']).next()?.split('.').count() == 3;
            (complete && Semver::parse(text).is_ok()).then(|| text.to_owned())
        }
        Source::Pypi { .. } => {
            let text = text.trim_start_matches("==").trim();
            text.parse::<PythonVersion>().ok().map(|_| text.to_owned())
        }
    }
}

/// Asks the registry.
pub(crate) async fn choose(
    registries: &Registries,
    source: &Source,
    tool: &Tool,
) -> Result<Chosen, FetchError> {
    match source {
        Source::Npm { package } => choose_npm(registries, source, package, tool).await,
        Source::Pypi { project, platform } => {
            choose_wheel(registries, source, project, *platform, tool).await
        }
    }
}

async fn choose_npm(
    registries: &Registries,
    source: &Source,
    package: &PackageName,
    tool: &Tool,
) -> Result<Chosen, FetchError> {
    let exact = exact(source, tool);
    // All that is said about `npm` is tens of megabytes; one version of it is a page.
    let packument = match &exact {
        Some(version) => registries.one_version(package, version).await?,
        None => registries.packument(package, Tokens::AsConfigured).await?,
    };
    let malformed = |error| FetchError::metadata(packument.url.clone(), error);
    let version = match exact {
        Some(version) => version,
        None => {
            let latest = npm::locate::release(&packument.bytes, None).map_err(malformed)?;
            let wanted = tool.version.as_deref().map_or("latest", str::trim);
            let times = npm::locate::out_by(&packument.bytes);
            let versions = latest.versions.iter().map(Version::as_str);
            let newest = latest.version.as_str();
            best_npm(versions, wanted, tool.as_of, &times, newest)
                .ok_or_else(|| refuse(tool, &format!("no version of `{package}` fits")))?
        }
    };
    let version: Version = version
        .parse()
        .map_err(|error| refuse(tool, &format!("{error}")))?;
    let release = npm::locate::release(&packument.bytes, Some(&version)).map_err(malformed)?;
    let file = release
        .files
        .first()
        .ok_or_else(|| refuse(tool, "its registry names no file"))?;
    let url: Url = file
        .url
        .parse()
        .map_err(|error| FetchError::malformed(&file.url, "file URL", &error))?;
    Ok(Chosen {
        version: release.version.to_string(),
        url: registries.on_configured_registry(url),
        integrity: file.integrity.clone(),
    })
}

/// The newest stable version that fits and was out in time; where none was, the oldest that fits.
fn best_npm<'a>(
    versions: impl Iterator<Item = &'a str>,
    wanted: &str,
    as_of: Option<i64>,
    times: &BTreeMap<String, i64>,
    latest: &str,
) -> Option<String> {
    let any = matches!(
        wanted,
        "" | "*" | "x" | "latest" | "lts" | "lts/*" | "node" | "current"
    );
    let moment = as_of.filter(|_| !times.is_empty());
    if any && moment.is_none() {
        return Some(latest.to_owned());
    }
    let range = if any {
        Range::any()
    } else {
        Range::parse(wanted).ok()?
    };
    let mut fitting: Vec<(Semver, &str)> = versions
        .filter_map(|text| Some((Semver::parse(text).ok()?, text)))
        .filter(|(version, _)| version.satisfies(&range))
        .collect();
    fitting.sort();
    if fitting.iter().any(|(version, _)| !version.is_prerelease()) {
        fitting.retain(|(version, _)| !version.is_prerelease());
    }
    let out = |text: &str| match moment {
        Some(moment) => times.get(text).is_some_and(|time| *time <= moment),
        None => true,
    };
    fitting
        .iter()
        .rfind(|(_, text)| out(text))
        .or_else(|| fitting.first())
        .map(|(_, text)| (*text).to_owned())
}

async fn choose_wheel(
    registries: &Registries,
    source: &Source,
    project: &PackageName,
    platform: Platform,
    tool: &Tool,
) -> Result<Chosen, FetchError> {
    let (url, page) = registries
        .project_page(project, Tokens::AsConfigured)
        .await?;
    let page = SimplePage::read(&page.bytes, page.media_type.as_deref(), &url)?;
    let mut wheels: Vec<(PythonVersion, u8, &SimpleFile)> = page
        .files
        .iter()
        .filter_map(|file| {
            let version = file.version(project)?.parse().ok()?;
            Some((version, rank(&file.filename, platform)?, file))
        })
        .collect();
    if wheels.is_empty() {
        return Err(refuse(
            tool,
            &format!("`{project}` has no wheel for this platform"),
        ));
    }
    wheels.sort_by(|(one, rank, _), (other, other_rank, _)| (one, rank).cmp(&(other, other_rank)));
    let fitting: Vec<&(PythonVersion, u8, &SimpleFile)> = match exact(source, tool) {
        Some(version) => {
            let version: PythonVersion = version
                .parse()
                .map_err(|error| refuse(tool, &format!("{error}")))?;
            wheels
                .iter()
                .filter(|(found, ..)| *found == version)
                .collect()
        }
        None => {
            let text = tool.version.as_deref().map_or("", str::trim);
            let text = if matches!(text, "latest" | "*") {
                ""
            } else {
                text
            };
            let range: VersionSpecifiers = text
                .parse()
                .map_err(|error| refuse(tool, &format!("{error}")))?;
            wheels
                .iter()
                .filter(|(version, _, file)| {
                    version.is_stable() && !file.is_yanked() && range.contains(version)
                })
                .collect()
        }
    };
    let told = exact(source, tool).is_none() && page.times_are_plausible(project);
    let out = |file: &SimpleFile| match (tool.as_of, file.uploaded()) {
        (Some(moment), Some(uploaded)) if told => uploaded <= moment,
        _ => true,
    };
    let (_, _, file) = fitting
        .iter()
        .rfind(|(_, _, file)| out(file))
        .or_else(|| fitting.first())
        .ok_or_else(|| refuse(tool, &format!("no version of `{project}` fits")))?;
    let url = file
        .url
        .parse()
        .map_err(|error| FetchError::malformed(&file.url, "file URL", &error))?;
    Ok(Chosen {
        version: file.version(project).unwrap_or_default().to_owned(),
        url,
        integrity: file.sha256().map(Integrity::Sha256),
    })
}

/// How well a wheel suits the platform, the higher the better; `None` where it does not run.
fn rank(file: &str, platform: Platform) -> Option<u8> {
    let tags = file.strip_suffix(".whl")?.rsplit('-').next()?;
    let machines: &[&str] = match (platform.system, platform.processor) {
        ("linux", "x64") => &["x86_64"],
        ("linux", "arm64") => &["aarch64"],
        ("darwin", "x64") => &["x86_64", "universal2"],
        ("darwin", "arm64") => &["arm64", "universal2"],
        _ => return None,
    };
    tags.split('.')
        .filter(|tag| machines.iter().any(|machine| tag.ends_with(machine)))
        .filter_map(|tag| match platform.system {
            "linux" if tag.starts_with("manylinux") => Some(3),
            // Statically linked, so it runs with any libc.
            "linux" if tag.starts_with("musllinux") => Some(1),
            "darwin" if tag.starts_with("macosx") => Some(3),
            _ => None,
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_means_the_newest_that_was_out() {
        let versions = ["1.0.0", "1.1.0", "1.2.0-beta.1", "1.2.0", "2.0.0", "odd"];
        let times: BTreeMap<String, i64> =
            [("1.0.0", 10), ("1.1.0", 20), ("1.2.0", 30), ("2.0.0", 40)]
                .iter()
                .map(|(version, time)| ((*version).to_owned(), *time))
                .collect();
        let none = BTreeMap::new();
        let check = |wanted: &str, as_of: Option<i64>, times: &_, expect: Option<&str>| {
            let found = best_npm(versions.into_iter(), wanted, as_of, times, "2.0.0");
            assert_eq!(found.as_deref(), expect, "{wanted} {as_of:?}");
        };
        check("^1.0.0", Some(25), &times, Some("1.1.0"));
        check("^1.0.0", None, &times, Some("1.2.0"));
        check("^1.0.0", Some(25), &none, Some("1.2.0"));
        check("latest", Some(35), &times, Some("1.2.0"));
        check("latest", Some(35), &none, Some("2.0.0"));
        check(">=2", Some(5), &times, Some("2.0.0"));
        check("1", Some(1), &times, Some("1.0.0"));
        check("^3", None, &none, None);
        check("not a range", None, &none, None);
    }

    #[test]
    fn the_wheel_of_this_platform_is_taken() {
        let linux = Platform {
            system: "linux",
            processor: "x64",
        };
        for (file, expect) in [
            (
                "uv-0.9.7-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                Some(3),
            ),
            ("uv-0.9.7-py3-none-musllinux_1_1_x86_64.whl", Some(1)),
            ("uv-0.9.7-py3-none-manylinux_2_17_i686.whl", None),
            ("uv-0.9.7-py3-none-macosx_10_12_x86_64.whl", None),
            ("uv-0.9.7-py3-none-win_amd64.whl", None),
            ("uv-0.9.7.tar.gz", None),
        ] {
            assert_eq!(rank(file, linux), expect, "{file}");
        }
    }
}
