//! Packages that are published into a scope which their manifest does not name: release tooling writes the scope
//! in.
//!
//! Anyone can publish a name that ends like another's and claim its repository, so the repository itself has to
//! publish under that name, at the commit that was found: in a workflow, a release script, a listing for a server
//! registry. Prose does not count: a readme may name a package to warn of it.

use remint_model::{Ecosystem, EntryPath, PackageName, Renaming, SourceTree, Target};
use serde_json::Value;

use super::repository::{Opened, Trace};
use super::{FoundSource, SourceError, SourceRequest, ladder};

/// Searches again for the name without its scope, where no manifest ever bore the published one.
///
/// # Errors
/// `refused`, which is what the search for the published name ended with, unless this one finds a commit.
pub(super) fn climb(
    request: &SourceRequest<'_>,
    opened: &Opened,
    refused: SourceError,
) -> Result<FoundSource, SourceError> {
    let Some(unscoped) = unscoped(request.target) else {
        return Err(refused);
    };
    let never_named =
        matches!(&refused, SourceError::NoSource { looked_at, .. } if looked_at.manifests == 0);
    if !never_named || opened.trace == Trace::Mention {
        return Err(refused);
    }
    let again = SourceRequest {
        target: &Target {
            name: unscoped.clone(),
            ..request.target.clone()
        },
        release: request.release,
        claims: request.claims,
        survey: request.survey,
        overrides: request.overrides.clone(),
        uploaded: request.uploaded,
        ahead: request.ahead,
    };
    let mut found = match ladder::climb(&again, opened) {
        Ok(found) => found,
        Err(SourceError::NoSource { .. }) => return Err(refused),
        Err(error) => return Err(error),
    };
    let wanted = request.target.name.clone();
    let Some(named_in) = naming(&found.tree, &wanted) else {
        return Err(refused);
    };
    // Whether it publishes under that name was asked of this commit alone.
    found.otherwise = None;
    found.pin.renamed = Some(Renaming {
        found: unscoped,
        wanted,
        named_in,
    });
    Ok(found)
}

fn unscoped(target: &Target) -> Option<PackageName> {
    let name = match target.ecosystem {
        Ecosystem::Npm => target.name.unscoped(),
        Ecosystem::Pypi | Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => return None,
    };
    let name = PackageName::parse(target.ecosystem, name).ok()?;
    (name != target.name).then_some(name)
}

/// The first file that publishes under the name.
fn naming(tree: &SourceTree, name: &PackageName) -> Option<EntryPath> {
    tree.texts
        .keys()
        .find(|path| {
            tree.text(path.as_str())
                .is_some_and(|text| publishes(path, text, name.as_str()))
        })
        .cloned()
}

/// Whether this file is one that publishing follows, and names the package for that.
fn publishes(path: &EntryPath, text: &str, name: &str) -> bool {
    let top = path.as_str().split('/').next().unwrap_or_default();
    let is_workflow =
        matches!(top, ".github" | ".gitea" | ".forgejo") || path.as_str() == ".gitlab-ci.yml";
    match (path.file_name(), path.extension()) {
        ("package.json", _) => json(text).is_some_and(|manifest| manifest_sets(&manifest, name)),
        ("smithery.yaml" | ".releaserc.yaml" | ".releaserc.yml", _) => lines_set(text, "#", name),
        (
            "server.json"
            | "manifest.json"
            | "gemini-extension.json"
            | "plugin.json"
            | "jsr.json"
            | ".releaserc"
            | ".releaserc.json"
            | ".release-it.json"
            | "release-please-config.json",
            _,
        ) => json(text).is_some_and(|listing| listing_names(&listing, name)),
        (_, Some("yml" | "yaml")) if is_workflow => {
            text.contains("publish") && lines_set(text, "#", name)
        }
        (_, Some("sh" | "py")) => text.contains("publish") && lines_set(text, "#", name),
        (_, Some("js" | "cjs" | "mjs" | "ts" | "cts" | "mts")) => {
            text.contains("publish") && lines_set(text, "//", name)
        }
        _ => false,
    }
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// Whether a manifest bears the name, publishes under it or sets it in a script. What it depends on and how it
/// describes itself does not count.
fn manifest_sets(manifest: &Value, name: &str) -> bool {
    let texts = |field: &str| {
        manifest
            .get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(serde_json::Map::values)
            .filter_map(Value::as_str)
    };
    manifest.get("name").and_then(Value::as_str) == Some(name)
        || texts("publishConfig").any(|text| text == name)
        || texts("scripts").any(|script| lines_set(script, "#", name))
}

/// Whether a value of the listing is the name, perhaps with a version, rather than a text about it.
fn listing_names(listing: &Value, name: &str) -> bool {
    match listing {
        Value::String(text) => text
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || is_version(rest)),
        Value::Array(items) => items.iter().any(|item| listing_names(item, name)),
        Value::Object(fields) => fields
            .iter()
            .filter(|(field, _)| !field.to_ascii_lowercase().contains("dependencies"))
            .any(|(_, value)| listing_names(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_version(text: &str) -> bool {
    text.starts_with('@') && !text.contains(char::is_whitespace)
}

/// Whether a line holds the name outside of a comment and does more with the package than to install it.
fn lines_set(text: &str, comment: &str, name: &str) -> bool {
    const INSTALLING: [&str; 6] = [
        "npm install",
        "npm i ",
        "npm ci",
        "yarn add",
        "pnpm add",
        "bun add",
    ];
    text.lines()
        .map(|line| without_comment(line, comment))
        .filter(|line| {
            !INSTALLING
                .iter()
                .any(|installing| line.contains(installing))
        })
        .any(|line| holds_name(line, name))
}

/// The line up to where a comment begins.
fn without_comment<'a>(line: &'a str, mark: &str) -> &'a str {
    if mark == "//" && line.trim_start().starts_with(['*', '/']) {
        return "";
    }
    line.match_indices(mark)
        .map(|(at, _)| line.split_at(at).0)
        .find(|before| before.is_empty() || before.ends_with(char::is_whitespace))
        .unwrap_or(line)
}

fn holds_name(text: &str, name: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = text.split_at(at);
        let mut after = after.chars().skip(name.chars().count());
        let ends = match after.next() {
            // The end of a sentence, unless the name goes on behind the dot.
            Some('.') => !after.next().is_some_and(goes_on),
            Some(next) => !goes_on(next),
            None => true,
        };
        ends && !before.ends_with(goes_on)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_publishes_under_the_name_counts() {
        for (path, text, expect) in [
            ("README.md", "npx @scope/thing", false),
            ("CHANGELOG.md", "`@scope/thing` is published", false),
            ("docs/publish.yml", "publish @scope/thing", false),
            (
                ".github/workflows/release.yml",
                "      - run: |\n          jq '.name = \"@scope/thing\"' package.json > p\n          npm publish\n",
                true,
            ),
            (
                ".gitlab-ci.yml",
                "publish:\n  script: [npm pkg set name=@scope/thing]\n",
                true,
            ),
            (
                ".github/workflows/release.yml",
                "# @scope/thing is not ours\n- run: npm publish # nor @scope/thing\n",
                false,
            ),
            (
                ".github/workflows/release.yml",
                "- run: npm install -g @scope/thing\n- run: npm publish\n",
                false,
            ),
            (
                ".github/workflows/test.yml",
                "- run: npx @scope/thing\n",
                false,
            ),
            (
                "scripts/release.sh",
                "npm pkg set name=@scope/thing\nnpm publish\n",
                true,
            ),
            (
                "scripts/release.mjs",
                "/**\n * not @scope/thing\n */\n// @scope/thing\npublish();\n",
                false,
            ),
            (
                "scripts/release.mjs",
                "manifest.name = '@scope/thing'; // for the registry\npublish();\n",
                true,
            ),
            ("npm/package.json", r#"{"name": "@scope/thing"}"#, true),
            (
                "package.json",
                r#"{"publishConfig": {"name": "@scope/thing"}}"#,
                true,
            ),
            (
                "package.json",
                r#"{"scripts": {"release": "npm pkg set name=@scope/thing && npm publish"}}"#,
                true,
            ),
            (
                "package.json",
                r#"{"dependencies": {"@scope/thing": "1"}, "description": "not @scope/thing"}"#,
                false,
            ),
            (
                "package-lock.json",
                r#"{"packages": {"node_modules/x": {"name": "@scope/thing"}}}"#,
                false,
            ),
            (
                "server.json",
                r#"{"packages": [{"identifier": "@scope/thing"}]}"#,
                true,
            ),
            (
                "manifest.json",
                r#"{"server": {"args": ["-y", "@scope/thing@latest"]}}"#,
                true,
            ),
            (
                "server.json",
                r#"{"description": "not @scope/thing"}"#,
                false,
            ),
            (
                "server.json",
                r#"{"description": "@scope/thing is not ours"}"#,
                false,
            ),
            (
                "smithery.yaml",
                "commandFunction: (c) => ({ command: 'npx', args: ['@scope/thing'] })\n",
                true,
            ),
            ("smithery.yaml", "# @scope/thing\n", false),
        ] {
            let path = path.parse().unwrap();
            assert_eq!(
                publishes(&path, text, "@scope/thing"),
                expect,
                "{path}: {text}"
            );
        }
    }

    #[test]
    fn a_name_counts_whole_only() {
        for (text, expect) in [
            ("npx @scope/thing", true),
            ("npx -y @scope/thing@latest", true),
            ("See \"@scope/thing\".", true),
            ("Install @scope/thing.", true),
            ("https://www.npmjs.com/package/@scope/thing/access", true),
            ("npx @scope/thing-other", false),
            ("npx @scope/thing.js", false),
            ("npx @scope/things", false),
            ("x@scope/thing", false),
            ("npx @scope/thing-other @scope/thing", true),
            ("@scope/thing@scope/thing-x", true),
            ("", false),
        ] {
            assert_eq!(holds_name(text, "@scope/thing"), expect, "{text}");
        }
    }
}
