//! `manifest.json` of a bundle, in every version of its schema: what is of the wrong type is as good as absent, as
//! the loose readers of hosts have it. Decides nothing.

use remint_model::{BundleFacts, Ecosystem, PackageName, Survey};
use serde_json::{Map, Value};

use super::launch;
use crate::npm::manifest::Manifest;
use crate::release::{Identity, MetadataError, StatedVersion};

/// The file's name.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Tools that are listed; a model could not use more.
const MOST_TOOLS: usize = 1000;
/// The longest name that is kept.
const LONGEST_NAME: usize = 200;

/// A parsed manifest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BundleManifest(pub(super) Manifest);

impl BundleManifest {
    /// Parses the bytes of a manifest.
    ///
    /// # Errors
    /// They are no JSON object, or one that starts no server: `manifest.json` is also what browser extensions and
    /// web applications call theirs.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, MetadataError> {
        let manifest = Manifest::parse(MANIFEST, content)?;
        match manifest.object("server") {
            Some(_) => Ok(Self(manifest)),
            None => Err(MetadataError::Malformed {
                what: MANIFEST.to_owned(),
                reason: "it has no `server`, so it is no bundle's".to_owned(),
            }),
        }
    }

    /// The one in a bundle.
    pub(crate) fn of(survey: &Survey) -> Result<Self, MetadataError> {
        let content = survey
            .text(MANIFEST)
            .ok_or_else(|| MetadataError::Missing(MANIFEST.to_owned()))?;
        Self::parse(content)
    }

    /// Name and version.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            name: self
                .0
                .text("name")
                .and_then(|name| PackageName::parse(Ecosystem::Mcpb, name).ok()),
            version: self.0.text("version").map_or(
                StatedVersion::Absent,
                |version| match version {
                    "0.0.0" => StatedVersion::Placeholder(version.to_owned()),
                    version => StatedVersion::Exact(version.to_owned()),
                },
            ),
        }
    }

    /// How it starts, and what it announces. `has_lock` says whether the bundle holds a `uv.lock`.
    pub(crate) fn facts(&self, has_lock: bool) -> BundleFacts {
        let empty = Map::new();
        let server = self.0.object("server").unwrap_or(&empty);
        let text = |field| {
            let text = server.get(field).and_then(Value::as_str)?;
            Some(text.chars().take(LONGEST_NAME).collect::<String>())
        };
        let tools = match self.0.get("tools") {
            Some(Value::Array(tools)) => tools
                .iter()
                .filter_map(|tool| tool.get("name").and_then(Value::as_str))
                .map(|name| name.chars().take(LONGEST_NAME).collect())
                .take(MOST_TOOLS)
                .collect(),
            Some(_) | None => Vec::new(),
        };
        BundleFacts {
            server_type: text("type"),
            entry_point: text("entry_point"),
            remote: launch::remote(server, has_lock),
            tools,
        }
    }
}
