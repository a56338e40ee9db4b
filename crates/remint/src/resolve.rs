//! From a spec to the published files that are to be judged.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use remint_ecosystem::golang::locate;
use remint_ecosystem::mcpb::server_json;
use remint_ecosystem::{Release, ReleaseFile};
use remint_fetch::source::Ahead;
use remint_fetch::{FetchError, LocalFile, Registries, UserConfiguration};
use remint_judge::IntegrityCheck;
use remint_model::{
    Artifact, ArtifactFormat, Ecosystem, InconclusiveReason, Integrity, PackageName, Published,
    Spec, Target, Version,
};

use crate::unfetched::{self, Unfetched};

/// One published file, ready to be judged.
#[derive(Debug)]
pub(crate) struct Case {
    /// What it is.
    pub(crate) target: Target,
    /// The file.
    pub(crate) artifact: Artifact<Published>,
    /// Against the registry's word.
    pub(crate) integrity: IntegrityCheck,
    /// `registry` or `user`.
    pub(crate) origin: &'static str,
    /// What the registry says about the release; `None` where no registry was asked or none knows it.
    pub(crate) release: Option<Release>,
    /// When the file was uploaded, seconds since 1970.
    pub(crate) uploaded: Option<i64>,
    /// What is done about its source meanwhile.
    pub(crate) ahead: Option<Arc<Ahead>>,
    /// To tell a person.
    pub(crate) notes: Vec<String>,
}

/// A spec, or one file of it, that leads to nothing that could be compared.
#[derive(Debug)]
pub(crate) struct Unresolved {
    /// The target, where it is known.
    pub(crate) target: Option<Target>,
    /// What kind of dead end.
    pub(crate) reason: InconclusiveReason,
    /// In words.
    pub(crate) detail: String,
    /// Set when the registry serves another file than it declares.
    pub(crate) integrity: Option<IntegrityCheck>,
}

/// What the user asked for beside the spec.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// A file to judge instead of the registry's.
    pub(crate) artifact: Option<PathBuf>,
    /// The entry of the MCP registry that declares a bundle's digest.
    pub(crate) server_json: Option<PathBuf>,
    /// Whether the registry is to be left alone.
    pub(crate) source_given: bool,
    /// Every file of the release.
    pub(crate) all_files: bool,
    /// Whose git settings reach the repository that the registry names, where it is wanted as well: it is asked while
    /// files are on their way.
    pub(crate) ahead: Option<UserConfiguration>,
}

/// Everything a spec stands for, in the order in which it is to be reported.
///
/// # Errors
/// This machine could not do its part: caches, configuration.
pub(crate) async fn resolve(
    spec: &Spec,
    wish: &Wish,
    registries: &Registries,
    downloads: &std::path::Path,
) -> anyhow::Result<Vec<Result<Case, Unresolved>>> {
    match (spec, &wish.artifact) {
        (Spec::Image(_), _) => Ok(vec![Err(Unresolved {
            target: None,
            reason: InconclusiveReason::Unsupported,
            detail: "an image is no release of a package".to_owned(),
            integrity: None,
        })]),
        (Spec::File(path), _) => Ok(vec![local(path, None, wish, registries).await?]),
        (
            Spec::Release {
                ecosystem,
                name,
                version,
                file: _,
            },
            Some(path),
        ) => {
            let wanted = (*ecosystem, name.clone(), version.clone());
            Ok(vec![local(path, Some(wanted), wish, registries).await?])
        }
        (
            Spec::Release {
                ecosystem,
                name,
                version,
                file,
            },
            None,
        ) => {
            let asked = name;
            let found = release_of(*ecosystem, asked, version.as_ref(), registries).await;
            let (name, release) = match found {
                Ok(found) => found,
                Err(error) => return Ok(vec![Err(unresolved(None, error)?)]),
            };
            let mut files: Vec<&ReleaseFile> = release.files.iter().collect();
            if let Some(file) = file {
                files.retain(|candidate| candidate.name == *file);
                if files.is_empty() {
                    return Ok(vec![Err(Unresolved {
                        target: None,
                        reason: InconclusiveReason::NotFound,
                        detail: format!("version {} has no file `{file}`", release.version),
                        integrity: None,
                    })]);
                }
            } else if !wish.all_files {
                keep_usual(&mut files);
            }
            let targets = files.iter().map(|file| Target {
                ecosystem: *ecosystem,
                name: name.clone(),
                version: release.version.clone(),
                file: match ecosystem {
                    Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Golang => None,
                    Ecosystem::Pypi | Ecosystem::Mcpb => Some(file.name.clone()),
                },
            });
            let targets: Vec<Target> = targets.collect();
            let ahead = begin_ahead(targets.first(), &release, wish);
            // An index may give two files one name: each has a folder of its own.
            let places: Vec<PathBuf> = (0..files.len())
                .map(|number| downloads.join(number.to_string()))
                .collect();
            let wanted = targets.into_iter().zip(files).zip(&places);
            let downloads_of_all = wanted.map(|((target, file), place)| {
                let latest = version.is_none();
                published(target, file, &release, latest, registries, place)
            });
            let mut cases = futures_util::future::try_join_all(downloads_of_all).await?;
            for case in cases.iter_mut().flatten() {
                case.ahead.clone_from(&ahead);
            }
            add_generator(&mut cases, &release, registries, downloads).await?;
            if name != *asked {
                let note = format!("`{asked}` is looked for in the module {name}");
                for case in cases.iter_mut().flatten() {
                    case.notes.insert(0, note.clone());
                }
            }
            Ok(cases)
        }
    }
}

/// Begins with what the search for the source will ask for, if that is wanted.
fn begin_ahead(target: Option<&Target>, release: &Release, wish: &Wish) -> Option<Arc<Ahead>> {
    let ahead = Ahead::new(target?, &release.claims, wish.ahead.as_ref()?)?;
    let ahead = Arc::new(ahead);
    let begun = Arc::clone(&ahead);
    drop(tokio::task::spawn_blocking(move || begun.begin()));
    Some(ahead)
}

/// A release, and whose. A path of Go may name a package, as it does for `go run` and `go install`: the module is then
/// the longest beginning of it that a proxy has.
async fn release_of(
    ecosystem: Ecosystem,
    name: &PackageName,
    version: Option<&Version>,
    registries: &Registries,
) -> Result<(PackageName, Release), FetchError> {
    let mut module = name.clone();
    let mut first = None;
    loop {
        let error = match registries.release(ecosystem, &module, version).await {
            Ok(release) => return Ok((module, release)),
            Err(error) => error,
        };
        let is_absent = matches!(error, FetchError::NotFound(_) | FetchError::Lacks { .. });
        // That the path itself is no module says more than that no folder above it is one.
        let error = first.take().unwrap_or(error);
        match locate::above(&module) {
            Some(above) if is_absent && ecosystem == Ecosystem::Golang => module = above,
            Some(_) | None => return Err(error),
        }
        first = Some(error);
    }
}

/// A source archive does not say what made it; a wheel of the same release does.
async fn add_generator(
    cases: &mut [Result<Case, Unresolved>],
    release: &Release,
    registries: &Registries,
    downloads: &std::path::Path,
) -> anyhow::Result<()> {
    let is_sdist = |case: &Case| {
        matches!(
            case.artifact.format,
            ArtifactFormat::Sdist | ArtifactFormat::SdistZip
        )
    };
    if !cases.iter().flatten().any(is_sdist) {
        return Ok(());
    }
    let Some(file) = release
        .files
        .iter()
        .find(|file| file.format == ArtifactFormat::Wheel)
    else {
        return Ok(());
    };
    let wheel = match registries.download(file, &downloads.join("wheel")).await {
        Ok(wheel) => wheel,
        Err(error) if error.is_machine_fault() => return Err(error.into()),
        // Only a hint is missing; the wheel is judged as a target of its own.
        Err(_) => return Ok(()),
    };
    if let Ok(survey) = crate::open::survey(&wheel) {
        let generator = remint_ecosystem::pypi::locate::generator(&survey);
        for case in cases.iter_mut().flatten().filter(|case| is_sdist(case)) {
            if let Some(release) = &mut case.release {
                release.tools.generator.clone_from(&generator);
            }
        }
    }
    Ok(())
}

/// The file that an installer here would pick, then the sdist.
fn keep_usual(files: &mut Vec<&ReleaseFile>) {
    let is_sdist = |file: &ReleaseFile| {
        matches!(
            file.format,
            ArtifactFormat::Sdist | ArtifactFormat::SdistZip
        )
    };
    let first = files.first().map(|file| file.name.clone());
    let sdist = files
        .iter()
        .find(|file| is_sdist(file))
        .map(|file| file.name.clone());
    files.retain(|file| Some(&file.name) == first.as_ref() || Some(&file.name) == sdist.as_ref());
}

async fn published(
    target: Target,
    file: &ReleaseFile,
    release: &Release,
    latest: bool,
    registries: &Registries,
    downloads: &std::path::Path,
) -> anyhow::Result<Result<Case, Unresolved>> {
    let mut notes = Vec::new();
    if latest {
        notes.push(format!(
            "no version was asked for; {} is the latest",
            release.version
        ));
    }
    if let Some(withdrawn) = &release.withdrawn {
        notes.push(format!("withdrawn by its publisher: {withdrawn}"));
    }
    notes.extend(no_wheel_fits(file, release));
    match registries.download(file, downloads).await {
        Ok(artifact) => Ok(Ok(Case {
            integrity: file
                .integrity
                .clone()
                .map_or(IntegrityCheck::NotDeclared, IntegrityCheck::Matches),
            target,
            artifact,
            origin: "registry",
            uploaded: file.uploaded.or(release.published),
            release: Some(release.clone()),
            ahead: None,
            notes,
        })),
        Err(error) => Ok(Err(unresolved(Some(target), error)?)),
    }
}

/// What is said of a source archive that stands for a release of wheels for other machines. The files of a release come
/// in the order in which an installer here would take them, so that a wheel that fits comes before it.
fn no_wheel_fits(file: &ReleaseFile, release: &Release) -> Option<String> {
    const NAMED: usize = 3;
    let first = release.files.first()?;
    if first.name != file.name || file.format == ArtifactFormat::Wheel {
        return None;
    }
    let mut wheels = release
        .files
        .iter()
        .filter(|file| file.format == ArtifactFormat::Wheel);
    let named: Vec<String> = wheels
        .by_ref()
        .take(NAMED)
        .map(|wheel| format!("`{}`", wheel.name))
        .collect();
    if named.is_empty() {
        return None;
    }
    let more = match wheels.count() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!(
        "no wheel of this release fits this machine and its interpreters: {}{more}",
        named.join(", ")
    ))
}

type Wanted = (Ecosystem, PackageName, Option<Version>);

/// The file at a path that the user gave, opened.
///
/// # Errors
/// There is no such file: wrong usage.
pub(crate) fn given(path: &std::path::Path) -> anyhow::Result<Result<LocalFile, Unresolved>> {
    let usage = |why: &dyn std::fmt::Display| cannot_be_taken(path, why);
    match fs_err::File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_dir() => anyhow::bail!(usage(&"it is a directory")),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            anyhow::bail!(usage(&"there is no such file"))
        }
        Err(error) => anyhow::bail!(usage(&error.kind())),
    }
    match LocalFile::open(path) {
        Ok(file) => Ok(Ok(file)),
        Err(error) => Ok(Err(unresolved(None, error)?)),
    }
}

fn cannot_be_taken(path: &std::path::Path, why: &dyn std::fmt::Display) -> crate::failure::Usage {
    crate::failure::Usage(format!("`{}` cannot be taken: {why}", path.display()))
}

/// A file that the user holds. Its own manifest says what it is where the spec does not.
async fn local(
    path: &std::path::Path,
    wanted: Option<Wanted>,
    wish: &Wish,
    registries: &Registries,
) -> anyhow::Result<Result<Case, Unresolved>> {
    let usage = |why: &dyn std::fmt::Display| cannot_be_taken(path, why);
    let artifact = match given(path)? {
        Ok(file) => match file.artifact() {
            Ok(artifact) => artifact,
            Err(error) => return Ok(Err(unresolved(None, error)?)),
        },
        Err(unresolved) => return Ok(Err(unresolved)),
    };
    let Some(ecosystem) = ecosystem_of(artifact.format) else {
        anyhow::bail!(usage(&"no registry has files of this kind"));
    };
    if let Some((wanted, _, _)) = &wanted
        && *wanted != ecosystem
    {
        anyhow::bail!(usage(&format_args!("it is no file of {wanted}")));
    }
    let survey = match crate::open::survey(&artifact) {
        Ok(survey) => survey,
        Err(error) => {
            return Ok(Err(Unresolved {
                target: None,
                reason: InconclusiveReason::Malformed,
                detail: error.to_string(),
                integrity: None,
            }));
        }
    };
    let (name, version) = match wanted {
        Some((_, name, Some(version))) => (name, version),
        wanted => {
            let identity = remint_ecosystem::published_identity(ecosystem, &survey);
            let stated = identity.as_ref().ok().and_then(|identity| {
                let remint_ecosystem::StatedVersion::Exact(version) = &identity.version else {
                    return None;
                };
                Some((identity.name.clone()?, version.parse().ok()?))
            });
            let Some((name, version)) = stated else {
                return Ok(Err(Unresolved {
                    target: None,
                    reason: InconclusiveReason::Malformed,
                    detail: format!(
                        "`{}` does not say which package and version it is",
                        artifact.name
                    ),
                    integrity: None,
                }));
            };
            (wanted.map_or(name, |(_, name, _)| name), version)
        }
    };
    let integrity = match &wish.server_json {
        Some(declaring) => declared(declaring, &artifact)?,
        None => IntegrityCheck::GivenByUser,
    };
    let target = Target {
        ecosystem,
        name,
        version,
        file: match (ecosystem, artifact.format) {
            // One release of a module can be built for many machines.
            (Ecosystem::Golang, ArtifactFormat::GoProgram) => Some(artifact.name.clone()),
            (Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Golang, _) => None,
            (Ecosystem::Pypi | Ecosystem::Mcpb, _) => Some(artifact.name.clone()),
        },
    };
    let mut notes = vec![match integrity {
        IntegrityCheck::Matches(_) => {
            "the file is yours, and has the digest that the `server.json` declares".to_owned()
        }
        IntegrityCheck::Mismatch { .. }
        | IntegrityCheck::NotDeclared
        | IntegrityCheck::GivenByUser => match ecosystem {
            Ecosystem::Mcpb => "the file is yours; no registry serves bundles".to_owned(),
            Ecosystem::Npm | Ecosystem::Pypi | Ecosystem::Cargo | Ecosystem::Golang => {
                "the file is yours; no registry was asked for it".to_owned()
            }
        },
    }];
    let release = if wish.source_given || ecosystem == Ecosystem::Mcpb {
        None
    } else {
        // Only for hints about the source: the file itself says where it comes from as well.
        match registries
            .release(ecosystem, &target.name, Some(&target.version))
            .await
        {
            Ok(release) => Some(release),
            Err(error) if error.is_machine_fault() => return Err(error.into()),
            Err(error) => {
                notes.push(format!("the registry does not know this release: {error}"));
                None
            }
        }
    };
    Ok(Ok(Case {
        uploaded: release.as_ref().and_then(|release| release.published),
        target,
        artifact,
        integrity,
        origin: "user",
        release,
        ahead: None,
        notes,
    }))
}

/// The bundle against the digest that the MCP registry declares for it.
///
/// # Errors
/// The file cannot be read, or declares none: wrong usage.
fn declared(
    declaring: &std::path::Path,
    artifact: &Artifact<Published>,
) -> anyhow::Result<IntegrityCheck> {
    let usage = |why: &dyn std::fmt::Display| cannot_be_taken(declaring, why);
    if artifact.format != ArtifactFormat::Mcpb {
        anyhow::bail!(usage(&"`--server-json` goes with one bundle"));
    }
    let mut content = Vec::new();
    let limit = server_json::LARGEST as u64 + 1;
    fs_err::File::open(declaring)
        .and_then(|file| file.take(limit).read_to_end(&mut content))
        .map_err(|error| usage(&error.kind()))?;
    let declared = server_json::declared_digest(&content, artifact.name.as_str())
        .map_err(|error| usage(&error))?;
    let declares = Integrity::Sha256(declared);
    Ok(if declared == artifact.sha256 {
        IntegrityCheck::Matches(declares)
    } else {
        IntegrityCheck::Mismatch {
            declared: declares,
            actual: Integrity::Sha256(artifact.sha256).to_string(),
        }
    })
}

/// Whose files are of this format; `None` where nobody publishes such files.
const fn ecosystem_of(format: ArtifactFormat) -> Option<Ecosystem> {
    match format {
        ArtifactFormat::NpmTarball => Some(Ecosystem::Npm),
        ArtifactFormat::Crate => Some(Ecosystem::Cargo),
        ArtifactFormat::GoModule | ArtifactFormat::GoProgram => Some(Ecosystem::Golang),
        ArtifactFormat::Wheel | ArtifactFormat::Sdist | ArtifactFormat::SdistZip => {
            Some(Ecosystem::Pypi)
        }
        ArtifactFormat::Mcpb => Some(Ecosystem::Mcpb),
        ArtifactFormat::ImageFiles => None,
    }
}

/// Sorts a fetch error into an answer about the target, or a fault of this machine.
fn unresolved(target: Option<Target>, error: FetchError) -> anyhow::Result<Unresolved> {
    let Unfetched::Because(reason) = unfetched::sort(&error) else {
        return Err(error.into());
    };
    let integrity = if let FetchError::Integrity {
        expected, found, ..
    } = &error
    {
        Some(IntegrityCheck::Mismatch {
            declared: expected.clone(),
            actual: found.to_string(),
        })
    } else {
        None
    };
    Ok(Unresolved {
        target,
        reason,
        detail: crate::build::chain(&error),
        integrity,
    })
}
