//! `remint verify-build`.

use std::cell::RefCell;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _};
use remint_fetch::Will;
use remint_fetch::source::{Overrides, SourceError, check_chosen};
use remint_model::Spec;

use crate::asked::{self, Asked};
use crate::build::Builder;
use crate::cli::{Rebuild, ReportFormat, SourceOptions, VerifyBuild};
use crate::exit::Exit;
use crate::image::{self, ImageWish};
use crate::lookup::Trusting;
use crate::pipeline::{self, Effort, Request};
use crate::progress::Progress;
use crate::report::{RunReport, TargetReport, size_words};
use crate::resolve::{Case, Wish, resolve};
use crate::settings::Settings;
use crate::{cache_limit, delivery, failure, interrupt, terminal};

/// Judges every spec and delivers the report.
pub(crate) async fn run(arguments: &VerifyBuild, settings: Settings) -> anyhow::Result<Exit> {
    delivery::check(settings.output.as_deref())?;
    anyhow::ensure!(
        arguments.config.is_empty()
            || arguments
                .source
                .source
                .as_deref()
                .is_none_or(|source| source == "sdist"),
        failure::Usage(
            "`--source` belongs to one server: name it as SPEC, without `--config`".to_owned()
        )
    );
    let asked = asked::all(&arguments.specs, &arguments.config)?;
    let (wish, request) = question(
        &arguments.source,
        arguments.artifact.as_ref(),
        arguments.specs.len(),
        arguments.all_files,
        &settings,
    )?;
    let request = Request {
        explain: arguments.explain,
        keep: arguments.keep.clone(),
        // Whoever asks for a rebuild, its plans or its log wants a build.
        effort: if arguments.explain
            || arguments.keep.is_some()
            || arguments.trust.rebuild == Rebuild::Always
        {
            Effort::Full
        } else {
            Effort::Least
        },
        trust: Trusting::resolve(&arguments.trust, &settings)?.map(Arc::new),
        image: ImageWish {
            base: arguments.image.base.clone(),
            platform: arguments.image.platform.clone(),
        },
        ..request
    };
    let wish = Wish {
        server_json: arguments.server_json.clone(),
        ..wish
    };
    let images = asked
        .iter()
        .any(|asked| matches!(asked, Asked::Spec(Spec::Image(_), ..)));
    anyhow::ensure!(
        images || arguments.image.base.is_none() && arguments.image.platform.is_none(),
        failure::Usage("`--base` and `--platform` go with an image (`oci:…`)".to_owned())
    );
    anyhow::ensure!(
        !images || arguments.artifact.is_none(),
        failure::Usage("`--artifact` goes with a release: name a layout as `oci:./DIR`".to_owned())
    );
    anyhow::ensure!(
        wish.server_json.is_none() || arguments.specs.len() == 1,
        failure::Usage("`--server-json` goes with one bundle".to_owned())
    );
    let progress = Progress::new(settings.interactive);
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::watch(Arc::clone(&cancel));
    cache_limit::enforce(&settings);
    let (format, output, now) = (settings.format, settings.output.clone(), settings.now);
    let (report, exit) = match Builder::new(settings, cancel) {
        Ok(builder) => judge_all(&asked, &wish, &request, &builder, &progress, &|_| {}).await,
        Err(error) => {
            let exit = failure::exit(&error);
            failure::tell(&error);
            let unjudged = vec![format!("{error:#}")];
            let report = RunReport {
                started: now,
                targets: Vec::new(),
                unjudged,
                exit,
            };
            (report, exit)
        }
    };
    progress.clear();
    // Also where nothing could be judged: a program needs a document, and an older one must not seem current.
    if report.targets.is_empty() && format == ReportFormat::Human && output.is_none() {
        return Ok(exit);
    }
    let text = report.render(format, terminal::width());
    Ok(exit.and(delivery::deliver(&text, output.as_deref())))
}

/// What is asked about each spec, from the options that say so.
///
/// # Errors
/// The options contradict each other, or cannot be understood.
pub(crate) fn question(
    source: &SourceOptions,
    artifact: Option<&PathBuf>,
    specs: usize,
    all_files: bool,
    settings: &Settings,
) -> anyhow::Result<(Wish, Request)> {
    anyhow::ensure!(
        artifact.is_none() || specs == 1,
        failure::Usage("`--artifact` goes with one SPEC".to_owned())
    );
    let from_sdist = source.source.as_deref() == Some("sdist");
    let request = Request {
        overrides: Overrides {
            source: source.source.clone().filter(|_| !from_sdist),
            reference: source.reference.clone(),
            subdirectory: source
                .subdir
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|error| failure::Usage(format!("`--subdir`: {error}")))?,
        },
        artifact: artifact.cloned(),
        from_sdist,
        explain: false,
        keep: None,
        effort: Effort::Full,
        offline: settings.user.offline,
        trust: None,
        image: ImageWish::default(),
    };
    if let Some(source) = &request.overrides.source {
        check_source(source, settings)?;
    }
    let wish = Wish {
        artifact: artifact.cloned(),
        server_json: None,
        source_given: request.overrides.source.is_some(),
        all_files,
        ahead: None,
    };
    Ok((wish, request))
}

/// A source that cannot be one is told before anything is fetched.
pub(crate) fn check_source(source: &str, settings: &Settings) -> anyhow::Result<()> {
    match check_chosen(source, &settings.user) {
        Ok(()) => Ok(()),
        Err(error @ SourceError::NotASource { .. }) => Err(failure::Usage(format!(
            "`--source`: {error}; give the address of a git repository, or a directory inside one"
        ))
        .into()),
        Err(error) if error.is_machine_fault() => Err(error.into()),
        // An answer about the repository: each target gets it.
        Err(_) => Ok(()),
    }
}

/// Judges what is asked for, some at once, reported in its order; what was finished is reported whatever happens to the
/// rest. `on_verdict` is told of every verdict as soon as it stands.
pub(crate) async fn judge_all(
    asked: &[Asked],
    wish: &Wish,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
    on_verdict: &dyn Fn(&TargetReport),
) -> (RunReport, Exit) {
    let finished = Finished::default();
    let mut unjudged = Vec::new();
    let mut exit = Exit::Verified;
    let judging = asked.iter().enumerate().map(|(position, asked)| {
        let finished = &finished;
        async move {
            let (spec, will, notes) = match asked {
                Asked::Answered(report) => {
                    finished.add(position, TargetReport::clone(report));
                    return Ok(());
                }
                Asked::Spec(spec, will, notes) => (spec, *will, notes),
            };
            let progress = progress.another();
            let add = |mut target: TargetReport| {
                target.notes.splice(0..0, notes.iter().cloned());
                on_verdict(&target);
                finished.add(position, target);
            };
            let judged = judge_spec((spec, will), wish, request, builder, &progress, add).await;
            progress.clear();
            judged.map_err(|fault| (position, spec, fault))
        }
    });
    let mut judged = pin!(stream::iter(judging).buffer_unordered(builder.settings.jobs));
    let mut interrupted = pin!(interrupt::cancelled_and_settled(&builder.cancel));
    loop {
        let next = tokio::select! {
            next = judged.next() => next,
            () = &mut interrupted => break,
        };
        match next {
            Some(Ok(())) => {}
            Some(Err((position, spec, fault))) => {
                exit = exit.and(failure::exit(fault.error()));
                if exit == Exit::Interrupted {
                    break;
                }
                match fault {
                    Fault::Unjudged(error) => {
                        let error = error.context(format!("cannot judge {spec}"));
                        unjudged.push((position, format!("{error:#}")));
                        failure::tell(&error);
                    }
                    Fault::Unkept(error) => failure::tell(&error),
                }
            }
            None => break,
        }
    }
    if builder.cancel.load(Ordering::Relaxed) {
        terminal::tell("interrupted; what was built so far is removed");
        exit = Exit::Interrupted;
    }
    unjudged.sort_by_key(|(position, _)| *position);
    let targets = finished.in_order();
    for target in &targets {
        exit = exit.and(Exit::of(target.judgement.outcome));
    }
    let report = RunReport {
        started: builder.settings.now,
        targets,
        unjudged: unjudged.into_iter().map(|(_, words)| words).collect(),
        exit,
    };
    (report, exit)
}

/// Verdicts as they come, each with the position of its spec: what stands here outlives the work that is still under
/// way.
#[derive(Debug, Default)]
struct Finished(RefCell<Vec<(usize, TargetReport)>>);

impl Finished {
    fn add(&self, position: usize, target: TargetReport) {
        self.0.borrow_mut().push((position, target));
    }

    fn in_order(&self) -> Vec<TargetReport> {
        let mut finished = self.0.take();
        finished.sort_by_key(|(position, _)| *position);
        finished.into_iter().map(|(_, target)| target).collect()
    }
}

/// What this machine could not do for a spec.
enum Fault {
    /// At least one of its files could not be judged.
    Unjudged(anyhow::Error),
    /// All were, but evidence could not be kept.
    Unkept(anyhow::Error),
}

impl Fault {
    const fn error(&self) -> &anyhow::Error {
        match self {
            Self::Unjudged(error) | Self::Unkept(error) => error,
        }
    }
}

impl<Error: Into<anyhow::Error>> From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Unjudged(error.into())
    }
}

/// Judges every file of a spec; each verdict is handed to `add` as soon as it stands. A fault ends the spec, but takes
/// no verdict back.
async fn judge_spec(
    (spec, will): (&Spec, Will),
    wish: &Wish,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
    add: impl Fn(TargetReport),
) -> Result<(), Fault> {
    if let Spec::Image(place) = spec {
        add(image::judge(place, will, request, builder, progress).await?);
        return Ok(());
    }
    let downloads = builder.scratch()?;
    let stage = progress.begin("resolve", &spec.to_string());
    let wish = Wish {
        ahead: request
            .looks_for_the_repository()
            .then(|| builder.settings.user.clone()),
        ..wish.clone()
    };
    let resolved = resolve(spec, &wish, &builder.registries, downloads.path()).await?;
    let words: Vec<String> = resolved.iter().map(words).collect();
    let seconds = stage.end(&words.join("; "));
    let mut unkept = None;
    for answer in resolved {
        match answer {
            Ok(case) => {
                let mut answer = pipeline::verify(&case, request, builder, progress).await?;
                answer.report.seconds.insert(0, ("resolve", seconds));
                add(answer.report);
                unkept = unkept.or(answer.unkept);
            }
            Err(unresolved) => {
                let label = unresolved
                    .target
                    .as_ref()
                    .map_or_else(|| spec.to_string(), |target| target.short());
                add(TargetReport::unresolved(label, unresolved, request.offline));
            }
        }
    }
    unkept.map_or(Ok(()), |error| Err(Fault::Unkept(error)))
}

fn words(answer: &Result<Case, crate::resolve::Unresolved>) -> String {
    match answer {
        Ok(case) => format!(
            "{}, {}, integrity {}",
            case.origin,
            size_words(case.artifact.size),
            match case.integrity {
                remint_judge::IntegrityCheck::Matches(_) => "ok",
                remint_judge::IntegrityCheck::Mismatch { .. } => "wrong",
                remint_judge::IntegrityCheck::NotDeclared => "not declared",
                remint_judge::IntegrityCheck::GivenByUser => "not asked for",
            }
        ),
        Err(unresolved) => unresolved.detail.clone(),
    }
}
