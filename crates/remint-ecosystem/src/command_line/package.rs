//! What stands for a package on a runner's command line: `@scope/name@1.2.3`, `name[extra]==1.2.3`, a URL.

use remint_model::{Ecosystem, PackageName, Version};

use super::Wanted;
use super::beyond::{Beyond, Origin};
use super::runners::Runner;
use crate::golang::is_canonical;
use crate::pypi::requirement::{Requirement, Source};

/// The longest that is looked at: a name and a version are far shorter.
const LONGEST: usize = 512;

/// A package as a runner is given it.
pub(super) fn read(runner: &Runner, text: &str) -> Result<Wanted, Beyond> {
    let text = text.trim();
    // No program of either kind has such a package; a switch's value may have been taken for one.
    if text.is_empty()
        || text.len() > LONGEST
        || ["true", "false", "null", "always"].contains(&text)
    {
        return Err(Beyond::NotAName(runner.name()));
    }
    if let Some(origin) = origin(text, runner.ecosystem) {
        return Err(Beyond::NotReleased(origin));
    }
    let (name, version) = match runner.ecosystem {
        Ecosystem::Npm => npm(text),
        Ecosystem::Pypi => pypi(text, runner.at_is_version),
        // No runner fetches a crate or a bundle and starts it.
        Ecosystem::Cargo | Ecosystem::Mcpb => None,
        Ecosystem::Golang => golang(text),
    }
    .ok_or(Beyond::NotAName(runner.name()))?;
    let version = match version {
        Asked::Latest => None,
        Asked::Exactly(version) => Some(version),
        Asked::Range(asked) => {
            return Err(Beyond::Range {
                package: format!("{}:{name}", runner.ecosystem),
                asked,
            });
        }
    };
    Ok(Wanted {
        ecosystem: runner.ecosystem,
        name,
        version,
        runner: runner.name(),
    })
}

/// Several packages in one value: `a,b[x,y]>=1,<2`. A comma ends a package where a name follows it.
pub(super) fn listed(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut brackets = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => brackets += 1,
            ']' => brackets = brackets.saturating_sub(1),
            ',' if brackets == 0 => {
                let rest = text.get(at + 1..).unwrap_or_default();
                if rest
                    .trim_start()
                    .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/')
                {
                    parts.extend(text.get(start..at));
                    start = at + 1;
                }
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// Which version is asked for.
enum Asked {
    /// None, or `latest`.
    Latest,
    Exactly(Version),
    /// A range or a tag.
    Range(String),
}

/// Where a package comes from that no registry serves.
fn origin(text: &str, ecosystem: Ecosystem) -> Option<Origin> {
    // `name @ git+https://…`, `name@file:…`
    let place = match text.char_indices().skip(1).find(|(_, c)| *c == '@') {
        Some((at, _)) if !text.get(..at).is_some_and(|name| name.contains(':')) => {
            text.get(at + 1..).unwrap_or_default().trim_start()
        }
        Some(_) | None => text,
    };
    let places = [text, place].map(str::to_ascii_lowercase);
    if places.iter().any(|place| is_git(place)) {
        return Some(Origin::Git);
    }
    if places.iter().any(|place| is_path(place)) {
        return Some(Origin::Path);
    }
    if places.iter().any(|place| place.contains("://")) {
        return Some(Origin::Address);
    }
    let name = text.split('@').next().unwrap_or_default();
    match ecosystem {
        // Without a version go takes the package from the module that it stands in.
        Ecosystem::Golang => (name.len() == text.len()).then_some(Origin::Path),
        // `owner/name`, npm's short form for GitHub.
        Ecosystem::Npm => (name.matches('/').count() == 1).then_some(Origin::Git),
        Ecosystem::Pypi | Ecosystem::Cargo | Ecosystem::Mcpb => {
            name.contains('/').then_some(Origin::Path)
        }
    }
}

fn is_git(place: &str) -> bool {
    let hosts = ["github:", "gitlab:", "bitbucket:", "gist:", "git@"];
    let address = place.split(['#', '?']).next().unwrap_or_default();
    place.starts_with("git+")
        || place.starts_with("git:")
        || hosts.iter().any(|host| place.starts_with(host))
        || (address.contains("://") && address.ends_with(".git"))
}

fn is_path(place: &str) -> bool {
    let kinds = ["file:", "link:", "portal:", "workspace:"];
    let endings = [".tgz", ".tar.gz", ".tar", ".whl", ".zip", ".py"];
    let drive = place
        .get(1..3)
        .is_some_and(|rest| rest == ":\\" || rest == ":/");
    place.starts_with(['.', '/', '~', '\\'])
        || drive
        || kinds.iter().any(|kind| place.starts_with(kind))
        || (!place.contains("://") && endings.iter().any(|ending| place.ends_with(ending)))
}

fn npm(text: &str) -> Option<(PackageName, Asked)> {
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@');
    let (name, asked) = match at {
        Some((at, _)) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, ""),
    };
    // `alias@npm:name@1.2.3`, and yarn's `name@npm:1.2.3`.
    if let Some(behind) = asked.strip_prefix("npm:") {
        return if behind.starts_with(|c: char| c.is_ascii_digit() || "^~<>=*v".contains(c))
            && !behind.contains('@')
        {
            Some((name_of(Ecosystem::Npm, name)?, npm_version(behind)?))
        } else if behind.contains("npm:") {
            None
        } else {
            npm(behind)
        };
    }
    Some((name_of(Ecosystem::Npm, name)?, npm_version(asked)?))
}

/// `example.org/module/package@v1.2.3` (Go modules reference, "Version queries").
fn golang(text: &str) -> Option<(PackageName, Asked)> {
    let (name, asked) = text.split_once('@')?;
    let name = name_of(Ecosystem::Golang, name)?;
    let asked = match asked.parse() {
        _ if asked == "latest" => Asked::Latest,
        Ok(version) if is_canonical(asked) => Asked::Exactly(version),
        Ok(_) | Err(_) => Asked::Range(asked.chars().take(40).collect()),
    };
    Some((name, asked))
}

fn npm_version(asked: &str) -> Option<Asked> {
    let asked = asked.trim();
    if asked.is_empty() || asked == "latest" {
        return Some(Asked::Latest);
    }
    let bare = asked.trim_start_matches('=').trim();
    let bare = bare.strip_prefix('v').unwrap_or(bare);
    if nodejs_semver::Version::parse(bare).is_ok()
        && let Ok(version) = bare.parse()
    {
        return Some(Asked::Exactly(version));
    }
    range(asked)
}

fn pypi(text: &str, at_is_version: bool) -> Option<(PackageName, Asked)> {
    // A marker could make the requirement one that does not apply.
    if text.contains(';') {
        return None;
    }
    if at_is_version && let Some((name, asked)) = text.split_once('@') {
        // `name[extra]@1.2.3`
        let name = Requirement::parse(name)?;
        let plain = matches!(&name.source, Source::Versions(specifiers) if specifiers.is_empty());
        if !plain {
            return None;
        }
        let asked = asked.trim();
        let asked = match asked.parse::<pep440_rs::Version>() {
            _ if asked == "latest" => Asked::Latest,
            Ok(version) => Asked::Exactly(version.to_string().parse().ok()?),
            Err(_) => range(asked)?,
        };
        return Some((name_of(Ecosystem::Pypi, &name.name)?, asked));
    }
    let requirement = Requirement::parse(text)?;
    let name = name_of(Ecosystem::Pypi, &requirement.name)?;
    let Source::Versions(specifiers) = &requirement.source else {
        return None;
    };
    let asked = match specifiers.as_slice() {
        [] => Asked::Latest,
        [one]
            if matches!(
                one.operator(),
                pep440_rs::Operator::Equal | pep440_rs::Operator::ExactEqual
            ) =>
        {
            Asked::Exactly(one.version().to_string().parse().ok()?)
        }
        several => {
            let words: Vec<String> = several.iter().map(ToString::to_string).collect();
            range(&words.join(","))?
        }
    };
    Some((name, asked))
}

/// A range or a tag, where it is made of nothing but what ranges and tags are made of.
fn range(asked: &str) -> Option<Asked> {
    let shown = asked.len() <= 80
        && asked
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" .+-_*^~<>=!|,".contains(&b));
    shown.then(|| Asked::Range(asked.to_owned()))
}

fn name_of(ecosystem: Ecosystem, name: &str) -> Option<PackageName> {
    PackageName::parse(ecosystem, name).ok()
}
