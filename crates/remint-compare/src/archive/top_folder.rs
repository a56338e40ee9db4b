//! The one folder that an archive's entries should lie in.

use std::collections::BTreeMap;
use std::sync::Arc;

use remint_model::{AnomalyKind, ArtifactFormat, Sha256};

use super::Anomalies;
use super::listing::Entry;
use super::places::beside;

/// An entry before it is known which top folder is the archive's own.
pub(super) struct Row {
    pub(super) top: Option<Arc<str>>,
    pub(super) entry: Entry,
}

/// Finds the archive's own top folder and names the entries that lie elsewhere.
pub(super) fn settle(
    format: ArtifactFormat,
    rows: Vec<Row>,
    tops: &BTreeMap<Arc<str>, usize>,
    anomalies: &mut Anomalies,
) -> (Option<String>, Vec<Entry>) {
    let expected = match format {
        ArtifactFormat::NpmTarball => Some("package"),
        ArtifactFormat::Wheel
        | ArtifactFormat::Sdist
        | ArtifactFormat::SdistZip
        | ArtifactFormat::Crate
        | ArtifactFormat::Mcpb
        | ArtifactFormat::GoModule
        | ArtifactFormat::GoProgram
        | ArtifactFormat::ImageFiles => None,
    };
    let own = expected
        .filter(|expected| tops.contains_key(*expected))
        .map(Arc::from)
        .or_else(|| {
            tops.iter()
                .max_by_key(|(_, count)| **count)
                .map(|(top, _)| Arc::clone(top))
        });
    let mut entries = Vec::with_capacity(rows.len());
    for Row { top, mut entry } in rows {
        if let Some(top) = top
            && own.as_ref() != Some(&top)
        {
            anomalies.add(
                AnomalyKind::ForeignTopFolder,
                format!("{top}/{}", entry.path).as_bytes(),
                format!("not below `{}`", own.as_deref().unwrap_or_default()),
            );
            // npm's strip moves it among the others, so that is where it is compared.
            if format != ArtifactFormat::NpmTarball
                && let Some(path) = beside(&top, Some(&entry.path))
            {
                entry.path = path;
            }
            // Other readers split such names elsewhere, at a backslash for example.
            entry.spelled = Some(Box::new(Sha256::of(
                format!("{top}/{}", entry.path).as_bytes(),
            )));
        }
        entries.push(entry);
    }
    (own.map(|own| own.to_string()), entries)
}

/// The folder in which cargo demands the files of the crate with this manifest.
pub(super) fn crate_folder(manifest: &[u8]) -> Option<String> {
    let manifest: toml::Table = std::str::from_utf8(manifest).ok()?.parse().ok()?;
    let text = |key: &str| manifest.get("package")?.get(key)?.as_str();
    Some(format!("{}-{}", text("name")?, text("version")?))
}

/// The `Name:` of core metadata.
pub(super) fn project_name(content: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    text.lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("Name:"))
        .map(|name| name.trim().to_owned())
}

/// Whether a folder is called `name-version`, in any of the spellings that names have had (PEP 503, PEP 625).
pub(super) fn is_folder_of(folder: &str, project: &str) -> bool {
    folder.match_indices('-').any(|(at, _)| {
        let (name, version) = folder.split_at(at);
        version.len() > 1 && normal_name(name) == normal_name(project)
    })
}

fn normal_name(name: &str) -> String {
    name.split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_ascii_lowercase()
}
