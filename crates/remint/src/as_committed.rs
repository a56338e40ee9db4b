//! What differs and was published as it was committed: that no build made it is a lead, and no excuse.

use std::collections::BTreeMap;

use remint_model::{Change, CommitId, Comparison, EntryPath, SourceTree, Survey};

/// The same comparison, with a word on published files that the source holds as they are, where nothing else explains
/// them.
pub(crate) fn explained(
    mut comparison: Comparison,
    survey: &Survey,
    tree: &SourceTree,
) -> Comparison {
    let Comparison::Different { differences, .. } = &mut comparison else {
        return comparison;
    };
    let published: BTreeMap<&EntryPath, Vec<&CommitId>> = survey
        .entries
        .iter()
        .filter(|entry| entry.size > 0)
        .map(|entry| (&entry.path, entry.committed_as().collect()))
        .collect();
    let mut committed = BTreeMap::new();
    for (path, entry) in &tree.entries {
        committed.entry(&entry.blob).or_insert(path);
    }
    for difference in differences {
        let otherwise = match difference.change {
            Change::Added => "which the build does not pack",
            Change::Changed => "of which the build makes something else",
            Change::Removed | Change::Metadata => continue,
        };
        let blobs = published.get(&difference.path).into_iter().flatten();
        let place = blobs.filter_map(|blob| committed.get(*blob)).next();
        if let (None, Some(place)) = (&difference.explanation, place) {
            difference.explanation =
                Some(format!("published as `{place}` is committed, {otherwise}"));
        }
    }
    comparison
}

#[cfg(test)]
mod tests {
    use remint_model::{Class, Difference, Sha256, SurveyEntry, TreeEntry};

    use super::*;

    fn entry(path: &str, content: &[u8]) -> SurveyEntry {
        SurveyEntry {
            path: path.parse().unwrap(),
            size: content.len() as u64,
            mode: 0o644,
            modified: 0,
            sha256: Sha256::of(content),
            blob: CommitId::of_blob(content),
            lf_blob: None,
        }
    }

    fn difference(path: &str, change: Change, explanation: Option<&str>) -> Difference {
        Difference {
            path: path.parse().unwrap(),
            change,
            class: Class::Executable,
            hunks: Vec::new(),
            lines: (0, 0),
            explanation: explanation.map(str::to_owned),
        }
    }

    #[test]
    fn a_published_file_that_is_committed_as_it_is_says_so() {
        let survey = Survey {
            entries: vec![
                entry("src/a.ts", b"committed"),
                entry("dist/a.js", b"committed"),
                entry("dist/b.js", b"made by nobody"),
                entry("empty", b""),
            ],
            ..Survey::default()
        };
        let of = |content: &[u8]| TreeEntry {
            mode: 0o100_644,
            blob: CommitId::of_blob(content),
        };
        let tree = SourceTree {
            entries: [
                ("lib/a.ts".parse().unwrap(), of(b"committed")),
                ("none".parse().unwrap(), of(b"")),
            ]
            .into(),
            ..SourceTree::default()
        };
        for (path, change, before, expect) in [
            (
                "src/a.ts",
                Change::Added,
                None,
                Some("published as `lib/a.ts` is committed, which the build does not pack"),
            ),
            (
                "dist/a.js",
                Change::Changed,
                None,
                Some(
                    "published as `lib/a.ts` is committed, of which the build makes something else",
                ),
            ),
            ("dist/a.js", Change::Changed, Some("more"), Some("more")),
            ("dist/a.js", Change::Metadata, None, None),
            ("dist/b.js", Change::Added, None, None),
            ("empty", Change::Added, None, None),
        ] {
            let comparison = Comparison::Different {
                erased: Vec::new(),
                differences: vec![difference(path, change, before)],
            };
            let Comparison::Different { differences, .. } = explained(comparison, &survey, &tree)
            else {
                panic!("it still differs");
            };
            let explanation = differences.first().unwrap().explanation.as_deref();
            assert_eq!(explanation, expect, "{path} {change:?}");
        }
    }
}
