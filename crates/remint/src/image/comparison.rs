//! Two container images side by side. What one of them has and the other has not is laid out as a runtime bundle has it
//! (OCI runtime specification, "Filesystem Bundle"): the files below `rootfs/`, beside the documents; and those two are held
//! against each other as any two archives are. Nothing is erased: only one image with one digest is `identical`.
//!
//! Directories, owners and times are not laid out. They show in the digests of the layers, which the configuration names.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use remint_compare::{
    Compared, ComparedPath, Erasing, LayerKind, Options, Standing, class_of_path, path_of_name,
};
use remint_ecosystem::oci::filesystem::{Node, NodeKind};
use remint_fetch::Will;
use remint_model::{
    Anomaly, ArtifactFormat, Change, Class, Comparison, Difference, EntryPath, ImagePlace, Sha256,
};
use serde_json::Value;

use super::documents::{self, Documents, USUAL_PLATFORM};
use super::layers::{self, Applied, Hashed};
use super::place::{Place, Unread};
use crate::build::{Builder, Scratch};
use crate::open::{self, Unreadable};
use crate::progress::Progress;
use crate::report::count_words;

/// The runtime bundle's name for the files of an image.
const FILES: &str = "rootfs";
const CONFIGURATION: &str = "config.json";
const MANIFEST: &str = "manifest.json";

/// What came of comparing two images.
pub(crate) struct ImagesCompared {
    /// Which images they are; `None` where one could not be read.
    pub(crate) identities: [Option<ImageIdentity>; 2],
    /// What came of it, the first taken as the rebuilt side; in words why nothing did.
    pub(crate) compared: Result<Compared, String>,
}

/// Which image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageIdentity {
    /// Digest of its manifest.
    pub(crate) manifest: Sha256,
    /// Bytes of all that is fetched to run it: manifest, configuration and layers.
    pub(crate) size: u64,
}

/// Holds the second image against the first.
///
/// # Errors
/// This machine could not do its part.
pub(crate) async fn compare(
    places: [&ImagePlace; 2],
    platform: Option<&str>,
    options: Options,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<ImagesCompared> {
    let platform = platform.unwrap_or(USUAL_PLATFORM);
    let stage = progress.begin("resolve", "the two images");
    let [first, second] = places;
    let (one, other) = tokio::join!(
        read(first, platform, builder),
        read(second, platform, builder)
    );
    stage.end("");
    let (one, other) = (settled(one)?, settled(other)?);
    let identity = |read: &Result<Read, String>| read.as_ref().ok().map(Read::identity);
    let identities = [identity(&one), identity(&other)];
    let compared = match (one, other) {
        (Ok(one), Ok(other)) => {
            let count = count_words(one.files.len() + other.files.len(), "layer");
            let stage = progress.begin("compare", &count);
            let scratch = builder.scratch()?;
            let held =
                tokio::task::spawn_blocking(move || hold(&one, &other, &scratch, options)).await?;
            stage.end("");
            settled(held)?
        }
        (Err(why), _) | (_, Err(why)) => Err(why),
    };
    Ok(ImagesCompared {
        identities,
        compared,
    })
}

/// Why there is no answer, and about which image.
struct Unheld {
    label: String,
    why: Unread,
}

/// Tells what is said about an image from what is wrong with this machine.
fn settled<T>(held: Result<T, Unheld>) -> anyhow::Result<Result<T, String>> {
    let Unheld { label, why } = match held {
        Ok(held) => return Ok(Ok(held)),
        Err(unheld) => unheld,
    };
    match why {
        Unread::Machine(error) => Err(error),
        Unread::Because(_, detail) => Ok(Err(format!("{label}: {detail}"))),
        Unread::Mismatch(mismatch) => Ok(Err(format!(
            "{label}: {} is {}, and {} is declared",
            mismatch.what, mismatch.actual, mismatch.declared
        ))),
    }
}

/// An image whose documents are read and whose layers are here.
struct Read {
    label: String,
    documents: Documents,
    files: Vec<PathBuf>,
    /// A layout that was one file lies unpacked in it.
    _place: Place,
}

impl Read {
    fn identity(&self) -> ImageIdentity {
        let Documents {
            manifest,
            digest,
            size,
            ..
        } = &self.documents;
        ImageIdentity {
            manifest: *digest,
            size: super::packed_bytes(manifest)
                .saturating_add(manifest.config.size)
                .saturating_add(*size),
        }
    }

    fn unheld(&self, why: impl Into<Unread>) -> Unheld {
        Unheld {
            label: self.label.clone(),
            why: why.into(),
        }
    }
}

async fn read(place: &ImagePlace, platform: &str, builder: &Builder) -> Result<Read, Unheld> {
    let read = async {
        let opened = Place::open(place, Will::User, builder).await?;
        let documents = documents::read(&opened, place, platform).await?;
        let files = super::layer_files(&opened, &documents.manifest, |_| {}).await?;
        Ok((opened, documents, files))
    };
    match read.await {
        Ok((opened, documents, files)) => Ok(Read {
            label: place.to_string(),
            documents,
            files,
            _place: opened,
        }),
        Err(why) => Err(Unheld {
            label: place.to_string(),
            why,
        }),
    }
}

/// An image whose layers are applied.
struct Made<'r> {
    read: &'r Read,
    applied: Applied,
}

fn made(read: &Read) -> Result<Made<'_>, Unheld> {
    let documents = &read.documents;
    let applied = layers::apply(
        &documents.manifest.layers,
        &read.files,
        &documents.configuration,
    )
    .map_err(|why| read.unheld(why))?;
    match applied.mismatches.first() {
        Some(mismatch) => Err(read.unheld(Unread::Mismatch(mismatch.clone()))),
        None => Ok(Made { read, applied }),
    }
}

fn hold(
    first: &Read,
    second: &Read,
    scratch: &Scratch,
    options: Options,
) -> Result<Compared, Unheld> {
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| made(first));
        let other = made(second);
        match one.join() {
            Ok(one) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    let (one, other) = (one?, other?);
    let apart = Apart::of(&one, &other);
    let laid_out = |made: &Made<'_>, nodes: &[(&[u8], &Node)], name: &str| {
        let directory = scratch.path().join(name);
        fs_err::create_dir(&directory)
            .map_err(Unread::from)
            .and_then(|()| lay_out(made, nodes, &directory))
            .map_err(|why| made.read.unheld(why))
    };
    let paths = [
        laid_out(&one, &apart.first, "first")?,
        laid_out(&other, &apart.second, "second")?,
    ];
    let [one_laid_out, other_laid_out] = &paths;
    let options = Options {
        limits: layers::limits(layers::MOST_UNPACKED),
        erasing: Erasing::ArchivesOnly,
        ..options
    };
    let compared = open::hold_against(
        ArtifactFormat::ImageFiles,
        other_laid_out,
        one_laid_out,
        &options,
    );
    let mut compared = compared.map_err(|error| {
        other.read.unheld(match error {
            Unreadable::Open(error) => Unread::from(error),
            Unreadable::Archive(error) => layers::unreadable("what differs", error),
        })
    })?;
    compared.published_anomalies = anomalies(&other);
    compared.rebuilt_anomalies = anomalies(&one);
    apart.add_to(&mut compared);
    if let Comparison::Different { differences, .. } = &mut compared.comparison {
        explain_documents(&one.read.documents, &other.read.documents, differences);
    }
    Ok(compared)
}

/// Two file systems, path by path.
struct Apart<'m> {
    /// What the first has, and the second has not in this way.
    first: Vec<(&'m [u8], &'m Node)>,
    /// The same for the second.
    second: Vec<(&'m [u8], &'m Node)>,
    /// What is the same in both.
    equal: Vec<(&'m [u8], &'m Node)>,
    /// What cannot be read in either.
    unknown: Vec<(&'m [u8], &'m Node)>,
}

impl<'m> Apart<'m> {
    fn of(one: &'m Made<'_>, other: &'m Made<'_>) -> Self {
        let mut apart = Self {
            first: Vec::new(),
            second: Vec::new(),
            equal: Vec::new(),
            unknown: Vec::new(),
        };
        let diff_id = |made: &Made<'_>, node: &Node| {
            let layer = made.applied.layers.get(node.layer);
            layer.map(|layer| layer.diff_id)
        };
        let mut theirs: BTreeMap<&[u8], &Node> = other.applied.filesystem.nodes().collect();
        for (path, ours) in one.applied.filesystem.nodes() {
            let Some(node) = theirs.remove(path) else {
                apart.first.push((path, ours));
                continue;
            };
            let is_known = |node: &Node| match node.kind {
                NodeKind::File(_) | NodeKind::Link(_) => true,
                NodeKind::Unreadable(_) | NodeKind::Special => false,
            };
            if is_known(ours) || is_known(node) {
                if ours.mode == node.mode && ours.kind == node.kind {
                    apart.equal.push((path, ours));
                } else {
                    apart.first.push((path, ours));
                    apart.second.push((path, node));
                }
            } else if diff_id(one, ours) == diff_id(other, node) {
                apart.equal.push((path, ours));
            } else {
                apart.unknown.push((path, node));
            }
        }
        apart.second.extend(theirs);
        apart.second.sort_unstable_by_key(|(path, _)| *path);
        apart
    }

    /// Adds what was not laid out.
    fn add_to(&self, compared: &mut Compared) {
        let path = |path: &[u8]| listed_path(path);
        let all = self
            .equal
            .iter()
            .map(|node| (node, Standing::Equal))
            .chain(self.unknown.iter().map(|node| (node, Standing::Different)));
        for ((name, node), standing) in all {
            let Some(path) = path(name) else { continue };
            compared.entries.published += 1;
            compared.entries.rebuilt += 1;
            compared.entries.equal += usize::from(standing == Standing::Equal);
            compared.paths.push(ComparedPath {
                class: class_of_path(ArtifactFormat::ImageFiles, &path),
                size: size(node),
                path,
                standing,
            });
        }
        compared
            .paths
            .sort_by(|one, other| one.path.cmp(&other.path));
        // Layers that differ show in the configuration, so that there are others.
        if let Comparison::Different { differences, .. } = &mut compared.comparison {
            let unknown = self.unknown.iter().filter_map(|(name, _)| path(name));
            differences.extend(unknown.map(|path| Difference {
                path,
                change: Change::Changed,
                class: Class::Data,
                hunks: Vec::new(),
                lines: (0, 0),
                explanation: Some(
                    "neither can be read here, and they are of different layers, so that nothing says that they are the same"
                        .to_owned(),
                ),
            }));
            differences.sort_by_key(|difference| difference.class);
        }
    }
}

fn size(node: &Node) -> u64 {
    match &node.kind {
        NodeKind::File(content) => content.size,
        NodeKind::Unreadable(size) => *size,
        NodeKind::Link(_) | NodeKind::Special => 0,
    }
}

/// Where a file of an image lies in a bundle.
fn listed_path(path: &[u8]) -> Option<EntryPath> {
    path_of_name(&[FILES.as_bytes(), b"/", path].concat())
}

/// Writes an archive of the documents and of these files.
fn lay_out(made: &Made<'_>, nodes: &[(&[u8], &Node)], directory: &Path) -> Result<PathBuf, Unread> {
    let contents = contents(made, nodes, directory)?;
    let path = directory.join("laid-out");
    let file = io::BufWriter::new(fs_err::File::create_new(&path)?);
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::none()));
    let documents = &made.read.documents;
    for (name, text) in [
        (CONFIGURATION, &documents.configuration_text),
        (MANIFEST, &documents.manifest_text),
    ] {
        let text = readable(text);
        let mut header = header(tar::EntryType::Regular, 0o644, text.len() as u64);
        archive.append_data(&mut header, name, text.as_slice())?;
    }
    for (name, node) in nodes {
        let Some(name) = listed_path(name) else {
            continue;
        };
        let name = name.as_str();
        match &node.kind {
            NodeKind::File(content) => {
                let mut header = header(tar::EntryType::Regular, node.mode, content.size);
                match contents.get(&content.sha256) {
                    Some(path) => {
                        archive.append_data(&mut header, name, fs_err::File::open(path)?)?;
                    }
                    None => archive.append_data(&mut header, name, io::empty())?,
                }
            }
            NodeKind::Link(target) => {
                let target = match std::str::from_utf8(target) {
                    Ok(target) => target.to_owned(),
                    Err(_) => target.escape_ascii().to_string(),
                };
                let mut header = header(tar::EntryType::Symlink, node.mode, 0);
                archive.append_link(&mut header, name, target)?;
            }
            NodeKind::Unreadable(_) => {
                let mut header = header(tar::EntryType::GNUSparse, node.mode, 0);
                archive.append_data(&mut header, name, io::empty())?;
            }
            NodeKind::Special => {
                let mut header = header(tar::EntryType::Fifo, node.mode, 0);
                archive.append_data(&mut header, name, io::empty())?;
            }
        }
    }
    let packed = archive.into_inner()?.finish()?;
    packed
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    Ok(path)
}

/// Says what is laid out and nothing else.
fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode & 0o7777);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// A document with a line for each of its values, as it is where it is no JSON.
fn readable(document: &[u8]) -> Vec<u8> {
    let value = serde_json::from_slice::<Value>(document).ok();
    let pretty = value.and_then(|value| serde_json::to_vec_pretty(&value).ok());
    pretty.map_or_else(
        || document.to_vec(),
        |mut pretty| {
            pretty.push(b'\n');
            pretty
        },
    )
}

/// Reads the layers again and writes out the contents of these files, each into one of its own. Which layer has a content, and
/// under which name, does not matter: its digest says that it is the one.
fn contents(
    made: &Made<'_>,
    nodes: &[(&[u8], &Node)],
    directory: &Path,
) -> Result<BTreeMap<Sha256, PathBuf>, Unread> {
    let files = nodes.iter().filter_map(|(_, node)| match &node.kind {
        NodeKind::File(content) if content.size > 0 => Some((content.sha256, content.size)),
        NodeKind::File(_) | NodeKind::Link(_) | NodeKind::Unreadable(_) | NodeKind::Special => None,
    });
    let mut wanted: BTreeMap<Sha256, u64> = files.collect();
    let sizes: BTreeSet<u64> = wanted.values().copied().collect();
    let mut found = BTreeMap::new();
    let mut room = layers::MOST_UNPACKED;
    for (at, file) in made.read.files.iter().enumerate() {
        if wanted.is_empty() {
            break;
        }
        let file = io::BufReader::new(fs_err::File::open(file)?);
        let read = remint_compare::layer(file, &layers::limits(room), &mut |entry, content| {
            if entry.kind != LayerKind::File || !sizes.contains(&entry.size) {
                return Ok(());
            }
            let path = directory.join(found.len().to_string());
            let mut hashed = Hashed::new(content);
            let mut file = fs_err::File::create(&path)?;
            io::copy(&mut hashed, &mut file)?;
            let sha256 = hashed.finish();
            if wanted.remove(&sha256).is_some() {
                found.insert(sha256, path);
            }
            Ok(())
        });
        let read = read.map_err(|error| layers::unreadable(&format!("layer {at}"), error))?;
        room = room.saturating_sub(read.unpacked);
    }
    if wanted.is_empty() {
        Ok(found)
    } else {
        Err(super::place::malformed(
            "its layers changed while they were read",
        ))
    }
}

fn anomalies(made: &Made<'_>) -> Vec<Anomaly> {
    let anomalies = made.applied.filesystem.anomalies().iter();
    anomalies
        .map(|anomaly| Anomaly {
            kind: anomaly.kind,
            path: anomaly.path.clone(),
            detail: format!("layer {}: {}", anomaly.layer, anomaly.detail),
        })
        .collect()
}

/// Says of the documents where they differ in nothing but what names the layers.
fn explain_documents(one: &Documents, other: &Documents, differences: &mut [Difference]) {
    let of_files = differences.iter().any(|difference| {
        let path = difference.path.as_str();
        path != CONFIGURATION && path != MANIFEST
    });
    let same = |texts: [&[u8]; 2], strip: fn(&mut Value)| {
        let [one, other] = texts.map(|text| {
            let mut value = serde_json::from_slice(text).ok();
            value.iter_mut().for_each(strip);
            value
        });
        one.is_some() && one == other
    };
    let configurations = [&*one.configuration_text, &*other.configuration_text];
    let manifests = [&*one.manifest_text, &*other.manifest_text];
    let one_configuration = one.configuration_text == other.configuration_text;
    for difference in differences {
        difference.explanation = match difference.path.as_str() {
            CONFIGURATION if same(configurations, without_layers) => Some(if of_files {
                "they say how to run in the same way, and name other layers or times".to_owned()
            } else {
                "all files and the way to run are the same; the layers hold them with other times, owners or directories, \
                 in another order, or in other layers, or were made at another time"
                    .to_owned()
            }),
            MANIFEST if one_configuration && same(manifests, without_digests) => {
                Some("the layers are the same, and packed in another way".to_owned())
            }
            MANIFEST if same(manifests, without_digests) => {
                Some("they name other documents and layers, and say nothing else".to_owned())
            }
            _ => continue,
        };
    }
}

/// Takes out what says of which layers an image is, how those were made, and when.
fn without_layers(configuration: &mut Value) {
    if let Value::Object(fields) = configuration {
        for field in ["created", "history", "rootfs"] {
            fields.remove(field);
        }
    }
}

/// Takes out which configuration and layers a manifest names.
fn without_digests(manifest: &mut Value) {
    let strip = |descriptor: &mut Value| {
        if let Value::Object(fields) = descriptor {
            fields.remove("digest");
            fields.remove("size");
        }
    };
    manifest.get_mut("config").into_iter().for_each(strip);
    if let Some(Value::Array(layers)) = manifest.get_mut("layers") {
        layers.iter_mut().for_each(strip);
    }
}
