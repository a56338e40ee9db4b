//! `remint demo`: an honest and a compromised release of a small server, judged by the real pipeline.

mod publisher;
mod registry;
mod server;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use remint_fetch::Will;
use remint_fetch::source::Overrides;
use remint_model::Outcome;

use crate::asked::Asked;
use crate::build::{Builder, Scratch, Workspace};
use crate::commands::verify_build::judge_all;
use crate::exit::Exit;
use crate::pipeline::Request;
use crate::progress::Progress;
use crate::report::RunReport;
use crate::resolve::Wish;
use crate::settings::Settings;
use crate::{delivery, interrupt, terminal};

/// Runs the demo; it ends well when the honest release is verified and the other one is not.
pub(crate) async fn run(mut settings: Settings) -> anyhow::Result<Exit> {
    delivery::check(settings.output.as_deref())?;
    Workspace::sweep(&settings.user.cache)?;
    let directory = Scratch::create(&settings.user.cache)?;
    let repository = directory.path().join("postbox");
    server::write_repository(&repository, settings.now)?;

    let progress = Progress::new(settings.interactive);
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::watch(Arc::clone(&cancel));

    let releases = directory.path().join("releases");
    fs_err::create_dir(&releases)?;
    let publisher = Builder::new(settings.clone(), Arc::clone(&cancel))?;
    let honest = publisher::build(&publisher, &repository, "1.0.0", &releases, &progress).await?;
    let clean = publisher::build(&publisher, &repository, "1.0.1", &releases, &progress).await?;
    let compromised = publisher::compromise(&clean)?;
    drop(publisher);

    let registry = registry::serve(&[honest, compromised]).await?;
    // A project's own settings come before the user's; everything else stays as the user has it.
    let own = fs_err::read_to_string(settings.user.directory.join(".npmrc")).unwrap_or_default();
    fs_err::write(
        directory.path().join(".npmrc"),
        format!("{own}\n@remint-demo:registry={}\n", registry.url()),
    )?;
    settings.user.directory = directory.path().to_owned();
    let builder = Builder::new(settings, cancel)?;

    let specs: Vec<Asked> = ["1.0.0", "1.0.1"]
        .iter()
        .map(|version| format!("npm:{}@{version}", server::NAME).parse())
        .map(|spec| spec.map(|spec| Asked::Spec(spec, Will::User, Vec::new())))
        .collect::<Result<_, _>>()?;
    let request = Request {
        overrides: Overrides {
            source: Some(repository.display().to_string()),
            ..Overrides::default()
        },
        ..Request::default()
    };
    let (mut report, exit) = judge_all(
        &specs,
        &Wish::default(),
        &request,
        &builder,
        &progress,
        &|_| {},
    )
    .await;
    progress.clear();
    for target in &mut report.targets {
        // Repository and registry are gone when the demo ends, so nobody can ask the same again.
        target
            .next
            .retain(|next| !next.contains("remint verify-build"));
    }
    let settings = &builder.settings;
    let delivered = delivery::deliver(
        &report.render(settings.format, terminal::width()),
        settings.output.as_deref(),
    );
    Ok(conclude(&report, exit).and(delivered))
}

/// The demo itself fails when the tool does not do what it shows.
fn conclude(report: &RunReport, exit: Exit) -> Exit {
    let outcomes: Vec<Outcome> = report
        .targets
        .iter()
        .map(|target| target.judgement.outcome)
        .collect();
    if outcomes == [Outcome::Verified, Outcome::Failed] {
        terminal::tell(
            "\nBoth releases were built from their tags. 1.0.0 is what its tag builds; 1.0.1 got one line\n\
             in a built file and one dependency added after the build. Try a real server next:\n\
             \n  remint verify-build npm:@modelcontextprotocol/server-filesystem@2026.7.10",
        );
        return Exit::Verified;
    }
    terminal::tell(
        "\nThe demo did not come out as it should; `remint doctor` says what this machine lacks.",
    );
    match exit {
        Exit::Interrupted => Exit::Interrupted,
        Exit::Verified | Exit::Failed | Exit::Usage | Exit::Inconclusive | Exit::Machine => {
            Exit::Machine
        }
    }
}
