//! Files in which release tooling writes a package's own version beside its manifest: what they become with another one.
//!
//! Such a file is only taken where the published one is exactly what comes out here, and then the release has had a say in
//! what is built. So the places are few, and each is the package's own: the version of anything else stays as it is.

use serde_json::Value;

/// A file that states its version more often is not written by release tooling.
const MOST_PLACES: usize = 32;

/// What is written, and for whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnVersion<'a> {
    /// The package as registries know it.
    pub(crate) name: &'a str,
    /// What is stated.
    pub(crate) found: &'a str,
    /// What is to be stated.
    pub(crate) wanted: &'a str,
}

impl OwnVersion<'_> {
    /// The text of a file of this name with its package's version; `None` where it has no place for one, or is of a kind
    /// that is not touched.
    pub(crate) fn written_into(self, file_name: &str, text: &str) -> Option<String> {
        let (stem, ending) = file_name.rsplit_once('.').unwrap_or((file_name, ""));
        let changed = match ending {
            "json" => self.in_json(text)?,
            "md" => self.in_prose(text),
            "toml" => self.in_settings(text, '='),
            "yaml" | "yml" => self.in_settings(text, ':'),
            "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "jsx" | "tsx" => self.in_program(text),
            "" | "txt" if stem.eq_ignore_ascii_case("version") && text.trim() == self.found => {
                text.replacen(self.found, self.wanted, 1)
            }
            _ => return None,
        };
        (changed != text).then_some(changed)
    }

    /// The document's own `version`, and that of an entry which is named for the package: in MCP's `server.json`, each of
    /// `packages`; in a lockfile of npm, the package of the root.
    fn in_json(self, text: &str) -> Option<String> {
        let before: Value = serde_json::from_str(text).ok()?;
        let quoted = format!("\"{}\"", self.found);
        let places: Vec<usize> = text
            .match_indices(&quoted)
            .map(|(at, _)| at)
            .take(MOST_PLACES + 1)
            .collect();
        if places.len() > MOST_PLACES {
            return None;
        }
        let mut changed = text.to_owned();
        // From behind, so that the places before stay where they are.
        for at in places.into_iter().rev() {
            let with_this_one = format!(
                "{}\"{}\"{}",
                changed.get(..at)?,
                self.wanted,
                changed.get(at.checked_add(quoted.len())?..)?
            );
            let after = serde_json::from_str(&with_this_one).ok()?;
            if self.is_own(&before, &after) {
                changed = with_this_one;
            }
        }
        Some(changed)
    }

    /// Whether two documents differ in nothing but places for the package's own version.
    fn is_own(self, before: &Value, after: &Value) -> bool {
        let mut before = before.clone();
        self.write_into_document(&mut before, after);
        before == *after
    }

    /// Takes over from `after` what may differ.
    fn write_into_document(self, document: &mut Value, after: &Value) {
        take_version(document, after);
        if let Some(Value::Array(packages)) = document.get_mut("packages") {
            for (number, package) in packages.iter_mut().enumerate() {
                if self.is_named(package)
                    && let Some(after) = after
                        .get("packages")
                        .and_then(|packages| packages.get(number))
                {
                    take_version(package, after);
                }
            }
        }
        if let Some(root) = document.pointer_mut("/packages/")
            && let Some(after) = after.pointer("/packages/")
        {
            take_version(root, after);
        }
    }

    fn is_named(self, package: &Value) -> bool {
        ["identifier", "name"]
            .iter()
            .any(|key| package.get(key).and_then(Value::as_str) == Some(self.name))
    }

    /// A `version` of a document that is not indented, or of a table that describes the package.
    fn in_settings(self, text: &str, sign: char) -> String {
        let mut inside = true;
        text.split_inclusive('\n')
            .map(|line| {
                if sign == '=' && line.starts_with('[') {
                    inside = matches!(line.trim(), "[package]" | "[project]" | "[tool.poetry]");
                }
                let states = line
                    .split_once(sign)
                    .filter(|(key, _)| {
                        inside && *key == key.trim_start() && key.trim() == "version"
                    })
                    .is_some_and(|(_, value)| value.trim().trim_matches(['"', '\'']) == self.found);
                if states {
                    line.replacen(self.found, self.wanted, 1)
                } else {
                    line.to_owned()
                }
            })
            .collect()
    }

    /// `name@1.2.3` and `name==1.2.3`, wherever they stand.
    fn in_prose(self, text: &str) -> String {
        let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        let belongs =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '@' | '.');
        ["@", "=="].iter().fold(text.to_owned(), |text, sign| {
            let mention = format!("{}{sign}{}", self.name, self.found);
            let mut changed = String::with_capacity(text.len());
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once(&mention) {
                changed.push_str(before);
                // A full stop may end the sentence.
                let ends = !after.starts_with(goes_on)
                    || after
                        .strip_prefix('.')
                        .is_some_and(|after| !after.starts_with(goes_on));
                if ends && !changed.ends_with(belongs) {
                    changed.push_str(self.name);
                    changed.push_str(sign);
                    changed.push_str(self.wanted);
                } else {
                    changed.push_str(&mention);
                }
                rest = after;
            }
            changed.push_str(rest);
            changed
        })
    }

    /// A whole literal that is given to something called a version, and to nothing that says more: `oldestVersion` is not the
    /// package's own.
    fn in_program(self, text: &str) -> String {
        ['"', '\'', '`']
            .into_iter()
            .fold(text.to_owned(), |text, quote| {
                let literal = format!("{quote}{}{quote}", self.found);
                let mut changed = String::with_capacity(text.len());
                let mut rest = text.as_str();
                while let Some((before, after)) = rest.split_once(&literal) {
                    changed.push_str(before);
                    if is_given_to_a_version(&changed) && !self.is_of_another(&changed, after) {
                        changed.extend([quote]);
                        changed.push_str(self.wanted);
                        changed.extend([quote]);
                    } else {
                        changed.push_str(&literal);
                    }
                    rest = after;
                }
                changed.push_str(rest);
                changed
            })
    }

    /// Whether the object in which a literal stands between these texts names something else than the package.
    fn is_of_another(self, before: &str, after: &str) -> bool {
        if !before.trim_end().ends_with(':') {
            return false;
        }
        let opened = unmatched(before.char_indices().rev(), '}', '{');
        let closed = unmatched(after.char_indices(), '{', '}');
        let (Some(opened), Some(closed)) = (opened, closed) else {
            return false;
        };
        let parts = [before.get(opened..), after.get(..closed)];
        parts
            .into_iter()
            .flatten()
            .any(|part| self.names_another(part))
    }

    fn names_another(self, text: &str) -> bool {
        ['"', '\'', '`'].into_iter().any(|quote| {
            text.match_indices(quote).any(|(at, _)| {
                let (before, literal) = text.split_at(at);
                let Some((literal, _)) = literal
                    .get(1..)
                    .and_then(|literal| literal.split_once(quote))
                else {
                    return false;
                };
                let key = before.trim_end().strip_suffix(':').unwrap_or_default();
                let key = key.trim_end().trim_end_matches(['"', '\'']);
                let is_name = ["name", "package", "identifier"]
                    .iter()
                    .any(|name| key.to_ascii_lowercase().ends_with(name));
                (is_name && !self.is_called(literal))
                    || (is_scoped(literal) && literal != self.name)
            })
        })
    }

    /// Whether a program may call the package so: without its scope, and with more or less of what every server is called.
    fn is_called(self, name: &str) -> bool {
        let words = |name: &str| -> std::collections::BTreeSet<String> {
            name.split(|c: char| !c.is_alphanumeric())
                .map(str::to_lowercase)
                .filter(|word| !matches!(word.as_str(), "" | "mcp" | "server"))
                .collect()
        };
        let own = self.name.rsplit('/').next().unwrap_or_default();
        name == self.name || (!name.contains(['/', '@']) && words(name) == words(own))
    }
}

/// Where the first sign of this kind stands that the other one does not belong to.
fn unmatched(
    characters: impl Iterator<Item = (usize, char)>,
    other: char,
    sign: char,
) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in characters {
        if c == other {
            depth = depth.saturating_add(1);
        } else if c == sign {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some(at),
            }
        }
    }
    None
}

/// `@scope/name`
fn is_scoped(literal: &str) -> bool {
    literal
        .strip_prefix('@')
        .and_then(|name| name.split_once('/'))
        .is_some_and(|(scope, name)| !scope.is_empty() && !name.is_empty())
}

fn take_version(document: &mut Value, after: &Value) {
    if let (Some(version), Some(after)) = (document.get_mut("version"), after.get("version")) {
        *version = after.clone();
    }
}

/// Whether a program's text up to a literal ends with what a version is given to: `const VERSION =`, `version:`.
fn is_given_to_a_version(text: &str) -> bool {
    const OWN: [&str; 9] = [
        "version",
        "packageversion",
        "pkgversion",
        "serverversion",
        "mcpversion",
        "mcpserverversion",
        "appversion",
        "cliversion",
        "libversion",
    ];
    let text = text.trim_end();
    let Some(before) = text.strip_suffix(['=', ':']) else {
        return false;
    };
    // `const version: string = "1.2.3"`, `"version": "1.2.3"`
    let before = before.trim_end();
    let before = match before.strip_suffix("string").map(str::trim_end) {
        Some(typed) => typed.strip_suffix(':').map_or(before, str::trim_end),
        None => before,
    };
    let before = before.trim_end_matches(['"', '\'']);
    let start = before
        .char_indices()
        .rev()
        .find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '_' | '$')))
        .map_or(0, |(at, c)| at + c.len_utf8());
    let name: String = before
        .get(start..)
        .unwrap_or_default()
        .chars()
        .filter(|c| *c != '_')
        .flat_map(char::to_lowercase)
        .collect();
    OWN.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: OwnVersion<'_> = OwnVersion {
        name: "@o/server",
        found: "0.1.0",
        wanted: "0.1.1",
    };

    #[test]
    fn the_packages_own_version_is_written_wherever_tools_write_it() {
        for (file, before, after) in [
            (
                "jsr.json",
                r#"{"version":"0.1.0"}"#,
                r#"{"version":"0.1.1"}"#,
            ),
            (
                "server.json",
                r#"{"version": "0.1.0", "packages": [{"identifier": "@o/server", "version": "0.1.0"}]}"#,
                r#"{"version": "0.1.1", "packages": [{"identifier": "@o/server", "version": "0.1.1"}]}"#,
            ),
            (
                "npm-shrinkwrap.json",
                r#"{"version": "0.1.0", "packages": {"": {"version": "0.1.0"}}}"#,
                r#"{"version": "0.1.1", "packages": {"": {"version": "0.1.1"}}}"#,
            ),
            ("VERSION", "0.1.0\n", "0.1.1\n"),
            ("version.txt", "0.1.0", "0.1.1"),
            (
                "README.md",
                "`npx @o/server@0.1.0`.",
                "`npx @o/server@0.1.1`.",
            ),
            (
                "README.md",
                "Take @o/server@0.1.0.",
                "Take @o/server@0.1.1.",
            ),
            (
                "fly.toml",
                "version = \"0.1.0\"\n[x]\n",
                "version = \"0.1.1\"\n[x]\n",
            ),
            (
                "smithery.yaml",
                "a: 1\nversion: 0.1.0\n",
                "a: 1\nversion: 0.1.1\n",
            ),
            (
                "v.js",
                "export const VERSION = '0.1.0';",
                "export const VERSION = '0.1.1';",
            ),
            (
                "v.ts",
                "const version: string = `0.1.0`",
                "const version: string = `0.1.1`",
            ),
            (
                "v.ts",
                "{ name: 'server', \"version\": \"0.1.0\" }",
                "{ name: 'server', \"version\": \"0.1.1\" }",
            ),
            (
                "v.ts",
                "f({ name: 'MCP Server', a: {}, version: \"0.1.0\" }, { name: 'other' })",
                "f({ name: 'MCP Server', a: {}, version: \"0.1.1\" }, { name: 'other' })",
            ),
            (
                "v.ts",
                "import x from '@other/sdk'; const info = { name: \"@o/server\", version: '0.1.0' }",
                "import x from '@other/sdk'; const info = { name: \"@o/server\", version: '0.1.1' }",
            ),
        ] {
            assert_eq!(
                OWN.written_into(file, before).as_deref(),
                Some(after),
                "{before}"
            );
        }
    }

    #[test]
    fn the_version_of_anything_else_stays_as_it_is() {
        for (file, text) in [
            (
                "server.json",
                r#"{"packages":[{"identifier":"other","version":"0.1.0"}]}"#,
            ),
            ("a.json", r#"{"dependencies":{"other":"0.1.0"}}"#),
            ("a.json", r#"{"oldest":"0.1.0"}"#),
            ("a.json", r#"["0.1.0"]"#),
            ("a.json", r#"{"0.1.0":1}"#),
            ("a.json", "{"),
            (
                "package-lock.json",
                r#"{"packages":{"node_modules/other":{"version":"0.1.0"}}}"#,
            ),
            ("requirements.txt", "other==0.1.0\n"),
            ("requirements.txt", "@o/server==0.1.0\n"),
            ("uv.lock", "version = \"0.1.0\"\n"),
            ("MANIFEST.in", "exclude 0.1.0"),
            ("Makefile", "VERSION = 0.1.0"),
            ("VERSION", "0.1.0 other"),
            (
                "README.md",
                "`npx other@0.1.0`, 0.1.0, @o/server@0.1.0-beta, x@o/server@0.1.0, @o/server@10.1.0",
            ),
            ("fly.toml", "[dependencies]\nversion = \"0.1.0\"\n"),
            ("ci.yml", "with:\n  version: 0.1.0\n"),
            (
                "v.js",
                "const oldestTrustedServer = '0.1.0'; const minVersion = \"0.1.0\"; f('0.1.0')",
            ),
            ("v.js", "listen('0.1.0.0')"),
            (
                "v.js",
                "const helper = { name: \"@someone-else/helper\", version: \"0.1.0\" };",
            ),
            (
                "v.js",
                "const helper = { version: '0.1.0', package: `helper` };",
            ),
            (
                "v.js",
                "f({ a: { b: 1 }, identifier: 'server-more', version: '0.1.0' })",
            ),
            (
                "v.js",
                "f({ run: ['npx', '@someone-else/server'], version: '0.1.0' })",
            ),
        ] {
            assert_eq!(OWN.written_into(file, text), None, "{text}");
        }
    }

    #[test]
    fn one_place_is_written_and_another_beside_it_is_not() {
        let text = r#"{"version":"0.1.0","dependencies":{"other":"0.1.0"}}"#;
        let expect = r#"{"version":"0.1.1","dependencies":{"other":"0.1.0"}}"#;
        assert_eq!(OWN.written_into("a.json", text).as_deref(), Some(expect));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, shaped in "[\"'@=:{},0.1a \\[\\]\n]{0,60}") {
            for name in ["a.json", "a.md", "a.toml", "a.yml", "a.ts", "VERSION"] {
                for text in [&text, &shaped] {
                    let own = OwnVersion { name: "a", found: "0.1", wanted: "1" };
                    drop(own.written_into(name, text));
                }
            }
        }
    }
}
