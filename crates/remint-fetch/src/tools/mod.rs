//! Exact tools from registries: fetched, checked against the registry's digest, unpacked once, sealed with a
//! digest of every file, and checked again by every process before it uses them.

mod choose;
mod go_toolchain;
pub(crate) mod interpreters;
mod layout;
mod seal;
mod system;
pub(crate) mod toolchains;
mod unpack;

#[cfg(fuzzing)]
pub(crate) use unpack::check_archive;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use remint_ecosystem::Platform;
use remint_model::{Integrity, Sha256, Tool, ToolOrigin};
use tokio::sync::OnceCell;

use crate::cache::Location;
use crate::client::Tokens;
use crate::error::FetchError;
use crate::registry::{FILE_LIMIT, FileRequest, Registries, Reuse, Stored};
use choose::{Chosen, Source};
pub use go_toolchain::GoToolchainModule;

/// A tool that is ready to be bound into a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvidedTool {
    /// Its name, as the plan has it.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// The directory on this machine, to be bound read-only.
    pub host: PathBuf,
    /// Where it has to appear inside: `/opt/<name>-<version>`, or its own place where a tool cannot be moved
    /// (an interpreter of the machine). `/usr` is what every sandbox has anyway.
    pub inside: String,
    /// The directories inside that belong on `PATH`.
    pub bin: Vec<String>,
}

/// The tools of this machine's user.
#[derive(Debug)]
pub struct ToolStore {
    registries: Arc<Registries>,
    /// By tool as planned; each cell keeps two from unpacking the same.
    provided: Mutex<HashMap<String, Arc<OnceCell<ProvidedTool>>>>,
}

impl ToolStore {
    /// A store that fetches through these registries and keeps tools in their cache.
    #[must_use]
    pub fn new(registries: Arc<Registries>) -> Self {
        Self {
            registries,
            provided: Mutex::default(),
        }
    }

    /// Makes a tool available.
    ///
    /// # Errors
    /// There is no such tool for this platform, it cannot be fetched, or it is not what its registry declares.
    pub async fn provide(
        &self,
        tool: &Tool,
        platform: Platform,
    ) -> Result<ProvidedTool, FetchError> {
        let key = format!(
            "{} {:?} {:?} {:?} {platform:?}",
            tool.name, tool.version, tool.as_of, tool.origin
        );
        let cell = {
            let mut provided = self.provided.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(provided.entry(key).or_default())
        };
        cell.get_or_try_init(|| self.make(tool, platform))
            .await
            .cloned()
    }

    async fn make(&self, tool: &Tool, platform: Platform) -> Result<ProvidedTool, FetchError> {
        match &tool.origin {
            ToolOrigin::System => system::provide(&self.registries, tool),
            ToolOrigin::GoToolchain => Err(refuse(tool, "its digest is not known")),
            ToolOrigin::Npm { package } => {
                let package = package.replace(
                    "{platform}",
                    &format!("{}-{}", platform.system, platform.processor),
                );
                let source = Source::npm(&package, tool)?;
                self.fetched(tool, &source).await
            }
            ToolOrigin::Pypi { project } => {
                let source = Source::pypi(project, platform, tool)?;
                self.fetched(tool, &source).await
            }
        }
    }

    async fn fetched(&self, tool: &Tool, source: &Source) -> Result<ProvidedTool, FetchError> {
        // An exact version that is in the store needs no registry.
        if let Some(version) = choose::exact(source, tool)
            && let Some(ready) = self.noted(tool, source, &version).await?
        {
            return Ok(ready);
        }
        let chosen = choose::choose(&self.registries, source, tool).await?;
        if let Some(ready) = self.noted(tool, source, &chosen.version).await? {
            return Ok(ready);
        }
        let file = self.fetch(tool, source, &chosen).await?;
        let note = Location {
            key: note_key(source, &chosen.version),
            sha256: file.digests.sha256,
            media_type: None,
            etag: None,
        };
        if let Some(ready) = self
            .stored(tool, &chosen.version, &file.digests.sha256)
            .await?
        {
            self.registries.cache.remember(&note)?;
            return Ok(ready);
        }
        let ready = self.unpacked(tool, source, &chosen, &file).await?;
        self.registries.cache.remember(&note)?;
        Ok(ready)
    }

    /// The tool from the store, if this version was fetched before; its archive is not looked at again.
    async fn noted(
        &self,
        tool: &Tool,
        source: &Source,
        version: &str,
    ) -> Result<Option<ProvidedTool>, FetchError> {
        match self.registries.cache.location(&note_key(source, version)) {
            Some(note) => self.stored(tool, version, &note.sha256).await,
            None => Ok(None),
        }
    }

    /// Unpacks a tool that is not in the store, or not as it was. One at a time does, for a second one would take
    /// the place of what the first already works with.
    async fn unpacked(
        &self,
        tool: &Tool,
        source: &Source,
        chosen: &Chosen,
        file: &Stored,
    ) -> Result<ProvidedTool, FetchError> {
        let sha256 = &file.digests.sha256;
        let _turn = self.turn(tool, &chosen.version, sha256).await?;
        if let Some(ready) = self.stored(tool, &chosen.version, sha256).await? {
            return Ok(ready);
        }
        self.unpack(tool, source, chosen, file).await?;
        self.stored(tool, &chosen.version, sha256)
            .await?
            .ok_or_else(|| refuse(tool, "it changed while it was unpacked"))
    }

    /// Waits until no other process and no other task makes the same entry of the store.
    async fn turn(
        &self,
        tool: &Tool,
        version: &str,
        sha256: &Sha256,
    ) -> Result<std::fs::File, FetchError> {
        let registries = Arc::clone(&self.registries);
        let name = entry_name(tool, version, sha256);
        blocking(move || registries.cache.turn(&name)).await
    }

    async fn fetch(
        &self,
        tool: &Tool,
        source: &Source,
        chosen: &Chosen,
    ) -> Result<Stored, FetchError> {
        let client = match source {
            Source::Npm { .. } => &self.registries.npm,
            Source::Pypi { .. } => &self.registries.python,
        };
        match &chosen.integrity {
            Some(Integrity::Sha512(_) | Integrity::Sha256(_)) => {}
            // Tools run with the build's rights over its result: nothing weaker will do.
            Some(Integrity::Sha1(_)) | None => {
                let reason = "its registry declares no SHA-256 or SHA-512 digest";
                return Err(refuse(tool, reason));
            }
        }
        self.registries
            .file(FileRequest {
                client,
                url: &chosen.url,
                integrity: chosen.integrity.as_ref(),
                limit: FILE_LIMIT,
                tokens: Tokens::AsConfigured,
                reuse: Reuse::IfDigestKnown,
                budget: None,
            })
            .await
    }

    /// Unpacks into a temporary directory, seals it and moves it into place in one step. Whoever calls has the turn.
    async fn unpack(
        &self,
        tool: &Tool,
        source: &Source,
        chosen: &Chosen,
        file: &Stored,
    ) -> Result<(), FetchError> {
        self.unpack_into_store(
            tool,
            &chosen.version,
            source.kind(),
            &file.path,
            &file.digests.sha256,
        )
        .await
    }

    /// Unpacks an archive that has this digest.
    async fn unpack_into_store(
        &self,
        tool: &Tool,
        version: &str,
        kind: unpack::ArchiveKind,
        archive: &Path,
        sha256: &Sha256,
    ) -> Result<(), FetchError> {
        let place = self.entry(tool, version, sha256);
        let workplace = self.registries.cache.temporary_directory()?;
        let (archive, name) = (archive.to_owned(), tool.name.clone());
        let root = workplace.path().join("root");
        blocking(move || {
            unpack::unpack(&archive, kind, &root)?;
            layout::arrange(&root, kind, &name)?;
            let seal = seal::seal(&root)?;
            let text = serde_json::to_vec(&seal).map_err(std::io::Error::from)?;
            fs_err::write(root.with_file_name("seal.json"), text)?;
            Ok(())
        })
        .await
        .map_err(|error| {
            // The archive's own path says nothing to people; the tool's name does.
            if let FetchError::Tool { reason, .. } = error {
                refuse(tool, &reason)
            } else {
                error
            }
        })?;
        if place.exists() {
            // Not what its seal says, or it would be in use.
            crate::cache::remove(&place)?;
        }
        crate::cache::set_mode(workplace.path(), 0o755)?;
        fs_err::rename(workplace.path(), &place)?;
        // Moved away, so there is nothing left to remove.
        drop(workplace.keep());
        Ok(())
    }

    /// The tool from the store, if every file there is what it was when it was unpacked.
    async fn stored(
        &self,
        tool: &Tool,
        version: &str,
        sha256: &Sha256,
    ) -> Result<Option<ProvidedTool>, FetchError> {
        let place = self.entry(tool, version, sha256);
        let root = place.join("root");
        let intact = {
            let (place, root) = (place.clone(), root.clone());
            blocking(move || seal::is_intact(&place.join("seal.json"), &root)).await?
        };
        if !intact {
            return Ok(None);
        }
        self.registries.cache.touch(&place);
        let inside = inside(tool, version);
        Ok(Some(ProvidedTool {
            name: tool.name.clone(),
            version: version.to_owned(),
            host: root,
            bin: vec![format!("{inside}/bin")],
            inside,
        }))
    }

    fn entry(&self, tool: &Tool, version: &str, sha256: &Sha256) -> PathBuf {
        let name = entry_name(tool, version, sha256);
        self.registries.cache.tools().join(name)
    }
}

/// The name of a tool's directory in the store.
fn entry_name(tool: &Tool, version: &str, sha256: &Sha256) -> String {
    let digits = sha256.to_string();
    let short = digits.get(..20).unwrap_or(&digits);
    let layout = layout::VERSION;
    format!("{}-{}-{short}-{layout}", plain(&tool.name), plain(version))
}

/// Where a tool appears inside a sandbox.
fn inside(tool: &Tool, version: &str) -> String {
    format!("/opt/{}-{}", plain(&tool.name), plain(version))
}

/// A text that can be part of a path and of a shell word.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+') {
                c
            } else {
                '-'
            }
        })
        .take(100)
        .collect()
}

fn note_key(source: &Source, version: &str) -> String {
    format!("tool {source} {version}")
}

pub(crate) fn refuse(tool: &Tool, reason: &str) -> FetchError {
    let version = tool
        .version
        .as_deref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    FetchError::Tool {
        tool: format!("{}{version}", tool.name),
        reason: reason.to_owned(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| std::io::Error::other(error.to_string()))?
}

/// What a tool's archive turned out to be wrong with.
pub(crate) fn damaged(path: &Path, reason: impl std::fmt::Display) -> FetchError {
    FetchError::Tool {
        tool: path.display().to_string(),
        reason: format!("its archive is damaged: {reason}"),
    }
}
