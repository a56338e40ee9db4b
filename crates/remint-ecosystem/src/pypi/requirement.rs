//! Requirements (PEP 508) in one spelling, so that what two tools wrote about one requirement is one text.
//!
//! Name, extras and URL are read here, specifiers and markers by the PEP 440 and PEP 508 crates: the latter's own
//! reading of URLs expands environment variables and its reading of extras can panic.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use pep440_rs::{Operator, Version, VersionSpecifier, VersionSpecifiers};
use pep508_rs::{MarkerTree, MarkerWarningKind, Reporter};
use remint_model::{Ecosystem, PackageName};

/// The longest requirement that is looked at.
const LONGEST: usize = 8192;
/// Markers beyond these are nobody's: the parser recurses, and simplification can grow exponentially.
const MOST_PARENTHESES: usize = 32;
const MOST_CLAUSES: usize = 48;
/// A build backend that asks for more than this asks for something else.
const MOST_REQUIREMENTS: usize = 1000;

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// Normalised.
    pub(crate) name: String,
    /// Normalised.
    pub(crate) extras: BTreeSet<String>,
    pub(crate) source: Source,
    pub(crate) marker: Option<Marker>,
}

/// Which distributions satisfy a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Those of these versions; none given is any.
    Versions(Vec<VersionSpecifier>),
    /// This one.
    Url(String),
}

/// When a requirement applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marker {
    /// Understood, in canonical form.
    Tree(MarkerTree),
    /// Not understood; its text, with single spaces.
    Opaque(String),
}

impl Requirement {
    /// Reads a requirement; `None` where it is none (a path, an option, a broken specifier).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > LONGEST || text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
            return None;
        }
        let (name, rest) = split_name(text)?;
        let name = PackageName::parse(Ecosystem::Pypi, name).ok()?;
        let (extras, rest) = split_extras(rest.trim_start())?;
        let rest = rest.trim_start();
        if let Some(url) = rest.strip_prefix('@') {
            // A semicolon belongs to the URL unless a space stands before it (PEP 508).
            let (url, marker) = match url.find(" ;").or_else(|| url.find("\t;")) {
                Some(at) => (url.get(..at)?, Some(url.get(at.checked_add(2)?..)?)),
                None => (url, None),
            };
            let url = url.trim();
            if url.is_empty() || url.contains(char::is_whitespace) {
                return None;
            }
            return Some(Self {
                name: name.as_str().to_owned(),
                extras,
                source: Source::Url(url.to_owned()),
                marker: marker.and_then(Marker::parse),
            });
        }
        let (specifiers, marker) = match rest.split_once(';') {
            Some((specifiers, marker)) => (specifiers, Some(marker)),
            None => (rest, None),
        };
        let specifiers = specifiers.trim();
        // `name (>=1)`, as older metadata has it.
        let specifiers = match specifiers.strip_prefix('(') {
            Some(inner) => inner.strip_suffix(')')?,
            None => specifiers,
        };
        Some(Self {
            name: name.as_str().to_owned(),
            extras,
            source: Source::Versions(parse_specifiers(specifiers)?),
            marker: marker.and_then(Marker::parse),
        })
    }

    /// The same requirement, applying only when an extra is asked for.
    pub(crate) fn for_extra(mut self, extra: &str) -> Self {
        let only = Marker::parse(&format!("extra == '{}'", normalised_extra(extra)));
        self.marker = match (self.marker.take(), only) {
            (Some(Marker::Tree(mut tree)), Some(Marker::Tree(only))) => {
                tree.and(only);
                Some(Marker::Tree(tree))
            }
            (Some(marker), Some(only)) => Some(Marker::Opaque(format!(
                "({}) and {}",
                marker.spelled(),
                only.spelled()
            ))),
            (marker, None) | (None, marker) => marker,
        };
        self
    }

    /// Whether the requirement can apply although no extra is asked for.
    pub(crate) fn is_unconditional_on_extras(&self) -> bool {
        match &self.marker {
            None => true,
            Some(Marker::Tree(tree)) => tree.evaluate_extras(&[]),
            Some(Marker::Opaque(text)) => !text.contains("extra"),
        }
    }

    /// Everything but the name, in canonical spelling.
    pub(crate) fn spelled(&self) -> String {
        let extras: Vec<&str> = self.extras.iter().map(String::as_str).collect();
        let extras = match extras.as_slice() {
            [] => String::new(),
            extras => format!("[{}]", extras.join(",")),
        };
        let source = match &self.source {
            Source::Versions(specifiers) => {
                let specifiers: BTreeSet<String> =
                    specifiers.iter().flat_map(canonical_specifier).collect();
                let specifiers: Vec<String> = specifiers.into_iter().collect();
                specifiers.join(",")
            }
            Source::Url(url) => format!("@ {url}"),
        };
        let marker = match self.marker.as_ref().map(Marker::spelled) {
            Some(marker) if !marker.is_empty() => format!("; {marker}"),
            Some(_) | None => String::new(),
        };
        let any = if extras.is_empty() && source.is_empty() {
            "*"
        } else {
            ""
        };
        format!("{extras}{source}{any}{marker}")
    }
}

impl Marker {
    /// Reads a marker; `None` for one that says nothing.
    fn parse(text: &str) -> Option<Self> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return None;
        }
        let clauses = text
            .matches(" and ")
            .count()
            .saturating_add(text.matches(" or ").count());
        // The crate counts characters where it slices bytes: text beyond ASCII makes it panic.
        if !text.is_ascii()
            || text.matches('(').count() > MOST_PARENTHESES
            || clauses > MOST_CLAUSES
        {
            return Some(Self::Opaque(text));
        }
        let mut warnings = Warnings(0);
        match MarkerTree::parse_reporter(&text, &mut warnings) {
            // The crate leaves out comparisons that it warns about; a marker must not lose a part unseen.
            Ok(tree) if warnings.0 == 0 => Some(Self::Tree(tree)),
            Ok(_) | Err(_) => Some(Self::Opaque(text)),
        }
    }

    fn spelled(&self) -> String {
        match self {
            Self::Tree(tree) => tree.try_to_string().unwrap_or_default(),
            Self::Opaque(text) => text.clone(),
        }
    }
}

struct Warnings(usize);

impl Reporter for Warnings {
    fn report(&mut self, _kind: MarkerWarningKind, _message: String) {
        self.0 = self.0.saturating_add(1);
    }
}

/// The normalised name that a requirement starts with.
pub(crate) fn name_of(text: &str) -> Option<String> {
    let (name, _) = split_name(text.trim())?;
    PackageName::parse(Ecosystem::Pypi, name)
        .ok()
        .map(|name| name.as_str().to_owned())
}

/// The requirements of a text, one a line, each named and nothing else; or else the line that is not.
pub(crate) fn plain(text: &str) -> Result<Vec<String>, String> {
    let mut requirements = Vec::new();
    for line in text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let shown = || line.chars().take(200).collect::<String>();
        if requirements.len() >= MOST_REQUIREMENTS {
            return Err(shown());
        }
        match Requirement::parse(line) {
            Some(requirement)
                if matches!(requirement.source, Source::Versions(_))
                    && line.is_ascii()
                    && !looks_like_a_file(line)
                    && !matches!(requirement.marker, Some(Marker::Opaque(_))) =>
            {
                requirements.push(line.to_owned());
            }
            Some(_) | None => return Err(shown()),
        }
    }
    Ok(requirements)
}

/// Whether an installer would rather take a bare word for a file in its directory: `x.whl` is a valid name too.
fn looks_like_a_file(line: &str) -> bool {
    let (name, _) = split_name(line).unwrap_or((line, ""));
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    [
        "whl", "zip", "tar", "gz", "tgz", "bz2", "tbz", "xz", "txz", "tlz", "lz", "lzma", "zst",
        "egg", "txt", "toml", "cfg", "py", "lock",
    ]
    .iter()
    .any(|known| ending.eq_ignore_ascii_case(known))
}

fn split_name(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty()).then_some((name, rest))
}

fn split_extras(text: &str) -> Option<(BTreeSet<String>, &str)> {
    let Some(inside) = text.strip_prefix('[') else {
        return Some((BTreeSet::new(), text));
    };
    let (inside, rest) = inside.split_once(']')?;
    let extras = inside
        .split(',')
        .map(str::trim)
        .filter(|extra| !extra.is_empty())
        .map(|extra| {
            PackageName::parse(Ecosystem::Pypi, extra)
                .ok()
                .map(|extra| extra.as_str().to_owned())
        })
        .collect::<Option<_>>()?;
    Some((extras, rest))
}

/// PEP 685: extras are normalised as names are.
pub(crate) fn normalised_extra(extra: &str) -> String {
    PackageName::parse(Ecosystem::Pypi, extra).map_or_else(
        |_| extra.chars().filter(|c| !matches!(c, '\'' | '"')).collect(),
        |extra| extra.as_str().to_owned(),
    )
}

fn parse_specifiers(text: &str) -> Option<Vec<VersionSpecifier>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    // A trailing comma is accepted by packaging.
    let text = text.strip_suffix(',').unwrap_or(text);
    VersionSpecifiers::from_str(text)
        .ok()
        .map(|specifiers| specifiers.iter().cloned().collect())
}

/// One specifier in canonical spelling. `~=2.1` is spelled as the two that it stands for, and zeros at the end
/// are left out where they mean nothing, since backends rewrite both.
fn canonical_specifier(specifier: &VersionSpecifier) -> Vec<String> {
    let version = specifier.version();
    match specifier.operator() {
        Operator::TildeEqual => {
            let release = version.release();
            let upper = release
                .split_last()
                .map(|(_, rest)| rest.to_vec())
                .and_then(|mut upper| {
                    let last = upper.last_mut()?;
                    *last = last.checked_add(1)?;
                    Some(upper)
                });
            match upper {
                Some(upper) => {
                    let upper = Version::new(upper).with_epoch(version.epoch());
                    vec![
                        format!(">={}", trimmed(version)),
                        format!("<{}", trimmed(&upper)),
                    ]
                }
                None => vec![specifier.to_string()],
            }
        }
        Operator::EqualStar | Operator::NotEqualStar | Operator::ExactEqual => {
            vec![specifier.to_string().replace(' ', "")]
        }
        operator @ (Operator::Equal
        | Operator::NotEqual
        | Operator::LessThan
        | Operator::LessThanEqual
        | Operator::GreaterThan
        | Operator::GreaterThanEqual) => vec![format!("{operator}{}", trimmed(version))],
    }
}

fn trimmed(version: &Version) -> Version {
    let mut release = version.release().to_vec();
    while release.len() > 1 && release.last() == Some(&0) {
        release.pop();
    }
    version.clone().with_release(release)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(text: &str) -> String {
        let requirement = Requirement::parse(text).unwrap();
        format!("{} {}", requirement.name, requirement.spelled())
    }

    #[test]
    fn spellings_of_one_requirement_are_one() {
        for (one, other) in [
            ("Requests >= 2.0, <3", "requests<3,>=2"),
            ("requests (>=2,<3.0)", "requests>=2.0,<3"),
            ("x~=2.1", "x>=2.1,<3"),
            ("x~=1.4.2", "x>=1.4.2,<1.5"),
            ("x[b,A]", "x[a,B]"),
            (
                "x; python_version<'3.11'",
                "x ; (python_version < \"3.11\")",
            ),
            (
                "x; os_name=='nt' and python_version>'3'",
                "x; python_version > '3' and os_name == 'nt'",
            ),
            ("x ==1.0", "x==1.0.0"),
        ] {
            assert_eq!(spelled(one), spelled(other));
        }
    }

    #[test]
    fn different_requirements_stay_different() {
        for (one, other) in [
            ("x>=1", "x>1"),
            ("x", "x>=0.1"),
            ("x==1.0.*", "x==1.*"),
            ("x~=2.0", "x~=2.0.0"),
            ("x===1.0", "x===1.0.0"),
            ("x", "x[extra]"),
            ("x; os_name == 'nt'", "x; os_name == 'posix'"),
            ("x", "x; python_version > 'abc'"),
            ("x; os_name == 'nt'", "x; os_name == 'nt' or 'a' == 'b'"),
            ("x", "x @ https://example.org/x.whl"),
            ("x==1.0", "x==1.0+local"),
        ] {
            assert_ne!(spelled(one), spelled(other));
        }
    }

    #[test]
    fn an_extra_written_by_a_backend_equals_one_in_the_source() {
        let source = Requirement::parse("x>=1; python_version<'3.11'")
            .unwrap()
            .for_extra("Dev_Tools");
        let published =
            Requirement::parse("x>=1; (python_version < \"3.11\") and extra == 'dev-tools'")
                .unwrap();
        assert_eq!(source.spelled(), published.spelled());
        assert!(!published.is_unconditional_on_extras());
        let always = Requirement::parse("x; extra == 'a' or python_version >= '3'").unwrap();
        assert!(always.is_unconditional_on_extras());
    }

    #[test]
    fn only_plain_requirements_are_installed() {
        assert_eq!(
            plain("hatchling>=1\n\n setuptools ; python_version>'3'\n")
                .unwrap()
                .len(),
            2
        );
        for bad in [
            "x @ https://example.org/x.whl",
            "-r other.txt",
            "--index-url=https://example.org",
            "./x",
            "/x",
            "file:///x",
            "x.whl/../y",
            "x-1-py3-none-any.whl",
            "setup.py",
            "x --hash=sha256:0",
            "x;python_version>'a'",
            "https://example.org/x.whl",
            "git+https://example.org/x",
            "x\u{0}",
            "x\\\ny",
        ] {
            assert!(plain(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn markers_that_would_exhaust_the_parser_are_kept_as_text() {
        let deep = format!("x; {}os_name == 'a'{}", "(".repeat(2000), ")".repeat(2000));
        assert!(matches!(
            Requirement::parse(&deep).unwrap().marker,
            Some(Marker::Opaque(_))
        ));
        let long = format!("x; {}", vec!["os_name == 'a'"; 100].join(" and "));
        assert!(matches!(
            Requirement::parse(&long).unwrap().marker,
            Some(Marker::Opaque(_))
        ));
    }

    #[test]
    fn markers_that_the_crate_trips_over_are_kept_as_text() {
        for text in [
            "name; 梟梟梟",
            "name; '' == 'é'梟",
            "name; \u{a0}extra =='é",
        ] {
            let requirement = Requirement::parse(text).unwrap();
            assert!(
                matches!(requirement.marker, Some(Marker::Opaque(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn names_that_the_crate_trips_over_are_refused() {
        for bad in ["x[a-]", "x[-]", "x-", "", "[x]", "x[a", "x (>=1"] {
            assert!(Requirement::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, shaped in "[a-z]{1,3}(\\[[a-z,-]{0,4}\\])? ?[<>=~!(]{0,2}[0-9.*a-z+]{0,6}\\)?,?;? ?[a-z_]{0,14} ?[=<>in]{0,3} ?['\"]?[0-9a-z. -]{0,5}['\"]?") {
            for text in [text, shaped] {
                let _name = name_of(&text);
                if let Some(requirement) = Requirement::parse(&text) {
                    let _spelled = requirement.for_extra("a-").spelled();
                }
            }
        }
    }
}
