//! Everything that comes from elsewhere: registries, artifacts, tools, git sources, and the proxy through which
//! builds fetch. Whatever it brings is checked against the digest that was declared for it and bounded in size.

mod budget;
mod cache;
mod client;
mod configuration;
mod digests;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod git;
mod proxy;
mod registry;
pub mod source;
mod tools;

pub use cache::{Cache, CacheStatus, Pruned};
pub use client::Tokens;
pub use configuration::UserConfiguration;
pub use error::FetchError;
pub use proxy::{Proxy, ProxyRecord, ProxyRules, Withheld};
pub use registry::{ProvenanceReply, Registries, local_artifact, platform};
pub use tools::{ProvidedTool, ToolStore};
