//! Small source trees and requests for the tests of this ecosystem.

use remint_model::{
    CommitId, EntryPath, FoundBy, SourcePin, SourceTree, Stamp, Survey, SurveyEntry, TreeEntry,
};
use sha1_blob::blob_id;

/// Git's id of a blob.
mod sha1_blob {
    use remint_model::{CommitId, Sha1};

    pub(super) fn blob_id(content: &[u8]) -> CommitId {
        let mut bytes = format!("blob {}\0", content.len()).into_bytes();
        bytes.extend_from_slice(content);
        Sha1::of(&bytes).to_string().parse().unwrap()
    }
}

/// A tree of these files, all of them of interest.
pub(crate) fn tree(files: &[(&str, &str)]) -> SourceTree {
    let mut tree = SourceTree::default();
    for (path, text) in files {
        let path: EntryPath = path.parse().unwrap();
        tree.entries.insert(
            path.clone(),
            TreeEntry {
                mode: 0o100_644,
                blob: blob_id(text.as_bytes()),
            },
        );
        tree.texts.insert(path, text.as_bytes().to_vec());
    }
    tree
}

/// A pin on some commit, with the package in this folder.
pub(crate) fn pin(folder: Option<&str>) -> SourcePin {
    SourcePin {
        repository: "https://github.com/o/n".to_owned(),
        reference: Some("v1.2.3".to_owned()),
        commit: commit(),
        commit_time: 1_700_000_000,
        subdirectory: folder.map(|folder| folder.parse().unwrap()),
        found_by: FoundBy::Tag,
        candidates: Vec::new(),
        stamp: None,
        renamed: None,
        reach: remint_model::Reach::DefaultOrTag,
        previous_repository: None,
    }
}

/// The same with a version to stamp.
pub(crate) fn stamped(mut pin: SourcePin, found: &str, wanted: &str) -> SourcePin {
    pin.stamp = Some(Stamp {
        found: Some(found.to_owned()),
        wanted: wanted.parse().unwrap(),
        because: "tag v1.2.3".to_owned(),
    });
    pin
}

pub(crate) fn commit() -> CommitId {
    "0123456789abcdef0123456789abcdef01234567".parse().unwrap()
}

/// A published file with these entries.
pub(crate) fn survey(files: &[(&str, &str)]) -> Survey {
    let mut survey = Survey::default();
    for (path, text) in files {
        let path: EntryPath = path.parse().unwrap();
        survey.entries.push(SurveyEntry {
            path: path.clone(),
            size: text.len() as u64,
            mode: 0o644,
            modified: 0,
            sha256: remint_model::Sha256::of(text.as_bytes()),
            blob: blob_id(text.as_bytes()),
            lf_blob: None,
        });
        if path.file_name() == "package.json" {
            survey.texts.push((path, text.as_bytes().to_vec()));
        }
    }
    survey
}
