//! `remint cache`.

use remint_fetch::{Cache, Pruned};

use crate::build::Workspace;
use crate::cli::CacheAction;
use crate::exit::Exit;
use crate::report::size_words;
use crate::settings::Settings;
use crate::terminal;

/// Looks at the caches, or makes them smaller.
pub(crate) fn run(action: &CacheAction, settings: &Settings) -> anyhow::Result<Exit> {
    let root = &settings.user.cache;
    match action {
        CacheAction::Status => {
            let status = Cache::status(root)?;
            let line = |name: &str, bytes: u64, what: String| {
                format!("  {name:<10} {:>10}  {what}\n", size_words(bytes))
            };
            terminal::answer(&format!(
                "{}\n{}{}{}{}",
                root.display(),
                line(
                    "fetched",
                    status.content_bytes,
                    format!("{} files", status.content_files)
                ),
                line(
                    "tools",
                    status.tool_bytes,
                    format!("{} tools", status.tools)
                ),
                line(
                    "other",
                    status.other_bytes,
                    "clones and installed dependencies".to_owned()
                ),
                line(
                    "in all",
                    status.bytes(),
                    format!("of {}", size_words(settings.cache_limit))
                ),
            ))?;
        }
        CacheAction::Prune { to } => {
            Workspace::sweep(root)?;
            match Cache::prune(root, *to)? {
                Pruned::Removed(bytes) => {
                    terminal::answer(&format!("freed {}\n", size_words(bytes)))?;
                }
                Pruned::InUse => anyhow::bail!("another run of remint is using the caches"),
            }
        }
    }
    Ok(Exit::Verified)
}
