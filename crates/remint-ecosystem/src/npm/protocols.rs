//! Requirements that only mean something inside a workspace, and what publishing makes of them: `workspace:`
//! becomes a version, `catalog:` what the workspace's catalog says.

use remint_model::SourcePin;
use serde_json::Value;

use crate::npm::manifest::plain;
use crate::npm::project::Project;

/// A requirement as it would be published; what cannot be resolved stays as it is, and will be seen to differ.
pub(crate) fn resolve(
    project: &Project<'_>,
    pin: &SourcePin,
    name: &str,
    requirement: &str,
) -> String {
    if let Some(catalog) = requirement.strip_prefix("catalog:") {
        return from_catalog(project, catalog.trim(), name)
            .unwrap_or_else(|| requirement.to_owned());
    }
    match requirement.strip_prefix("workspace:") {
        Some(rest) => from_workspace(project, pin, name, rest),
        None => requirement.to_owned(),
    }
}

/// pnpm keeps catalogs in `pnpm-workspace.yaml`; bun in the root manifest, below `workspaces` or at its top.
fn from_catalog(project: &Project<'_>, catalog: &str, name: &str) -> Option<String> {
    let workspaces = project.root_manifest.get("workspaces");
    let yarn = project
        .root_text(".yarnrc.yml")
        .and_then(|text| crate::yaml::parse(text).ok());
    let manifest = |field: &str| project.root_manifest.get(field);
    let places = |field: &'static str| {
        [
            project.pnpm_workspace.get(field),
            workspaces.and_then(|workspaces| workspaces.get(field)),
            manifest(field),
            yarn.as_ref().and_then(|settings| settings.get(field)),
        ]
        .into_iter()
        .flatten()
    };
    let unnamed = matches!(catalog, "" | "default");
    let named = if unnamed { "default" } else { catalog };
    let found = places("catalogs").find_map(|catalogs| catalogs.get(named)?.get(name));
    let found = match found {
        None if unnamed => places("catalog").find_map(|catalog| catalog.get(name)),
        found => found,
    };
    found.filter(|value| value.is_string()).map(plain)
}

/// `*`, `^` and `~` stand for the sibling's version; an alias and a range are kept.
fn from_workspace(project: &Project<'_>, pin: &SourcePin, name: &str, rest: &str) -> String {
    // `workspace:other@^` installs `other` under the name of the requirement.
    let (alias, range) = match rest.char_indices().skip(1).find(|(_, c)| *c == '@') {
        Some((at, _)) => (rest.get(..at), rest.get(at + 1..).unwrap_or_default()),
        None => (None, rest),
    };
    let version = project
        .members
        .get(alias.unwrap_or(name))
        .and_then(|member| member.manifest.get("version"))
        .and_then(Value::as_str)
        .map(|version| match &pin.stamp {
            // Packages that carry the same placeholder are released together.
            Some(stamp) if stamp.found.as_deref() == Some(version) => stamp.wanted.as_str(),
            Some(_) | None => version,
        });
    let resolved = match (range, version) {
        ("*" | "", Some(version)) => version.to_owned(),
        ("^" | "~", Some(version)) => format!("{range}{version}"),
        ("*" | "" | "^" | "~", None) => return format!("workspace:{rest}"),
        (range, _) => range.to_owned(),
    };
    match alias {
        Some(alias) => format!("npm:{alias}@{resolved}"),
        None => resolved,
    }
}
