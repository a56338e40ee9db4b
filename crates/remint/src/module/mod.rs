//! A Go module: its digest against the checksum database's, and its zip against what go packs from the source; and what
//! is told of programs that were built of one.

mod checksums;
mod packed;
pub(crate) mod program;

pub(crate) use checksums::{checksums, logged_digest, notes};
pub(crate) use packed::{hold, pack};
