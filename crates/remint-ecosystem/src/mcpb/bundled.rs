//! The dependencies inside of a bundle: which package each of their files would belong to, and whether the
//! registry's own file of that package has it, byte for byte.
//!
//! What a bundle says of itself only decides which package is asked for. A folder that bears another name than the
//! package in it is no package: code asks for it by the folder's name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use remint_model::{
    AttributedPackage, Class, Ecosystem, EntryPath, Integrity, PackageName, Sha256, Survey,
    Unattributed, UnattributedFile, Version,
};
use serde_json::{Map, Value};

use self::places::{Index, Place, innermost, is_command, is_package_name};
use super::packing::Packing;
use crate::npm::manifest::{Manifest, parse_json};
use crate::pypi::metadata::Metadata;
use crate::release::StatedVersion;

mod places;

/// Packages that are looked up at most.
pub const MOST_PACKAGES: usize = 2000;
/// Lines of a RECORD that are read.
const MOST_RECORDED: usize = 100_000;
/// Lines of all RECORDs together.
const MOST_RECORDED_IN_ALL: usize = 2_000_000;

/// A package that a bundle says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledPackage {
    /// Whose registry.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// `…/node_modules/name`, or the folder that Python's packages are installed to.
    pub folder: EntryPath,
    /// The tags of the wheel that it says it was installed from.
    pub tags: Vec<String>,
    /// The files that its RECORD lists, below the folder.
    recorded: BTreeSet<String>,
}

impl BundledPackage {
    /// `name@version`
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// All packages of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundled {
    /// In the order of their folders.
    pub packages: Vec<BundledPackage>,
    /// Folders of `node_modules` that are no package, and why.
    misnamed: BTreeMap<EntryPath, String>,
    /// Folders that Python's packages are installed to, with the names at their top that belong to packages.
    sites: BTreeMap<EntryPath, BTreeSet<String>>,
}

/// What a registry has for a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Its files; of a Python release, those of every wheel that was looked at. At least one.
    Files(Vec<RegistryFile>),
    /// The registry has no such package or version, or nothing that could be compared.
    Unknown(String),
    /// No answer.
    Unreachable(String),
    /// It was not asked for.
    BeyondLimits,
}

/// What is in a registry's file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryFile {
    /// What the registry declares for it, which it has.
    pub integrity: Option<Integrity>,
    /// Its contents.
    pub contents: BTreeMap<EntryPath, Sha256>,
    /// Its `package.json`.
    pub manifest: Option<Vec<u8>>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// Packages with at least one file that is the registry's.
    pub packages: Vec<AttributedPackage>,
    /// Files that no registry accounts for.
    pub unattributed: Vec<UnattributedFile>,
    /// Files that only record what a package manager installed.
    pub records: usize,
    /// Which files these are.
    pub recorded: BTreeSet<EntryPath>,
    /// The files that are a registry's, each with the place of its package among those that were asked for.
    pub held: BTreeMap<EntryPath, usize>,
    /// Files that belong to no dependency.
    pub own: BTreeSet<EntryPath>,
}

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
type Texts<'s> = HashMap<&'s str, &'s [u8]>;

fn texts(survey: &Survey) -> Texts<'_> {
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
    let recorded: BTreeSet<String> = beside("RECORD")
        .unwrap_or_default()
        .lines()
        .take(MOST_RECORDED.min(*room))
        .filter_map(|line| line.split(',').next())
        .map(|name| name.trim_matches('"').to_owned())
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

impl Bundled {
    /// Says for every file of the bundle where it comes from. There is one answer for each package, in their order.
    #[must_use]
    pub fn attribute(&self, survey: &Survey, answers: &[Answer]) -> Attribution {
        let mut attribution = Attribution::default();
        let digests: BTreeMap<&EntryPath, &Sha256> = survey
            .entries
            .iter()
            .map(|entry| (&entry.path, &entry.sha256))
            .collect();
        let chosen: Vec<Option<&RegistryFile>> = self
            .packages
            .iter()
            .zip(answers)
            .map(|(package, answer)| closest(package, answer, &digests))
            .collect();
        let index = Index::of(self);
        let spoilt_lists = spoilt_lists(survey);
        let texts = texts(survey);
        let mut counts = vec![0_usize; self.packages.len()];
        let mut commands = Vec::new();
        let mut executables: BTreeSet<&Sha256> = BTreeSet::new();
        for entry in &survey.entries {
            let candidates = match index.place(&entry.path) {
                Place::Own => {
                    attribution.own.insert(entry.path.clone());
                    continue;
                }
                Place::Record if let Some(why) = no_record(survey, &spoilt_lists, &entry.path) => {
                    let file =
                        unattributed(survey, &entry.path, None, Unattributed::UnknownPackage, why);
                    attribution.unattributed.push(file);
                    continue;
                }
                Place::Record => {
                    attribution.records += 1;
                    attribution.recorded.insert(entry.path.clone());
                    continue;
                }
                Place::Packages(candidates) => candidates,
                Place::Nobody(why) => {
                    let file =
                        unattributed(survey, &entry.path, None, Unattributed::UnknownPackage, why);
                    // Known only when every package has been seen.
                    if is_command(&entry.path) {
                        commands.push((&entry.sha256, file));
                    } else {
                        attribution.unattributed.push(file);
                    }
                    continue;
                }
            };
            let mut refused = None;
            let mut found = None;
            for (at, inside) in &candidates {
                let (Some(package), Some(answer)) = (self.packages.get(*at), answers.get(*at))
                else {
                    continue;
                };
                let file = chosen.get(*at).copied().flatten();
                match standing(
                    package,
                    answer,
                    file,
                    texts.get(entry.path.as_str()).copied(),
                    inside,
                    &entry.sha256,
                ) {
                    Ok(()) => {
                        found = Some(*at);
                        break;
                    }
                    Err(why) => refused = refused.or(Some((package.label(), why))),
                }
            }
            match (found, refused) {
                (Some(at), _) => {
                    executables.insert(&entry.sha256);
                    attribution.held.insert(entry.path.clone(), at);
                    if let Some(count) = counts.get_mut(at) {
                        *count += 1;
                    }
                }
                (None, Some((label, (reason, detail)))) => attribution.unattributed.push(
                    unattributed(survey, &entry.path, Some(label), reason, detail),
                ),
                (None, None) => attribution.unattributed.push(unattributed(
                    survey,
                    &entry.path,
                    None,
                    Unattributed::UnknownPackage,
                    "no package claims it".to_owned(),
                )),
            }
        }
        for (sha256, file) in commands {
            // Links in `.bin` are packed as what they lead to.
            if executables.contains(sha256) {
                attribution.records += 1;
                attribution.recorded.insert(file.path);
            } else {
                attribution.unattributed.push(file);
            }
        }
        attribution.unattributed.sort();
        attribution.packages = self.attributed(&counts, &chosen, &digests);
        attribution
    }

    fn attributed(
        &self,
        counts: &[usize],
        chosen: &[Option<&RegistryFile>],
        digests: &BTreeMap<&EntryPath, &Sha256>,
    ) -> Vec<AttributedPackage> {
        let usual = Packing::usual();
        self.packages
            .iter()
            .zip(counts)
            .zip(chosen)
            .filter(|((_, files), _)| **files > 0)
            .filter_map(|((package, files), file)| {
                let file = (*file)?;
                let left_out = file
                    .contents
                    .keys()
                    .filter(|inside| usual.takes(inside))
                    .filter(|inside| !is_of_wheel(inside))
                    .filter(|inside| {
                        package
                            .folder
                            .join(inside.as_str())
                            .is_ok_and(|path| !digests.contains_key(&path))
                    })
                    .count();
                Some(AttributedPackage {
                    ecosystem: package.ecosystem,
                    name: package.name.clone(),
                    version: package.version.clone(),
                    folder: package.folder.clone(),
                    integrity: file.integrity.clone(),
                    files: *files,
                    left_out,
                })
            })
            .collect()
    }
}

/// Of several files that a registry has, the one that the bundle has most of.
fn closest<'a>(
    package: &BundledPackage,
    answer: &'a Answer,
    digests: &BTreeMap<&EntryPath, &Sha256>,
) -> Option<&'a RegistryFile> {
    let Answer::Files(files) = answer else {
        return None;
    };
    files.iter().max_by_key(|file| {
        file.contents
            .iter()
            .filter(|(inside, sha256)| {
                package
                    .folder
                    .join(inside.as_str())
                    .is_ok_and(|path| digests.get(&path) == Some(sha256))
            })
            .count()
    })
}

/// Whether the registry's file has this very file; else why not.
fn standing(
    package: &BundledPackage,
    answer: &Answer,
    file: Option<&RegistryFile>,
    text: Option<&[u8]>,
    inside: &EntryPath,
    sha256: &Sha256,
) -> Result<(), (Unattributed, String)> {
    let label = package.label();
    let file = match (answer, file) {
        (Answer::Files(_), Some(file)) => file,
        (Answer::Files(_), None) => {
            return Err((Unattributed::UnknownPackage, format!("{label} has no file")));
        }
        (Answer::Unknown(why), _) => return Err((Unattributed::UnknownPackage, why.clone())),
        (Answer::Unreachable(why), _) => return Err((Unattributed::Unreachable, why.clone())),
        (Answer::BeyondLimits, _) => {
            let why = "the bundle holds more packages or bytes than are looked up";
            return Err((Unattributed::BeyondLimits, why.to_owned()));
        }
    };
    match file.contents.get(inside) {
        Some(registry) if registry == sha256 => Ok(()),
        Some(_) if inside.as_str() == "package.json" && is_annotated(text, file) => Ok(()),
        Some(_) => Err((
            Unattributed::Differs,
            format!("the registry's {label} has another content there"),
        )),
        None => Err((
            Unattributed::Extra,
            format!("the registry's {label} has no such file"),
        )),
    }
}

/// Old versions of npm wrote notes of their own, under names that begin with `_`, into every `package.json` that they
/// installed.
fn is_annotated(bundled: Option<&[u8]>, file: &RegistryFile) -> bool {
    let (Some(bundled), Some(published)) = (bundled, &file.manifest) else {
        return false;
    };
    let without_notes = |content: &[u8]| -> Option<Value> {
        let mut manifest = parse_json(content).ok()?;
        let fields = manifest.as_object_mut()?;
        fields.retain(|name, _| !name.starts_with('_'));
        for noted in ["bundleDependencies", "deprecated"] {
            if fields.get(noted) == Some(&Value::Bool(false)) {
                fields.remove(noted);
            }
        }
        fields.sort_keys();
        Some(manifest)
    };
    match (without_notes(bundled), without_notes(published)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// What npm writes into `node_modules`.
const NPM_LIST: &str = ".package-lock.json";

/// What has the name of npm's list, and can be read as none.
fn spoilt_lists(survey: &Survey) -> BTreeSet<&EntryPath> {
    survey
        .texts
        .iter()
        .filter(|(path, content)| {
            path.file_name() == NPM_LIST
                && serde_json::from_slice::<Map<String, Value>>(content).is_err()
        })
        .map(|(path, _)| path)
        .collect()
}

/// Why a file is not what its name says, a package manager's record. Nothing else looks into records.
fn no_record(
    survey: &Survey,
    spoilt_lists: &BTreeSet<&EntryPath>,
    path: &EntryPath,
) -> Option<String> {
    if survey.native.contains_key(path) {
        return Some("it is machine code under the name of a package manager's record".to_owned());
    }
    (spoilt_lists.contains(path))
        .then(|| "it has the name of npm's own list, and cannot be read as one".to_owned())
}

fn unattributed(
    survey: &Survey,
    path: &EntryPath,
    package: Option<String>,
    reason: Unattributed,
    detail: String,
) -> UnattributedFile {
    UnattributedFile {
        class: survey.classes.get(path).copied().unwrap_or(Class::Data),
        path: path.clone(),
        package,
        reason,
        detail,
    }
}

/// What a wheel holds and installing puts elsewhere.
fn is_of_wheel(inside: &EntryPath) -> bool {
    let top = inside.as_str().split('/').next().unwrap_or_default();
    top.ends_with(".dist-info") || top.ends_with(".data")
}

#[cfg(test)]
mod tests;
