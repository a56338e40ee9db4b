//! npm and compatible registries; npm, pnpm, yarn and bun as builders.

mod claims;
mod facts;
pub mod locate;
mod manifest;
mod packument;
pub mod plan;
mod versions;
