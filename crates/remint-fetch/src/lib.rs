//! Everything that comes from elsewhere: registries, artifacts, tools, git sources, and the proxy through which
//! builds fetch. Whatever it brings is checked against the digest that was declared for it and bounded in size.

mod address;
mod attestation_store;
mod budget;
mod cache;
mod client;
mod configuration;
mod digests;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod git;
mod oci;
mod proxy;
mod registry;
mod services;
pub mod signing_identity;
pub mod source;
mod tools;
pub mod trusted_root;

pub use address::Will;
pub use attestation_store::AttestationStore;
pub use cache::{Cache, CacheStatus, Pruned};
pub use client::Tokens;
pub use configuration::UserConfiguration;
pub use error::FetchError;
pub use oci::ImageRepository;
pub use proxy::{Proxy, ProxyRecord, ProxyRules, Withheld};
pub use registry::{
    ChecksumDatabase, FetchedModuleFile, LocalFile, ModuleFile, ProvenanceReply, Registries,
    platform,
};
pub use services::{ServiceAnswer, ServiceClient, ServicePost};
pub use tools::interpreters::first_interpreter;
pub use tools::{GoToolchainModule, ProvidedTool, ToolStore};
