//! Inputs that look enough like the real thing for fuzzing to get past the first check.

mod project;
mod tar;
mod text;
mod wheel;

pub use project::Project;
pub use tar::{Entry, tgz};
pub use text::Text;
pub use wheel::wheel;
