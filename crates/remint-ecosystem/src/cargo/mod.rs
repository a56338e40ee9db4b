//! crates.io and what stands in for it; `cargo package` as the packer.

mod claims;
mod facts;
mod index;
pub mod locate;
mod lockfile;
mod manifest;
pub mod plan;
mod stamp;
pub(crate) mod toolchain;
mod vcs_info;
mod workspace;
