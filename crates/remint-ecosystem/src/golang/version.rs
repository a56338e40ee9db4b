//! Versions of Go modules (Go modules reference, "Versions"): canonical semantic versions with a `v`, `+incompatible`,
//! and pseudo-versions, which hold the time and the beginning of the id of a commit that nobody tagged.

use std::cmp::Ordering;

use remint_model::EntryPath;

use crate::golang::module::Split;

/// What stands behind a version of a module without a `go.mod` whose major version its path does not bear.
pub(crate) const INCOMPATIBLE: &str = "+incompatible";
/// How many digits of the commit's id a pseudo-version holds.
const REVISION: usize = 12;

/// Whether this is a version in the one spelling that go gives it: `v1.2.3`, `v1.2.3-rc.1`, `v2.0.0+incompatible`.
pub(crate) fn is_canonical(version: &str) -> bool {
    parts(version).is_some()
}

/// Major, minor and patch, and the pre-release.
fn parts(version: &str) -> Option<([&str; 3], &str)> {
    let rest = version.strip_prefix('v')?;
    let rest = rest.strip_suffix(INCOMPATIBLE).unwrap_or(rest);
    let (numbers, pre) = match rest.split_once('-') {
        Some((_, "")) => return None,
        Some((numbers, pre)) => (numbers, pre),
        None => (rest, ""),
    };
    let mut three = numbers.splitn(3, '.');
    let numbers = [three.next()?, three.next()?, three.next()?];
    let is_number = |text: &str| {
        !text.is_empty()
            && text.len() <= 19
            && text.bytes().all(|b| b.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    let is_identifier = |text: &str| {
        let numeric = text.bytes().all(|b| b.is_ascii_digit());
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !(numeric && text.len() > 1 && text.starts_with('0'))
    };
    (numbers.iter().all(|number| is_number(number))
        && (pre.is_empty() || pre.split('.').all(is_identifier)))
    .then_some((numbers, pre))
}

/// The major version with its `v`: `v2`.
pub(crate) fn major(version: &str) -> Option<String> {
    let ([major, ..], _) = parts(version)?;
    Some(format!("v{major}"))
}

/// Whether it is a release, not something before one.
pub(crate) fn is_release(version: &str) -> bool {
    parts(version).is_some_and(|(_, pre)| pre.is_empty())
}

/// The order of versions (semver 2.0.0, section 11); what is no version comes first.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (Some((one_numbers, one_pre)), Some((other_numbers, other_pre))) =
        (parts(one), parts(other))
    else {
        return parts(one).is_some().cmp(&parts(other).is_some());
    };
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    one_numbers
        .map(number)
        .cmp(&other_numbers.map(number))
        .then_with(|| match (one_pre, other_pre) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (one, other) => pre_releases(one, other),
        })
}

fn pre_releases(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// What a pseudo-version says of its commit (Go modules reference, "Pseudo-versions").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudo {
    /// When it was committed, UTC: seconds since 1970.
    pub time: i64,
    /// The first twelve digits of its id.
    pub revision: String,
}

impl Pseudo {
    /// Reads a pseudo-version; `None` where it is another kind of version, or none.
    #[must_use]
    pub fn parse(version: &str) -> Option<Self> {
        let (numbers, pre) = parts(version)?;
        let (rest, revision) = pre.rsplit_once('-')?;
        let (before, time) = match rest.rsplit_once('.') {
            Some((before, time)) => (Some(before), time),
            None => (None, rest),
        };
        let has_base = match before {
            // `vX.0.0-TIME-REVISION`: no tag comes before it.
            None => numbers.get(1..) == Some(&["0", "0"][..]),
            // `vX.Y.Z-0.…` after a release, `vX.Y.Z-rc.1.0.…` after a pre-release.
            Some(before) => before == "0" || before.ends_with(".0"),
        };
        let is_revision =
            revision.len() == REVISION && revision.bytes().all(|b| b.is_ascii_hexdigit());
        if !has_base || !is_revision {
            return None;
        }
        Some(Self {
            time: seconds(time)?,
            revision: revision.to_ascii_lowercase(),
        })
    }
}

/// `yyyymmddhhmmss` as seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let time = jiff::civil::DateTime::new(
        text.get(..4)?.parse().ok()?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        0,
    )
    .ok()?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_second())
}

/// The tag under which this version of a module in this folder is published, the only one that go takes; `None` for
/// a pseudo-version, which has none (Go modules reference, "Mapping versions to commits").
#[must_use]
pub fn tags(version: &str, directory: Option<&EntryPath>) -> Option<String> {
    if !is_canonical(version) || Pseudo::parse(version).is_some() {
        return None;
    }
    let version = version.strip_suffix(INCOMPATIBLE).unwrap_or(version);
    Some(match directory {
        Some(directory) => format!("{directory}/{version}"),
        None => version.to_owned(),
    })
}

/// Whether a module of this path can have this version.
pub(crate) fn fits(path: &str, version: &str) -> bool {
    let Some(major) = major(version) else {
        return false;
    };
    let suffix = Split::of(path).major;
    if suffix.is_empty() {
        return matches!(&*major, "v0" | "v1") || version.ends_with(INCOMPATIBLE);
    }
    // An old go gave untagged commits of gopkg.in's v1 packages this number.
    let old = suffix == ".v1" && version.starts_with("v0.0.0-");
    !version.ends_with(INCOMPATIBLE)
        && (old
            || suffix
                .get(1..)
                .is_some_and(|suffix| suffix.strip_suffix("-unstable").unwrap_or(suffix) == major))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_have_one_spelling() {
        for version in [
            "v0.0.0",
            "v1.2.3",
            "v1.2.3-rc.1",
            "v2.0.0+incompatible",
            "v1.2.3-0.20200102030405-abcdefabcdef",
        ] {
            assert!(is_canonical(version), "{version}");
        }
        for version in [
            "1.2.3",
            "v1",
            "v1.2",
            "v01.2.3",
            "v1.2.3-",
            "v1.2.3-01",
            "v1.2.3+meta",
            "v1.2.3-a..b",
            "latest",
            "",
            "v1.2.3/..",
        ] {
            assert!(!is_canonical(version), "{version}");
        }
    }

    #[test]
    fn versions_are_ordered_as_semver_says() {
        let ordered = [
            "nonsense",
            "v0.9.0",
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-alpha.beta",
            "v1.0.0-rc.2",
            "v1.0.0-rc.10",
            "v1.0.0",
            "v1.0.10",
            "v2.0.0+incompatible",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
    }

    #[test]
    fn pseudo_versions_tell_their_commit() {
        for version in [
            "v0.0.0-20191109021931-daa7c04131f5",
            "v1.2.4-0.20191109021931-daa7c04131f5",
            "v1.2.3-pre.0.20191109021931-daa7c04131f5",
            "v2.0.1-0.20191109021931-daa7c04131f5+incompatible",
        ] {
            let pseudo = Pseudo::parse(version).unwrap();
            assert_eq!(pseudo.revision, "daa7c04131f5", "{version}");
            assert_eq!(pseudo.time, 1_573_265_971, "{version}");
        }
        for version in [
            "v1.2.3",
            "v1.2.3-20191109021931-daa7c04131f5",
            "v1.2.3-1.20191109021931-daa7c04131f5",
            "v0.0.0-20191309021931-daa7c04131f5",
            "v0.0.0-2019110902193-daa7c04131f5",
            "v0.0.0-20191109021931-daa7c04131f",
            "v0.0.0-20191109021931-zaa7c04131f5",
        ] {
            assert_eq!(Pseudo::parse(version), None, "{version}");
        }
    }

    #[test]
    fn one_tag_publishes_a_version() {
        let folder = "sub/x".parse().unwrap();
        assert_eq!(tags("v1.2.3", None).as_deref(), Some("v1.2.3"));
        assert_eq!(
            tags("v1.2.3", Some(&folder)).as_deref(),
            Some("sub/x/v1.2.3")
        );
        assert_eq!(tags("v2.0.0+incompatible", None).as_deref(), Some("v2.0.0"));
        assert_eq!(tags("v0.0.0-20191109021931-daa7c04131f5", None), None);
        assert_eq!(tags("main", None), None);
    }

    #[test]
    fn a_path_bears_its_major_version() {
        for (path, version) in [
            ("example.org/x", "v0.1.0"),
            ("example.org/x", "v1.1.0"),
            ("example.org/x", "v3.1.0+incompatible"),
            ("example.org/x/v2", "v2.1.0"),
            ("gopkg.in/x.v3", "v3.0.1"),
            ("gopkg.in/x.v1", "v0.0.0-20191109021931-daa7c04131f5"),
        ] {
            assert!(fits(path, version), "{path} {version}");
        }
        for (path, version) in [
            ("example.org/x", "v2.0.0"),
            ("example.org/x/v2", "v1.0.0"),
            ("example.org/x/v2", "v3.0.0"),
            ("example.org/x/v2", "v2.0.0+incompatible"),
            ("gopkg.in/x.v3", "v2.0.0"),
            ("example.org/x", "1.0.0"),
        ] {
            assert!(!fits(path, version), "{path} {version}");
        }
    }

    proptest! {
        #[test]
        fn no_version_panics(any: String, shaped in "v?[0-9]{1,4}(\\.[0-9a-z]{1,3}){0,3}(-[0-9.a-f-]{0,30})?(\\+incompatible)?") {
            for version in [&any, &shaped] {
                if Pseudo::parse(version).is_some() {
                    prop_assert!(is_canonical(version));
                    prop_assert_eq!(tags(version, None), None);
                }
                prop_assert_eq!(compare(version, &any), compare(&any, version).reverse());
                let _ = fits("example.org/x/v2", version);
            }
        }
    }
}
