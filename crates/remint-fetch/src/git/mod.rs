//! Git plumbing: reach a foreign repository, read its objects, write out a working tree.
//!
//! Two tools, each for what it does best. The `git` binary speaks to remotes and writes working trees, because
//! libgit2 has no partial clones, no https without OpenSSL, and not all of git's checkout conversions; it runs
//! hardened (`command.rs`). libgit2 reads objects in this process, from object databases alone, so that no
//! configuration of a foreign repository is ever read by it.

mod checkout;
mod command;
mod converted;
mod error;
mod local;
mod names;
mod objects;
mod remote;
mod settings;
mod store;
mod submodules;
mod warden;
mod worktree;

pub use checkout::{Checkout, LaidOut};
pub use command::stop_all;
pub use error::GitError;
pub(crate) use local::surrounding;
pub use local::sweep;
#[cfg(fuzzing)]
pub(crate) use remote::check_listing;
pub use warden::become_warden_if_asked;

/// The version of the git that is used here, in its own words.
///
/// # Errors
/// There is no git, or it does not answer.
pub fn version(user: &crate::UserConfiguration) -> Result<String, GitError> {
    let settings = GitSettings::read(user)?;
    let answer = command::GitCommand::new(&settings, "version", std::path::Path::new("/")).run()?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}

pub(crate) use checkout::Pinned;
pub(crate) use objects::{CommitFacts, Objects, TreeFile, commit_id, oid};
pub(crate) use remote::{
    Advertised, AdvertisedRef, Remote, Unreachable, chosen_by_user, remotes_for,
};
pub(crate) use settings::GitSettings;
pub(crate) use store::{Snapshot, Store};
pub(crate) use worktree::MOST_FILES;
