//! The dependencies inside of a bundle: which package each of their files would belong to, and whether the
//! registry's own file of that package has it, byte for byte.
//!
//! What a bundle says of itself only decides which package is asked for. A folder that bears another name than the
//! package in it is no package: code asks for it by the folder's name. It is one where a file that is itself the
//! registry's, or the project's own, gives the package that name.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use remint_model::{
    AttributedPackage, Class, Ecosystem, EntryPath, Integrity, PackageName, Sha256, Survey,
    Unattributed, UnattributedFile, Version,
};

use self::claims::{Texts, texts};
use self::places::{Index, Place, is_command};
use self::records::no_record;
use self::registry_files::{Digests, Limits, Refusal, attributed, choose, standing};

pub use self::claims::{bundled, bundled_with_aliases};

mod aliases;
mod claims;
mod places;
mod records;
mod registry_files;

/// Releases that are looked up at most.
pub const MOST_RELEASES: usize = 2000;
/// Packages that are looked up at most; one release may lie in many folders.
pub const MOST_PACKAGES: usize = 20_000;
/// Files of registries that are looked for at most.
const MOST_WORK: u64 = 10_000_000;

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
    /// Where it lies in a folder of another name, the files that give it that name: their places among all that give any.
    declared_in: Vec<usize>,
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
    /// The files that give packages other names.
    declaring: Vec<EntryPath>,
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
    /// Files that a package manager made of what it installed: its notes, and commands.
    pub records: usize,
    /// Which of these are notes.
    pub recorded: BTreeSet<EntryPath>,
    /// The files that are a registry's, each with the place of its package among those that were asked for.
    pub held: BTreeMap<EntryPath, usize>,
    /// Files that belong to no dependency.
    pub own: BTreeSet<EntryPath>,
}

impl Bundled {
    /// Says for every file of the bundle where it comes from. There is one answer for each package, in their order.
    #[must_use]
    pub fn attribute<A: Borrow<Answer>>(&self, survey: &Survey, answers: &[A]) -> Attribution {
        let limits = Limits {
            packages: MOST_PACKAGES,
            work: MOST_WORK,
        };
        self.attribute_within(survey, answers, limits)
    }

    fn attribute_within<A: Borrow<Answer>>(
        &self,
        survey: &Survey,
        answers: &[A],
        limits: Limits,
    ) -> Attribution {
        let mut attribution = Attribution::default();
        let entries = survey.entries.iter();
        let digests: Digests<'_> = entries
            .map(|entry| (entry.path.as_str(), &entry.sha256))
            .collect();
        let mut work = limits.work;
        let chosen: Vec<Result<&RegistryFile, Refusal>> = self
            .packages
            .iter()
            .enumerate()
            .map(|(at, package)| {
                let answer = answers.get(at).filter(|_| at < limits.packages);
                choose(package, answer.map(Borrow::borrow), &digests, &mut work)
            })
            .collect();
        let index = Index::of(self);
        let texts = texts(survey);
        let undeclared = self.undeclared(&index, &chosen, &digests, &texts);
        let mut counts = vec![0_usize; self.packages.len()];
        let mut commands = Vec::new();
        let mut executables: BTreeMap<&Sha256, usize> = BTreeMap::new();
        for entry in &survey.entries {
            let candidates = match index.place(&entry.path) {
                Place::Own => {
                    attribution.own.insert(entry.path.clone());
                    continue;
                }
                Place::Record
                    if let Some(why) = no_record(
                        entry,
                        survey.native.contains_key(&entry.path),
                        texts.get(entry.path.as_str()).copied(),
                    ) =>
                {
                    let why = why.to_owned();
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
                let (Some(package), Some(file)) = (self.packages.get(*at), chosen.get(*at)) else {
                    continue;
                };
                let text = texts.get(entry.path.as_str()).copied();
                let stands = match undeclared.get(at) {
                    Some(why) => Err((Unattributed::UnknownPackage, why.clone())),
                    None => file.as_ref().map_err(Clone::clone),
                };
                match stands.and_then(|file| standing(package, file, text, inside, &entry.sha256)) {
                    Ok(()) => {
                        found = Some(*at);
                        break;
                    }
                    Err(why) => refused = refused.or(Some((package.label(), why))),
                }
            }
            match (found, refused) {
                (Some(at), _) => {
                    executables.insert(&entry.sha256, at);
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
            if let Some(at) = executables.get(sha256) {
                attribution.records += 1;
                attribution.held.insert(file.path, *at);
            } else {
                attribution.unattributed.push(file);
            }
        }
        for file in &mut attribution.unattributed {
            explain_compiled(file);
        }
        attribution.unattributed.sort();
        attribution.packages = attributed(&self.packages, &counts, &chosen, &digests);
        attribution
    }

    /// The packages that lie under another name which nothing gives them that is held against anything, and why not. A
    /// package that itself lies under another name gives none.
    fn undeclared(
        &self,
        index: &Index<'_>,
        chosen: &[Result<&RegistryFile, Refusal>],
        digests: &Digests<'_>,
        texts: &Texts<'_>,
    ) -> BTreeMap<usize, String> {
        let is_held = |path: &EntryPath| {
            let candidates = match index.place(path) {
                Place::Own => return true,
                Place::Packages(candidates) => candidates,
                Place::Record | Place::Nobody(_) => return false,
            };
            candidates.iter().any(|(at, inside)| {
                let (Some(package), Some(Ok(file)), Some(sha256)) = (
                    self.packages.get(*at),
                    chosen.get(*at),
                    digests.get(path.as_str()),
                ) else {
                    return false;
                };
                let text = texts.get(path.as_str()).copied();
                package.declared_in.is_empty()
                    && standing(package, file, text, inside, sha256).is_ok()
            })
        };
        // One file can name many.
        let held: Vec<bool> = self.declaring.iter().map(is_held).collect();
        let renamed = self.packages.iter().enumerate();
        renamed
            .filter(|(_, package)| !package.declared_in.is_empty())
            .filter(|(_, package)| {
                let mut declaring = package.declared_in.iter();
                !declaring.any(|at| held.get(*at) == Some(&true))
            })
            .map(|(at, package)| {
                let why = format!(
                    "its package.json says that it is `{}`, which is not the folder's name, and no package.json that a registry or the project has gives it that name",
                    package.name
                );
                (at, why)
            })
            .collect()
    }
}

/// Says of compiled Python why it is not accounted for even where it is honest.
fn explain_compiled(file: &mut UnattributedFile) {
    let is_made_on_the_spot = match file.reason {
        Unattributed::Extra | Unattributed::UnknownPackage => true,
        Unattributed::Differs | Unattributed::Unreachable | Unattributed::BeyondLimits => false,
    };
    if is_made_on_the_spot && file.path.extension() == Some("pyc") {
        file.detail.push_str(
            "; compiled Python is not held against the source beside it, and would be made again when it is missing: leave it out of the bundle",
        );
    }
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

#[cfg(test)]
mod tests;
