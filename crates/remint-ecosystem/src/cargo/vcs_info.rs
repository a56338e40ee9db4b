//! `.cargo_vcs_info.json`: the commit that a publisher's cargo was on. The publisher can write anything there.

use remint_model::{CommitId, EntryPath, Survey};
use serde::Deserialize;

use crate::release::MetadataError;

/// Where cargo puts it.
pub(crate) const FILE: &str = ".cargo_vcs_info.json";
/// Cargo's own has about a hundred bytes.
const LARGEST: usize = 64 << 10;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VcsInfo {
    pub(crate) commit: CommitId,
    /// The package's folder; `None` is the root, and what files had that are older than this field.
    pub(crate) directory: Option<EntryPath>,
}

#[derive(Deserialize)]
struct File {
    git: Git,
    #[serde(default)]
    path_in_vcs: String,
}

#[derive(Deserialize)]
struct Git {
    sha1: String,
}

impl VcsInfo {
    /// What the published file has; `None` where it has none, which is what publishing from outside of git leaves.
    pub(crate) fn of_survey(survey: &Survey) -> Option<Result<Self, MetadataError>> {
        survey.text(FILE).map(Self::parse)
    }

    pub(crate) fn parse(content: &[u8]) -> Result<Self, MetadataError> {
        let malformed = |reason: String| MetadataError::Malformed {
            what: FILE.to_owned(),
            reason,
        };
        if content.len() > LARGEST {
            return Err(malformed(format!("it is larger than {LARGEST} bytes")));
        }
        let file: File =
            serde_json::from_slice(content).map_err(|error| malformed(error.to_string()))?;
        let commit = file
            .git
            .sha1
            .parse()
            .map_err(|error| malformed(format!("{error}")))?;
        let directory = match &*file.path_in_vcs {
            "" => None,
            path => Some(
                path.parse()
                    .map_err(|error| malformed(format!("path_in_vcs: {error}")))?,
            ),
        };
        Ok(Self { commit, directory })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMIT: &str = "399923ca47fa6ba4cb57896226bc9a2c1a1f2144";

    fn read(rest: &str) -> Result<VcsInfo, MetadataError> {
        VcsInfo::parse(format!(r#"{{"git":{{"sha1":"{COMMIT}"}}{rest}}}"#).as_bytes())
    }

    #[test]
    fn commit_and_folder_are_read() {
        let info = read(r#","path_in_vcs":"crates/x""#).unwrap();
        assert_eq!(info.commit.to_string(), COMMIT);
        assert_eq!(info.directory, Some("crates/x".parse().unwrap()));
        assert_eq!(read(r#","path_in_vcs":"""#).unwrap().directory, None);
        assert_eq!(read("").unwrap().directory, None);
    }

    #[test]
    fn what_names_no_commit_or_leaves_the_repository_is_refused() {
        for rest in [r#","path_in_vcs":"../x""#, r#","path_in_vcs":"/etc""#, "]"] {
            assert!(read(rest).is_err(), "{rest}");
        }
        for content in [
            r#"{"git":{"sha1":"HEAD"}}"#,
            r#"{"git":{}}"#,
            "{}",
            "not json",
            &format!("{}{}", " ".repeat(LARGEST), "{}"),
        ] {
            assert!(VcsInfo::parse(content.as_bytes()).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_folder_leads_out(content: Vec<u8>, path in "(\\.|/|\\\\\\\\|a|:){0,8}") {
            let shaped = format!(r#"{{"git":{{"sha1":"{COMMIT}"}},"path_in_vcs":"{path}"}}"#);
            for content in [content, shaped.into_bytes()] {
                if let Ok(VcsInfo { directory: Some(directory), .. }) = VcsInfo::parse(&content) {
                    prop_assert!(!directory.as_str().split('/').any(|part| part == ".."));
                }
            }
        }
    }
}
