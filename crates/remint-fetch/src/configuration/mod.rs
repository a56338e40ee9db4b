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

/// A name as cargo and uv write it into the names of environment variables: `MY_MIRROR` for `my-mirror`.
fn in_variables(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}
