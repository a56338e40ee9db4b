//! For which packages a rebuilder's word counts: patterns of package URLs.

use std::fmt;
use std::str::FromStr;

use remint_model::{Ecosystem, Target};
use serde::{Deserialize, Serialize};

/// A pattern: `pkg:*`, `pkg:npm/*`, `pkg:npm/%40scope/*`, `pkg:pypi/mcp-server-*`, each with `@VERSION` if wanted.
///
/// `*` stands for any run of characters but `/`; as the whole last part of the name it stands for everything below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    text: String,
    /// The parts of the name, the ecosystem first.
    parts: Vec<String>,
    version: Option<String>,
}

/// A pattern that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no purl pattern; write `pkg:npm/%40scope/*`, `pkg:pypi/NAME` or `pkg:*` for everything"
)]
pub struct ScopeError(String);

impl Scope {
    /// Whether this release is inside.
    #[must_use]
    pub fn covers(&self, target: &Target) -> bool {
        let ecosystem = target.ecosystem.name();
        let mut name = vec![ecosystem.to_owned()];
        if let Some(scope) = target.name.scope() {
            name.push(format!("@{}", scope.trim_start_matches('@')));
        }
        name.push(target.name.unscoped().to_owned());
        let everything = self.parts.last().is_some_and(|last| last == "*");
        let own = self.parts.len();
        let named = if everything {
            own <= name.len()
        } else {
            own == name.len()
        };
        named
            && self
                .parts
                .iter()
                .zip(&name)
                .all(|(pattern, part)| matches(pattern, part))
            && self
                .version
                .as_ref()
                .is_none_or(|version| matches(version, target.version.as_str()))
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let error = || ScopeError(text.escape_debug().take(120).collect());
        if text.len() > 512 || text.contains(['?', '#']) || text.chars().any(char::is_whitespace) {
            return Err(error());
        }
        let name = text.strip_prefix("pkg:").ok_or_else(error)?;
        // A scope may be written `@scope` or, as package URLs do, `%40scope`.
        let name = name.replace("%40", "@");
        let (name, version) = match name.rfind('@') {
            Some(at) if at > 0 && !name[..at].ends_with('/') => {
                (&name[..at], Some(name[at + 1..].to_owned()))
            }
            _ => (&*name, None),
        };
        let mut parts: Vec<String> = name.split('/').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) || version.as_deref() == Some("") {
            return Err(error());
        }
        let known = Ecosystem::ALL
            .iter()
            .any(|ecosystem| ecosystem.name() == parts[0]);
        let everything = parts.len() == 1 && parts[0] == "*";
        if !everything && (!known || parts.len() < 2 || parts.len() > 3) {
            return Err(error());
        }
        if parts[0] == Ecosystem::Pypi.name() {
            for part in &mut parts[1..] {
                *part = normalised(part);
            }
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
            version,
        })
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.text
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// PyPI's own form of a name (PEP 503), with `*` kept.
fn normalised(name: &str) -> String {
    let mut result = String::new();
    for c in name.chars() {
        let c = if matches!(c, '_' | '.') {
            '-'
        } else {
            c.to_ascii_lowercase()
        };
        if c != '-' || !result.ends_with('-') {
            result.push(c);
        }
    }
    result
}

/// Whether `text` is what the pattern stands for. Linear but for backtracking to the last `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use remint_model::Spec;

    use super::*;

    fn target(text: &str) -> Target {
        let Ok(Spec::Release {
            ecosystem,
            name,
            version: Some(version),
            file,
        }) = text.parse()
        else {
            unreachable!("{text} is a spec with a version")
        };
        Target {
            ecosystem,
            name,
            version,
            file,
        }
    }

    #[test]
    fn a_pattern_covers_what_it_says_and_nothing_beside() {
        for (pattern, covered, beside) in [
            (
                "pkg:*",
                &["npm:a@1.0.0", "npm:@s/a@1.0.0", "pypi:b@2"][..],
                &[][..],
            ),
            (
                "pkg:npm/*",
                &["npm:a@1.0.0", "npm:@s/a@1.0.0"],
                &["pypi:a@1"],
            ),
            (
                "pkg:npm/%40s/*",
                &["npm:@s/a@1.0.0"],
                &["npm:a@1.0.0", "npm:@st/a@1.0.0"],
            ),
            ("pkg:npm/@s/a", &["npm:@s/a@1.0.0"], &["npm:@s/ab@1.0.0"]),
            (
                "pkg:npm/a",
                &["npm:a@1.0.0"],
                &["npm:ab@1.0.0", "npm:@a/a@1.0.0"],
            ),
            ("pkg:npm/a@1.*", &["npm:a@1.2.0"], &["npm:a@2.1.0"]),
            (
                "pkg:pypi/MCP_server.*",
                &["pypi:mcp-server-git@1"],
                &["pypi:mcp@1"],
            ),
        ] {
            let scope: Scope = pattern.parse().unwrap();
            for spec in covered {
                assert!(scope.covers(&target(spec)), "{pattern} {spec}");
            }
            for spec in beside {
                assert!(!scope.covers(&target(spec)), "{pattern} {spec}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*",
            "npm:a",
            "pkg:",
            "pkg:npm",
            "pkg:npm/",
            "pkg:nmp/a",
            "pkg:npm/a/b/c",
            "pkg:npm/a@",
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
