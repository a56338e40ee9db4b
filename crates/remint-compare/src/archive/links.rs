//! Where links lead.

use remint_model::{AnomalyKind, ArtifactFormat, EntryPath};

use super::Anomalies;
use super::listing::Kind;

/// npm drops links, wheels have none and cargo packs what they lead to; a source archive may link to what it holds
/// itself.
pub(super) fn check_link(
    format: ArtifactFormat,
    kind: Kind,
    path: &EntryPath,
    top: Option<&str>,
    target: &[u8],
    anomalies: &mut Anomalies,
) {
    let inside = match format {
        ArtifactFormat::NpmTarball
        | ArtifactFormat::Wheel
        | ArtifactFormat::Crate
        | ArtifactFormat::Mcpb
        | ArtifactFormat::GoModule
        | ArtifactFormat::GoProgram
        | ArtifactFormat::ImageFiles => false,
        ArtifactFormat::Sdist | ArtifactFormat::SdistZip => {
            std::str::from_utf8(target).is_ok_and(|target| match kind {
                Kind::HardLink => top.is_some_and(|top| {
                    target
                        .strip_prefix("./")
                        .unwrap_or(target)
                        .strip_prefix(top)
                        .is_some_and(|rest| rest.starts_with('/') && stays_inside(None, &rest[1..]))
                }),
                Kind::File
                | Kind::Directory
                | Kind::SymbolicLink
                | Kind::Special(_)
                | Kind::Unreadable => stays_inside(path.parent().as_ref(), target),
            })
        }
    };
    if !inside {
        anomalies.add(
            AnomalyKind::LinkEntry,
            path.as_str().as_bytes(),
            format!("to `{}`", target.escape_ascii()),
        );
    }
}

/// Whether a relative target never climbs above the top folder on its way.
fn stays_inside(from: Option<&EntryPath>, target: &str) -> bool {
    if target.starts_with('/') || target.contains(['\\', '\0']) || target.is_empty() {
        return false;
    }
    let mut depth = from.map_or(0, |from| from.as_str().split('/').count());
    // A name followed by `..` could be a link, whose parent is elsewhere.
    let mut named = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if named || depth == 0 => return false,
            ".." => depth -= 1,
            _ => {
                named = true;
                depth += 1;
            }
        }
    }
    true
}
