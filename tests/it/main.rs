//! Whole-program tests: through the binary, and over the workspace itself.

mod cli;
mod tidy;
