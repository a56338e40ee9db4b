//! A module is what its files are: nothing is built for its zip, so there is no plan. A program is built again.

use remint_model::{ArtifactFormat, BuildPlan, EntryPath};

use crate::golang::{goreleaser, program};
use crate::request::{PlanError, PlanRequest};

pub(crate) fn plan(request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    if request.format == ArtifactFormat::GoProgram {
        return program::plan(request);
    }
    Err(PlanError::Unsupported(
        "a Go module is packed from its source tree, not built".to_owned(),
    ))
}

/// Release configurations say what the linker is given, `go.sum` which modules a build reads, `go.work`
/// which of them are in the repository.
pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    path.file_name().eq_ignore_ascii_case("go.mod")
        || matches!(path.file_name(), "go.sum" | "go.work" | "go.work.sum")
        || goreleaser::FILES.contains(&path.as_str())
}
