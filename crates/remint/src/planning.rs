//! Asks the ecosystem for plans, with what this machine can offer.

use remint_ecosystem::{PlanError, PlanRequest, ToolHints};
use remint_model::{Basis, BuildPlan, CloneShape, Ecosystem, EntryPath, Survey};

use crate::build::Builder;
use crate::locate::Located;
use crate::resolve::Case;

/// What planning is told.
pub(crate) fn request<'a>(
    case: &'a Case,
    survey: &'a Survey,
    located: &'a Located,
    builder: &'a Builder,
) -> PlanRequest<'a> {
    static NO_HINTS: ToolHints = ToolHints {
        node: None,
        npm: None,
        generator: None,
    };
    PlanRequest {
        target: &case.target,
        format: case.artifact.format,
        file_name: case.artifact.name.as_str(),
        pin: &located.found.pin,
        tree: &located.found.tree,
        survey,
        uploaded: case.uploaded,
        hints: case
            .release
            .as_ref()
            .map_or(&NO_HINTS, |release| &release.tools),
        platform: builder.platform,
        // Finding them starts every one of them.
        interpreters: match case.target.ecosystem {
            Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => &[],
            Ecosystem::Pypi => builder.registries.interpreters(),
        },
        toolchains: match case.target.ecosystem {
            Ecosystem::Npm | Ecosystem::Mcpb | Ecosystem::Golang => &[],
            // Some wheels and source archives are made by cargo.
            Ecosystem::Pypi if !located.found.tree.entries.keys().any(is_crate_manifest) => &[],
            Ecosystem::Pypi | Ecosystem::Cargo => builder.registries.toolchains(),
        },
    }
}

fn is_crate_manifest(path: &EntryPath) -> bool {
    path.file_name() == "Cargo.toml"
}

/// The plans to try, best first.
pub(crate) fn plans(
    case: &Case,
    survey: &Survey,
    located: &Located,
    builder: &Builder,
) -> Result<Vec<BuildPlan>, PlanError> {
    let request = request(case, survey, located, builder);
    let mut plans = remint_ecosystem::plan(&request)?;
    if located.basis == Basis::Sdist {
        // What was uploaded had no history, and a build of it must not see one.
        for plan in &mut plans {
            plan.clone_shape = CloneShape::None;
        }
        plans.dedup();
    }
    if plans.is_empty() {
        return Err(PlanError::Unsupported(
            "no way to build this project is known".to_owned(),
        ));
    }
    Ok(plans)
}
