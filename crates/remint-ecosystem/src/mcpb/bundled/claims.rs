//! What a bundle says it holds: read from the `package.json` of each folder of `node_modules`, and from what installers of
//! Python's packages write beside them.

use std::collections::{BTreeSet, HashMap};

use remint_model::{Ecosystem, EntryPath, Survey, Version};

use super::aliases::Aliases;
use super::places::{innermost, is_package_name};
use super::records::listed;
use super::{Bundled, BundledPackage};
use crate::npm::manifest::Manifest;
use crate::pypi::metadata::Metadata;
use crate::release::{MetadataError, StatedVersion};

/// Lines of a RECORD that are read.
const MOST_RECORDED: usize = 100_000;
/// Lines of all RECORDs together.
const MOST_RECORDED_IN_ALL: usize = 2_000_000;

/// The packages that a bundle says it holds. A folder with another name than the package in it is no package.
#[must_use]
pub fn bundled(survey: &Survey) -> Bundled {
    read(survey, None)
}

/// The same where a package may lie in a folder of another name if a `package.json` asks for it by that name
/// (`"a": "npm:b@1"`). Who asks has to be held against something itself, and what it gets against a lockfile.
#[must_use]
pub fn bundled_with_aliases(survey: &Survey) -> Bundled {
    read(survey, Some(Aliases::default()))
}

fn read(survey: &Survey, mut aliases: Option<Aliases>) -> Bundled {
    let mut bundled = Bundled::default();
    let texts = texts(survey);
    let mut room = MOST_RECORDED_IN_ALL;
    let mut renamed = Vec::new();
    for (path, content) in &survey.texts {
        if path.file_name() == "package.json" {
            let manifest = Manifest::parse(path.as_str(), content);
            if let (Some(aliases), Ok(manifest)) = (&mut aliases, &manifest) {
                aliases.add(path, manifest);
            }
            renamed.extend(add_node(&mut bundled, path, manifest));
        } else if path.file_name() == "METADATA" {
            add_python(&mut bundled, &texts, &mut room, path, content);
        }
    }
    for mut package in renamed {
        package.declared_in = match &aliases {
            Some(aliases) => {
                aliases.declaring(&package.folder, &package.name, package.version.as_str())
            }
            None => Vec::new(),
        };
        if package.declared_in.is_empty() {
            let why = format!(
                "its package.json says that it is `{}`, which is not the folder's name",
                package.name
            );
            bundled.misnamed.insert(package.folder, why);
        } else {
            bundled.packages.push(package);
        }
    }
    bundled.declaring = aliases.unwrap_or_default().files;
    bundled
        .packages
        .sort_by(|one, other| (&one.folder, &one.name).cmp(&(&other.folder, &other.name)));
    bundled
}

/// The kept texts by path: there may be as many as files.
pub(super) type Texts<'s> = HashMap<&'s str, &'s [u8]>;

pub(super) fn texts(survey: &Survey) -> Texts<'_> {
    // Of two with one path the first, as a survey itself takes it.
    let texts = survey.texts.iter().rev();
    texts
        .map(|(path, content)| (path.as_str(), content.as_slice()))
        .collect()
}

/// Adds the package that a `package.json` is of; one that lies in a folder of another name is given back.
fn add_node(
    bundled: &mut Bundled,
    path: &EntryPath,
    manifest: Result<Manifest, MetadataError>,
) -> Option<BundledPackage> {
    let folder = path.parent()?;
    let (_, named) = innermost(folder.as_str())?;
    // `node_modules/name/lib/package.json` is a file of that package.
    if !is_package_name(named) {
        return None;
    }
    let (name, version) = match manifest.map(|manifest| manifest.identity()) {
        Ok(identity) => match (identity.name, identity.version) {
            (Some(name), StatedVersion::Exact(version) | StatedVersion::Placeholder(version)) => {
                (name, version)
            }
            _ => {
                let why = "its package.json names no package and version";
                bundled.misnamed.insert(folder, why.to_owned());
                return None;
            }
        },
        Err(error) => {
            bundled.misnamed.insert(folder, error.to_string());
            return None;
        }
    };
    let version = match version.parse::<Version>() {
        Ok(version) => version,
        Err(error) => {
            bundled.misnamed.insert(folder, error.to_string());
            return None;
        }
    };
    let is_renamed = name.as_str() != named;
    let package = BundledPackage {
        ecosystem: Ecosystem::Npm,
        name,
        version,
        folder,
        tags: Vec::new(),
        recorded: BTreeSet::new(),
        declared_in: Vec::new(),
    };
    if is_renamed {
        return Some(package);
    }
    bundled.packages.push(package);
    None
}

fn add_python(
    bundled: &mut Bundled,
    texts: &Texts<'_>,
    room: &mut usize,
    path: &EntryPath,
    content: &[u8],
) {
    let Some(information) = path.parent() else {
        return;
    };
    // At the top of a bundle there would be no folder that its own files could lie beside.
    let Some(site) = information.parent() else {
        return;
    };
    let beside = |name: &str| {
        let text = *texts.get(&*format!("{information}/{name}"))?;
        std::str::from_utf8(text).ok()
    };
    let recorded: BTreeSet<String> = listed(beside("RECORD").unwrap_or_default())
        .take(MOST_RECORDED.min(*room))
        .collect();
    *room -= recorded.len();
    let tops = bundled.sites.entry(site.clone()).or_default();
    tops.extend(
        recorded
            .iter()
            .filter_map(|name| name.split_once('/').map(|(top, _)| top.to_owned()))
            .filter(|top| top != ".."),
    );
    tops.insert(information.file_name().to_owned());
    let identity = Metadata::parse(path.as_str(), content).and_then(|metadata| metadata.identity());
    let Ok(identity) = identity else {
        return;
    };
    let StatedVersion::Exact(version) = identity.version else {
        return;
    };
    let (Some(name), Ok(version)) = (identity.name, version.parse()) else {
        return;
    };
    let tags = beside("WHEEL")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.strip_prefix("Tag:"))
        .map(|tag| tag.trim().to_owned())
        .take(64)
        .collect();
    bundled.packages.push(BundledPackage {
        ecosystem: Ecosystem::Pypi,
        name,
        version,
        folder: site,
        tags,
        recorded,
        declared_in: Vec::new(),
    });
}
