//! Registries on the loopback interface that behave as real ones do, and as none should.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod crates;
mod fetching;
mod modules;
mod provenance;
mod providing;
mod proxying;
mod server;
mod signing;
