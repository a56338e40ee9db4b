//! Keyless signing against services on the loopback interface: honest ones, whose bundles other people's tools accept
//! too, and others, after which nothing is lost and nothing false is written.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod accepted;
mod misbehaving;
mod tiles;
mod tools;
mod watchdog;
mod world;
