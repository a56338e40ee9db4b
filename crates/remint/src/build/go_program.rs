//! What is asked of a program of Go that was just built: whether it was linked with the modules that `go.sum` names, and
//! what of it nobody compiled.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _};
use std::path::Path;

use remint_ecosystem::golang::{TakenCode, escaped_path, escaped_version};
use remint_fetch::source::FoundSource;
use remint_model::{
    Artifact, AssumptionKind, BuildPlan, BuildRecord, Ecosystem, EntryPath, Failure, FailureReason,
    GoBuildInfo, GoModuleVersion, Lock, PackageName, Rebuilt, SourceTree, ToolOrigin, Version,
};

use crate::open;

/// So many files are named.
const SHOWN: usize = 100;
/// The file that cgo makes for every package that it compiles. A program names it, for its own traces.
const MADE_BY_CGO: &[u8] = b"_cgo_gotypes.go";
/// The mode of a symbolic link in git.
const LINK: u32 = 0o120_000;

/// What the program says of itself; `None` where no program of Go was built. Adds to the record what was linked in as it
/// was found, and takes from it the compiler for C if there was nothing for it to compile.
///
/// # Errors
/// This machine could not do its part. That the program is not one of the locked modules is the inner error.
pub(super) fn examine(
    plan: &BuildPlan,
    source: &FoundSource,
    modules: &Path,
    artifact: &Artifact<Rebuilt>,
    record: &mut BuildRecord,
) -> anyhow::Result<Result<Option<GoBuildInfo>, Failure>> {
    let is_program = plan
        .tools
        .iter()
        .any(|tool| tool.origin == ToolOrigin::GoToolchain);
    if !is_program {
        return Ok(Ok(None));
    }
    // What cannot be read is told when it is compared.
    let Some(info) = open::survey(artifact)
        .ok()
        .and_then(|survey| survey.program)
    else {
        return Ok(Ok(None));
    };
    if let Some(why) = linked_with_others(&info, &plan.lock) {
        return Ok(Err(failed(why)));
    }
    let taken = TakenCode::new(&plan.environment);
    let mut found = Vec::new();
    let own = info.main.iter().filter(|main| main.sum.is_some());
    if own.clone().next().is_none() {
        found.extend(of_tree(plan, source, &info, record, &taken));
    }
    for module in own.chain(linked(&info)) {
        match of_zip(modules, module, &taken)? {
            Some(some) => found.extend(some),
            None => {
                return Ok(Err(failed(format!(
                    "it names {} {}, which was not laid out for it",
                    module.path, module.version
                ))));
            }
        }
    }
    found.sort();
    found.truncate(SHOWN);
    record.linked_as_is = found;
    if !holds(&artifact.path, MADE_BY_CGO)? {
        record.assumptions.retain(|made| {
            made.kind != AssumptionKind::NativeToolchain || !plan.assumptions.contains(made)
        });
    }
    Ok(Ok(Some(info)))
}

fn failed(why: String) -> Failure {
    Failure {
        step: "look at the modules that were linked".to_owned(),
        phase: None,
        reason: FailureReason::NoArtifact(why),
        log_tail: String::new(),
    }
}

/// What the packages were taken from that are not the main module's.
fn linked(info: &GoBuildInfo) -> impl Iterator<Item = &GoModuleVersion> {
    info.dependencies
        .iter()
        .map(|one| one.replaced_by.as_ref().unwrap_or(&one.required))
}

/// Go checks digests itself in most builds, but not in all.
fn linked_with_others(info: &GoBuildInfo, lock: &Lock) -> Option<String> {
    let locked: BTreeMap<(&str, &str), &str> = match lock {
        Lock::Modules(lock) => lock
            .modules
            .iter()
            .filter_map(|module| {
                let key = (module.path.as_str(), module.version.as_str());
                Some((key, module.zip.as_deref()?))
            })
            .collect(),
        Lock::Nothing | Lock::Locked { .. } | Lock::Opaque { .. } | Lock::AsOf { .. } => {
            BTreeMap::new()
        }
    };
    linked(info).find_map(|module| {
        let sum = module.sum.as_deref()?;
        let declared = locked.get(&(module.path.as_str(), module.version.as_str()));
        (declared != Some(&sum)).then(|| {
            format!(
                "it was linked with {} {}, whose digest {sum} is not the one in go.sum",
                module.path, module.version
            )
        })
    })
}

/// What go takes of the tree: of the module's folder without the modules below it, or of all where the module reaches
/// beyond.
fn of_tree<'a>(
    plan: &BuildPlan,
    source: &'a FoundSource,
    info: &GoBuildInfo,
    record: &'a BuildRecord,
    taken: &TakenCode,
) -> Vec<String> {
    let tree = &source.tree;
    let has_links = tree.entries.values().any(|entry| entry.mode == LINK);
    let in_workspace = plan.environment.get("GOWORK").map(String::as_str) != Some("off")
        && tree
            .entries
            .keys()
            .any(|path| path.file_name() == "go.work");
    let takes_folders = info
        .dependencies
        .iter()
        .any(|one| one.replaced_by.as_ref().is_some_and(|by| by.sum.is_none()));
    let is_cgo = plan.environment.get("CGO_ENABLED").map(String::as_str) != Some("0");
    let takes_all = has_links || in_workspace || takes_folders || is_cgo;
    let own = SourceTree::path_in(source.pin.subdirectory.as_ref(), "go.mod");
    let is_own = |path: &EntryPath| {
        let mut folder = path.parent();
        loop {
            let go_mod = SourceTree::path_in(folder.as_ref(), "go.mod");
            if go_mod == own {
                return true;
            }
            match folder {
                Some(at) if !tree.has(&go_mod) => folder = at.parent(),
                _ => return false,
            }
        }
    };
    let listed = tree
        .entries
        .keys()
        .filter(|path| taken.has(path.as_str()) && (takes_all || is_own(path)))
        .map(ToString::to_string);
    let unlisted = record
        .unlisted
        .iter()
        .filter(|file| taken.has(&file.path))
        .map(|file| file.path.clone());
    listed.chain(unlisted).collect()
}

/// The same of a module zip, which was written here; `None` where there is none. The program names it, so that neither
/// path nor version is believed to be one.
fn of_zip(
    modules: &Path,
    module: &GoModuleVersion,
    taken: &TakenCode,
) -> anyhow::Result<Option<Vec<String>>> {
    let mut found = Vec::new();
    if module.sum.is_none() {
        return Ok(Some(found));
    }
    let is_module = PackageName::parse(Ecosystem::Golang, &module.path).is_ok()
        && module.version.parse::<Version>().is_ok();
    let zip = modules
        .join(escaped_path(&module.path))
        .join("@v")
        .join(format!("{}.zip", escaped_version(&module.version)));
    if !is_module || !zip.is_file() {
        return Ok(None);
    }
    let mut zip = zip::ZipArchive::new(BufReader::new(fs_err::File::open(zip)?))?;
    let top = format!("{}@{}/", module.path, module.version);
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index)?;
        let name = entry.name()?;
        if taken.has(name.strip_prefix(&top).unwrap_or(&name)) {
            found.push(name.into_owned());
        }
    }
    Ok(Some(found))
}

/// Whether a file holds these bytes.
fn holds(path: &Path, wanted: &[u8]) -> std::io::Result<bool> {
    let mut file = fs_err::File::open(path)?;
    let mut kept = Vec::new();
    loop {
        let read = file.by_ref().take(1 << 20).read_to_end(&mut kept)?;
        let mut rest = kept.as_slice();
        while let Some(at) = rest.iter().position(|byte| wanted.first() == Some(byte)) {
            rest = rest.get(at..).unwrap_or_default();
            if rest.starts_with(wanted) {
                return Ok(true);
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        if read == 0 {
            return Ok(false);
        }
        kept.drain(..kept.len().saturating_sub(wanted.len()));
    }
}

#[cfg(test)]
mod tests {
    use remint_model::{GoDependency, LockedModule, ModuleLock};

    use super::*;

    #[test]
    fn a_module_that_go_sum_does_not_name_so_is_told() {
        const SUM: &str = "h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=";
        let path = PackageName::parse(Ecosystem::Golang, "example.org/a").unwrap();
        let lock = Lock::Modules(ModuleLock {
            modules: vec![LockedModule {
                path,
                version: "v1.2.3".parse().unwrap(),
                zip: Some(SUM.to_owned()),
                go_mod: None,
            }],
            with_own: true,
        });
        let module = |path: &str, sum: Option<&str>| GoModuleVersion {
            path: path.to_owned(),
            version: "v1.2.3".to_owned(),
            sum: sum.map(str::to_owned),
        };
        let check = |required, replaced_by, lock: &Lock, expect: bool| {
            let info = GoBuildInfo {
                dependencies: vec![GoDependency {
                    required,
                    replaced_by,
                }],
                ..GoBuildInfo::default()
            };
            assert_eq!(linked_with_others(&info, lock).is_none(), expect);
        };
        let honest = module("example.org/a", Some(SUM));
        check(honest.clone(), None, &lock, true);
        check(module("example.org/b", None), None, &lock, true);
        check(
            module("example.org/b", None),
            Some(honest.clone()),
            &lock,
            true,
        );
        check(module("example.org/a", Some("h1:x")), None, &lock, false);
        check(module("example.org/b", Some(SUM)), None, &lock, false);
        check(
            module("example.org/a", None),
            Some(module("example.org/b", Some(SUM))),
            &lock,
            false,
        );
        check(honest, None, &Lock::Nothing, false);
    }

    #[test]
    fn bytes_are_found_wherever_they_lie() {
        let place = tempfile::NamedTempFile::new().unwrap();
        for (before, expect) in [
            (0, true),
            ((1 << 20) - 7, true),
            (1 << 21, true),
            (9, false),
        ] {
            let mut bytes = vec![b'_'; before];
            bytes.extend(if expect { MADE_BY_CGO } else { b"_cgo_" });
            bytes.extend([0; 100]);
            fs_err::write(place.path(), bytes).unwrap();
            assert_eq!(
                holds(place.path(), MADE_BY_CGO).unwrap(),
                expect,
                "{before}"
            );
        }
    }
}
