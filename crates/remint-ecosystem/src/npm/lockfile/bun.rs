//! `bun.lock`: JSON with comments and trailing commas; each package is an array whose first item is
//! `name@version`. The older binary `bun.lockb` is not read.

use std::collections::BTreeMap;

use jsonc_parser::ParseOptions;
use serde_json::Value;

use super::{LockError, Locked, name_and_version};

/// How deep the format nests; the parser below recurses.
const DEEPEST: usize = 64;

pub(super) fn parse(text: &str) -> Result<Locked, LockError> {
    let document = document(text)?;
    let Some(packages) = document.get("packages").and_then(Value::as_object) else {
        return if document.get("lockfileVersion").is_some() {
            Ok(Locked::default())
        } else {
            Err(LockError("it states no lockfileVersion".to_owned()))
        };
    };
    let mut locked = Locked::default();
    for package in packages.values().filter_map(Value::as_array) {
        let text = |at: usize| package.get(at).and_then(Value::as_str);
        let Some((name, version)) = text(0).and_then(name_and_version) else {
            continue;
        };
        if version.starts_with("workspace:") || version.starts_with("root:") {
            continue;
        }
        let version = version.strip_prefix("npm:").unwrap_or(version);
        // `[name@version, registry or address, {…}, integrity]`; an empty second item is the default registry.
        let address = text(1).filter(|address| address.ends_with(".tgz"));
        let integrity = package
            .iter()
            .skip(1)
            .filter_map(Value::as_str)
            .find(|item| item.starts_with("sha"));
        locked.add(name, version, address, integrity)?;
    }
    Ok(locked)
}

/// What the manifest of a folder asked for when the lockfile was written.
pub(super) fn stated(text: &str, folder: &str) -> Option<BTreeMap<String, String>> {
    let document = document(text).ok()?;
    let key = if folder == "." { "" } else { folder };
    Some(super::stated_in(document.get("workspaces")?.get(key)?))
}

pub(super) fn document(text: &str) -> Result<Value, LockError> {
    if depth(text) > DEEPEST {
        return Err(LockError("it nests too deep".to_owned()));
    }
    jsonc_parser::parse_to_serde_value::<Value>(text, &ParseOptions::default())
        .map_err(|error| LockError(error.to_string()))
}

/// The deepest nesting of brackets outside of texts.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    // A quote inside a comment hides what follows it; count all brackets then.
    if quoted {
        most.max(
            text.bytes()
                .filter(|byte| matches!(byte, b'[' | b'{'))
                .count(),
        )
    } else {
        most
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, integrity};
    use super::super::{Format, parse};

    #[test]
    fn packages_are_arrays() {
        let text = format!(
            "{{
  \"lockfileVersion\": 1, // comment
  \"workspaces\": {{ \"\": {{ \"name\": \"x\" }} }},
  \"packages\": {{
    \"@s/a\": [\"@s/a@1.0.0\", \"\", {{ \"dependencies\": {{ \"b\": \"^1\" }} }}, \"{}\"],
    \"b\": [\"b@2.0.0\", \"https://npm.example.org/b-2.0.0.tgz\", {{}}, \"{}\"],
    \"c\": [\"c@workspace:packages/c\"],
    \"d\": [\"d@git+https://github.com/o/d.git#0123\", {{}}, \"0123\"],
    \"e\": [\"e@https://example.org/e.tgz\", {{}}],
    \"f\": [7],
  }},
}}",
            integrity(),
            integrity()
        );
        let locked = check(
            Format::Bun,
            &text,
            &[
                ("@s/a", "1.0.0", None, true),
                (
                    "b",
                    "2.0.0",
                    Some("https://npm.example.org/b-2.0.0.tgz"),
                    true,
                ),
                (
                    "e",
                    "https://example.org/e.tgz",
                    Some("https://example.org/e.tgz"),
                    false,
                ),
            ],
        );
        assert_eq!(locked.git, ["git+https://github.com/o/d.git#0123"]);
    }

    #[test]
    fn what_is_no_lockfile_is_refused() {
        let deep = "[".repeat(100_000);
        let hidden = format!("{{ // \" \n {deep}");
        for text in ["", "[]", "{}", "{", &deep, &hidden] {
            assert!(parse(Format::Bun, text).is_err(), "{}", text.len());
        }
    }
}
