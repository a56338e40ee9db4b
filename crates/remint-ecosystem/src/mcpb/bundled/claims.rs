//! What a bundle says it holds: read from the `package.json` of each folder of `node_modules`, and from what installers of
//! Python's packages write beside them.

use std::collections::{BTreeSet, HashMap};

use remint_model::{Ecosystem, EntryPath, Survey};

use super::places::{innermost, is_package_name};
use super::records::listed;
use super::{Bundled, BundledPackage};
use crate::npm::manifest::Manifest;
use crate::pypi::metadata::Metadata;
use crate::release::StatedVersion;

/// Lines of a RECORD that are read.
const MOST_RECORDED: usize = 100_000;
/// Lines of all RECORDs together.
const MOST_RECORDED_IN_ALL: usize = 2_000_000;

/// The packages that a bundle says it holds.
#[must_use]
pub fn bundled(survey: &Survey) -> Bundled {
    let mut bundled = Bundled::default();
    let texts = texts(survey);
    let mut room = MOST_RECORDED_IN_ALL;
    for (path, content) in &survey.texts {
        if path.file_name() == "package.json" {
            add_node(&mut bundled, path, content);
        } else if path.file_name() == "METADATA" {
            add_python(&mut bundled, &texts, &mut room, path, content);
        }
    }
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

fn add_node(bundled: &mut Bundled, path: &EntryPath, content: &[u8]) {
    let Some(folder) = path.parent() else {
        return;
    };
    let Some((_, named)) = innermost(folder.as_str()) else {
        return;
    };
    // `node_modules/name/lib/package.json` is a file of that package.
    if !is_package_name(named) {
        return;
    }
    let identity = Manifest::parse(path.as_str(), content).map(|manifest| manifest.identity());
    let (name, version) = match identity {
        Ok(identity) => match (identity.name, identity.version) {
            (Some(name), StatedVersion::Exact(version) | StatedVersion::Placeholder(version)) => {
                (name, version)
            }
            _ => {
                let why = "its package.json names no package and version";
                bundled.misnamed.insert(folder, why.to_owned());
                return;
            }
        },
        Err(error) => {
            bundled.misnamed.insert(folder, error.to_string());
            return;
        }
    };
    if name.as_str() != named {
        let why =
            format!("its package.json says that it is `{name}`, which is not the folder's name");
        bundled.misnamed.insert(folder, why);
        return;
    }
    match version.parse() {
        Ok(version) => bundled.packages.push(BundledPackage {
            ecosystem: Ecosystem::Npm,
            name,
            version,
            folder,
            tags: Vec::new(),
            recorded: BTreeSet::new(),
        }),
        Err(error) => {
            bundled.misnamed.insert(folder, error.to_string());
        }
    }
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
    });
}
