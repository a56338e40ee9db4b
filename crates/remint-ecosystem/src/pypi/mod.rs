//! The Python Package Index and compatible indexes; PEP 517 builds.

mod claims;
mod facts;
mod file_name;
mod identity;
mod index;
mod index_html;
pub mod locate;
mod metadata;
pub mod plan;
mod poetry;
mod pyproject;
mod requirement;
mod setup_cfg;
mod setup_py;
mod versions;
