//! Whole-program tests: through the binary, and over the workspace itself.

mod cli;
mod npm;
mod pypi;
mod tamper;
mod tidy;
mod world;
