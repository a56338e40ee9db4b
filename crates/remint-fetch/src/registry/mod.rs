//! The registries that the user has configured: what they say about releases, and the files they serve.

mod cargo;
mod golang;
mod local_file;
mod modules;
pub(crate) mod npm;
mod provenance;
pub(crate) mod python;
pub(crate) mod simple;
mod simple_html;
mod store;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use remint_ecosystem::{
    Interpreter, Platform, Release, ReleaseFile, RustToolchain, npm as npm_ecosystem,
};
use remint_model::{
    Artifact, ArtifactFormat, Ecosystem, FileName, PackageName, Published, Version,
};
use url::Url;

use crate::cache::Cache;
use crate::client::{Client, Pace, Tokens};
use crate::configuration::UserConfiguration;
use crate::configuration::cargo::CargoIndex;
use crate::configuration::golang::{GoSettings, Way};
use crate::configuration::npmrc::{NpmRegistries, Npmrc};
use crate::configuration::python::PythonIndexes;
use crate::configuration::transport::Transport;
use crate::digests::{Digests, Hashing};
use crate::error::FetchError;
use crate::tools::{interpreters, toolchains};

pub use golang::ChecksumDatabase;
pub use local_file::LocalFile;
pub use modules::{FetchedModuleFile, ModuleFile};
pub use provenance::ProvenanceReply;
pub(crate) use store::{FileRequest, Reuse, Stored};

/// A metadata document may be as large as this: the largest known are around 100 MB.
pub(crate) const DOCUMENT_LIMIT: u64 = 192 << 20;
/// A file of a release may be as large as this.
pub(crate) const FILE_LIMIT: u64 = 2 << 30;

/// Every registry that the user's clients are configured for, and the caches in front of them.
#[derive(Debug)]
pub struct Registries {
    pub(crate) npm: Client,
    pub(crate) npm_registries: NpmRegistries,
    pub(crate) python: Client,
    pub(crate) indexes: PythonIndexes,
    pub(crate) cargo: Client,
    pub(crate) cargo_index: CargoIndex,
    pub(crate) golang: Client,
    pub(crate) go: GoSettings,
    pub(crate) cache: Arc<Cache>,
    pub(crate) offline: bool,
    store: store::InFlight,
    pub(crate) user: UserConfiguration,
    interpreters: OnceLock<Vec<Interpreter>>,
    toolchains: OnceLock<Vec<RustToolchain>>,
}

impl Registries {
    /// Reads the user's configuration and opens the caches.
    ///
    /// # Errors
    /// A settings file or certificate bundle cannot be used, or the cache directory cannot be written to.
    pub fn new(user: &UserConfiguration) -> Result<Self, FetchError> {
        Self::with_pace(user, Pace::default())
    }

    pub(crate) fn with_pace(user: &UserConfiguration, pace: Pace) -> Result<Self, FetchError> {
        let npmrc = Npmrc::read(user)?;
        let (npm_registries, npm_credentials) = npmrc.registries()?;
        let (indexes, python_credentials, python_transport) =
            crate::configuration::python::read(user)?;
        let (cargo_index, cargo_credentials, cargo_transport) =
            crate::configuration::cargo::read(user)?;
        let (go, go_credentials) = crate::configuration::golang::read(user)?;
        Ok(Self {
            npm: Client::new(&Transport::npm(user, &npmrc)?, npm_credentials, pace)?,
            npm_registries,
            python: Client::new(
                &Transport::python(user, &python_transport)?,
                python_credentials,
                pace,
            )?,
            indexes,
            cargo: Client::new(
                &Transport::cargo(user, &cargo_transport)?,
                cargo_credentials,
                pace,
            )?,
            cargo_index,
            golang: Client::new(&Transport::web(user)?, go_credentials, pace)?,
            go,
            cache: Arc::new(Cache::open(&user.cache)?),
            offline: user.offline,
            store: store::InFlight::default(),
            user: user.clone(),
            interpreters: OnceLock::new(),
            toolchains: OnceLock::new(),
        })
    }

    /// What the registry says about a release; without a version, about its latest.
    ///
    /// # Errors
    /// No such package or version, no answer, or one that cannot be understood.
    pub async fn release(
        &self,
        ecosystem: Ecosystem,
        name: &PackageName,
        version: Option<&Version>,
    ) -> Result<Release, FetchError> {
        match ecosystem {
            Ecosystem::Npm => {
                let packument = self.packument(name, Tokens::AsConfigured).await?;
                npm_ecosystem::locate::release(&packument.bytes, version)
                    .map_err(|error| FetchError::metadata(packument.url, error))
            }
            Ecosystem::Pypi => self.python_release(name, version).await,
            Ecosystem::Cargo => self.cargo_release(name, version).await,
            Ecosystem::Golang => self.module_release(name, version).await,
            Ecosystem::Mcpb => Err(FetchError::NotFound(format!("{ecosystem}:{name}"))),
        }
    }

    /// The files of one release, and nothing else that the registry says about it.
    ///
    /// # Errors
    /// No such package or version, no answer, or one that cannot be understood.
    pub async fn files(
        &self,
        ecosystem: Ecosystem,
        name: &PackageName,
        version: &Version,
    ) -> Result<Vec<ReleaseFile>, FetchError> {
        match ecosystem {
            Ecosystem::Npm => {
                let document = self.one_version(name, version.as_str()).await?;
                npm_ecosystem::locate::release(&document.bytes, Some(version))
                    .map(|release| release.files)
                    .map_err(|error| FetchError::metadata(document.url, error))
            }
            Ecosystem::Pypi => self.python_files(name, version).await,
            Ecosystem::Mcpb => Err(FetchError::NotFound(format!("{ecosystem}:{name}"))),
            Ecosystem::Cargo => self
                .cargo_release(name, Some(version))
                .await
                .map(|release| release.files),
            Ecosystem::Golang => self
                .module_release(name, Some(version))
                .await
                .map(|release| release.files),
        }
    }

    /// Fetches a file of a release into a directory, under its own name.
    ///
    /// # Errors
    /// [`FetchError::Integrity`] when it does not have the digest that its registry declares.
    pub async fn download(
        &self,
        file: &ReleaseFile,
        directory: &Path,
    ) -> Result<Artifact<Published>, FetchError> {
        self.download_up_to(file, directory, FILE_LIMIT).await
    }

    /// The same, of a file that may have this many bytes.
    ///
    /// # Errors
    /// [`FetchError::TooLarge`] when it has more.
    pub async fn download_up_to(
        &self,
        file: &ReleaseFile,
        directory: &Path,
        limit: u64,
    ) -> Result<Artifact<Published>, FetchError> {
        let url: Url = file
            .url
            .parse()
            .map_err(|error| FetchError::malformed(&file.url, "file URL", &error))?;
        let (client, url) = match file.format {
            ArtifactFormat::NpmTarball => (&self.npm, self.on_configured_registry(url)),
            ArtifactFormat::Wheel
            | ArtifactFormat::Sdist
            | ArtifactFormat::SdistZip
            | ArtifactFormat::Mcpb => (&self.python, url),
            ArtifactFormat::Crate => (&self.cargo, url),
            ArtifactFormat::GoModule | ArtifactFormat::GoProgram => (&self.golang, url),
            ArtifactFormat::ImageFiles => {
                let reason = "nobody publishes files of this format";
                return Err(FetchError::malformed(&file.url, "file", &reason));
            }
        };
        let stored = self
            .file(FileRequest {
                client,
                url: &url,
                integrity: file.integrity.as_ref(),
                limit: limit.min(FILE_LIMIT),
                tokens: Tokens::AsConfigured,
                // Without a digest nothing ties what is cached to what the registry serves today.
                reuse: Reuse::IfDigestKnown,
                budget: None,
            })
            .await?;
        let path = directory.join(file.name.as_str());
        fs_err::create_dir_all(directory)?;
        copy(&stored.path, &path)?;
        let copied = Hashing::read(&mut fs_err::File::open(&path)?)?;
        if copied != stored.digests {
            return Err(std::io::Error::other(format!(
                "`{}` changed while it was copied",
                path.display()
            ))
            .into());
        }
        Ok(artifact(file.name.clone(), file.format, path, &copied))
    }

    /// The Python interpreters of this machine, newest first; looked for once.
    pub fn interpreters(&self) -> &[Interpreter] {
        self.interpreters
            .get_or_init(|| interpreters::find(&self.user))
    }

    /// The Rust toolchains of this machine, newest first; looked for once.
    pub fn toolchains(&self) -> &[RustToolchain] {
        self.toolchains.get_or_init(|| toolchains::find(&self.user))
    }

    /// The caches.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The registries and indexes as configured, without credentials: for people who ask what is used.
    #[must_use]
    pub fn configured(&self) -> Vec<(Ecosystem, String)> {
        let npm = self.npm_registries.all().map(|url| (Ecosystem::Npm, url));
        let python = self.indexes.simple.iter().map(|url| (Ecosystem::Pypi, url));
        let cargo = match &self.cargo_index {
            CargoIndex::Sparse(url) => Some((Ecosystem::Cargo, url)),
            CargoIndex::Unusable(_) => None,
        };
        let golang = self.go.proxies.iter().filter_map(|step| match &step.way {
            Way::Proxy(url) => Some((Ecosystem::Golang, url)),
            Way::Direct | Way::Off | Way::Unusable(_) => None,
        });
        npm.chain(python)
            .chain(cargo)
            .chain(golang)
            .map(|(ecosystem, url)| (ecosystem, url.to_string()))
            .collect()
    }
}

/// This machine in npm's words.
#[must_use]
pub const fn platform() -> Platform {
    let system = match std::env::consts::OS.as_bytes() {
        b"macos" => "darwin",
        b"windows" => "win32",
        _ => std::env::consts::OS,
    };
    let processor = match std::env::consts::ARCH.as_bytes() {
        b"x86_64" => "x64",
        b"aarch64" => "arm64",
        b"x86" => "ia32",
        _ => std::env::consts::ARCH,
    };
    Platform { system, processor }
}

fn artifact(
    name: FileName,
    format: ArtifactFormat,
    path: std::path::PathBuf,
    digests: &Digests,
) -> Artifact<Published> {
    Artifact::new(
        name,
        format,
        path,
        digests.size,
        digests.sha256,
        digests.sha512,
    )
}

/// Copies through a temporary name, so that no half file ever bears the final one.
fn copy(from: &Path, to: &Path) -> Result<(), FetchError> {
    let directory = to.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    std::io::copy(&mut fs_err::File::open(from)?, &mut file)?;
    crate::cache::set_mode(file.path(), 0o644)?;
    file.persist(to).map_err(|error| error.error)?;
    Ok(())
}
