//! Two artifacts side by side, without a build, and what is said about them: nothing here judges which is the right one.

mod html;
mod human;
mod json;

pub(crate) use html::render as html;
pub(crate) use human::render as human;
pub(crate) use json::render as json;

use std::path::PathBuf;

use remint_compare::{Compared, SideWords};
use remint_model::{
    Artifact, ArtifactFormat, Comparison, Difference, Erasure, FileName, Published, Sha256,
};

use crate::exit::Exit;
use crate::report::count_words;

/// What the sides are called. As in other tools, what the second has and the first has not is an addition.
pub(crate) const WORDS: SideWords = SideWords {
    published: "second",
    rebuilt: "first",
};

/// Everything that is told about two artifacts.
pub(crate) struct ComparisonReport {
    /// When the run started.
    pub(crate) started: jiff::Timestamp,
    /// What is compared.
    pub(crate) first: Given,
    /// What it is compared with.
    pub(crate) second: Given,
    /// What came of it; in words why nothing did.
    pub(crate) compared: Result<Compared, String>,
    /// What was chosen on the way to the files.
    pub(crate) notes: Vec<String>,
    /// `file` or `image`: what each of the two is.
    pub(crate) thing: &'static str,
}

/// One of the two.
pub(crate) struct Given {
    /// As the user wrote it.
    pub(crate) label: String,
    /// What it is; `None` where it could not be had.
    pub(crate) identity: Option<Identity>,
}

/// What tells a file or an image from all others.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// A file's own name, an image's reference.
    pub(crate) name: String,
    /// Bytes: of an image, those of its manifest, configuration and layers.
    pub(crate) size: u64,
    /// Of an image, that of its manifest.
    pub(crate) sha256: Sha256,
}

impl From<&GivenFile> for Identity {
    fn from(file: &GivenFile) -> Self {
        Self {
            name: file.name.to_string(),
            size: file.size,
            sha256: file.sha256,
        }
    }
}

/// A file that is compared.
#[derive(Debug, Clone)]
pub(crate) struct GivenFile {
    /// Its own name.
    pub(crate) name: FileName,
    /// How it is packed.
    pub(crate) format: ArtifactFormat,
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
    /// Its identity.
    pub(crate) sha256: Sha256,
}

impl From<Artifact<Published>> for GivenFile {
    fn from(artifact: Artifact<Published>) -> Self {
        Self {
            name: artifact.name,
            format: artifact.format,
            path: artifact.path,
            size: artifact.size,
            sha256: artifact.sha256,
        }
    }
}

impl ComparisonReport {
    /// Equal is 0, different 1, and what could not be read 3 (contract, "Outcomes").
    pub(crate) const fn exit(&self) -> Exit {
        match &self.compared {
            Ok(compared) => match compared.comparison {
                Comparison::Identical | Comparison::Equivalent { .. } => Exit::Verified,
                Comparison::Different { .. } => Exit::Failed,
            },
            Err(_) => Exit::Inconclusive,
        }
    }

    /// The word for what came of it, in every format.
    const fn content(&self) -> &'static str {
        match &self.compared {
            Ok(compared) => match compared.comparison {
                Comparison::Identical => "identical",
                Comparison::Equivalent { .. } => "equivalent",
                Comparison::Different { .. } => "different",
            },
            Err(_) => "inconclusive",
        }
    }

    /// One sentence that says what the word means.
    fn sentence(&self) -> String {
        let compared = match &self.compared {
            Ok(compared) => compared,
            Err(why) => return why.clone(),
        };
        match &compared.comparison {
            Comparison::Identical => format!("the same {}, byte for byte", self.thing),
            Comparison::Equivalent { .. } => {
                "the same but for what is listed as erased, which nothing that runs can see"
                    .to_owned()
            }
            Comparison::Different { differences, .. } => {
                let count = differences.len();
                let verb = if count == 1 { "differs" } else { "differ" };
                let most_serious = differences.first().map_or("", |first| first.class.word());
                format!(
                    "{} {verb}, the most serious of class {most_serious}; {} of {} are equal",
                    count_words(count, "file"),
                    compared.entries.equal,
                    count_words(compared.paths.len(), "file"),
                )
            }
        }
    }

    fn erased(&self) -> &[Erasure] {
        match &self.compared {
            Ok(compared) => match &compared.comparison {
                Comparison::Identical => &[],
                Comparison::Equivalent { erased } | Comparison::Different { erased, .. } => erased,
            },
            Err(_) => &[],
        }
    }

    fn differences(&self) -> &[Difference] {
        match &self.compared {
            Ok(Compared {
                comparison: Comparison::Different { differences, .. },
                ..
            }) => differences,
            Ok(_) | Err(_) => &[],
        }
    }
}
