//! Opens hostile archives, lists them strictly, and says what two of them have in common: identical, equal
//! once named normalisers have run, or different, with every difference ranked and explained where its cause
//! is known.
//!
//! Bytes in, values out: nothing here touches a file system, a process, a clock or the network.

mod archive;
mod build_paths;
mod compare;
mod difference;
mod encoders;
mod error;
mod go_program;
mod known;
mod limits;
mod native_code;
pub mod normalise;
mod python;
mod second_look;
mod source_map;
mod source_tree;
mod survey;
mod text;

pub use archive::layer::{Layer, LayerContent, LayerEntry, LayerKind, layer};
pub use archive::places::path_of_name;
pub use compare::{Compared, ComparedPath, Counts, Standing, Traced, compare};
pub use difference::class_of_path;
pub use encoders::npm_gzip;
pub use error::{ArchiveError, Side};
pub use go_program::{NoBuildInfo, go_build_info, only_signed};
pub use known::Known;
pub use limits::{Erasing, Limits, Options, SideWords};
pub use native_code::recognise as recognise_native_code;
pub use python::{PythonLikeness, PythonSyntax};
pub use source_tree::{AgainstTree, HeldAgainstTree, against_tree};
pub use survey::survey;
