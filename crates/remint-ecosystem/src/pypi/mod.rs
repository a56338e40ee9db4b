//! The Python Package Index and compatible indexes; PEP 517 builds.

mod backend;
mod claims;
mod errand;
mod facts;
mod file_name;
mod identity;
mod index;
mod index_html;
mod interest;
mod interpreter;
pub mod locate;
pub(crate) mod metadata;
mod native;
pub mod plan;
mod poetry;
mod prepared;
mod publish;
mod pyproject;
mod recipes;
mod replay;
pub(crate) mod requirement;
mod setup_cfg;
mod setup_py;
mod stamp;
mod versions;
