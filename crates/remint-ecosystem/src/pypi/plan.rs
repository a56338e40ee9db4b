//! Turns a source tree into build plans.

use remint_model::{BuildPlan, EntryPath};

use crate::request::{PlanError, PlanRequest};

pub(crate) fn plan(_request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    Ok(Vec::new())
}
pub(crate) fn is_of_interest(_path: &EntryPath) -> bool {
    false
}
