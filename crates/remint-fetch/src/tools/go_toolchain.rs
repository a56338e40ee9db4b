//! Go's own toolchains. A release is a module like any other (`golang.org/toolchain`; Go toolchains, "Downloading and
//! selecting"), and its digest stands in the checksum database; this crate is told which. Where it cannot be had, the
//! machine's own go of the same version stands in: it may have been built by somebody else.

use std::path::{Path, PathBuf};

use remint_ecosystem::Platform;
use remint_model::{Ecosystem, PackageName, Tool};

use super::unpack::ArchiveKind;
use super::{ProvidedTool, ToolStore, blocking, damaged, inside, refuse};
use crate::cache::Location;
use crate::configuration::UserConfiguration;
use crate::error::FetchError;
use crate::registry::{FILE_LIMIT, ModuleFile};

/// The module, and the only first version that it has.
const MODULE: &str = "golang.org/toolchain";
const PREFIX: &str = "v0.0.1-go";
/// The beginning of `VERSION`, in which a toolchain says what it is.
const LONGEST_VERSION: u64 = 4096;

/// A toolchain as a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoToolchainModule {
    /// `golang.org/toolchain`.
    pub path: PackageName,
    /// `v0.0.1-go1.26.8.linux-amd64`.
    pub version: String,
}

impl GoToolchainModule {
    /// The one for this machine; `None` where the version or the machine is none of Go's.
    #[must_use]
    pub fn new(version: &str, platform: Platform) -> Option<Self> {
        let is_plain = version
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.');
        let (system, processor) = names(platform)?;
        is_plain.then_some(())?;
        Some(Self {
            path: PackageName::parse(Ecosystem::Golang, MODULE).ok()?,
            version: format!("{PREFIX}{version}.{system}-{processor}"),
        })
    }
}

/// This machine in Go's words.
fn names(platform: Platform) -> Option<(&'static str, &'static str)> {
    let system = match platform.system {
        "linux" => "linux",
        "darwin" => "darwin",
        _ => return None,
    };
    let processor = match platform.processor {
        "x64" => "amd64",
        "arm64" => "arm64",
        "ia32" => "386",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        "loong64" => "loong64",
        _ => return None,
    };
    Some((system, processor))
}

impl ToolStore {
    /// Makes a toolchain available, from the module with this `h1:` digest.
    ///
    /// # Errors
    /// It cannot be fetched, or is not what was declared.
    pub async fn provide_go(
        &self,
        tool: &Tool,
        module: &GoToolchainModule,
        digest: &str,
    ) -> Result<ProvidedTool, FetchError> {
        let version = tool
            .version
            .as_deref()
            .ok_or_else(|| refuse(tool, "it is wanted in no version"))?;
        // By digest: an entry of the store is what was unpacked from a module that had it.
        let note = format!("tool {MODULE} {digest}");
        if let Some(location) = self.registries.cache.location(&note)
            && let Some(ready) = self.stored(tool, version, &location.sha256).await?
        {
            return Ok(ready);
        }
        let file = self
            .registries
            .module_file(
                &module.path,
                &module.version,
                ModuleFile::Zip,
                digest,
                FILE_LIMIT,
            )
            .await?;
        let _turn = self.turn(tool, version, &file.sha256).await?;
        if self.stored(tool, version, &file.sha256).await?.is_none() {
            self.unpack_into_store(
                tool,
                version,
                ArchiveKind::GoToolchain,
                &file.path,
                &file.sha256,
            )
            .await?;
        }
        self.registries.cache.remember(&Location {
            key: note,
            sha256: file.sha256,
            media_type: None,
            etag: None,
        })?;
        self.stored(tool, version, &file.sha256)
            .await?
            .ok_or_else(|| refuse(tool, "it changed while it was unpacked"))
    }

    /// The machine's own go of this version, if it has one. It is found by what lies beside it, and not run.
    ///
    /// # Errors
    /// There is none.
    pub async fn machine_go(
        &self,
        tool: &Tool,
        platform: Platform,
    ) -> Result<ProvidedTool, FetchError> {
        let wanted = tool.clone();
        let user = self.registries.user.clone();
        blocking(move || find(&wanted, platform, &user)).await
    }
}

fn find(
    tool: &Tool,
    platform: Platform,
    user: &UserConfiguration,
) -> Result<ProvidedTool, FetchError> {
    let version = tool.version.clone().unwrap_or_default();
    let compiler = names(platform)
        .map(|(system, processor)| format!("pkg/tool/{system}_{processor}/compile"))
        .ok_or_else(|| refuse(tool, "there is none for this machine"))?;
    let root = roots(user)
        .into_iter()
        .find(|root| says(root, &version) && root.join(&compiler).is_file())
        .ok_or_else(|| refuse(tool, "this machine has no go of that version"))?;
    // What belongs to the system may consist of links to other places of it.
    let (host, inside) = if root.starts_with("/usr") && !root.starts_with("/usr/local") {
        (PathBuf::from("/usr"), "/usr".to_owned())
    } else {
        (root.clone(), inside(tool, &version))
    };
    let bin = if host == root {
        format!("{inside}/bin")
    } else {
        format!("{}/bin", root.display())
    };
    Ok(ProvidedTool {
        name: tool.name.clone(),
        version,
        host,
        bin: vec![bin],
        inside,
    })
}

/// The directories that may be a toolchain's.
fn roots(user: &UserConfiguration) -> Vec<PathBuf> {
    let path = user.variable("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("go"))
        .filter_map(|program| fs_err::canonicalize(program).ok())
        .filter_map(|program| Some(program.parent()?.parent()?.to_owned()))
        .collect();
    found.push(PathBuf::from("/usr/local/go"));
    found
}

/// Whether `VERSION` names this version.
fn says(root: &Path, version: &str) -> bool {
    use std::io::Read as _;
    let mut text = String::new();
    fs_err::File::open(root.join("VERSION"))
        .and_then(|file| file.take(LONGEST_VERSION).read_to_string(&mut text))
        .is_ok_and(|_| text.lines().next() == Some(&format!("go{version}")))
}

/// Makes of an unpacked module what go makes of it: programs are executable, and each `_go.mod`, which no module could
/// hold under its own name, is a `go.mod` as well.
pub(super) fn arrange(root: &Path) -> Result<(), FetchError> {
    if !root.join("bin/go").is_file() {
        return Err(damaged(root, "there is no `bin/go` in it"));
    }
    for folder in ["bin", "pkg/tool"] {
        for_each_file(&root.join(folder), &mut |path| {
            crate::cache::set_mode(path, 0o755)
        })?;
    }
    for_each_file(root, &mut |path| {
        if path.file_name().is_some_and(|name| name == "_go.mod") {
            fs_err::copy(path, path.with_file_name("go.mod"))?;
        }
        Ok(())
    })
}

/// What was unpacked has regular files and directories only, and no deep ones.
fn for_each_file(
    directory: &Path,
    visit: &mut dyn FnMut(&Path) -> Result<(), FetchError>,
) -> Result<(), FetchError> {
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        let entries: Vec<_> = fs_err::read_dir(&directory)?.collect::<Result<_, _>>()?;
        for entry in entries {
            if entry.file_type()?.is_dir() {
                left.push(entry.path());
            } else {
                visit(&entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains_are_modules_with_one_version_for_each_machine() {
        let of = |version, system, processor| {
            GoToolchainModule::new(version, Platform { system, processor })
                .map(|module| module.version)
        };
        assert_eq!(
            of("1.26.8", "linux", "x64").as_deref(),
            Some("v0.0.1-go1.26.8.linux-amd64")
        );
        assert_eq!(
            of("1.21rc3", "darwin", "arm64").as_deref(),
            Some("v0.0.1-go1.21rc3.darwin-arm64")
        );
        assert_eq!(of("1.26.8/../x", "linux", "x64"), None);
        assert_eq!(of("1.26.8", "plan9", "x64"), None);
    }

    #[test]
    fn an_unpacked_toolchain_can_be_run() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        for file in [
            "bin/go",
            "pkg/tool/linux_amd64/compile",
            "src/_go.mod",
            "src/cmd/_go.mod",
        ] {
            fs_err::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs_err::write(root.join(file), file).unwrap();
        }
        arrange(root).unwrap();
        assert_eq!(
            fs_err::read_to_string(root.join("src/cmd/go.mod")).unwrap(),
            "src/cmd/_go.mod"
        );
        assert!(root.join("src/go.mod").is_file());
        assert!(matches!(
            arrange(&root.join("src")),
            Err(FetchError::Tool { .. })
        ));
    }

    #[test]
    fn the_machines_own_is_told_by_its_version_file() {
        let place = tempfile::tempdir().unwrap();
        fs_err::write(
            place.path().join("VERSION"),
            "go1.26.8\ntime 2026-01-01T00:00:00Z\n",
        )
        .unwrap();
        assert!(says(place.path(), "1.26.8"));
        assert!(!says(place.path(), "1.26"));
        assert!(!says(&place.path().join("none"), "1.26.8"));
    }
}
