//! Source maps (ECMA-426): just enough to see and replace the paths that they name, without unpacking the rest.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// A map's members in their own order; only the ones that hold paths are looked into.
#[derive(Debug)]
pub(crate) struct SourceMap<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    paths: Vec<String>,
}

impl<'a> SourceMap<'a> {
    /// Reads a version 3 map; `None` for anything else, also for a map with a member twice, which readers
    /// understand in different ways.
    pub(crate) fn parse(content: &'a [u8]) -> Option<Self> {
        let Members(members) = serde_json::from_slice(content).ok()?;
        let member = |name: &str| {
            members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.get())
        };
        if member("version") != Some("3") || member("mappings").is_none() {
            return None;
        }
        let mut names: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return None;
        }
        let mut paths = Vec::new();
        for name in ["file", "sourceRoot"] {
            if let Some(text) = member(name) {
                paths.extend(serde_json::from_str::<Option<String>>(text).ok()?);
            }
        }
        if let Some(sources) = member("sources") {
            paths.extend(
                serde_json::from_str::<Vec<Option<String>>>(sources)
                    .ok()?
                    .into_iter()
                    .flatten(),
            );
        }
        Some(Self { members, paths })
    }

    /// Everything in `file`, `sourceRoot` and `sources`.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// The names of its members, in their own order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_ref())
    }

    /// The JSON text of one member.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        self.members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.get())
    }

    /// The map with those paths replaced and everything else as it is, byte for byte.
    pub(crate) fn with_paths(&self, replace: &dyn Fn(&str) -> String) -> Option<Vec<u8>> {
        let mut out = b"{".to_vec();
        for (at, (key, value)) in self.members.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            serde_json::to_writer(&mut out, key.as_ref()).ok()?;
            out.push(b':');
            match key.as_ref() {
                "file" | "sourceRoot" => {
                    let path: Option<String> = serde_json::from_str(value.get()).ok()?;
                    serde_json::to_writer(&mut out, &path.map(|path| replace(&path))).ok()?;
                }
                "sources" => {
                    let paths: Vec<Option<String>> = serde_json::from_str(value.get()).ok()?;
                    let paths: Vec<_> = paths
                        .into_iter()
                        .map(|path| path.map(|path| replace(&path)))
                        .collect();
                    serde_json::to_writer(&mut out, &paths).ok()?;
                }
                _ => out.extend_from_slice(value.get().as_bytes()),
            }
        }
        out.push(b'}');
        Some(out)
    }
}

/// A JSON object's members, unparsed and in order.
pub(crate) struct Members<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key.0, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

/// A key, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn replacing_nothing_changes_no_meaning(
            bytes: Vec<u8>,
            text in "([{}\\[\\]:,\"]|\"version\":3|\"mappings\":\"\"|\"sources\":|\"file\":|null|\\\\u0061|/a){0,20}",
            sources in prop::collection::vec(prop::option::of("\\PC{0,6}"), 0..4),
            file in prop::option::of("\\PC{0,6}"),
        ) {
            for content in [bytes.as_slice(), text.as_bytes()] {
                if let Some(map) = SourceMap::parse(content) {
                    drop(map.with_paths(&str::to_uppercase));
                }
            }
            let value = serde_json::json!({
                "version": 3, "mappings": "AAAA", "sources": sources, "file": file, "x_other": {"sources": ["y"]},
            });
            let content = value.to_string();
            let map = SourceMap::parse(content.as_bytes()).unwrap();
            prop_assert_eq!(map.paths().count(), sources.iter().flatten().count() + usize::from(file.is_some()));
            let same = map.with_paths(&str::to_owned).unwrap();
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&same)?, value);
            let moved = map.with_paths(&|path| format!("/moved/{path}")).unwrap();
            let moved = SourceMap::parse(&moved).unwrap();
            prop_assert!(moved.paths().all(|path| path.starts_with("/moved/")));
        }
    }
}
