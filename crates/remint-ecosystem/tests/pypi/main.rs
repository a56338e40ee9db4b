//! Small hand-written PyPI projects in, plans and facts out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod facts;
mod index;
mod plan;
mod project;
