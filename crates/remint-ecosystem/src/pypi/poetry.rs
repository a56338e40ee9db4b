//! Poetry's own dependency tables as the PEP 508 requirements that poetry-core writes into metadata.

use toml::{Table, Value};

use crate::pypi::pyproject::Pyproject;
use crate::pypi::requirement::{Requirement, normalised_extra};
use crate::pypi::versions;

/// What poetry's tables say.
#[derive(Debug, Default)]
pub(crate) struct PoetryDependencies {
    pub(crate) requirements: Vec<Requirement>,
    /// Entries whose metadata form is not known (paths, alternatives).
    pub(crate) untranslated: bool,
}

/// Reads `[tool.poetry.dependencies]` and `[tool.poetry.extras]`. Groups are not published.
pub(crate) fn dependencies(manifest: &Pyproject) -> PoetryDependencies {
    let mut found = PoetryDependencies::default();
    let Some(table) = manifest.table(&["tool", "poetry", "dependencies"]) else {
        return found;
    };
    let extras = manifest.table(&["tool", "poetry", "extras"]);
    for (name, value) in table {
        // The interpreter is no package; it becomes Requires-Python.
        if name.eq_ignore_ascii_case("python") {
            continue;
        }
        let alternatives = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for alternative in alternatives {
            match translate(name, alternative, extras) {
                Translation::Requirement(requirement) => found.requirements.push(*requirement),
                Translation::Unpublished => {}
                Translation::Unknown => found.untranslated = true,
            }
        }
    }
    found
}

enum Translation {
    Requirement(Box<Requirement>),
    /// An optional dependency that no extra names.
    Unpublished,
    Unknown,
}

fn translate(name: &str, value: &Value, extras: Option<&Table>) -> Translation {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let source = if let Some(url) = text("git") {
        let Some(url) = git(url, &text) else {
            return Translation::Unknown;
        };
        format!(" @ {url}")
    } else if let Some(url) = text("url") {
        format!(" @ {url}")
    } else {
        match value
            .as_str()
            .or_else(|| text("version"))
            .and_then(specifiers)
        {
            Some(specifiers) => specifiers.join(","),
            None => return Translation::Unknown,
        }
    };
    let mut written = name.to_owned();
    if let Some(wanted) = value.get("extras").and_then(Value::as_array) {
        let wanted: Vec<&str> = wanted.iter().filter_map(Value::as_str).collect();
        written = format!("{written}[{}]", wanted.join(","));
    }
    written.push_str(&source);
    let mut markers = Vec::new();
    if let Some(marker) = text("markers") {
        markers.push(format!("({marker})"));
    }
    for (key, variable) in [("platform", "sys_platform")] {
        if let Some(platform) = text(key) {
            markers.push(format!("{variable} == '{platform}'"));
        }
    }
    if let Some(python) = text("python") {
        match python_marker(python) {
            Some(marker) => markers.extend(marker),
            None => return Translation::Unknown,
        }
    }
    if value.get("optional").and_then(Value::as_bool) == Some(true) {
        let naming = extras_naming(name, extras);
        if naming.is_empty() {
            return Translation::Unpublished;
        }
        let naming: Vec<String> = naming
            .iter()
            .map(|extra| format!("extra == '{extra}'"))
            .collect();
        markers.push(format!("({})", naming.join(" or ")));
    }
    if !markers.is_empty() {
        written.push_str(" ; ");
        written.push_str(&markers.join(" and "));
    }
    Requirement::parse(&written).map_or(Translation::Unknown, |requirement| {
        Translation::Requirement(Box::new(requirement))
    })
}

fn git<'a>(url: &str, text: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let url = match url
        .strip_prefix("git@")
        .and_then(|rest| rest.split_once(':'))
    {
        Some((host, path)) => format!("git+ssh://git@{host}/{path}"),
        None if url.contains("://") => format!("git+{}", url.strip_prefix("git+").unwrap_or(url)),
        None => return None,
    };
    let reference = text("rev")
        .or_else(|| text("tag"))
        .or_else(|| text("branch"));
    let reference = reference
        .map(|reference| format!("@{reference}"))
        .unwrap_or_default();
    let folder = text("subdirectory")
        .map(|folder| format!("#subdirectory={folder}"))
        .unwrap_or_default();
    Some(format!("{url}{reference}{folder}"))
}

/// The extras whose lists name this dependency.
fn extras_naming(name: &str, extras: Option<&Table>) -> Vec<String> {
    let wanted = normalised_extra(name);
    extras
        .into_iter()
        .flatten()
        .filter(|(_, list)| {
            list.as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .any(|entry| normalised_extra(entry) == wanted)
        })
        .map(|(extra, _)| normalised_extra(extra))
        .collect()
}

/// A version constraint in poetry's grammar as PEP 440 specifiers; `None` where there is no single such list.
pub(crate) fn specifiers(constraint: &str) -> Option<Vec<String>> {
    if constraint.contains('|') || constraint.len() > 500 {
        return None;
    }
    let mut specifiers = Vec::new();
    for part in constraint.split(',') {
        // A space between operator and version belongs to the specifier, one between specifiers separates.
        let mut words: Vec<String> = Vec::new();
        for word in part.split_whitespace() {
            match words.last_mut() {
                Some(last) if last.ends_with(['<', '>', '=', '~', '^', '!']) => last.push_str(word),
                _ => words.push(word.to_owned()),
            }
        }
        for word in words {
            specifiers.extend(specifier(&word)?);
        }
    }
    Some(specifiers)
}

fn specifier(word: &str) -> Option<Vec<String>> {
    if word == "*" {
        return Some(Vec::new());
    }
    if let Some(version) = word.strip_prefix('^') {
        let parsed = versions::parse(version)?;
        let release = parsed.release();
        // The leftmost part that is not zero may not change; of all zeros, the last one written.
        let at = release
            .iter()
            .take(3)
            .position(|part| *part != 0)
            .unwrap_or_else(|| release.len().min(3).saturating_sub(1));
        return Some(vec![
            format!(">={version}"),
            format!("<{}", bumped(release, at)?),
        ]);
    }
    if let Some(version) = word.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let parsed = versions::parse(version)?;
        let release = parsed.release();
        let at = usize::from(release.len() > 1);
        return Some(vec![
            format!(">={version}"),
            format!("<{}", bumped(release, at)?),
        ]);
    }
    if word.starts_with(['<', '>', '=', '!', '~']) {
        let word = if word.starts_with('=') && !word.starts_with("==") {
            format!("={word}")
        } else {
            word.to_owned()
        };
        return Some(vec![word]);
    }
    Some(vec![format!("=={word}")])
}

fn bumped(release: &[u64], at: usize) -> Option<String> {
    let mut upper: Vec<u64> = release.get(..=at)?.to_vec();
    let last = upper.last_mut()?;
    *last = last.checked_add(1)?;
    let upper: Vec<String> = upper.iter().map(ToString::to_string).collect();
    Some(upper.join("."))
}

/// A constraint on the interpreter as markers; patch versions need the full version.
fn python_marker(constraint: &str) -> Option<Vec<String>> {
    specifiers(constraint)?
        .into_iter()
        .map(|specifier| {
            let at = specifier.find(|c: char| c.is_ascii_digit())?;
            let (operator, version) = specifier.split_at(at);
            let wildcard = version.ends_with(".*");
            let parts = version.trim_end_matches(".*").split('.').count();
            let variable = if parts > 2 {
                "python_full_version"
            } else {
                "python_version"
            };
            let version = if wildcard && parts >= 2 {
                version.trim_end_matches(".*")
            } else {
                version
            };
            Some(format!("{variable} {operator} '{version}'"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(manifest: &str, expect: &[&str], untranslated: bool) {
        let manifest = Pyproject::parse("pyproject.toml", manifest.as_bytes()).unwrap();
        let found = dependencies(&manifest);
        let spelled: Vec<String> = found
            .requirements
            .iter()
            .map(|requirement| format!("{} {}", requirement.name, requirement.spelled()))
            .collect();
        let expect: Vec<String> = expect
            .iter()
            .map(|text| {
                let requirement = Requirement::parse(text).unwrap();
                format!("{} {}", requirement.name, requirement.spelled())
            })
            .collect();
        assert_eq!(spelled, expect);
        assert_eq!(found.untranslated, untranslated);
    }

    #[test]
    fn constraints_become_what_poetry_core_publishes() {
        check(
            "[tool.poetry.dependencies]\npython='^3.10'\na='^1.2.3'\nb='^0.2.3'\nc='^0.0.3'\nd='~1.2'\ne='~1'\nf='*'\ng='1.0'\nh='>=1, <2'\ni='>= 1.5'\nj='^0.0'\nk='^2.0a1'\n",
            &[
                "a (>=1.2.3,<2.0.0)",
                "b (>=0.2.3,<0.3.0)",
                "c (>=0.0.3,<0.0.4)",
                "d (>=1.2,<1.3)",
                "e (>=1,<2)",
                "f",
                "g (==1.0)",
                "h (>=1,<2)",
                "i (>=1.5)",
                "j (>=0.0,<0.1)",
                "k (>=2.0a1,<3.0)",
            ],
            false,
        );
    }

    #[test]
    fn tables_carry_extras_and_markers() {
        check(
            "[tool.poetry.dependencies]\na={version='^1.0',extras=['x'],markers=\"os_name=='nt'\"}\nb={version='^1.0',optional=true}\nc={version='1',optional=true}\nd={git='https://github.com/o/d.git',rev='abc'}\ne={version='*',python='<3.11'}\n[tool.poetry.extras]\ncli=['b']\nall=['B']\n",
            &[
                "a[x] (>=1.0,<2.0); os_name == 'nt'",
                "b (>=1.0,<2.0); extra == 'cli' or extra == 'all'",
                "d @ git+https://github.com/o/d.git@abc",
                "e; python_version < '3.11'",
            ],
            false,
        );
    }

    #[test]
    fn what_has_no_known_form_is_said_to() {
        check("[tool.poetry.dependencies]\na={path='../a'}\n", &[], true);
        check("[tool.poetry.dependencies]\na='^1 || ^2'\n", &[], true);
        check("[tool.poetry.dependencies]\na='^banana'\n", &[], true);
    }

    proptest! {
        #[test]
        fn no_constraint_panics(any: String, shaped in "([~^*!=<>|, ]|[0-9]{1,20}|[.]|[a-z]){0,12}") {
            for constraint in [any, shaped] {
                let _specifiers = specifiers(&constraint);
                let _marker = python_marker(&constraint);
                let mut table = Table::new();
                table.insert("version".to_owned(), constraint.clone().into());
                table.insert("python".to_owned(), constraint.clone().into());
                table.insert("markers".to_owned(), constraint.into());
                let _requirement = translate("a", &Value::Table(table), None);
            }
        }
    }
}
