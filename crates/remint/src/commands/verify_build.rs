//! `remint verify-build`.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _};
use remint_fetch::source::Overrides;
use remint_model::Spec;

use crate::asked::{self, Asked};
use crate::build::Builder;
use crate::cli::VerifyBuild;
use crate::exit::Exit;
use crate::pipeline::{self, Request};
use crate::progress::Progress;
use crate::report::{RunReport, TargetReport, size_words};
use crate::resolve::{Case, Wish, resolve};
use crate::settings::Settings;
use crate::{delivery, failure, interrupt, terminal};

/// Judges every spec and delivers the report.
pub(crate) async fn run(arguments: &VerifyBuild, settings: Settings) -> anyhow::Result<Exit> {
    delivery::check(settings.output.as_deref())?;
    anyhow::ensure!(
        arguments.artifact.is_none() || arguments.specs.len() == 1,
        failure::Usage("`--artifact` goes with one SPEC".to_owned())
    );
    let from_sdist = arguments.source.source.as_deref() == Some("sdist");
    anyhow::ensure!(
        arguments.config.is_empty() || from_sdist || arguments.source.source.is_none(),
        failure::Usage(
            "`--source` belongs to one server: name it as SPEC, without `--config`".to_owned()
        )
    );
    let asked = asked::all(arguments)?;
    let request = Request {
        overrides: Overrides {
            source: arguments.source.source.clone().filter(|_| !from_sdist),
            reference: arguments.source.reference.clone(),
            subdirectory: arguments
                .source
                .subdir
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|error| failure::Usage(format!("`--subdir`: {error}")))?,
        },
        artifact: arguments.artifact.clone(),
        from_sdist,
        explain: arguments.explain,
        keep: arguments.keep.clone(),
    };
    let wish = Wish {
        artifact: arguments.artifact.clone(),
        source_given: request.overrides.source.is_some(),
        all_files: arguments.all_files,
    };
    let progress = Progress::new(settings.interactive);
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::watch(Arc::clone(&cancel));
    let builder = Builder::new(settings, cancel)?;
    let (report, mut exit) = judge_all(&asked, &wish, &request, &builder, &progress).await;
    progress.clear();
    let settings = &builder.settings;
    if !report.targets.is_empty() {
        let text = report.render(settings.format, terminal::width());
        exit = exit.and(delivery::deliver(&text, settings.output.as_deref()));
    }
    Ok(exit)
}

/// Judges what is asked for, some at once, reported in its order; what was finished is reported whatever happens to the
/// rest.
pub(crate) async fn judge_all(
    asked: &[Asked],
    wish: &Wish,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
) -> (RunReport, Exit) {
    let mut report = RunReport {
        started: builder.settings.now,
        targets: Vec::new(),
        unjudged: Vec::new(),
        exit: Exit::Verified,
    };
    let mut exit = Exit::Verified;
    let judging = asked.iter().map(|asked| async move {
        let (spec, notes) = match asked {
            Asked::Answered(report) => return Ok(vec![TargetReport::clone(report)]),
            Asked::Spec(spec, notes) => (spec, notes),
        };
        let progress = progress.another();
        let judged = judge_spec(spec, wish, request, builder, &progress).await;
        progress.clear();
        let mut targets = judged.map_err(|error| (spec, error))?;
        for target in &mut targets {
            target.notes.splice(0..0, notes.iter().cloned());
        }
        Ok(targets)
    });
    let mut judged = pin!(stream::iter(judging).buffered(builder.settings.jobs));
    let mut interrupted = pin!(interrupt::cancelled_and_settled(&builder.cancel));
    loop {
        let next = tokio::select! {
            next = judged.next() => next,
            () = &mut interrupted => break,
        };
        match next {
            Some(Ok(targets)) => report.targets.extend(targets),
            Some(Err((spec, error))) => {
                exit = exit.and(failure::exit(&error));
                if exit == Exit::Interrupted {
                    break;
                }
                let error = error.context(format!("cannot judge {spec}"));
                report.unjudged.push(format!("{error:#}"));
                failure::tell(&error);
            }
            None => break,
        }
    }
    if builder.cancel.load(Ordering::Relaxed) {
        terminal::tell("interrupted; what was built so far is removed");
        exit = Exit::Interrupted;
    }
    for target in &report.targets {
        exit = exit.and(Exit::of(target.judgement.outcome));
    }
    report.exit = exit;
    (report, exit)
}

async fn judge_spec(
    spec: &Spec,
    wish: &Wish,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Vec<TargetReport>> {
    let downloads = builder.scratch()?;
    let stage = progress.begin("resolve", &spec.to_string());
    let resolved = resolve(spec, wish, &builder.registries, downloads.path()).await?;
    let words: Vec<String> = resolved.iter().map(words).collect();
    let seconds = stage.end(&words.join("; "));
    let mut targets = Vec::new();
    for answer in resolved {
        match answer {
            Ok(case) => {
                let mut target = pipeline::verify(&case, request, builder, progress).await?;
                target.seconds.insert(0, ("resolve", seconds));
                targets.push(target);
            }
            Err(unresolved) => {
                let label = unresolved
                    .target
                    .as_ref()
                    .map_or_else(|| spec.to_string(), |target| target.short());
                targets.push(TargetReport::unresolved(label, unresolved));
            }
        }
    }
    Ok(targets)
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
