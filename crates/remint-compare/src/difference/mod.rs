//! What is left after normalising: ranked, shown as text, and explained where the cause can be proved.

mod class;
mod describe;
mod explain;
mod hunks;
mod install_scripts;

pub use class::class_of_path;
pub(crate) use class::classify;
pub(crate) use describe::{
    age_difference, archive_difference, class_of, class_of_entry, describe, order_difference,
    top_folder_difference,
};
pub(crate) use explain::{
    ChangedFile, EFFORT, Lone, Renamed, explain, has_hashed_name, is_python, pair_up,
};
pub(crate) use hunks::{Patience, compare_text, is_text};
pub(crate) use install_scripts::InstallScripts;
