//! Asks the registries for the packages that a bundle says it holds: each release once, some at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, StreamExt as _};
use remint_ecosystem::ReleaseFile;
use remint_ecosystem::mcpb::bundled::{
    Answer, BundledPackage, MOST_PACKAGES, MOST_RELEASES, RegistryFile,
};
use remint_fetch::FetchError;
use remint_model::{ArtifactFormat, Ecosystem, InconclusiveReason, PackageName, Version};

use crate::build::{Builder, Scratch, chain};
use crate::open::{self, Unreadable};
use crate::progress::Stage;
use crate::unfetched::{self, Unfetched};

/// Releases that are asked for at the same time.
const AT_ONCE: usize = 8;
/// Bytes of all files together.
const MOST_BYTES: u64 = 2 << 30;
/// Bytes of one file.
const LARGEST: u64 = 256 << 20;
/// Wheels of one release that may be the one that was installed.
const MOST_WHEELS: usize = 8;

/// A release, as a bundle says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked<'b> {
    ecosystem: Ecosystem,
    name: &'b PackageName,
    version: &'b Version,
    tags: &'b [String],
}

impl<'b> Asked<'b> {
    fn of(package: &'b BundledPackage) -> Self {
        Self {
            ecosystem: package.ecosystem,
            name: &package.name,
            version: &package.version,
            tags: &package.tags,
        }
    }
}

/// One answer for each package, in their order. Packages of one release share theirs.
///
/// # Errors
/// This machine could not do its part.
pub(crate) async fn answers(
    packages: &[BundledPackage],
    builder: &Builder,
    stage: &Stage<'_>,
) -> anyhow::Result<Vec<Arc<Answer>>> {
    let asked = packages.iter().take(MOST_PACKAGES).map(Asked::of);
    let releases: BTreeSet<Asked<'_>> = asked.collect();
    let scratch = builder.scratch()?;
    let room = AtomicU64::new(MOST_BYTES);
    let asking = releases
        .iter()
        .take(MOST_RELEASES)
        .enumerate()
        .map(|(at, asked)| {
            let (room, scratch) = (&room, &scratch);
            async move {
                stage.doing(&format!("{}@{}", asked.name, asked.version));
                let answer = ask(asked, at, builder, scratch, room).await?;
                Ok::<_, anyhow::Error>((asked.clone(), answer))
            }
        });
    let mut asking = stream::iter(asking).buffer_unordered(AT_ONCE);
    let mut answers = BTreeMap::new();
    while let Some(answer) = asking.next().await {
        let (asked, answer) = answer?;
        answers.insert(asked, Arc::new(answer));
    }
    let beyond = Arc::new(Answer::BeyondLimits);
    Ok(packages
        .iter()
        .map(|package| {
            let answer = answers.get(&Asked::of(package));
            Arc::clone(answer.unwrap_or(&beyond))
        })
        .collect())
}

/// Fetches a release and lists its files.
async fn ask(
    asked: &Asked<'_>,
    number: usize,
    builder: &Builder,
    scratch: &Scratch,
    room: &AtomicU64,
) -> anyhow::Result<Answer> {
    let found = builder
        .registries
        .files(asked.ecosystem, asked.name, asked.version)
        .await;
    let files = match found {
        Ok(files) => files,
        Err(error) => return unanswered(error),
    };
    let files = candidates(asked, files);
    if files.is_empty() {
        let why = "the registry has no file of this release that it could be installed from";
        return Ok(Answer::Unknown(why.to_owned()));
    }
    let mut read = Vec::new();
    for file in files {
        let left = room.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(Answer::BeyondLimits);
        }
        let directory = scratch.path().join(number.to_string());
        let limit = left.min(LARGEST);
        let fetched = builder
            .registries
            .download_up_to(&file, &directory, limit)
            .await;
        let artifact = match fetched {
            Ok(artifact) => artifact,
            Err(FetchError::TooLarge { .. }) => return Ok(Answer::BeyondLimits),
            Err(error) => return unanswered(error),
        };
        // What others fetch meanwhile is at most one file each.
        let _before = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some(left.saturating_sub(artifact.size))
        });
        let path = artifact.path.clone();
        let survey = tokio::task::spawn_blocking(move || open::survey(&artifact)).await?;
        fs_err::remove_file(path)?;
        match survey {
            Ok(survey) => read.push(RegistryFile {
                integrity: file.integrity.clone(),
                manifest: survey.text("package.json").map(<[u8]>::to_vec),
                contents: survey
                    .entries
                    .into_iter()
                    .map(|entry| (entry.path, entry.sha256))
                    .collect(),
            }),
            Err(Unreadable::Archive(error)) => {
                return Ok(Answer::Unknown(format!(
                    "the registry's file cannot be read: {error}"
                )));
            }
            Err(error @ Unreadable::Open(_)) => return Err(error.into()),
        }
    }
    Ok(Answer::Files(read))
}

/// The files that the bundle's copy can come from.
fn candidates(asked: &Asked<'_>, files: Vec<ReleaseFile>) -> Vec<ReleaseFile> {
    match asked.ecosystem {
        Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => {
            files.into_iter().take(1).collect()
        }
        Ecosystem::Pypi => files
            .into_iter()
            .filter(|file| file.format == ArtifactFormat::Wheel)
            .filter(|file| has_a_tag(file.name.as_str(), asked.tags))
            .take(MOST_WHEELS)
            .collect(),
    }
}

/// Whether a wheel's name stands for one of these tags: each of its three last parts may list several.
fn has_a_tag(name: &str, tags: &[String]) -> bool {
    let Some(stem) = name.strip_suffix(".whl") else {
        return false;
    };
    let mut parts = stem.rsplit('-');
    let (Some(platform), Some(abi), Some(python)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    tags.is_empty()
        || tags.iter().any(|tag| {
            let wanted: Vec<&str> = tag.split('-').collect();
            match wanted.as_slice() {
                [one, two, three] => [(python, one), (abi, two), (platform, three)]
                    .iter()
                    .all(|(listed, wanted)| listed.split('.').any(|part| part == **wanted)),
                _ => false,
            }
        })
}

fn unanswered(error: FetchError) -> anyhow::Result<Answer> {
    match unfetched::sort(&error) {
        Unfetched::Machine => Err(error.into()),
        Unfetched::Because(InconclusiveReason::Unavailable) => {
            Ok(Answer::Unreachable(chain(&error)))
        }
        Unfetched::Because(_) => Ok(Answer::Unknown(chain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_known_by_its_tags() {
        let tags = ["cp311-cp311-manylinux_2_17_x86_64".to_owned()];
        let name = "x-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
        assert!(has_a_tag(name, &tags) && has_a_tag(name, &[]));
        assert!(!has_a_tag(
            "x-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
            &tags
        ));
        assert!(has_a_tag(
            "x-1.0-py2.py3-none-any.whl",
            &["py3-none-any".to_owned()]
        ));
        assert!(!has_a_tag("x-1.0.tar.gz", &[]));
    }
}
