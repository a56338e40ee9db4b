//! A module is what its files are: nothing is built for its zip, so there is no plan.

use remint_model::{BuildPlan, EntryPath};

use crate::request::{PlanError, PlanRequest};

pub(crate) fn plan(_: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    Err(PlanError::Unsupported(
        "a Go module is packed from its source tree, not built".to_owned(),
    ))
}

pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    path.file_name().eq_ignore_ascii_case("go.mod")
}
