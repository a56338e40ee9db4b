//! Where an entry lands: its name as a path below the archive's top folder, judged as installers would take it.

use remint_model::{AnomalyKind, ArtifactFormat, EntryPath, PathError};

use super::Anomalies;

/// An entry's place: the folder that is cut off, and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// `None` where the format has no top folder, or the entry lies outside any.
    pub(super) top: Option<String>,
    /// `None` for the top folder itself.
    pub(super) path: Option<EntryPath>,
}

/// Marks, inside an `EntryPath`, an entry that lies beside the top folder.
const OUTSIDE: &str = "%2E%2E";

/// Judges one name. Whatever cannot be a path is escaped into one, so that it can be listed.
pub(super) fn place(format: ArtifactFormat, name: &[u8], anomalies: &mut Anomalies) -> Place {
    let text = readable(name, anomalies);
    match format {
        ArtifactFormat::NpmTarball => below_npm_folder(&text, name, anomalies),
        ArtifactFormat::GoModule => below_module_folder(&text, name, anomalies),
        ArtifactFormat::Sdist | ArtifactFormat::SdistZip | ArtifactFormat::Crate => {
            let Some(path) = contained(&text, name, anomalies) else {
                return Place {
                    top: None,
                    path: None,
                };
            };
            match path.as_str().split_once('/') {
                Some((top, rest)) => Place {
                    top: Some(top.to_owned()),
                    path: rest.parse().ok(),
                },
                None => Place {
                    top: Some(path.as_str().to_owned()),
                    path: None,
                },
            }
        }
        ArtifactFormat::Wheel
        | ArtifactFormat::Mcpb
        | ArtifactFormat::GoProgram
        | ArtifactFormat::ImageFiles => Place {
            top: None,
            path: contained(&text, name, anomalies),
        },
    }
}

/// The folder of a module zip is `module@version`, and a module path has slashes of its own. A name without such a
/// folder belongs to no module.
fn below_module_folder(text: &str, name: &[u8], anomalies: &mut Anomalies) -> Place {
    let Some(path) = contained(text, name, anomalies) else {
        return Place {
            top: None,
            path: None,
        };
    };
    let whole = path.as_str();
    let cut = whole
        .find('@')
        .and_then(|at| whole.get(at..)?.find('/').map(|slash| at + slash));
    match cut.map(|at| whole.split_at(at)) {
        Some((top, rest)) => Place {
            top: Some(top.to_owned()),
            path: rest.get(1..).and_then(|rest| rest.parse().ok()),
        },
        None => Place {
            top: Some(String::new()),
            path: Some(path),
        },
    }
}

/// npm and its peers cut the first component off, whatever it is (node-tar's `strip: 1`), and drop what has none.
fn below_npm_folder(text: &str, name: &[u8], anomalies: &mut Anomalies) -> Place {
    let Some((top, rest)) = text.split_once('/') else {
        return Place {
            top: Some(text.to_owned()),
            path: None,
        };
    };
    let top_is_plain = top.parse::<EntryPath>().is_ok();
    if !top_is_plain {
        anomalies.add(
            AnomalyKind::PathTraversal,
            name,
            if top.is_empty() {
                PathError::Absolute.to_string()
            } else {
                format!("the top folder is `{top}`")
            },
        );
    }
    let rest = rest.trim_start_matches('/');
    Place {
        top: Some(top.to_owned()),
        path: contained(rest, name, anomalies),
    }
}

/// The path of an entry that does not leave its directory; `None` for the directory itself.
fn contained(text: &str, name: &[u8], anomalies: &mut Anomalies) -> Option<EntryPath> {
    match text.parse::<EntryPath>() {
        Ok(path) => Some(path),
        Err(PathError::Empty) => None,
        Err(error) => {
            anomalies.add(AnomalyKind::PathTraversal, name, error.to_string());
            escaped(text)
        }
    }
}

/// The path that an archive without a top folder lists an entry of this name at; `None` for the top itself. What cannot be a
/// path is escaped into one.
#[must_use]
pub fn path_of_name(name: &[u8]) -> Option<EntryPath> {
    let anomalies = &mut Anomalies::default();
    contained(&readable(name, anomalies), name, anomalies)
}

/// A name as UTF-8 without control characters; what is not becomes `%` and its hexadecimal digits.
fn readable(name: &[u8], anomalies: &mut Anomalies) -> String {
    let mut text = String::with_capacity(name.len());
    let mut reason = None;
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                reason = Some("name holds a control character");
                let mut buffer = [0; 4];
                percent(&mut text, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                text.push(character);
            }
        }
        if !chunk.invalid().is_empty() {
            reason = Some("name is not UTF-8");
            percent(&mut text, chunk.invalid());
        }
    }
    if let Some(reason) = reason {
        anomalies.add(AnomalyKind::PathTraversal, name, reason);
    }
    text
}

fn percent(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
    }
}

fn digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// A path that says where a hostile name wanted to go without going there.
fn escaped(text: &str) -> Option<EntryPath> {
    let mut escaped = String::new();
    if text.starts_with('/') {
        escaped.push_str("%2F/");
    }
    for part in text.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => continue,
            ".." => escaped.push_str(OUTSIDE),
            part => {
                for character in part.chars() {
                    match character {
                        '\\' | ':' => percent(&mut escaped, &[character as u8]),
                        character => escaped.push(character),
                    }
                }
            }
        }
        escaped.push('/');
    }
    let mut end = escaped.len().min(4000);
    while !escaped.is_char_boundary(end) {
        end -= 1;
    }
    escaped.truncate(end);
    escaped.parse().ok()
}

/// The path of an entry that lies in another top folder than the rest.
pub(super) fn beside(top: &str, path: Option<&EntryPath>) -> Option<EntryPath> {
    let rest = path.map_or("", EntryPath::as_str);
    escaped(&format!("../{top}/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: ArtifactFormat, name: &str, top: Option<&str>, path: Option<&str>) {
        let mut anomalies = Anomalies::default();
        let place = place(format, name.as_bytes(), &mut anomalies);
        let found = (
            place.top.as_deref(),
            place.path.as_ref().map(EntryPath::as_str),
        );
        assert_eq!(found, (top, path), "{name}");
        assert_eq!(anomalies.finish(), [], "{name}");
    }

    fn refused(format: ArtifactFormat, name: &[u8], path: &str, detail: &str) {
        let mut anomalies = Anomalies::default();
        let place = place(format, name, &mut anomalies);
        assert_eq!(place.path.as_ref().map(EntryPath::as_str), Some(path));
        let found = anomalies.finish();
        assert!(
            found
                .iter()
                .any(|anomaly| anomaly.kind == AnomalyKind::PathTraversal
                    && anomaly.detail.contains(detail)),
            "{found:?}"
        );
    }

    #[test]
    fn the_top_folder_is_cut_as_installers_cut_it() {
        use ArtifactFormat::{Crate, GoModule, NpmTarball, Sdist, Wheel};
        check(
            GoModule,
            "example.org/o/x@v1.0.0/a/b@c/d",
            Some("example.org/o/x@v1.0.0"),
            Some("a/b@c/d"),
        );
        check(GoModule, "stray/a", Some(""), Some("stray/a"));
        check(Crate, "x-1.0.0/a/b", Some("x-1.0.0"), Some("a/b"));
        check(NpmTarball, "package/a/b", Some("package"), Some("a/b"));
        check(NpmTarball, "other/a", Some("other"), Some("a"));
        check(NpmTarball, "package/", Some("package"), None);
        check(NpmTarball, "stray", Some("stray"), None);
        check(Sdist, "x-1.0/a/b", Some("x-1.0"), Some("a/b"));
        check(Sdist, "./x-1.0/a", Some("x-1.0"), Some("a"));
        check(Sdist, "x-1.0", Some("x-1.0"), None);
        check(Wheel, "x/a", None, Some("x/a"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_escaped_and_named() {
        use ArtifactFormat::{NpmTarball, Sdist, Wheel};
        refused(NpmTarball, b"package/../../x", "%2E%2E/%2E%2E/x", "climbs");
        refused(NpmTarball, b"./package/x", "package/x", "top folder is `.`");
        refused(NpmTarball, b"/package/x", "package/x", "absolute");
        refused(NpmTarball, b"package/a\\b", "a%5Cb", "backslash");
        refused(NpmTarball, b"package/C:/x", "C%3A/x", "absolute");
        refused(Sdist, b"/etc/passwd", "etc/passwd", "absolute");
        refused(Wheel, b"../x", "%2E%2E/x", "climbs");
        refused(Wheel, b"/x", "%2F/x", "absolute");
        refused(Wheel, b"a\nb", "a%0Ab", "control");
        refused(Wheel, b"a\xe9", "a%E9", "UTF-8");
    }
}
