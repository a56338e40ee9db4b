//! The machine-readable report. Each version of the format is a file of its own and never changes its meaning.

pub(crate) mod v1;
