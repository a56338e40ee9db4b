//! A Go module: its digest against the checksum database's, and its zip against what go packs from the source.

mod checksums;
mod packed;

pub(crate) use checksums::{checksums, notes};
pub(crate) use packed::hold;
