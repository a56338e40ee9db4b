//! `remint attest`.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context as _;
use remint_attest::StatementKind;
use remint_model::{ArtifactFormat, Content, Outcome, Spec};

use super::verify_build::{judge_all, question};
use crate::attestations::{Filed, Kept, Private, Shelf, Shelved, Store, With, sign};
use crate::build::Builder;
use crate::cli::Attest;
use crate::exit::Exit;
use crate::progress::Progress;
use crate::report::TargetReport;
use crate::settings::Settings;
use crate::signing::{Finished, Signing, all_kept};
use crate::{asked, cache_limit, delivery, failure, interrupt, terminal};

/// Judges every spec, and signs each verdict as soon as it stands, or keeps it until services have signed it.
pub(crate) async fn run(arguments: &Attest, settings: Settings) -> anyhow::Result<Exit> {
    let store = Store::at(arguments.output.clone());
    if arguments.resume {
        let signing = Signing::resolve(&arguments.signing, true, &store, &settings)?;
        let finished = signing
            .finish(&store, all_kept(&store)?, arguments.sign_kept)
            .await?;
        let exit = tell(&finished);
        if finished.signed.is_empty() && finished.unfinished.is_empty() {
            terminal::tell(&format!(
                "nothing is kept below `{}`",
                arguments.output.display()
            ));
        }
        return Ok(exit);
    }
    let asked = asked::all(&arguments.specs, &[])?;
    // A verifier looks for the release that a statement names, and a bundle is none.
    anyhow::ensure!(
        !arguments.specs.iter().any(is_bundle),
        failure::Usage("bundles cannot be attested: no registry has them as releases".to_owned())
    );
    anyhow::ensure!(
        !arguments
            .specs
            .iter()
            .any(|spec| matches!(spec, Spec::Image(_))),
        failure::Usage(
            "images cannot be attested: none is built again, so that nothing could be vouched for"
                .to_owned()
        )
    );
    let (wish, request) = question(
        &arguments.source,
        arguments.artifact.as_ref(),
        arguments.specs.len(),
        arguments.all_files,
        &settings,
    )?;
    // Before the work: hours of rebuilding are of no use without a key, or without room for what is signed.
    let signing = Signing::resolve(&arguments.signing, false, &store, &settings)?;
    check_room(arguments, &signing)?;

    let shelf = Shelf {
        store: &store,
        with: &signing.with,
    };
    let private = Private::of(arguments.source.source.as_deref());
    let clock = Instant::now();
    let started = settings.now;
    let kept: RefCell<Vec<Kept>> = RefCell::default();
    let faults: RefCell<Vec<anyhow::Error>> = RefCell::default();
    let on_verdict = |report: &TargetReport| {
        let finished = jiff::SignedDuration::try_from(clock.elapsed())
            .map_or(started, |elapsed| started + elapsed);
        match sign(&shelf, report, &private, started, finished) {
            Ok(Some(Shelved::Signed(filed))) => tell_filed(&filed, report),
            Ok(Some(Shelved::Kept(one))) => kept.borrow_mut().push(one),
            Ok(None) => terminal::tell(&format!(
                "  unsigned  {}: there is no file that a statement could be about",
                report.label
            )),
            Err(error) => {
                let error =
                    error.context(format!("cannot sign what was found about {}", report.label));
                failure::tell(&error);
                faults.borrow_mut().push(error);
            }
        }
    };

    let progress = Progress::new(settings.interactive);
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::watch(Arc::clone(&cancel));
    cache_limit::enforce(&settings);
    let format = settings.format;
    let builder = Builder::new(settings, Arc::clone(&cancel))?;
    let (report, exit) = judge_all(&asked, &wish, &request, &builder, &progress, &on_verdict).await;
    progress.clear();
    let text = report.render(format, terminal::width());
    let exit = exit.and(delivery::deliver(&text, None));
    if exit == Exit::Interrupted {
        return Ok(exit);
    }
    let finished = tokio::select! {
        finished = signing.finish(&store, kept.take(), true) => finished,
        () = interrupt::cancelled_and_settled(&cancel) => {
            terminal::tell("interrupted; what is not signed yet is kept for `remint attest --resume`");
            return Ok(Exit::Interrupted);
        }
    };
    let unsigned = match finished {
        Ok(finished) => tell(&finished) == Exit::Machine,
        Err(error) => {
            failure::tell(
                &error.context("cannot sign; what was found is kept for `remint attest --resume`"),
            );
            true
        }
    };
    Ok(if unsigned || !faults.borrow().is_empty() {
        // Whoever asked for a signature has none, whatever the outcome.
        Exit::Machine
    } else {
        exit
    })
}

/// Whether a spec names a bundle.
fn is_bundle(spec: &Spec) -> bool {
    match spec {
        Spec::File(path) => path
            .to_str()
            .and_then(ArtifactFormat::of)
            .is_some_and(|format| format == ArtifactFormat::Mcpb),
        Spec::Release { .. } | Spec::Image(_) => false,
    }
}

/// Finds out before the work whether what is signed can be put there.
fn check_room(arguments: &Attest, signing: &Signing) -> anyhow::Result<()> {
    let unusable = || {
        failure::Usage(format!(
            "cannot write below `{}`",
            arguments.output.display()
        ))
    };
    match &signing.with {
        With::Key(_, log) => drop(log.lock().with_context(unusable)?),
        With::Services => fs_err::create_dir_all(&arguments.output).with_context(unusable)?,
    }
    Ok(())
}

/// Tells what a key signed, and why in-toto's verifiers get nothing where others do.
fn tell_filed(filed: &Filed, report: &TargetReport) {
    tell_signed(&filed.bundles);
    let judgement = &report.judgement;
    match &filed.link {
        Some(path) => terminal::tell(&format!("  signed    {}", path.display())),
        None if (judgement.outcome, judgement.content)
            == (Outcome::Verified, Content::Equivalent) =>
        {
            terminal::tell(&format!(
                "  no link   {}: what was rebuilt is the same only under erasures, and in-toto knows none",
                report.label
            ));
        }
        None => {}
    }
}

fn tell_signed(paths: &[(StatementKind, PathBuf)]) {
    for (_, path) in paths {
        terminal::tell(&format!("  signed    {}", path.display()));
    }
}

/// Tells what services did; the exit is that of a machine that could not, where something is still kept.
pub(crate) fn tell(finished: &Finished) -> Exit {
    tell_signed(&finished.signed);
    for words in &finished.unfinished {
        terminal::tell(&format!("  unsigned  {words}"));
    }
    if finished.unfinished.is_empty() {
        Exit::Verified
    } else {
        terminal::tell("  `remint attest --resume` goes on with what is kept");
        Exit::Machine
    }
}
