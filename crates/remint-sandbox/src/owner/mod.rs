//! Who owns what a sandboxed command writes, seen from outside; and trees of files that belong to him.

use std::io;
use std::path::Path;

use crate::error::SandboxError;

#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod platform;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;

/// The user and group of the machine behind the inside's user 1000.
///
/// Root never appears inside, not even under another number, because the rights that come with owning a file would
/// come along: root uses a number that belongs to nobody. All commands use the same one, because they share
/// snapshots of installed trees; what keeps two of them apart is that neither sees the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Owner {
    /// The user who runs remint.
    Caller {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Nobody: remint runs as root.
    Throwaway {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

impl Owner {
    /// The owner for commands that this process runs.
    ///
    /// # Errors
    ///
    /// When the process is root, but lacks the rights of root that are needed to be someone else.
    pub fn of_this_process() -> Result<Self, SandboxError> {
        platform::owner_of_this_process()
    }

    /// The number of the user outside.
    #[must_use]
    pub fn uid(self) -> u32 {
        match self {
            Self::Caller { uid, .. } | Self::Throwaway { uid, .. } => uid,
        }
    }

    /// The number of the group outside.
    #[must_use]
    pub fn gid(self) -> u32 {
        match self {
            Self::Caller { gid, .. } | Self::Throwaway { gid, .. } => gid,
        }
    }

    /// Gives a directory and everything below it to this owner. Links are given away themselves, and not followed.
    ///
    /// # Errors
    ///
    /// When something cannot be read or given away. For [`Owner::Caller`] there is nothing to do.
    pub fn give(self, tree: &Path) -> Result<(), SandboxError> {
        match self {
            Self::Caller { .. } => Ok(()),
            Self::Throwaway { uid, gid } => {
                platform::give(tree, uid, gid).map_err(tree_error("give to the build's user", tree))
            }
        }
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn for_test() -> Self {
        Self::Caller { uid: 1, gid: 1 }
    }
}

/// Removes a directory and everything below it, also where a build left directories that nobody may enter. Links
/// are removed themselves, and not followed. A directory that is not there is no error.
///
/// # Errors
///
/// When something cannot be removed.
pub fn remove_tree(tree: &Path) -> Result<(), SandboxError> {
    match platform::remove(tree) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(tree_error("remove", tree)),
    }
}

fn tree_error(action: &'static str, tree: &Path) -> impl FnOnce(io::Error) -> SandboxError {
    let path = tree.to_owned();
    move |source| SandboxError::Tree {
        action,
        path,
        source,
    }
}
