//! The documents of an image: index, manifest and configuration. Each names the next by its digest; whoever reads them
//! holds what was served against it.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};
use remint_model::{ImageConfig, RemoteCode, Sha256};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::keys;
use super::platforms::{is_for, normalised};
use crate::command_line::names_code;
use crate::mcpb::launch;
use crate::release::MetadataError;

/// The largest index, manifest or configuration, in bytes (the distribution specification asks registries for 4 MiB).
pub const LARGEST_DOCUMENT: u64 = 4 << 20;
/// Layers of one image. Docker stops at 127.
pub const MOST_LAYERS: usize = 512;
/// Manifests of one index.
const MOST_MANIFESTS: usize = 4096;
/// Entries of a configuration's lists that are kept.
const MOST_KEPT: usize = 1024;
/// Characters of one text of a configuration that are kept.
const LONGEST_KEPT: usize = 4096;
/// Bytes that Linux takes for one word of a command (`MAX_ARG_STRLEN`).
const LONGEST_WORD: usize = 128 << 10;
/// How deep one index may list another.
pub const DEEPEST: usize = 4;

/// What stands under a tag or digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A list of images, one for each platform.
    Index(Vec<Listed>),
    /// An image.
    Manifest(Manifest),
}

/// Something that is named by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// What it has to have.
    pub digest: Sha256,
    /// Bytes it has to have.
    pub size: u64,
    /// What it is said to be.
    pub media_type: String,
}

/// A manifest that an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub blob: Blob,
    /// `system/processor` or `system/processor/variant`, where it says, as runtimes understand it.
    pub platform: Option<String>,
    /// Whether it is something about another image (an attestation of BuildKit), rather than one.
    pub is_about_another: bool,
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its configuration.
    pub config: Blob,
    /// Its layers, from the bottom up.
    pub layers: Vec<Blob>,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// How the image runs.
    pub facts: ImageConfig,
    /// `system/processor`, as runtimes understand it.
    pub platform: String,
    /// Digests of the layers, uncompressed, from the bottom up.
    pub diff_ids: Vec<Sha256>,
    /// For each layer the step that made it; as many as there are layers, where the history tells of all.
    pub created_by: Vec<Option<String>>,
}

/// Reads an index or a manifest. Which of the two it is has to be plain: what could be read as both would be one image to
/// one client and another to the next.
///
/// # Errors
/// It is neither, or both, or has a digest that is no SHA-256, or keys that are others to runtimes.
pub fn document(bytes: &[u8]) -> Result<Document, MetadataError> {
    keys::check(bytes, &keys::DOCUMENT)
        .map_err(|reason| MetadataError::malformed("manifest", reason))?;
    let whole: Value = serde_json::from_slice(bytes)
        .map_err(|error| MetadataError::malformed("manifest", error))?;
    let has = |field: &str| whole.get(field).is_some();
    if whole.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
        return Err(MetadataError::malformed(
            "manifest",
            "its schema version is not 2",
        ));
    }
    match (has("manifests"), has("layers") || has("config")) {
        (true, true) => Err(MetadataError::malformed(
            "manifest",
            "it could be read as an index and as a manifest",
        )),
        (false, false) => Err(MetadataError::malformed(
            "manifest",
            "it lists neither images nor layers",
        )),
        (true, false) => index(bytes).map(Document::Index),
        (false, true) => manifest(bytes).map(Document::Manifest),
    }
}

fn index(bytes: &[u8]) -> Result<Vec<Listed>, MetadataError> {
    let index: ImageIndex =
        serde_json::from_slice(bytes).map_err(|error| MetadataError::malformed("index", error))?;
    if index.manifests().len() > MOST_MANIFESTS {
        return Err(MetadataError::malformed(
            "index",
            "it lists too many manifests",
        ));
    }
    index
        .manifests()
        .iter()
        .map(|descriptor| {
            let platform = descriptor.platform().as_ref().map(|platform| {
                short(&normalised(
                    &platform.os().to_string(),
                    &platform.architecture().to_string(),
                    platform.variant().as_deref(),
                ))
            });
            Ok(Listed {
                blob: blob(descriptor, "index")?,
                // No annotation keeps runtimes from running it.
                is_about_another: platform.as_deref() == Some("unknown/unknown"),
                platform,
            })
        })
        .collect()
}

fn manifest(bytes: &[u8]) -> Result<Manifest, MetadataError> {
    let manifest: ImageManifest = serde_json::from_slice(bytes)
        .map_err(|error| MetadataError::malformed("manifest", error))?;
    if manifest.layers().len() > MOST_LAYERS {
        return Err(MetadataError::malformed(
            "manifest",
            "it has too many layers",
        ));
    }
    Ok(Manifest {
        config: blob(manifest.config(), "manifest")?,
        layers: manifest
            .layers()
            .iter()
            .map(|layer| blob(layer, "manifest"))
            .collect::<Result<_, _>>()?,
    })
}

fn blob(descriptor: &Descriptor, what: &str) -> Result<Blob, MetadataError> {
    let digest = descriptor
        .as_digest_sha256()
        .and_then(|hex| hex.parse().ok())
        .ok_or_else(|| MetadataError::malformed(what, "it has a digest that is no SHA-256"))?;
    Ok(Blob {
        digest,
        size: descriptor.size(),
        media_type: short(descriptor.media_type().as_ref()),
    })
}

/// The image for a platform, and the platforms of the others. Variants (`linux/arm64/v8`) stand for their platform.
///
/// # Errors
/// None is for it, or several that could be meant.
pub fn choose<'l>(
    listed: &'l [Listed],
    platform: &str,
) -> Result<(&'l Listed, Vec<String>), String> {
    let images: Vec<&Listed> = listed
        .iter()
        .filter(|listed| !listed.is_about_another)
        .collect();
    let fits = |listed: &Listed| {
        let stated = listed.platform.as_deref();
        stated.is_some_and(|stated| is_for(stated, platform))
    };
    let fitting: Vec<&Listed> = images.iter().copied().filter(|one| fits(one)).collect();
    let others = |chosen: &Listed| {
        let rest = images.iter().filter(|one| one.blob != chosen.blob);
        rest.filter_map(|one| one.platform.clone()).collect()
    };
    match (fitting.as_slice(), images.as_slice()) {
        ([one, rest @ ..], _) if rest.iter().all(|other| other.blob == one.blob) => {
            Ok((*one, others(one)))
        }
        ([_, ..], _) => Err(format!(
            "{} images are for {platform}: name one by its digest",
            fitting.len()
        )),
        // A layout with one image need not say what it is for; its configuration does.
        ([], [one]) if one.platform.is_none() => Ok((*one, Vec::new())),
        ([], images) if images.iter().all(|one| one.platform.is_none()) && !images.is_empty() => {
            let digests: Vec<String> = images
                .iter()
                .map(|one| format!("sha256:{}", one.blob.digest))
                .take(20)
                .collect();
            Err(format!(
                "there are several images, and none says what it is for; name one by its digest: {}",
                digests.join(", ")
            ))
        }
        ([], images) => {
            let known: Vec<&str> = images
                .iter()
                .map(|one| one.platform.as_deref().unwrap_or("one that is not named"))
                .take(20)
                .collect();
            Err(format!(
                "no image is for {platform}; there is: {}",
                if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                }
            ))
        }
    }
}

/// Reads a configuration. `layers` is how many layers the manifest has.
///
/// # Errors
/// It cannot be parsed, tells of another number of layers, or has keys that are others to runtimes.
pub fn configuration(bytes: &[u8], layers: usize) -> Result<Configuration, MetadataError> {
    const WHAT: &str = "configuration";
    keys::check(bytes, &keys::CONFIGURATION)
        .map_err(|reason| MetadataError::malformed(WHAT, reason))?;
    let read: ImageConfiguration =
        serde_json::from_slice(bytes).map_err(|error| MetadataError::malformed(WHAT, error))?;
    let diff_ids = read
        .rootfs()
        .diff_ids()
        .iter()
        .take(MOST_LAYERS + 1)
        .map(|id| {
            id.strip_prefix("sha256:")
                .and_then(|hex| hex.parse().ok())
                .ok_or_else(|| {
                    MetadataError::malformed(WHAT, "it has a diff id that is no SHA-256")
                })
        })
        .collect::<Result<Vec<Sha256>, _>>()?;
    if diff_ids.len() != layers {
        return Err(MetadataError::malformed(
            WHAT,
            format_args!(
                "it tells of {} layers, the manifest of {layers}",
                diff_ids.len()
            ),
        ));
    }
    let mut facts = ImageConfig {
        digest: Some(Sha256::of(bytes)),
        created: read.created().as_deref().map(short),
        ..ImageConfig::default()
    };
    if let Some(config) = read.config() {
        facts.entrypoint = words(config.entrypoint().as_deref())?;
        facts.command = words(config.cmd().as_deref())?;
        facts.healthcheck = healthcheck(bytes)?;
        for variable in config.env().iter().flatten().take(MOST_KEPT) {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            if is_secret(name) && !value.is_empty() {
                facts.secrets.push(short(name));
            }
            facts.environment.push(short(name));
        }
        facts.user = config
            .user()
            .as_deref()
            .filter(|user| !user.is_empty())
            .map(short);
        facts.working_directory = config
            .working_dir()
            .as_deref()
            .filter(|directory| !directory.is_empty())
            .map(short);
        facts.exposed_ports = list(config.exposed_ports().as_deref());
        facts.exposed_ports.sort();
        let labels = config.labels().iter().flatten().take(MOST_KEPT);
        facts.labels = labels
            .map(|(name, value)| (short(name), short(value)))
            .collect();
    }
    facts.remote = remote(&facts);
    // Steps that only set something made no layer.
    let created_by: Vec<Option<String>> = read
        .history()
        .iter()
        .flatten()
        .filter(|step| step.empty_layer() != Some(true))
        .take(MOST_LAYERS + 1)
        .map(|step| step.created_by().as_deref().map(short))
        .collect();
    Ok(Configuration {
        facts,
        platform: short(&normalised(
            &read.os().to_string(),
            &read.architecture().to_string(),
            None,
        )),
        created_by: if created_by.len() == layers {
            created_by
        } else {
            vec![None; layers]
        },
        diff_ids,
    })
}

/// The words of a command, whole: what is cut off could be what it does.
fn words(texts: Option<&[String]>) -> Result<Vec<String>, MetadataError> {
    let texts = texts.unwrap_or_default();
    if texts.len() > MOST_KEPT || texts.iter().any(|text| text.len() > LONGEST_WORD) {
        return Err(MetadataError::malformed(
            "configuration",
            "one of its commands is longer than any program can be given",
        ));
    }
    Ok(texts.to_vec())
}

/// What Docker and Podman run by themselves beside the program (`HEALTHCHECK`; no part of the OCI specification).
fn healthcheck(bytes: &[u8]) -> Result<Vec<String>, MetadataError> {
    #[derive(Deserialize)]
    struct Document {
        config: Option<Config>,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "Healthcheck")]
        healthcheck: Option<Healthcheck>,
    }
    #[derive(Deserialize)]
    struct Healthcheck {
        #[serde(rename = "Test")]
        test: Option<Vec<String>>,
    }
    let read: Document = serde_json::from_slice(bytes)
        .map_err(|error| MetadataError::malformed("configuration", error))?;
    let test = read.config.and_then(|config| config.healthcheck?.test);
    let test = words(test.as_deref())?;
    Ok(match test.split_first() {
        Some((kind, rest)) if kind == "CMD" => rest.to_vec(),
        Some((kind, [line, ..])) if kind == "CMD-SHELL" => {
            ["/bin/sh", "-c", line].map(str::to_owned).to_vec()
        }
        // `NONE`, and what no engine runs.
        Some(_) | None => Vec::new(),
    })
}

fn list(texts: Option<&[String]>) -> Vec<String> {
    let texts = texts.unwrap_or_default().iter();
    texts.take(MOST_KEPT).map(|text| short(text)).collect()
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_KEPT).collect()
}

/// Whether a variable's name says that its value is a secret.
fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 9] = [
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "PRIVATE_KEY",
        "ACCESS_KEY",
        "CREDENTIAL",
    ];
    let name = name.to_ascii_uppercase();
    // Where the secret is, is none.
    !["_FILE", "_PATH", "_DIR", "_URL"]
        .iter()
        .any(|ending| name.ends_with(ending))
        && PARTS.iter().any(|part| name.contains(part))
}

/// What it fetches when it is started, and what is run beside it by itself.
fn remote(facts: &ImageConfig) -> Vec<RemoteCode> {
    let started: Vec<&str> = facts
        .entrypoint
        .iter()
        .chain(&facts.command)
        .map(String::as_str)
        .collect();
    let checked: Vec<&str> = facts.healthcheck.iter().map(String::as_str).collect();
    // What says where programs and code lie is set in every image, and says something about files that are in it.
    let variables: Map<String, Value> = facts
        .environment
        .iter()
        .filter(|name| !names_code(name))
        .map(|name| (name.clone(), Value::Null))
        .collect();
    let mut found = Vec::new();
    for command in [started, checked] {
        let Some((program, arguments)) = command.split_first() else {
            continue;
        };
        if asks_itself(&command) {
            continue;
        }
        let server: Map<String, Value> = [(
            "mcp_config".to_owned(),
            json!({ "command": program, "args": arguments, "env": variables }),
        )]
        .into_iter()
        .collect();
        found.extend(launch::remote(&server, false));
    }
    found.sort();
    found.dedup();
    found
}

/// Whether a command does nothing but to ask the image's own server how it is: `curl -f http://localhost:3000/health ||
/// exit 1`. Every word has to be known.
fn asks_itself(command: &[&str]) -> bool {
    let words: Vec<&str> = match command {
        [shell, "-c", line] if shell.rsplit('/').next() == Some("sh") => {
            line.split_whitespace().collect()
        }
        words => words.to_vec(),
    };
    let is_known = |word: &&str| {
        let word = word.trim_matches(['"', '\'']);
        let address = ["http://", "https://"]
            .iter()
            .find_map(|scheme| word.strip_prefix(scheme));
        match address {
            Some(address) => {
                let host = address.split(['/', ':', '?']).next().unwrap_or_default();
                ["localhost", "127.0.0.1", "0.0.0.0"].contains(&host)
                    && address
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b".:/-_?=".contains(&b))
            }
            None => [
                "curl",
                "wget",
                "||",
                "&&",
                "exit",
                "0",
                "1",
                "/dev/null",
                ">",
                "2>&1",
                "-f",
                "--fail",
                "-s",
                "-S",
                "-sf",
                "-fs",
                "-fsS",
                "-sS",
                "--silent",
                "--show-error",
                "-q",
                "-qO-",
                "-O-",
                "-O",
                "-",
                "--spider",
                "--no-verbose",
                "--tries=1",
                "-k",
                "-I",
                "-o",
                "--quiet",
                "-nv",
            ]
            .contains(&word),
        }
    };
    let first = words.first().copied().unwrap_or_default();
    ["curl", "wget"].contains(&first) && words.iter().all(is_known)
}

#[cfg(test)]
mod tests;
