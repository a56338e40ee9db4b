//! Small hand-written npm projects in, plans out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile;
mod managers;
mod project;
mod stamps;
mod windows;
mod workflows;
mod workspaces;
