//! Provides Go's toolchain: the module whose digest the checksum database has proven, or else the machine's own go.

use remint_fetch::{FetchError, GoToolchainModule, ProvidedTool};
use remint_model::{Assumption, AssumptionKind, Tool};

use super::{Builder, chain};
use crate::module;

/// The toolchain, and what has to be assumed with it.
///
/// # Errors
/// Neither is to be had.
pub(super) async fn provide(
    builder: &Builder,
    tool: &Tool,
) -> Result<(ProvidedTool, Option<Assumption>), FetchError> {
    let why = match released(builder, tool).await {
        Ok(provided) => return Ok((provided, None)),
        Err(error) if error.is_machine_fault() => return Err(error),
        Err(error) => error,
    };
    match builder.tools.machine_go(tool, builder.platform).await {
        Ok(provided) => {
            let assumption = Assumption {
                kind: AssumptionKind::NativeToolchain,
                value: format!("this machine's own go {}", provided.version),
                from: format!("the released toolchain could not be had: {}", chain(&why)),
            };
            Ok((provided, Some(assumption)))
        }
        // Why the released one could not be had says more.
        Err(FetchError::Tool { .. }) => Err(why),
        Err(error) => Err(error),
    }
}

async fn released(builder: &Builder, tool: &Tool) -> Result<ProvidedTool, FetchError> {
    let refused = |reason: String| FetchError::Tool {
        tool: format!("go {}", tool.version.as_deref().unwrap_or_default()),
        reason,
    };
    let version = tool.version.as_deref().unwrap_or_default();
    let module = GoToolchainModule::new(version, builder.platform)
        .ok_or_else(|| refused("none is released for this machine".to_owned()))?;
    // As go does: a toolchain that no checksum database vouches for is not run.
    let digest = module::logged_digest(&module.path, &module.version, &builder.registries)
        .await?
        .map_err(refused)?;
    builder.tools.provide_go(tool, &module, &digest).await
}
