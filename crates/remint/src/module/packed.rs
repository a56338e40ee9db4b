//! What go would pack from the source, packed here without running anything, against what is published.
//!
//! Names and contents count, as in the `h1:` digest. How the zip is written does not, and the comparison names what it
//! passed over.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use remint_compare::{Known, Options};
use remint_ecosystem::golang::h1;
use remint_ecosystem::golang::packing::{self, LARGEST_MODULE, LARGEST_SINGLE, PackedFile};
use remint_fetch::LocalFile;
use remint_judge::ResultEvidence;
use remint_model::{
    Anomaly, Artifact, ArtifactFormat, Basis, CloneShape, Comparison, GapKind, InconclusiveReason,
    Rebuilt, SourceGap,
};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::build::{Builder, Scratch, chain};
use crate::locate::{self, Located};
use crate::open::{self, Unreadable};
use crate::progress::Progress;
use crate::report::count_words;
use crate::resolve::Case;

/// What holding a module against its source came to.
pub(crate) struct Held {
    pub(crate) result: ResultEvidence,
    /// The zip that was made here, and what lies in it.
    pub(crate) made: Option<Made>,
    /// What making and comparing took.
    pub(crate) seconds: f64,
    /// Where it lies; gone when this is dropped.
    _place: Option<Scratch>,
}

/// A module zip that was made from a source tree.
pub(crate) struct Made {
    pub(crate) artifact: Artifact<Rebuilt>,
    /// Its `h1:` digest.
    pub(crate) digest: Option<String>,
    /// Files that are equal, and files in the published zip.
    pub(crate) files: (usize, usize),
    pub(crate) anomalies: Vec<Anomaly>,
    pub(crate) traced: remint_compare::Traced,
}

impl Held {
    /// Whether it explains what is published.
    pub(crate) const fn is_match(&self) -> bool {
        matches!(
            self.result,
            ResultEvidence::Compared {
                comparison: Comparison::Identical | Comparison::Equivalent { .. },
                ..
            }
        )
    }
}

/// Packs the module from the source that was found, and compares.
///
/// # Errors
/// This machine could not do its part.
pub(crate) async fn hold(
    case: &Case,
    located: &Located,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Held> {
    let stage = progress.begin("pack", "what go takes of the source");
    let started = Instant::now();
    let pin = &located.found.pin;
    let files = match packing::file_set(&located.found.tree, pin.subdirectory.as_ref()) {
        Ok(files) => files,
        Err(error) => {
            let detail = format!("go would make no module of the source: {error}");
            return Ok(unmade(
                InconclusiveReason::NotBuilt,
                detail,
                stage.end("no"),
            ));
        }
    };
    let count = files.len();
    let place = builder.scratch()?;
    let work = Work {
        published: case.artifact.clone(),
        top: format!("{}@{}", case.target.name, case.target.version),
        checkout: located.found.checkout.clone(),
        tree: place.path().join("tree"),
        zip: place.path().join(case.artifact.name.as_str()),
        files,
        options: Options {
            known: Known {
                versions: vec![case.target.version.as_str().to_owned()],
                commits: vec![pin.commit.as_str().to_owned()],
                build_paths: Vec::new(),
            },
            ..Options::default()
        },
    };
    let (result, made) = match tokio::task::spawn_blocking(move || work.run()).await?? {
        Ok((result, made)) => (result, Some(made)),
        Err((reason, detail)) => (ResultEvidence::NotCompared { reason, detail }, None),
    };
    stage.end(&format!("{} of the source", count_words(count, "file")));
    Ok(Held {
        result,
        made,
        seconds: started.elapsed().as_secs_f64(),
        _place: Some(place),
    })
}

fn unmade(reason: InconclusiveReason, detail: String, seconds: f64) -> Held {
    Held {
        result: ResultEvidence::NotCompared { reason, detail },
        made: None,
        seconds,
        _place: None,
    }
}

/// Why there is nothing to compare with.
type Unmade = (InconclusiveReason, String);

/// The owned inputs of the blocking part.
struct Work {
    published: Artifact<remint_model::Published>,
    top: String,
    checkout: remint_fetch::source::Checkout,
    tree: PathBuf,
    zip: PathBuf,
    files: Vec<PackedFile>,
    options: Options,
}

impl Work {
    fn run(self) -> anyhow::Result<Result<(ResultEvidence, Made), Unmade>> {
        let gaps = match self.checkout.materialise(CloneShape::None, &self.tree) {
            Ok(laid_out) => laid_out.gaps,
            Err(error) if error.is_machine_fault() => return Err(error.into()),
            Err(error) => {
                let detail = format!("the source could not be laid out: {}", chain(&error));
                return Ok(Err((locate::reason(&error), detail)));
            }
        };
        if let Some(gap) = self.missing(&gaps) {
            let detail = format!("a file of the module could not be had: {gap}");
            return Ok(Err((InconclusiveReason::Unavailable, detail)));
        }
        if let Err(detail) = pack(&self.files, &self.tree, &self.top, &self.zip)? {
            return Ok(Err((InconclusiveReason::NotBuilt, detail)));
        }
        let written = LocalFile::open(&self.zip)?.artifact()?;
        let artifact: Artifact<Rebuilt> = Artifact::new(
            written.name,
            ArtifactFormat::GoModule,
            written.path,
            written.size,
            written.sha256,
            written.sha512,
        );
        let digest = match open::survey(&artifact) {
            Ok(survey) => h1::of_survey(&survey),
            Err(error) => return Err(error.into()),
        };
        let compared = match open::hold_against(
            artifact.format,
            &self.published.path,
            &artifact.path,
            &self.options,
        ) {
            Ok(compared) => compared,
            Err(Unreadable::Archive(error)) => {
                return Ok(Err((InconclusiveReason::Malformed, error.to_string())));
            }
            Err(error @ Unreadable::Open(_)) => return Err(error.into()),
        };
        let made = Made {
            artifact,
            digest,
            files: (compared.entries.equal, compared.entries.published),
            anomalies: compared.rebuilt_anomalies,
            traced: compared.traced,
        };
        let result = ResultEvidence::Compared {
            basis: Basis::SourceTree,
            comparison: compared.comparison,
        };
        Ok(Ok((result, made)))
    }

    /// Of what a checkout lacks, only a file that go packs matters: submodules are none, and of Git LFS it packs the
    /// pointers, as they are in git.
    fn missing<'a>(&self, gaps: &'a [SourceGap]) -> Option<&'a SourceGap> {
        gaps.iter()
            .filter(|gap| gap.kind == GapKind::AbsentFile)
            .find(|gap| {
                self.files
                    .iter()
                    .any(|file| file.source.as_str() == gap.path)
            })
    }
}

/// Writes a module zip of these files of a tree.
///
/// # Errors
/// This machine could not do its part. That go would write none is the inner error.
pub(crate) fn pack(
    files: &[PackedFile],
    tree: &Path,
    top: &str,
    to: &Path,
) -> anyhow::Result<Result<(), String>> {
    let mut zip = ZipWriter::new(fs_err::File::create(to)?);
    // Go writes neither times nor modes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0);
    let mut room = LARGEST_MODULE;
    for file in files {
        let path = tree.join(file.source.as_str());
        let size = size(&path)?;
        let Some(left) = room.checked_sub(size) else {
            return Ok(Err(format!(
                "go makes no module of more than {LARGEST_MODULE} bytes"
            )));
        };
        room = left;
        if size > LARGEST_SINGLE && matches!(file.path.as_str(), "go.mod" | "LICENSE") {
            return Ok(Err(format!(
                "go makes no module whose {} is larger than {LARGEST_SINGLE} bytes",
                file.path
            )));
        }
        zip.start_file(format!("{top}/{}", file.path), options)?;
        if fs_err::symlink_metadata(&path)?.is_symlink() {
            let target = fs_err::read_link(&path)?;
            zip.write_all(target.as_os_str().as_encoded_bytes())?;
        } else {
            std::io::copy(&mut fs_err::File::open(&path)?, &mut zip)?;
        }
    }
    zip.finish()?.flush()?;
    Ok(Ok(()))
}

fn size(path: &Path) -> std::io::Result<u64> {
    fs_err::symlink_metadata(path).map(|metadata| metadata.len())
}
