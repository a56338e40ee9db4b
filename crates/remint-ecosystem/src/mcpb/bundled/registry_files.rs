//! A package's files in a bundle against those of the registry's file of it.

use std::collections::HashMap;

use remint_model::{AttributedPackage, EntryPath, Sha256, Unattributed};
use serde_json::{Map, Value};

use super::{Answer, BundledPackage, RegistryFile};
use crate::mcpb::packing::Packing;
use crate::npm::manifest::parse_json;

/// Bytes of a `package.json` that are read in the time that looking for one file takes.
const READ_AT_ONCE: usize = 128;

/// The contents of a bundle, by path.
pub(super) type Digests<'s> = HashMap<&'s str, &'s Sha256>;

/// Why a file is not the registry's.
pub(super) type Refusal = (Unattributed, String);

/// How much is held against what registries have. A release may lie in any number of folders, and each is looked through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Packages, also of one release.
    pub(super) packages: usize,
    /// Files of registries that are looked for in the bundle.
    pub(super) work: u64,
}

/// The registry's file that a package is held against, or why there is none. Of several that a registry has it is the one
/// that the bundle has most of.
pub(super) fn choose<'a>(
    package: &BundledPackage,
    answer: Option<&'a Answer>,
    digests: &Digests<'_>,
    work: &mut u64,
) -> Result<&'a RegistryFile, Refusal> {
    let beyond = || {
        let why = "there are more packages, bytes or files of packages than are looked up";
        (Unattributed::BeyondLimits, why.to_owned())
    };
    let files = match answer {
        Some(Answer::Files(files)) => files,
        Some(Answer::Unknown(why)) => return Err((Unattributed::UnknownPackage, why.clone())),
        Some(Answer::Unreachable(why)) => return Err((Unattributed::Unreachable, why.clone())),
        Some(Answer::BeyondLimits) | None => return Err(beyond()),
    };
    *work = work.checked_sub(cost(files)).ok_or_else(beyond)?;
    let found = match &**files {
        [only] => Some(only),
        files => files
            .iter()
            .max_by_key(|file| common(package, file, digests)),
    };
    found.ok_or_else(|| {
        let why = format!("{} has no file", package.label());
        (Unattributed::UnknownPackage, why)
    })
}

/// What all that is done for one package takes, in files that are looked for.
fn cost(files: &[RegistryFile]) -> u64 {
    // One look for choosing, and one for what is left out.
    let costs = files.iter().map(|file| {
        let manifest = file.manifest.as_ref().map_or(0, Vec::len) / READ_AT_ONCE;
        (2 * file.contents.len() + manifest) as u64
    });
    costs.fold(1, u64::saturating_add)
}

fn common(package: &BundledPackage, file: &RegistryFile, digests: &Digests<'_>) -> usize {
    let same = file.contents.iter().filter(|(inside, sha256)| {
        let path = format!("{}/{inside}", package.folder);
        digests.get(&*path) == Some(sha256)
    });
    same.count()
}

/// Whether the registry's file has this very file; else why not.
pub(super) fn standing(
    package: &BundledPackage,
    file: &RegistryFile,
    text: Option<&[u8]>,
    inside: &EntryPath,
    sha256: &Sha256,
) -> Result<(), Refusal> {
    let label = package.label();
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

/// What the same versions of npm sorted: lists that only package managers read, each by its names.
const SORTED: [&str; 5] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "engines",
    "scripts",
];

/// Old versions of npm wrote notes of their own, under names that begin with `_`, into every `package.json` that they
/// installed. Where there is none, the file was changed by something else.
fn is_annotated(bundled: Option<&[u8]>, file: &RegistryFile) -> bool {
    let (Some(bundled), Some(published)) = (bundled, &file.manifest) else {
        return false;
    };
    let parsed = |content: &[u8]| match parse_json(content) {
        Ok(Value::Object(fields)) => Some(fields),
        Ok(_) | Err(_) => None,
    };
    match (parsed(bundled), parsed(published)) {
        (Some(bundled), Some(published)) => {
            bundled.keys().any(|name| name.starts_with('_'))
                && without_notes(bundled) == without_notes(published)
        }
        _ => false,
    }
}

/// A manifest's text without notes. Below its top the order of names counts: node takes the first condition of
/// `exports` that applies.
fn without_notes(mut fields: Map<String, Value>) -> String {
    fields.retain(|name, _| !name.starts_with('_'));
    for noted in ["bundleDependencies", "deprecated"] {
        if fields.get(noted) == Some(&Value::Bool(false)) {
            fields.remove(noted);
        }
    }
    for list in SORTED {
        if let Some(Value::Object(list)) = fields.get_mut(list) {
            list.sort_keys();
        }
    }
    fields.sort_keys();
    Value::Object(fields).to_string()
}

/// The packages with at least one file that is the registry's. There is a count and a file of the registry for each.
pub(super) fn attributed(
    packages: &[BundledPackage],
    counts: &[usize],
    chosen: &[Result<&RegistryFile, Refusal>],
    digests: &Digests<'_>,
) -> Vec<AttributedPackage> {
    let usual = Packing::usual();
    // Many packages may share one file of a registry.
    let mut packed: HashMap<*const RegistryFile, Vec<&EntryPath>> = HashMap::new();
    packages
        .iter()
        .zip(counts)
        .zip(chosen)
        .filter(|((_, files), _)| **files > 0)
        .filter_map(|((package, files), file)| {
            let file = *file.as_ref().ok()?;
            let packed = packed.entry(std::ptr::from_ref(file)).or_insert_with(|| {
                let contents = file.contents.keys();
                contents
                    .filter(|inside| usual.takes(inside) && !is_of_wheel(inside))
                    .collect()
            });
            let left_out = packed
                .iter()
                .filter(|inside| !digests.contains_key(&*format!("{}/{inside}", package.folder)))
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

/// What a wheel holds and installing puts elsewhere.
fn is_of_wheel(inside: &EntryPath) -> bool {
    let top = inside.as_str().split('/').next().unwrap_or_default();
    top.ends_with(".dist-info") || top.ends_with(".data")
}
