//! Packages that are published into a scope which their manifest does not name: release tooling writes the scope
//! in.
//!
//! Anyone can publish a name that ends like another's and claim its repository, so the repository itself has to
//! name the package as published, at the commit that was found: in its workflow, its readme, its server listing.

use remint_model::{Ecosystem, EntryPath, PackageName, Renaming, SourceTree, Target};

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
        Ecosystem::Pypi => return None,
    };
    let name = PackageName::parse(target.ecosystem, name).ok()?;
    (name != target.name).then_some(name)
}

/// The first file that holds the name, whole.
fn naming(tree: &SourceTree, name: &PackageName) -> Option<EntryPath> {
    tree.texts
        .keys()
        .find(|path| {
            tree.text(path.as_str())
                .is_some_and(|text| holds_name(text, name.as_str()))
        })
        .cloned()
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
