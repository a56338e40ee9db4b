//! What git writes otherwise than it is stored, as `.gitattributes` asks for. Whoever asks whether a file is as it was
//! committed has to know both.

use std::path::Path;

use git2::{ObjectType, Oid};
use remint_model::UnlistedFile;

use super::error::GitError;
use super::objects::Objects;
use super::worktree::MOST_FILES;

/// Attributes by which other bytes are written (gitattributes, "Effects"), and what macros that set them hold.
const CONVERTING: [&[u8]; 5] = [
    b"crlf",
    b"eol",
    b"filter",
    b"ident",
    b"working-tree-encoding",
];
/// Larger lists of attributes are not read.
const LARGEST_LIST: usize = 1 << 20;

/// The files of a working tree below `into` whose content is not the one that `tree` states, as they are there. `prefix`
/// stands before their paths.
pub(super) fn converted(
    objects: &Objects,
    tree: Oid,
    into: &Path,
    prefix: &str,
) -> Result<Vec<UnlistedFile>, GitError> {
    let files = objects.files(tree, MOST_FILES)?;
    let asked_for = files
        .iter()
        .filter(|file| file.path.split(|byte| *byte == b'/').next_back() == Some(b".gitattributes"))
        .any(|file| {
            objects
                .blob(file.id, LARGEST_LIST)
                .is_none_or(|list| CONVERTING.iter().any(|word| holds(&list, word)))
        });
    if !asked_for {
        return Ok(Vec::new());
    }
    let mut converted = Vec::new();
    for file in &files {
        let Ok(path) = std::str::from_utf8(&file.path) else {
            continue;
        };
        let place = into.join(path);
        let is_file = place
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_file());
        if !is_file || !matches!(file.mode, 0o100_644 | 0o100_755) {
            continue;
        }
        let written = Oid::hash_file(ObjectType::Blob, &place).map_err(|reason| {
            let disk = GitError::disk(&place);
            disk(std::io::Error::other(reason))
        })?;
        if written != file.id {
            let mut file = file.clone();
            file.id = written;
            converted.extend(file.unlisted(prefix));
        }
    }
    Ok(converted)
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
