//! Whole-program tests: through the binary, and over the workspace itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod cli;
mod npm;
mod pypi;
mod registry;
mod served;
mod tamper;
mod tidy;
mod world;
