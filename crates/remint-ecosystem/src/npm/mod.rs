//! npm and compatible registries; npm, pnpm, yarn and bun as builders.

mod assemble;
mod build_path;
mod building;
mod checks;
pub(crate) mod claims;
mod document;
mod facts;
mod folder;
pub(crate) mod frontend;
mod install;
pub(crate) mod lifecycle;
pub mod locate;
pub(crate) mod lockfile;
mod manager;
pub(crate) mod manifest;
mod nested;
pub mod packing;
mod packument;
pub mod plan;
pub(crate) mod platform;
pub(crate) mod project;
mod protocols;
mod quirks;
mod recipe;
mod settings;
mod snapshot;
mod stamp;
pub mod substitute;
#[cfg(test)]
pub(crate) mod testing;
mod toolchain;
mod typescript;
mod versions;
