//! npm and compatible registries; npm, pnpm, yarn and bun as builders.

mod assemble;
mod build_path;
mod building;
pub(crate) mod claims;
mod document;
mod facts;
mod folder;
pub(crate) mod frontend;
mod install;
mod lifecycle;
pub mod locate;
pub(crate) mod lockfile;
mod manager;
pub(crate) mod manifest;
mod nested;
pub mod packing;
mod packument;
pub mod plan;
pub(crate) mod platform;
mod project;
mod protocols;
mod quirks;
mod recipe;
mod settings;
mod snapshot;
mod stamp;
#[cfg(test)]
mod testing;
mod toolchain;
mod typescript;
mod versions;
