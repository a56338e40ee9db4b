//! `remint sign-release`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use remint_fetch::source::Overrides;
use remint_model::{
    ArtifactFormat, FoundBy, InconclusiveReason, RepositoryUrl, SourcePin, Spec, Survey,
};

use crate::attestations::{Private, Shelf, Shelved, Store};
use crate::build::Builder;
use crate::cli::{IsolationLevel, ReleaseFormat, ReportFormat, SignRelease};
use crate::commands::verify_build::check_source;
use crate::exit::Exit;
use crate::failure::Usage;
use crate::interrupt::Interrupted;
use crate::locate::locate;
use crate::pipeline::Request;
use crate::progress::Progress;
use crate::release::{self, Examination, PublicSource, ReleaseReport, Verdict};
use crate::resolve::{Case, Wish, resolve};
use crate::settings::Settings;
use crate::signing::Signing;
use crate::{cache_limit, interrupt, open, terminal};

/// Larger files are no packages.
const LARGEST: u64 = 2 << 30;

/// Examines the release, and signs it if it is sound.
pub(crate) async fn run(arguments: &SignRelease, settings: Settings) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let cancel = Arc::new(AtomicBool::new(false));
    interrupt::watch(Arc::clone(&cancel));
    let name = check_artifact(&arguments.artifact)?;
    anyhow::ensure!(
        settings.isolation == IsolationLevel::Namespaces,
        Usage("only `namespaces` isolation can build under other conditions".to_owned())
    );
    check_source(&arguments.source, &settings)?;
    // Last of what is checked beforehand: opening a key takes a while.
    let store = Store::at(arguments.output.clone());
    let signing = Signing::resolve(&arguments.signing, false, &store, &settings)?;
    let request = Request {
        overrides: Overrides {
            source: Some(arguments.source.clone()),
            reference: arguments.reference.clone(),
            subdirectory: arguments
                .subdir
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|error| Usage(format!("`--subdir`: {error}")))?,
        },
        offline: settings.user.offline,
        ..Request::default()
    };
    let format = arguments.format.unwrap_or(match settings.format {
        ReportFormat::Json => ReleaseFormat::Json,
        ReportFormat::Human | ReportFormat::Markdown | ReportFormat::Sarif => ReleaseFormat::Human,
    });

    let progress = Progress::new(settings.interactive);
    cache_limit::enforce(&settings);
    let builder = Builder::new(settings, Arc::clone(&cancel))?;
    let release = Release {
        arguments,
        name,
        request,
        builder: &builder,
        progress: &progress,
        started,
    };
    let report = tokio::select! {
        report = release.sign(&store, &signing) => report,
        () = interrupt::cancelled_and_settled(&cancel) => Err(Interrupted.into()),
    };
    progress.clear();
    let report = report?;
    let text = match format {
        ReleaseFormat::Human => release::render_for_people(&report, terminal::width()),
        ReleaseFormat::Json => release::render_as_json(&report),
    };
    terminal::answer(&text)?;
    Ok(match report.verdict {
        Verdict::Sound => Exit::Verified,
        Verdict::Refused(_) => Exit::Failed,
        Verdict::Open { .. } => Exit::Inconclusive,
    })
}

/// The name of the file at hand.
fn check_artifact(path: &Path) -> anyhow::Result<String> {
    let usage = |why: &dyn std::fmt::Display| {
        Usage(format!("`{}` cannot be signed: {why}", path.display()))
    };
    let metadata = fs_err::metadata(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            usage(&"there is no such file")
        } else {
            usage(&error.kind())
        }
    })?;
    anyhow::ensure!(metadata.is_file(), usage(&"it is no file"));
    anyhow::ensure!(metadata.len() <= LARGEST, usage(&"it is too large"));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| usage(&"its name is not UTF-8"))?;
    anyhow::ensure!(
        ArtifactFormat::of(name).is_some_and(|format| format != ArtifactFormat::Mcpb),
        usage(&"its name ends with none of `.tgz`, `.whl` and `.tar.gz`")
    );
    Ok(name.to_owned())
}

struct Release<'a> {
    arguments: &'a SignRelease,
    name: String,
    request: Request,
    builder: &'a Builder,
    progress: &'a Progress,
    started: Instant,
}

impl Release<'_> {
    async fn sign(&self, store: &Store, signing: &Signing) -> anyhow::Result<ReleaseReport> {
        let now = self.builder.settings.now;
        let open = |label: String, reason, detail| {
            ReleaseReport::open(now, label, Verdict::Open { reason, detail })
        };
        // What is read now is what is signed, whatever happens to the file meanwhile.
        let place = self.builder.scratch()?;
        let copy = place.path().join(&self.name);
        fs_err::copy(&self.arguments.artifact, &copy)?;
        let wish = Wish {
            source_given: true,
            ..Wish::default()
        };
        let registries = &self.builder.registries;
        let mut resolved = resolve(&Spec::File(copy), &wish, registries, place.path()).await?;
        let case = match resolved.pop() {
            Some(Ok(case)) => case,
            Some(Err(unresolved)) => {
                return Ok(open(
                    self.name.clone(),
                    unresolved.reason,
                    unresolved.detail,
                ));
            }
            None => anyhow::bail!("a file is one case"),
        };
        let label = format!("{} ({})", case.target.short(), self.name);
        let survey = match open::survey(&case.artifact) {
            Ok(survey) => survey,
            Err(error @ open::Unreadable::Open(_)) => return Err(error.into()),
            Err(open::Unreadable::Archive(error)) => {
                let reason = InconclusiveReason::Malformed;
                return Ok(open(label, reason, error.to_string()).about(&case));
            }
        };

        let stage = self.progress.begin("source", "finding the tag");
        let located = locate(&case, &survey, &self.request, self.builder).await?;
        let pin = match located {
            Ok(located) => located.found.pin,
            Err((reason, detail)) => {
                stage.end(&detail);
                return Ok(open(label, reason, detail).about(&case));
            }
        };
        let (FoundBy::User | FoundBy::Tag) = pin.found_by else {
            let detail = format!(
                "no tag carries version {}; name what was released with `--ref`",
                case.target.version
            );
            stage.end(&detail);
            return Ok(open(label, InconclusiveReason::NoSource, detail).about(&case));
        };
        let short = pin.commit.short();
        stage.end(pin.reference.as_deref().unwrap_or(short));
        let repository = self.repository(&case, &survey, &pin)?;

        let mut request = self.request.clone();
        // What was found now, and nothing else.
        if request.overrides.reference.is_none() {
            request.overrides.reference = Some(
                pin.reference
                    .clone()
                    .unwrap_or_else(|| pin.commit.to_string()),
            );
        }
        let examined = Examination {
            case: &case,
            request: &request,
            builder: self.builder,
            progress: self.progress,
            quick: self.arguments.quick,
        }
        .run()
        .await?;
        anyhow::ensure!(!self.builder.cancel.load(Ordering::Relaxed), Interrupted);
        let bundles = match &examined.verdict {
            Verdict::Sound => {
                let finished = now
                    .checked_add(self.started.elapsed())
                    .context("the clock of this machine is off")?;
                let settings = &self.builder.settings;
                let shelf = Shelf {
                    store,
                    with: &signing.with,
                };
                let private = Private::of(Some(&self.arguments.source));
                let shelved = release::sign(
                    &case,
                    &examined,
                    &repository,
                    &private,
                    settings,
                    finished,
                    &shelf,
                )?;
                match shelved {
                    Shelved::Signed(filed) => filed.bundles,
                    Shelved::Kept(kept) => {
                        let finished = signing.finish(store, vec![kept], true).await?;
                        anyhow::ensure!(
                            finished.unfinished.is_empty(),
                            "the release is sound, and not signed yet: {}; `remint attest --resume --output {}` goes on",
                            finished.unfinished.join("; "),
                            self.arguments.output.display()
                        );
                        finished.signed
                    }
                }
            }
            Verdict::Refused(_) | Verdict::Open { .. } => Vec::new(),
        };
        let undecided = Verdict::Sound;
        let built = examined.rebuild.as_ref().map(|rebuild| &rebuild.found.pin);
        Ok(ReleaseReport {
            source: Some(PublicSource::of(built.unwrap_or(&pin), &repository)),
            bundles,
            quick: self.arguments.quick,
            ..ReleaseReport::open(now, label, undecided)
                .about(&case)
                .examined(examined)
        })
    }

    /// The address under which everybody finds the repository: what the user says, what is built from where that is
    /// one, or what the file's own manifest names. Never a directory of this machine.
    fn repository(&self, case: &Case, survey: &Survey, pin: &SourcePin) -> anyhow::Result<String> {
        if let Some(url) = &self.arguments.repository {
            return Ok(url.to_string());
        }
        if let Ok(url) = pin.repository.parse::<RepositoryUrl>()
            && url.as_str() == pin.repository
        {
            return Ok(url.to_string());
        }
        let claims = remint_ecosystem::published_claims(case.target.ecosystem, survey);
        claims
            .into_iter()
            .find_map(|claim| claim.url.ok())
            .map(|url| url.to_string())
            .ok_or_else(|| {
                Usage(format!(
                    "the manifest in `{}` names no repository: give its address with `--repository URL`",
                    self.name
                ))
                .into()
            })
    }
}
