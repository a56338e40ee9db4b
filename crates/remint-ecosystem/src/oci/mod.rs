//! Container images (OCI image specification, and Docker's image manifest version 2, schema 2): what their documents say,
//! what their layers make together, and where each file comes from.
//!
//! Nothing here builds an image: there is no builder that would make the same bytes again.

pub mod attribution;
pub mod code;
pub mod documents;
pub mod filesystem;
mod keys;
pub mod loaded;
mod paths;
pub mod platforms;
