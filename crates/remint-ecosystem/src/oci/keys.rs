//! The keys of an image's documents. Container runtimes read them with Go's `encoding/json`, to which a key is that of a
//! field whatever its case, and the last one of several counts. Here exact ones are read, so that a document with any other
//! would be one image here and another one there.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The fields of one object of the specification, and what is inside of them.
pub(super) struct Shape {
    fields: &'static [&'static str],
    inside: &'static [(&'static str, &'static Self)],
}

const PLATFORM: Shape = Shape {
    fields: &[
        "architecture",
        "os",
        "os.version",
        "os.features",
        "variant",
        "features",
    ],
    inside: &[],
};

const DESCRIPTOR: Shape = Shape {
    fields: &[
        "mediaType",
        "digest",
        "size",
        "urls",
        "annotations",
        "data",
        "platform",
        "artifactType",
    ],
    inside: &[("platform", &PLATFORM)],
};

/// An index or a manifest: which of the two it is, is asked afterwards.
pub(super) const DOCUMENT: Shape = Shape {
    fields: &[
        "schemaVersion",
        "mediaType",
        "artifactType",
        "manifests",
        "config",
        "layers",
        "subject",
        "annotations",
    ],
    inside: &[
        ("manifests", &DESCRIPTOR),
        ("config", &DESCRIPTOR),
        ("layers", &DESCRIPTOR),
        ("subject", &DESCRIPTOR),
    ],
};

/// A configuration, with what Docker adds to it.
pub(super) const CONFIGURATION: Shape = Shape {
    fields: &[
        "created",
        "author",
        "architecture",
        "variant",
        "os",
        "os.version",
        "os.features",
        "config",
        "rootfs",
        "history",
    ],
    inside: &[
        ("config", &EXECUTION),
        ("rootfs", &ROOT),
        ("history", &STEP),
    ],
};

/// What `docker load` reads.
pub(super) const LOADED: Shape = Shape {
    fields: &["Config", "RepoTags", "Layers", "Parent", "LayerSources"],
    inside: &[],
};

const EXECUTION: Shape = Shape {
    fields: &[
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Labels",
        "StopSignal",
        "ArgsEscaped",
        "Healthcheck",
        "OnBuild",
        "Shell",
        "StopTimeout",
    ],
    inside: &[("Healthcheck", &HEALTH)],
};

const HEALTH: Shape = Shape {
    fields: &["Test", "Interval", "Timeout", "StartPeriod", "Retries"],
    inside: &[],
};

const ROOT: Shape = Shape {
    fields: &["type", "diff_ids"],
    inside: &[],
};

const STEP: Shape = Shape {
    fields: &["created", "created_by", "author", "comment", "empty_layer"],
    inside: &[],
};

/// Holds the keys of a document against its shape. Maps whose keys are anybody's (labels, annotations, ports) have none.
///
/// # Errors
/// In words, which keys are others to other readers; or the document is no JSON.
pub(super) fn check(bytes: &[u8], shape: &Shape) -> Result<(), String> {
    let keys: Keys = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    keys.check(shape)
}

/// What a JSON value has of keys, every one of them in its order.
enum Keys {
    Object(Vec<(String, Self)>),
    Array(Vec<Self>),
    None,
}

impl Keys {
    fn check(&self, shape: &Shape) -> Result<(), String> {
        match self {
            Self::None => Ok(()),
            // Lists of such objects.
            Self::Array(elements) => elements.iter().try_for_each(|element| element.check(shape)),
            Self::Object(members) => {
                let mut known: BTreeMap<String, &str> = BTreeMap::new();
                for (key, _) in members {
                    let folded = fold(key);
                    let field = shape.fields.iter().find(|field| fold(field) == folded);
                    if let Some(field) = field
                        && field != key
                    {
                        return Err(format!(
                            "its key `{}` is `{field}` to container runtimes",
                            key.escape_debug()
                        ));
                    }
                    if let Some(other) = known.insert(folded, key) {
                        return Err(format!(
                            "its keys `{}` and `{}` are one to container runtimes",
                            other.escape_debug(),
                            key.escape_debug()
                        ));
                    }
                }
                members.iter().try_for_each(|(key, value)| {
                    match shape.inside.iter().find(|(field, _)| field == key) {
                        Some((_, shape)) => value.check(shape),
                        None => Ok(()),
                    }
                })
            }
        }
    }
}

/// A key as Go compares it. Of the letters outside of ASCII, two are the same as one inside: `ſ` and the Kelvin sign.
fn fold(key: &str) -> String {
    key.chars()
        .map(|letter| match letter {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Keys;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Keys::Object(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Keys, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = sequence.next_element()? {
                    elements.push(element);
                }
                Ok(Keys::Array(elements))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Keys, E> {
                Ok(Keys::None)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Keys, E> {
                Ok(Keys::None)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Keys, E> {
                Ok(Keys::None)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Keys, E> {
                Ok(Keys::None)
            }

            fn visit_str<E>(self, _: &str) -> Result<Keys, E> {
                Ok(Keys::None)
            }

            fn visit_unit<E>(self) -> Result<Keys, E> {
                Ok(Keys::None)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(document: &str, shape: &Shape, why: &str) {
        let error = check(document.as_bytes(), shape).unwrap_err();
        assert!(error.contains(why), "{document}: {error}");
    }

    #[test]
    fn keys_that_runtimes_take_for_others_are_refused() {
        for document in [
            r#"{"Layers": []}"#,
            r#"{"layers": [], "LAYERS": []}"#,
            r#"{"layer\u017f": []}"#,
            r#"{"manifests": [{"Digest": "x"}]}"#,
            r#"{"manifests": [{"platform": {"OS": "linux"}}]}"#,
            r#"{"config": {"mediatype": "x"}}"#,
        ] {
            refused(document, &DOCUMENT, "to container runtimes");
        }
        for document in [
            r#"{"Config": {}}"#,
            r#"{"config": {"entrypoint": []}}"#,
            r#"{"config": {"Cmd": [], "cmd": []}}"#,
            r#"{"config": {"\u212a": 1, "k": 2}}"#,
            r#"{"config": {"WorkingDir": "/", "Work\u0131ngDir": "/", "wor\u212aingDir": "/x"}}"#,
            r#"{"rootfs": {"Diff_IDs": []}}"#,
            r#"{"rootf\u017f": {}}"#,
            r#"{"history": [{"empty_layer": true, "Empty_Layer": false}]}"#,
            r#"{"config": {"Cmd": [], "Cmd": []}}"#,
        ] {
            refused(document, &CONFIGURATION, "to container runtimes");
        }
    }

    #[test]
    fn maps_have_the_keys_that_they_have() {
        let document = r#"{"config": {"Labels": {"a": "1", "A": "2"}, "Volumes": {"/Data": {}, "/data": {}},
            "Hostname": "", "Image": ""}, "docker_version": "1", "rootfs": null, "history": [null, 1.5, -1]}"#;
        assert_eq!(check(document.as_bytes(), &CONFIGURATION), Ok(()));
        let document = r#"{"annotations": {"a": "1", "A": "2"}, "layers": [{"annotations": {"Size": "1", "size": "2"}}]}"#;
        assert_eq!(check(document.as_bytes(), &DOCUMENT), Ok(()));
    }
}
