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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parsed(manifest: &Value) -> Result<BundleManifest, MetadataError> {
        BundleManifest::parse(manifest.to_string().as_bytes())
    }

    #[test]
    fn what_it_says_is_read_and_nothing_is_made_up() {
        let manifest = parsed(&json!({
            "dxt_version": "0.1", "name": "My Server", "version": "1.2.3",
            "server": {"type": "python", "entry_point": "server/main.py", "mcp_config": {"command": "python", "args": ["server/main.py"]}},
            "tools": [{"name": "one"}, {"description": "nameless"}, 7, {"name": "two"}],
        }))
        .unwrap();
        let identity = manifest.identity();
        assert_eq!(identity.name.unwrap().as_str(), "My Server");
        assert_eq!(identity.version, StatedVersion::Exact("1.2.3".to_owned()));
        let facts = manifest.facts(false);
        assert_eq!(facts.server_type.as_deref(), Some("python"));
        assert_eq!(facts.entry_point.as_deref(), Some("server/main.py"));
        assert_eq!(facts.tools, ["one", "two"]);
        assert_eq!(facts.remote, []);
    }

    #[test]
    fn other_manifests_of_that_name_are_none() {
        for other in [
            json!({"manifest_version": 3, "name": "An extension", "version": "1.0"}),
            json!({"name": "x", "server": "node"}),
            json!([]),
        ] {
            assert!(parsed(&other).is_err(), "{other}");
        }
        let hostile = json!({"name": "../x", "version": 7, "server": {}});
        let identity = parsed(&hostile).unwrap().identity();
        assert_eq!(
            (identity.name, identity.version),
            (None, StatedVersion::Absent)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>, text: String, number: i64) {
            assert!(BundleManifest::parse(&bytes).is_err());
            let odd = json!({
                "name": text, "version": text, "tools": text,
                "server": {"type": number, "mcp_config": {"command": text, "args": number, "env": text, "platform_overrides": {"win32": number}}},
            });
            parsed(&odd).unwrap().facts(true);
        }
    }
}
