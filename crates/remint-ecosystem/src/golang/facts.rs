//! What `go.mod` makes installers fetch, in the published zip and in the source.

use remint_model::{Dependency, DependencyKind, ManifestFacts, SourcePin, SourceTree, Survey};

use crate::golang::go_mod::GoMod;
use crate::golang::program;
use crate::release::MetadataError;

/// What the published zip says. A module from before modules has no `go.mod`, and then go makes one up that requires
/// nothing.
pub(crate) fn published(survey: &Survey) -> Result<ManifestFacts, MetadataError> {
    if let Some(info) = &survey.program {
        return Ok(program::facts(info));
    }
    let mut facts = of(survey.text("go.mod"))?;
    if let Some((_, version)) = survey
        .top_folder
        .as_deref()
        .and_then(|top| top.split_once('@'))
    {
        facts.version = Some(version.to_owned());
    }
    Ok(facts)
}

/// What the source says.
pub(crate) fn source(tree: &SourceTree, pin: &SourcePin) -> Result<ManifestFacts, MetadataError> {
    let path = SourceTree::path_in(pin.subdirectory.as_ref(), "go.mod");
    of(tree.text(&path).map(str::as_bytes))
}

fn of(go_mod: Option<&[u8]>) -> Result<ManifestFacts, MetadataError> {
    let Some(content) = go_mod else {
        return Ok(ManifestFacts::default());
    };
    let read = GoMod::parse(content)?;
    let mut facts = ManifestFacts {
        name: read.module.map(|module| module.to_string()),
        ..ManifestFacts::default()
    };
    for required in read.required {
        facts.dependencies.insert(Dependency {
            kind: DependencyKind::Runtime,
            name: required.path,
            requirement: required.version,
        });
    }
    for (from, to) in read.replaced {
        facts.dependencies.insert(Dependency {
            kind: DependencyKind::Override,
            name: from,
            requirement: to,
        });
    }
    Ok(facts)
}
