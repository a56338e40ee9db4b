//! Go modules as module proxies serve them, and the zip that go makes of a commit.
//!
//! A module is source code: nothing is built for it. What is published is held against what go would have packed from
//! the tag, file by file, and by the `h1:` digest that `go.sum` and the checksum database know it by.

mod discovery;
mod facts;
mod go_mod;
pub mod h1;
pub mod locate;
mod module;
pub mod packing;
pub mod plan;
mod private;
mod version;

pub use discovery::{Discovered, discovered};
pub use go_mod::{GoMod, Required};
pub use module::{escaped_path, escaped_version};
pub use private::matches_any;
pub(crate) use version::is_canonical;
pub use version::{Pseudo, tags};
