//! Go modules as module proxies serve them, and the zip that go makes of a commit.
//!
//! A module is source code: nothing is built for it. What is published is held against what go would have packed from
//! the tag, file by file, and by the `h1:` digest that `go.sum` and the checksum database know it by. A program that was
//! built of a module is built again, as it says that it was.

mod discovery;
mod facts;
mod go_mod;
mod go_sum;
mod goreleaser;
pub mod h1;
mod linker_flags;
mod linking;
pub mod locate;
mod module;
pub mod packing;
pub mod plan;
mod private;
mod program;
mod settings;
mod taken_code;
mod version;
mod workspace;

pub use discovery::{Discovered, discovered};
pub use go_mod::{GoMod, Required};
pub use go_sum::modules as locked_modules;
pub use linker_flags::{LinkerFlags, RefusedFlag};
pub use module::{escaped_path, escaped_version};
pub use private::matches_any;
pub use program::MODULES;
pub use taken_code::TakenCode;
pub(crate) use version::is_canonical;
pub use version::{Pseudo, tags};
