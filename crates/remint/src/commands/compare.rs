//! `remint compare`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use remint_compare::{Compared, Known, Options};
use remint_judge::IntegrityCheck;
use remint_model::{ImagePlace, Spec};

use crate::build::{Builder, Scratch};
use crate::cli::{Compare, PlainFormat};
use crate::comparison::{self, ComparisonReport, Given, GivenFile, Identity};
use crate::exit::Exit;
use crate::failure::{self, Usage};
use crate::image::{self, ImageIdentity};
use crate::open::{self, Unreadable};
use crate::progress::Progress;
use crate::python_syntax;
use crate::resolve::{Unresolved, Wish, given, resolve};
use crate::settings::Settings;
use crate::{delivery, interrupt, terminal};

/// Compares two artifacts and says what they have in common.
pub(crate) async fn run(arguments: &Compare, settings: Settings) -> anyhow::Result<Exit> {
    delivery::check(arguments.output.as_deref())?;
    delivery::check(arguments.html.as_deref())?;
    let progress = Progress::new(settings.interactive);
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::watch(Arc::clone(&cancel));
    let report = tokio::select! {
        biased;
        report = compare(arguments, settings, Arc::clone(&cancel), &progress) => report,
        () = interrupt::cancelled_and_settled(&cancel) => Err(interrupt::Interrupted.into()),
    };
    progress.clear();
    let report = report?;
    let text = match arguments.format.unwrap_or_default() {
        PlainFormat::Human => comparison::human(&report, terminal::width()),
        PlainFormat::Json => comparison::json(&report),
    };
    let mut exit = report.exit();
    if let Some(place) = &arguments.html
        && let Err(error) = delivery::put(&comparison::html(&report)?, place)
    {
        failure::tell(&error);
        exit = exit.and(Exit::Machine);
    }
    Ok(exit.and(delivery::deliver(&text, arguments.output.as_deref())))
}

/// Fetches what is not here, and compares.
async fn compare(
    arguments: &Compare,
    settings: Settings,
    cancel: Arc<AtomicBool>,
    progress: &Progress,
) -> anyhow::Result<ComparisonReport> {
    let images = match (&arguments.first, &arguments.second) {
        (Spec::Image(first), Spec::Image(second)) => Some([first, second]),
        (Spec::Image(_), Spec::Release { .. } | Spec::File(_))
        | (Spec::Release { .. } | Spec::File(_), Spec::Image(_)) => {
            anyhow::bail!(Usage(
                "one is a container image and the other is none: give two of one kind".to_owned()
            ));
        }
        (Spec::Release { .. } | Spec::File(_), Spec::Release { .. } | Spec::File(_)) => None,
    };
    anyhow::ensure!(
        images.is_some() || arguments.platform.is_none(),
        Usage("--platform is for container images, and neither is one".to_owned())
    );
    let python = {
        let known = settings.clone();
        let stop = Arc::clone(&cancel);
        python_syntax::syntax(&settings, Arc::clone(&cancel), move || {
            let builder = Builder::new(known.clone(), Arc::clone(&stop)).ok()?;
            builder.newest_python()
        })
    };
    let options = Options {
        words: comparison::WORDS,
        python: Some(python),
        ..Options::default()
    };
    match images {
        Some(images) => of_images(arguments, images, settings, cancel, options, progress).await,
        None => of_files(arguments, settings, cancel, options, progress).await,
    }
}

async fn of_images(
    arguments: &Compare,
    images: [&ImagePlace; 2],
    settings: Settings,
    cancel: Arc<AtomicBool>,
    options: Options,
    progress: &Progress,
) -> anyhow::Result<ComparisonReport> {
    let started = settings.now;
    let builder = Builder::new(settings, cancel)?;
    let platform = arguments.platform.as_deref();
    let found = image::compare(images, platform, options, &builder, progress).await?;
    let given = |spec: &Spec, identity: Option<ImageIdentity>| Given {
        label: spec.to_string(),
        identity: identity.map(|image| Identity {
            name: spec.to_string(),
            size: image.size,
            sha256: image.manifest,
        }),
    };
    let [first, second] = found.identities;
    Ok(ComparisonReport {
        started,
        first: given(&arguments.first, first),
        second: given(&arguments.second, second),
        compared: found.compared,
        notes: Vec::new(),
        thing: "image",
    })
}

async fn of_files(
    arguments: &Compare,
    settings: Settings,
    cancel: Arc<AtomicBool>,
    options: Options,
    progress: &Progress,
) -> anyhow::Result<ComparisonReport> {
    let started = settings.now;
    let specs = [&arguments.first, &arguments.second];
    let fetching = specs
        .iter()
        .any(|spec| matches!(spec, Spec::Release { .. }));
    let registries = if fetching {
        let builder = Builder::new(settings, cancel)?;
        let downloads = [builder.scratch()?, builder.scratch()?];
        Some((builder, downloads))
    } else {
        None
    };
    let at = |number: usize| {
        let (builder, downloads) = registries.as_ref()?;
        Some((builder, downloads.get(number)?))
    };
    let stage = progress.begin("resolve", "the two artifacts");
    let (first, second) = tokio::join!(had(specs[0], at(0)), had(specs[1], at(1)));
    stage.end("");
    let (first, second) = (first?, second?);
    let mut notes = first.notes;
    notes.extend(second.notes);
    let stage = progress.begin("compare", "entry by entry");
    let compared = match (&first.file, &second.file) {
        (Ok(one), Ok(other)) => {
            let options = Options {
                known: Known {
                    versions: Vec::from_iter(second.version),
                    ..Known::default()
                },
                ..options
            };
            hold(one, other, options).await?
        }
        (Err(why), _) => Err(format!("{}: {why}", arguments.first)),
        (_, Err(why)) => Err(format!("{}: {why}", arguments.second)),
    };
    stage.end("");
    let given = |spec: &Spec, file: Result<GivenFile, String>| Given {
        label: spec.to_string(),
        identity: file.ok().as_ref().map(Identity::from),
    };
    Ok(ComparisonReport {
        started,
        first: given(&arguments.first, first.file),
        second: given(&arguments.second, second.file),
        compared,
        notes,
        thing: "file",
    })
}

/// One of the two files, or why it cannot be had.
struct Had {
    file: Result<GivenFile, String>,
    /// Of a release.
    version: Option<String>,
    notes: Vec<String>,
}

async fn had(spec: &Spec, registries: Option<(&Builder, &Scratch)>) -> anyhow::Result<Had> {
    let unheard = |why: String| Had {
        file: Err(why),
        version: None,
        notes: Vec::new(),
    };
    let (builder, downloads) = match (spec, registries) {
        (Spec::File(path), _) => {
            // Both are hashed at once.
            let path = path.clone();
            return match tokio::task::spawn_blocking(move || held(&path)).await?? {
                Ok(file) => Ok(Had {
                    file: Ok(file),
                    version: None,
                    notes: Vec::new(),
                }),
                Err(unresolved) => Ok(unheard(unresolved.detail)),
            };
        }
        (Spec::Release { .. }, Some(registries)) => registries,
        (Spec::Release { .. } | Spec::Image(_), _) => {
            return Ok(unheard("no registry was asked".to_owned()));
        }
    };
    let cases = resolve(
        spec,
        &Wish::default(),
        &builder.registries,
        downloads.path(),
    )
    .await?;
    // The first file is the one that an installer here would take.
    match cases.into_iter().next() {
        Some(Ok(case)) => {
            let mut notes = case.notes;
            match case.integrity {
                IntegrityCheck::Matches(_) | IntegrityCheck::GivenByUser => {}
                IntegrityCheck::NotDeclared => notes.push(format!(
                    "{spec}: the registry declares no digest, so nothing says that this is its file"
                )),
                IntegrityCheck::Mismatch { declared, .. } => {
                    return Ok(unheard(format!(
                        "its digest is not {declared}, which the registry declares"
                    )));
                }
            }
            Ok(Had {
                file: Ok(case.artifact.into()),
                version: Some(case.target.version.as_str().to_owned()),
                notes,
            })
        }
        Some(Err(unresolved)) => Ok(unheard(unresolved.detail)),
        None => Ok(unheard(
            "the release has no file that can be compared".to_owned(),
        )),
    }
}

/// A file of this machine.
fn held(path: &Path) -> anyhow::Result<Result<GivenFile, Unresolved>> {
    let mut file = match given(path)? {
        Ok(file) => file,
        Err(unresolved) => return Ok(Err(unresolved)),
    };
    Ok(Ok(GivenFile {
        sha256: file.sha256()?,
        name: file.name,
        format: file.format,
        path: path.to_owned(),
        size: file.size,
    }))
}

/// Holds the second against the first; the inner error says that one of them cannot be read as an archive.
async fn hold(
    first: &GivenFile,
    second: &GivenFile,
    options: Options,
) -> anyhow::Result<Result<Compared, String>> {
    anyhow::ensure!(
        first.format == second.format,
        Usage(format!(
            "`{}` and `{}` are packed in different ways: give two files of one kind",
            first.name, second.name
        ))
    );
    let (format, one, other) = (first.format, first.path.clone(), second.path.clone());
    let compared =
        tokio::task::spawn_blocking(move || open::hold_against(format, &other, &one, &options))
            .await?;
    match compared {
        Ok(compared) => Ok(Ok(compared)),
        Err(Unreadable::Archive(error)) => Ok(Err(error.to_string())),
        Err(error @ Unreadable::Open(_)) => Err(error.into()),
    }
}
