//! A package's files in a bundle against those of the registry's file of it.

use std::collections::BTreeMap;

use remint_model::{EntryPath, Sha256, Unattributed};
use serde_json::Value;

use super::{Answer, BundledPackage, RegistryFile};
use crate::npm::manifest::parse_json;

/// Of several files that a registry has, the one that the bundle has most of.
pub(super) fn closest<'a>(
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
pub(super) fn standing(
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

/// What a wheel holds and installing puts elsewhere.
pub(super) fn is_of_wheel(inside: &EntryPath) -> bool {
    let top = inside.as_str().split('/').next().unwrap_or_default();
    top.ends_with(".dist-info") || top.ends_with(".data")
}
