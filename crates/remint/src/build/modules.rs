//! The modules of Go that a build may read: fetched here with the digests that `go.sum` has, and laid out as a module
//! proxy of files (Go modules reference, "GOPROXY protocol"). The build itself reaches nothing.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use remint_ecosystem::golang::{escaped_path, escaped_version, packing};
use remint_fetch::source::FoundSource;
use remint_fetch::{FetchError, ModuleFile};
use remint_model::{
    Failure, FailureReason, Fetched, LockedModule, ModuleLock, PackageName, Target, Version,
};

use super::{Builder, chain};
use crate::module;
use crate::progress::Stage;
use crate::report::count_words;
use crate::unfetched::{self, Unfetched};

/// So many are asked for at once.
const AT_ONCE: usize = 16;

/// So many modules that no proxy has are passed over; a file that names more is no list of what a project needs.
const MOST_ABSENT: usize = 200;

/// What was laid out.
#[derive(Debug, Default)]
pub(super) struct LaidOut {
    /// What came from proxies.
    pub(super) fetched: Vec<Fetched>,
    /// What no proxy has; a build may do without it, because `go.sum` keeps lines of modules that are no longer used.
    pub(super) absent: Vec<String>,
}

/// One file to fetch.
struct Wanted<'a> {
    module: &'a LockedModule,
    file: ModuleFile,
    digest: &'a str,
}

/// Lays out the modules below `into`. The inner result is the build's answer.
///
/// # Errors
/// This machine could not do its part.
pub(super) async fn lay_out(
    builder: &Builder,
    lock: &ModuleLock,
    into: &Path,
    stage: &Stage<'_>,
) -> anyhow::Result<Result<LaidOut, Failure>> {
    fs_err::create_dir_all(into)?;
    let wanted: Vec<Wanted<'_>> = lock
        .modules
        .iter()
        .flat_map(|module| {
            let zip = module
                .zip
                .as_deref()
                .map(|digest| (ModuleFile::Zip, digest));
            let go_mod = module
                .go_mod
                .as_deref()
                .map(|digest| (ModuleFile::GoMod, digest));
            zip.into_iter()
                .chain(go_mod)
                .map(move |(file, digest)| Wanted {
                    module,
                    file,
                    digest,
                })
        })
        .collect();
    let budget = builder.settings.limits.downloads;
    let mut spent = 0_u64;
    let mut laid_out = LaidOut::default();
    for some in wanted.chunks(AT_ONCE) {
        stage.doing(&format!(
            "fetching {}",
            count_words(lock.modules.len(), "module")
        ));
        // They are fetched at once, so each has its share; what is larger is fetched alone.
        let share = budget.saturating_sub(spent) / AT_ONCE as u64;
        let places: Vec<PathBuf> = some
            .iter()
            .map(|one| place(into, &one.module.path, &one.module.version, one.file))
            .collect();
        for folder in places.iter().filter_map(|place| place.parent()) {
            fs_err::create_dir_all(folder)?;
        }
        let fetch = |one: &Wanted<'_>, place: &Path, limit: u64| {
            let (module, file) = (one.module.clone(), one.file);
            let (digest, place) = (one.digest.to_owned(), place.to_owned());
            async move {
                builder
                    .registries
                    .lay_out_module_file(
                        &module.path,
                        module.version.as_str(),
                        file,
                        &digest,
                        limit,
                        &place,
                    )
                    .await
            }
        };
        let fetching = some
            .iter()
            .zip(&places)
            .map(|(one, place)| fetch(one, place, share));
        let fetched = join_all(fetching).await;
        for ((one, place), fetched) in some.iter().zip(&places).zip(fetched) {
            let left = budget.saturating_sub(spent);
            let fetched = match fetched {
                Err(FetchError::TooLarge { limit, .. }) if limit == share => {
                    fetch(one, place, left).await
                }
                fetched => fetched,
            };
            let file = match fetched {
                Ok(file) => file,
                Err(FetchError::NotFound(url)) => {
                    if laid_out.absent.len() >= MOST_ABSENT {
                        return Ok(Err(failed(FailureReason::DependencyGone(url))));
                    }
                    laid_out.absent.push(url);
                    continue;
                }
                Err(FetchError::TooLarge { limit, .. }) if limit == left => {
                    return Ok(Err(failed(FailureReason::Downloads(budget))));
                }
                Err(error) => {
                    return match unfetched::sort(&error) {
                        Unfetched::Machine => Err(error.into()),
                        Unfetched::Because(_) => Ok(Err(failed(reason(&error)))),
                    };
                }
            };
            spent = spent.saturating_add(file.size);
            if spent > budget {
                return Ok(Err(failed(FailureReason::Downloads(budget))));
            }
            laid_out.fetched.push(Fetched {
                url: file.url,
                sha256: file.sha256,
                size: file.size,
            });
        }
    }
    for module in &lock.modules {
        describe(into, &module.path, &module.version)?;
    }
    laid_out.fetched.sort();
    laid_out.fetched.dedup();
    Ok(Ok(laid_out))
}

/// Packs the module itself from the source that was laid out, as go does, and puts it beside the others.
///
/// # Errors
/// This machine could not do its part. That go would make no module of the source is the inner error.
pub(super) fn add_own(
    source: &FoundSource,
    target: &Target,
    tree: &Path,
    into: &Path,
) -> anyhow::Result<Result<(), Failure>> {
    let subdirectory = source.pin.subdirectory.as_ref();
    let files = match packing::file_set(&source.tree, subdirectory) {
        Ok(files) => files,
        Err(error) => return Ok(Err(failed(FailureReason::Refused(error.to_string())))),
    };
    let zip = place(into, &target.name, &target.version, ModuleFile::Zip);
    if let Some(folder) = zip.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let top = format!("{}@{}", target.name, target.version);
    if let Err(why) = module::pack(&files, tree, &top, &zip)? {
        return Ok(Err(failed(FailureReason::Refused(why))));
    }
    let own = files.iter().find(|file| file.path.as_str() == "go.mod");
    let go_mod = place(into, &target.name, &target.version, ModuleFile::GoMod);
    match own {
        Some(own) => drop(fs_err::copy(tree.join(own.source.as_str()), go_mod)?),
        // What go makes up for a module from before modules.
        None => fs_err::write(go_mod, format!("module {}\n", target.name))?,
    }
    describe(into, &target.name, &target.version)?;
    // Go looks whether a later version says that the module is no longer to be used.
    let list = zip.with_file_name("list");
    fs_err::write(list, format!("{}\n", target.version))?;
    Ok(Ok(()))
}

/// Where a proxy has a file, below its own address.
fn place(into: &Path, module: &PackageName, version: &Version, file: ModuleFile) -> PathBuf {
    let ending = match file {
        ModuleFile::Zip => "zip",
        ModuleFile::GoMod => "mod",
    };
    // Both are checked when they are read: no part of them leaves the directory.
    into.join(escaped_path(module.as_str()))
        .join("@v")
        .join(format!("{}.{ending}", escaped_version(version.as_str())))
}

/// Says that there is such a version; go needs no more.
fn describe(into: &Path, module: &PackageName, version: &Version) -> anyhow::Result<()> {
    let info = place(into, module, version, ModuleFile::GoMod).with_extension("info");
    if let Some(folder) = info.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let text = serde_json::json!({ "Version": version.as_str() });
    fs_err::write(info, text.to_string())?;
    Ok(())
}

fn reason(error: &FetchError) -> FailureReason {
    match unfetched::sort(error) {
        Unfetched::Because(remint_model::InconclusiveReason::Unavailable) => {
            FailureReason::RegistryUnavailable(chain(error))
        }
        Unfetched::Because(_) | Unfetched::Machine => FailureReason::Refused(chain(error)),
    }
}

fn failed(reason: FailureReason) -> Failure {
    Failure {
        step: "fetch the modules that go.sum names".to_owned(),
        phase: None,
        reason,
        log_tail: String::new(),
    }
}
