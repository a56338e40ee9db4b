//! What a Go module may be called (Go modules reference, "Module paths"; `CheckPath` of `golang.org/x/mod/module`).

/// The longest path accepted, in bytes; go itself sets no limit, the longest known has under 200.
const LONGEST: usize = 400;

/// Names that Windows keeps for devices; no element of a module path may be one of them, whatever its ending.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Whether a module that others can require may have this path.
pub(crate) fn is_valid(path: &str) -> bool {
    let host = path.split('/').next().unwrap_or_default();
    let host_is_valid = host.contains('.')
        && !host.starts_with('-')
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    path.len() <= LONGEST
        && host_is_valid
        && path.split('/').all(is_element)
        && has_valid_major(path)
}

fn is_element(element: &str) -> bool {
    let characters = !element.is_empty()
        && !element.starts_with('.')
        && !element.ends_with('.')
        && element
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let stem = element.split('.').next().unwrap_or(element);
    let is_device = DEVICES
        .iter()
        .any(|device| device.eq_ignore_ascii_case(stem));
    // `PROGRA~1`: a short name of another folder.
    let is_short_name = stem.rsplit_once('~').is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    characters && !is_device && !is_short_name
}

/// `/v0`, `/v1`, `/v02` and `/v1.2` are no major version suffixes; on gopkg.in there must be one, after a dot.
fn has_valid_major(path: &str) -> bool {
    let (separator, text) = if path.starts_with("gopkg.in/") {
        (".v", path.strip_suffix("-unstable").unwrap_or(path))
    } else {
        ("/v", path)
    };
    let is_gopkg = separator == ".v";
    let Some(at) = text.rfind(separator) else {
        return !is_gopkg;
    };
    let number = text.get(at + separator.len()..).unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    if is_gopkg {
        return is_number && (!number.starts_with('0') || number == "0");
    }
    let looks_like_one =
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    !looks_like_one || (is_number && !number.starts_with('0') && number != "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_reference() {
        for path in [
            "example.org/x",
            "example.org",
            "github.com/Azure/azure-sdk-for-go/v68",
            "gopkg.in/yaml.v3",
            "gopkg.in/check.v0",
            "gopkg.in/a/b.v1-unstable",
            "example.org/vault",
            "example.org/x~y/v10",
        ] {
            assert!(is_valid(path), "{path}");
        }
        let long = format!("example.org/{}", "a".repeat(LONGEST));
        for path in [
            "",
            "x",
            "std/x",
            "Example.org/x",
            "-a.org/x",
            "example.org/",
            "example.org//x",
            "/example.org",
            "example.org/../x",
            "example.org/.x",
            "example.org/x.",
            "example.org/a b",
            "example.org/a@b",
            "example.org/a!b",
            "example.org/é",
            "example.org/con",
            "example.org/AUX.go",
            "example.org/PROGRA~1",
            "example.org/x/v1",
            "example.org/x/v0",
            "example.org/x/v02",
            "example.org/x/v1.2",
            "gopkg.in/yaml",
            "gopkg.in/yaml/v3",
            "gopkg.in/yaml.v03",
            &long,
        ] {
            assert!(!is_valid(path), "{path}");
        }
    }
}
