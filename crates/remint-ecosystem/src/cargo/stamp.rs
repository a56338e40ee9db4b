//! The released version, written into the manifest where a release stamps it without a commit.

use remint_model::{Assumption, AssumptionKind, Edit};
use toml::Spanned;

use crate::cargo::workspace::Member;
use crate::request::PlanRequest;

/// The edit that makes the package's version the released one; nothing where the source has it, or where it cannot be
/// written in one place.
pub(crate) fn edit(request: &PlanRequest<'_>, member: &Member) -> Option<(Edit, Assumption)> {
    let stamp = request.pin.stamp.as_ref()?;
    let (path, keys): (String, &[&str]) = if member.manifest.inherits("version") {
        (member.root_path(), &["workspace", "package", "version"])
    } else {
        (member.path.to_string(), &["package", "version"])
    };
    let text = request.tree.text(&path)?;
    let content = replaced(text, keys, request.target.version.as_str())?;
    let wanted = request.target.version.to_string();
    Some((
        Edit {
            path: path.parse().ok()?,
            content: content.into_bytes(),
            because: format!("version {wanted}: {}", stamp.because),
        },
        Assumption {
            kind: AssumptionKind::VersionStamp,
            value: wanted,
            from: stamp.because.clone(),
        },
    ))
}

#[derive(serde::Deserialize)]
struct Whole {
    package: Option<Versioned>,
    workspace: Option<Workspace>,
}

#[derive(serde::Deserialize)]
struct Workspace {
    package: Option<Versioned>,
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: Option<Spanned<toml::Value>>,
}

/// The manifest with another version in the place where it stands; everything else stays byte for byte.
fn replaced(text: &str, keys: &[&str], version: &str) -> Option<String> {
    let whole: Whole = toml::from_str(text).ok()?;
    let versioned = match keys {
        ["workspace", ..] => whole.workspace?.package?,
        _ => whole.package?,
    };
    let stated = versioned.version?;
    stated.get_ref().as_str()?;
    let span = stated.span();
    let (before, after) = (text.get(..span.start)?, text.get(span.end..)?);
    Some(format!("{before}\"{version}\"{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_changes() {
        let package: &[&str] = &["package", "version"];
        let text = "# x\n[package]\nname = \"a\" # version = \"0\"\nversion = '0.0.0' # y\n[dependencies]\nversion = \"0.0.0\"\n";
        assert_eq!(
            replaced(text, package, "1.2.3").unwrap(),
            text.replace("'0.0.0'", "\"1.2.3\"")
        );
        let root = "[workspace]\nmembers = []\n[workspace.package]\nversion = \"0.1.0\"\n";
        assert_eq!(
            replaced(root, &["workspace", "package", "version"], "1.2.3").unwrap(),
            root.replace("0.1.0", "1.2.3")
        );
        assert_eq!(
            replaced("[package]\nversion.workspace = true\n", package, "1.2.3"),
            None
        );
        assert_eq!(replaced("[package]\n", package, "1.2.3"), None);
        assert_eq!(replaced("not toml", package, "1.2.3"), None);
    }
}
