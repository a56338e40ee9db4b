//! `remint attest`.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context as _;
use remint_attest::layout::SignerId;
use remint_attest::log::LogDirectory;

use super::verify_build::{judge_all, question};
use crate::attestations::{Private, Shelf, Store, sign};
use crate::build::Builder;
use crate::cli::Attest;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::report::TargetReport;
use crate::settings::Settings;
use crate::{asked, cache_limit, delivery, failure, interrupt, keys, terminal};

/// Judges every spec, and signs each verdict as soon as it stands.
pub(crate) async fn run(arguments: &Attest, settings: Settings) -> anyhow::Result<Exit> {
    let asked = asked::all(&arguments.specs, &[])?;
    let (wish, request) = question(
        &arguments.source,
        arguments.artifact.as_ref(),
        arguments.specs.len(),
        arguments.all_files,
        &settings,
    )?;
    // Before the work: hours of rebuilding are of no use without a key, or without room for what is signed.
    let key = keys::signing_key(&arguments.signing.key, &settings)?;
    let signer = SignerId::key(&key.public().id());
    let store = Store::at(arguments.output.clone());
    let log = arguments
        .signing
        .log
        .clone()
        .map_or_else(|| store.log(&signer), LogDirectory::at);
    drop(log.lock().with_context(|| {
        failure::Usage(format!(
            "cannot write below `{}`",
            arguments.output.display()
        ))
    })?);

    let shelf = Shelf {
        store: &store,
        log: &log,
        key: &key,
    };
    let private = Private::of(arguments.source.source.as_deref());
    let clock = Instant::now();
    let started = settings.now;
    let unsigned = Cell::new(false);
    let on_verdict = |report: &TargetReport| {
        let finished = jiff::SignedDuration::try_from(clock.elapsed())
            .map_or(started, |elapsed| started + elapsed);
        match sign(&shelf, report, &private, started, finished) {
            Ok(Some(paths)) => {
                for (_, path) in paths {
                    terminal::tell(&format!("  signed    {}", path.display()));
                }
            }
            Ok(None) => terminal::tell(&format!(
                "  unsigned  {}: there is no file that a statement could be about",
                report.label
            )),
            Err(error) => {
                unsigned.set(true);
                failure::tell(
                    &error.context(format!("cannot sign what was found about {}", report.label)),
                );
            }
        }
    };

    let progress = Progress::new(settings.interactive);
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::watch(Arc::clone(&cancel));
    cache_limit::enforce(&settings);
    let format = settings.format;
    let builder = Builder::new(settings, cancel)?;
    let (report, exit) = judge_all(&asked, &wish, &request, &builder, &progress, &on_verdict).await;
    progress.clear();
    let text = report.render(format, terminal::width());
    let exit = exit.and(delivery::deliver(&text, None));
    Ok(if unsigned.get() && exit != Exit::Interrupted {
        // Whoever asked for a signature has none, whatever the outcome.
        Exit::Machine
    } else {
        exit
    })
}
