//! Files of modules, as builds read them: through the user's proxies, and only with the `h1:` digest that somebody else
//! declares for them.

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use remint_ecosystem::golang::{h1, locate};
use remint_model::{PackageName, Sha256};
use url::Url;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::client::Tokens;
use crate::configuration::credentials::shown;
use crate::digests::{Digests, Hashing};
use crate::error::FetchError;
use crate::registry::golang::join;
use crate::registry::{FileRequest, Registries, Reuse, Stored};

/// The largest module that go packs (`MaxZipFile` of `golang.org/x/mod/zip`).
const LARGEST_ZIP: u64 = 500 << 20;
/// The largest `go.mod` (`MaxGoMod`).
const LARGEST_GO_MOD: u64 = 16 << 20;
/// No module has more files.
const MOST_FILES: usize = 100_000;

/// What is packed anew is read once, soon.
const FASTEST: i64 = 1;

/// Which file of a module version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleFile {
    /// All of it.
    Zip,
    /// `go.mod` alone.
    GoMod,
}

/// A file of a module, with the digest that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedModuleFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Where it came from, without credentials.
    pub url: String,
    /// Its digest as a file, as it was served.
    pub sha256: Sha256,
    /// Bytes, as it was served.
    pub size: u64,
}

impl Registries {
    /// Fetches a file of a module into the cache, through the first proxy that has it. Its bytes are the proxy's: only
    /// what is read of them as here has the digest.
    ///
    /// # Errors
    /// No proxy has it or answers, or what it has has another `h1:` digest.
    pub async fn module_file(
        &self,
        module: &PackageName,
        version: &str,
        file: ModuleFile,
        digest: &str,
        limit: u64,
    ) -> Result<FetchedModuleFile, FetchError> {
        let wanted = Wanted::new(module, version, file, digest, limit, None);
        self.wanted_module_file(module, &wanted).await
    }

    /// The same, written to a place for others to read. A zip is packed anew from the very entries that have the digest:
    /// of one file, two readers of zips may see different entries.
    ///
    /// # Errors
    /// No proxy has it or answers, or what it has has another `h1:` digest.
    pub async fn lay_out_module_file(
        &self,
        module: &PackageName,
        version: &str,
        file: ModuleFile,
        digest: &str,
        limit: u64,
        place: &Path,
    ) -> Result<FetchedModuleFile, FetchError> {
        let place = Some(place.to_owned());
        let wanted = Wanted::new(module, version, file, digest, limit, place);
        self.wanted_module_file(module, &wanted).await
    }

    async fn wanted_module_file(
        &self,
        module: &PackageName,
        wanted: &Wanted,
    ) -> Result<FetchedModuleFile, FetchError> {
        self.first_proxy_that_has(module, async |proxy| {
            let url = join(proxy, &wanted.path)?;
            let stored = self
                .stored_module_file(&url, wanted.limit, Reuse::Always)
                .await?;
            match checked(stored, &url, wanted.clone()).await {
                // A wrong answer is not kept: the next one takes its place, and is the last that is asked for.
                Err(FetchError::Malformed { .. }) if !self.offline => {
                    let stored = self
                        .stored_module_file(&url, wanted.limit, Reuse::IfDigestKnown)
                        .await?;
                    checked(stored, &url, wanted.clone()).await
                }
                answer => answer,
            }
        })
        .await
    }

    async fn stored_module_file(
        &self,
        url: &Url,
        limit: u64,
        reuse: Reuse,
    ) -> Result<Stored, FetchError> {
        self.file(FileRequest {
            client: &self.golang,
            url,
            integrity: None,
            limit,
            tokens: Tokens::AsConfigured,
            // Whether it is the right one is told by its digest.
            reuse,
            budget: None,
        })
        .await
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Wanted {
    file: ModuleFile,
    /// Below a proxy's own address.
    path: String,
    /// The folder that all files of a zip lie in.
    top: String,
    digest: String,
    limit: u64,
    /// Where it is written for others, if it is.
    place: Option<PathBuf>,
}

impl Wanted {
    fn new(
        module: &PackageName,
        version: &str,
        file: ModuleFile,
        digest: &str,
        limit: u64,
        place: Option<PathBuf>,
    ) -> Self {
        let (ending, largest) = match file {
            ModuleFile::Zip => ("zip", LARGEST_ZIP),
            ModuleFile::GoMod => ("mod", LARGEST_GO_MOD),
        };
        Self {
            file,
            path: locate::version_path(module, version, ending),
            top: format!("{module}@{version}"),
            digest: digest.to_owned(),
            limit: largest.min(limit),
            place,
        }
    }
}

async fn checked(
    stored: Stored,
    url: &Url,
    wanted: Wanted,
) -> Result<FetchedModuleFile, FetchError> {
    let address = shown(url);
    let Stored { path, digests } = stored;
    let read = {
        let address = address.clone();
        move || read(path, &wanted, &address)
    };
    let path = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| std::io::Error::other(error.to_string()))??;
    let Digests { sha256, size, .. } = digests;
    Ok(FetchedModuleFile {
        path,
        url: address,
        sha256,
        size,
    })
}

/// Where the file lies that has the digest.
fn read(path: PathBuf, wanted: &Wanted, url: &str) -> Result<PathBuf, FetchError> {
    let other = |found: &str| {
        let declared = &wanted.digest;
        let reason = format!("its digest is {found}, and it is declared with {declared}");
        FetchError::malformed(url, "module", &reason)
    };
    let Some(place) = &wanted.place else {
        let found = match wanted.file {
            ModuleFile::Zip => digest_of_zip(&path, &wanted.top, url, None)?,
            ModuleFile::GoMod => h1::of_go_mod(&fs_err::read(&path)?),
        };
        return (found == wanted.digest)
            .then_some(path)
            .ok_or_else(|| other(&found));
    };
    // Nothing appears in the place before it is known to be the right one.
    let folder = place.parent().unwrap_or(place);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let found = match wanted.file {
        ModuleFile::Zip => {
            let mut packed = ZipWriter::new(file.as_file());
            let found = digest_of_zip(&path, &wanted.top, url, Some(&mut packed))?;
            packed.finish().map_err(std::io::Error::from)?;
            found
        }
        ModuleFile::GoMod => {
            let content = fs_err::read(&path)?;
            file.write_all(&content)?;
            h1::of_go_mod(&content)
        }
    };
    if found != wanted.digest {
        return Err(other(&found));
    }
    crate::cache::set_mode(file.path(), 0o644)?;
    file.persist(place).map_err(|error| error.error)?;
    Ok(place.clone())
}

/// The `h1:` digest of a module zip, each of whose files has to lie in the folder `module@version`. What is hashed is
/// packed anew on the way, where that is asked for.
fn digest_of_zip(
    path: &Path,
    top: &str,
    url: &str,
    mut packed: Option<&mut ZipWriter<&File>>,
) -> Result<String, FetchError> {
    let damaged = |reason: &dyn std::fmt::Display| FetchError::malformed(url, "module zip", reason);
    let file = BufReader::new(fs_err::File::open(path)?);
    let mut zip = zip::ZipArchive::new(file).map_err(|error| damaged(&error))?;
    if zip.len() > MOST_FILES {
        return Err(damaged(&format_args!(
            "it has more than {MOST_FILES} files"
        )));
    }
    let mut files = Vec::new();
    let mut left = LARGEST_ZIP;
    let mut buffer = vec![0; 1 << 16];
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        let inside = name
            .strip_prefix(top)
            .is_some_and(|rest| rest.starts_with('/'));
        if entry.is_dir() || !inside {
            return Err(damaged(&format_args!("it holds `{name}`")));
        }
        let size = entry.size();
        left = left.checked_sub(size).ok_or_else(|| {
            damaged(&format_args!(
                "it inflates to more than {LARGEST_ZIP} bytes"
            ))
        })?;
        // What is longer than it says has another digest.
        let mut content = entry.take(size);
        let digest = match &mut packed {
            Some(packed) => {
                let options = SimpleFileOptions::default()
                    .compression_method(CompressionMethod::Deflated)
                    .compression_level(Some(FASTEST))
                    .unix_permissions(0);
                packed
                    .start_file(name.as_str(), options)
                    .map_err(std::io::Error::from)?;
                let mut both = Copying {
                    from: &mut content,
                    to: &mut **packed,
                    failed: None,
                };
                let digest = Hashing::sha256(&mut both, &mut buffer);
                if let Some(error) = both.failed {
                    return Err(error.into());
                }
                digest
            }
            None => Hashing::sha256(&mut content, &mut buffer),
        }
        .map_err(|error| damaged(&error))?;
        files.push((name, digest));
    }
    h1::of_files(files).ok_or_else(|| damaged(&"a name in it holds a line break"))
}

/// Writes what is read of one to another, and ends where that fails.
struct Copying<From, To> {
    from: From,
    to: To,
    failed: Option<std::io::Error>,
}

impl<From: std::io::Read, To: std::io::Write> std::io::Read for Copying<From, To> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        let written = self.to.write_all(buffer.get(..read).unwrap_or_default());
        self.failed = written.err();
        Ok(if self.failed.is_none() { read } else { 0 })
    }
}
