//! Files of modules, as builds read them: through the user's proxies, and only with the `h1:` digest that somebody else
//! declares for them.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use remint_ecosystem::golang::{h1, locate};
use remint_model::{PackageName, Sha256};
use url::Url;

use crate::client::Tokens;
use crate::configuration::credentials::shown;
use crate::digests::Digests;
use crate::error::FetchError;
use crate::registry::golang::join;
use crate::registry::{FileRequest, Registries, Reuse, Stored};

/// The largest module that go packs (`MaxZipFile` of `golang.org/x/mod/zip`).
const LARGEST_ZIP: u64 = 500 << 20;
/// The largest `go.mod` (`MaxGoMod`).
const LARGEST_GO_MOD: u64 = 16 << 20;
/// No module has more files.
const MOST_FILES: usize = 100_000;

/// Which file of a module version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleFile {
    /// All of it.
    Zip,
    /// `go.mod` alone.
    GoMod,
}

/// A file of a module, in the cache, with the digest that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedModuleFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Where it came from, without credentials.
    pub url: String,
    /// Its digest as a file.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
}

impl Registries {
    /// Fetches a file of a module through the first proxy that has it.
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
        let (ending, largest) = match file {
            ModuleFile::Zip => ("zip", LARGEST_ZIP),
            ModuleFile::GoMod => ("mod", LARGEST_GO_MOD),
        };
        let path = locate::version_path(module, version, ending);
        let fetch = async |proxy: &Url| {
            let url = join(proxy, &path)?;
            let stored = self.stored_module_file(&url, largest.min(limit)).await?;
            Ok((stored, url))
        };
        let (stored, url) = self.first_proxy_that_has(module, fetch).await?;
        let top = format!("{module}@{version}");
        checked(stored, &url, file, top, digest).await
    }

    async fn stored_module_file(&self, url: &Url, limit: u64) -> Result<Stored, FetchError> {
        self.file(FileRequest {
            client: &self.golang,
            url,
            integrity: None,
            limit,
            tokens: Tokens::AsConfigured,
            // Whether it is the right one is told by its digest.
            reuse: Reuse::Always,
            budget: None,
        })
        .await
    }
}

async fn checked(
    stored: Stored,
    url: &Url,
    file: ModuleFile,
    top: String,
    digest: &str,
) -> Result<FetchedModuleFile, FetchError> {
    let address = shown(url);
    let Stored { path, digests } = stored;
    let read = {
        let (path, address) = (path.clone(), address.clone());
        move || match file {
            ModuleFile::Zip => digest_of_zip(&path, &top, &address),
            ModuleFile::GoMod => Ok(h1::of_go_mod(&fs_err::read(&path)?)),
        }
    };
    let found = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| std::io::Error::other(error.to_string()))??;
    if found != digest {
        let reason = format!("its digest is {found}, and it is declared with {digest}");
        return Err(FetchError::malformed(address, "module", &reason));
    }
    let Digests { sha256, size, .. } = digests;
    Ok(FetchedModuleFile {
        path,
        url: address,
        sha256,
        size,
    })
}

/// The `h1:` digest of a module zip, each of whose files has to lie in the folder `module@version`.
fn digest_of_zip(path: &Path, top: &str, url: &str) -> Result<String, FetchError> {
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
        let mut content = std::io::Read::take(entry, size);
        let digest =
            crate::digests::Hashing::sha256(&mut content, &mut buffer).map_err(|e| damaged(&e))?;
        files.push((name, digest));
    }
    h1::of_files(files).ok_or_else(|| damaged(&"a name in it holds a line break"))
}
