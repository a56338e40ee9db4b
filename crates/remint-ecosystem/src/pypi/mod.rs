//! The Python Package Index and compatible indexes; PEP 517 builds.

pub mod locate;
pub mod plan;
