//! The user's own configuration of package clients, read the way those clients read it.

pub(crate) mod cargo;
pub(crate) mod credentials;
pub(crate) mod docker;
mod files;
pub(crate) mod golang;
pub(crate) mod npmrc;
pub(crate) mod python;
pub(crate) mod transport;
mod user;

pub use user::UserConfiguration;
