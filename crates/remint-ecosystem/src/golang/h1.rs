//! The digest by which `go.sum` and the checksum database know a module (`Hash1` of `golang.org/x/mod/sumdb/dirhash`):
//! SHA-256 over one line for each file, `sha256  path`, sorted by path, in base64 behind `h1:`. It covers names and
//! contents and nothing of how they are packed.

use remint_model::{Integrity, Sha256, Survey};

/// The digest of the module zip with these files; `None` where it has no folder `module@version` to name them in.
#[must_use]
pub fn of_survey(survey: &Survey) -> Option<String> {
    let top = survey.top_folder.as_deref()?;
    let files: Vec<(String, Sha256)> = survey
        .entries
        .iter()
        .map(|entry| (format!("{top}/{}", entry.path), entry.sha256))
        .collect();
    of_files(files)
}

/// The digest of a `go.mod` file alone, as `go.sum` lists it under `version/go.mod`.
#[must_use]
pub fn of_go_mod(content: &[u8]) -> String {
    // No name holds a line break, so it can be digested.
    of_files(vec![("go.mod".to_owned(), Sha256::of(content))]).unwrap_or_default()
}

/// The digest over names and digests of files; `None` where a name holds a line break, which could pass for two lines.
#[must_use]
pub fn of_files(mut files: Vec<(String, Sha256)>) -> Option<String> {
    if files.iter().any(|(name, _)| name.contains('\n')) {
        return None;
    }
    files.sort();
    let mut lines = String::new();
    for (name, digest) in &files {
        lines.push_str(&digest.to_string());
        lines.push_str("  ");
        lines.push_str(name);
        lines.push('\n');
    }
    let digest = Integrity::Sha256(Sha256::of(lines.as_bytes())).to_string();
    Some(digest.replacen("sha256-", "h1:", 1))
}

/// Whether a text is such a digest.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("h1:")
        .and_then(|rest| format!("sha256-{rest}").parse::<Integrity>().ok())
        .is_some_and(|digest| matches!(digest, Integrity::Sha256(_)))
}

#[cfg(test)]
mod tests {
    use remint_model::{CommitId, SurveyEntry};

    use super::*;

    #[test]
    fn a_go_mod_has_the_digest_that_go_sum_lists() {
        // `golang.org/x/xerrors v0.0.0-20191204190536-9bdfabe68543/go.mod` of many a `go.sum`.
        assert_eq!(
            of_go_mod(b"module golang.org/x/xerrors\n\ngo 1.11\n"),
            "h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0="
        );
        assert_eq!(of_go_mod(b""), of_go_mod(b""));
        assert!(is_digest(&of_go_mod(b"module x\n")));
    }

    fn survey(files: &[(&str, &str)]) -> Survey {
        Survey {
            top_folder: Some("example.org/x@v1.0.0".to_owned()),
            entries: files
                .iter()
                .map(|(path, content)| SurveyEntry {
                    path: path.parse().unwrap(),
                    size: content.len() as u64,
                    mode: 0,
                    modified: 0,
                    sha256: Sha256::of(content.as_bytes()),
                    blob: CommitId::of_blob(content.as_bytes()),
                    lf_blob: None,
                })
                .collect(),
            ..Survey::default()
        }
    }

    #[test]
    fn names_and_contents_count_and_their_order_does_not() {
        let of = |files: &[(&str, &str)]| of_survey(&survey(files)).unwrap();
        let own = of(&[
            ("go.mod", "module example.org/x\n"),
            ("x.go", "package x\n"),
        ]);
        assert_eq!(
            own,
            of(&[
                ("x.go", "package x\n"),
                ("go.mod", "module example.org/x\n")
            ])
        );
        // As `Hash1` of golang.org/x/mod computes it.
        assert_eq!(own, "h1:tGCawCfIbFCLSm7yTxaqvElURlz88rXnJcwo+RClrJ8=");
        for other in [
            [
                ("go.mod", "module example.org/x\n"),
                ("y.go", "package x\n"),
            ],
            [
                ("go.mod", "module example.org/x\n"),
                ("x.go", "package y\n"),
            ],
        ] {
            assert_ne!(own, of(&other));
        }
        let mut elsewhere = survey(&[
            ("go.mod", "module example.org/x\n"),
            ("x.go", "package x\n"),
        ]);
        elsewhere.top_folder = Some("example.org/x@v1.0.1".to_owned());
        assert_ne!(Some(own), of_survey(&elsewhere));
        elsewhere.top_folder = None;
        assert_eq!(of_survey(&elsewhere), None);
    }

    #[test]
    fn what_is_no_digest_is_told() {
        assert!(is_digest("h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0="));
        for text in [
            "",
            "h1:",
            "h2:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=",
            "h1:zzz",
            "sha256-x",
        ] {
            assert!(!is_digest(text), "{text}");
        }
    }
}
