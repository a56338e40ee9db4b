//! The user's own configuration of package clients, read the way those clients read it.

mod user;

pub use user::UserConfiguration;
