//! What is left after normalising: ranked, shown as text, and explained where the cause can be proved.

mod class;
mod explain;
mod hunks;

pub(crate) use class::classify;
pub(crate) use explain::explain;
pub(crate) use hunks::{compare_text, is_text};
