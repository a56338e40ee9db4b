//! MCP bundles (`.mcpb`, `.dxt`): a server with its dependencies in one zip, and a manifest that says how it starts.
//!
//! No registry serves them. What is inside of one is either a dependency, which a registry has to account for, or
//! has to come from the source.

pub mod bundled;
mod ignored;
pub(crate) mod launch;
pub mod locate;
pub mod locked;
pub(crate) mod manifest;
pub mod packing;
pub mod plan;
pub mod server_json;
pub mod stamp;
