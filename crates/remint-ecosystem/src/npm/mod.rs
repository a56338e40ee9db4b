//! npm and compatible registries; npm, pnpm, yarn and bun as builders.

pub mod locate;
pub mod plan;
