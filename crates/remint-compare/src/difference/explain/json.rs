//! The same JSON value, written differently. Numbers count as they are spelled (readers differ in what they make of
//! `1.0` and of long integers), and an object with a key twice has no one value.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{ChangedFile, Explanation};
use crate::source_map::Members;

/// Larger files are not read as JSON.
const LARGEST: usize = 8 << 20;
/// More values take far more memory than their text.
const MOST_VALUES: usize = 500_000;
/// Deeper ones neither: each level costs one more reading of what is inside.
const DEEPEST: usize = 64;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    if !matches!(file.extension().as_str(), "json" | "webmanifest") {
        return None;
    }
    let (rebuilt, published) = (value(file.rebuilt)?, value(file.published)?);
    if rebuilt == published {
        let words = "formatted differently: the same JSON value";
        return Some(Explanation::proof(words.to_owned()));
    }
    // Order means nothing to JSON, and something to some readers: `exports` of a `package.json` is one.
    let is_manifest = file.path.file_name() == "package.json";
    (rebuilt.sorted() == published.sorted()).then(|| {
        let words = "the same JSON value, with keys in another order";
        if is_manifest {
            Explanation::pointer(format!(
                "{words}, which decides what `exports` and `imports` lead to"
            ))
        } else {
            Explanation::proof(words.to_owned())
        }
    })
}

/// Whether two JSON texts have the same value, keys in the same order.
pub(super) fn same_value(one: &str, other: &str) -> bool {
    one == other
        || matches!((value(one.as_bytes()), value(other.as_bytes())), (Some(one), Some(other)) if one == other)
}

fn value(content: &[u8]) -> Option<Value> {
    if content.len() > LARGEST || values(content) > MOST_VALUES {
        return None;
    }
    Value::of(serde_json::from_slice(content).ok()?, DEEPEST)
}

/// How many values there are, at the most, if this is JSON at all: each but the first comes after a comma or a bracket.
fn values(content: &[u8]) -> usize {
    let mut count = 1;
    let mut in_text = false;
    let mut bytes = content.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => {
                bytes.next();
            }
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

#[derive(Debug, PartialEq, Eq)]
enum Value {
    /// A number as spelled, `true`, `false` or `null`.
    Word(String),
    Text(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Value {
    fn of(raw: &RawValue, room: usize) -> Option<Self> {
        let room = room.checked_sub(1)?;
        let text = raw.get();
        Some(match text.as_bytes().first()? {
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
                keys.sort_unstable();
                if keys.windows(2).any(|pair| pair.first() == pair.last()) {
                    return None;
                }
                Self::Object(
                    members
                        .iter()
                        .map(|(key, value)| Some((key.to_string(), Self::of(value, room)?)))
                        .collect::<Option<_>>()?,
                )
            }
            b'[' => Self::Array(
                serde_json::from_str::<Vec<&RawValue>>(text)
                    .ok()?
                    .into_iter()
                    .map(|value| Self::of(value, room))
                    .collect::<Option<_>>()?,
            ),
            b'"' => Self::Text(
                serde_json::from_str::<Cow<'_, str>>(text)
                    .ok()?
                    .into_owned(),
            ),
            _ => Self::Word(text.to_owned()),
        })
    }

    fn sorted(self) -> Self {
        match self {
            Self::Word(_) | Self::Text(_) => self,
            Self::Array(values) => Self::Array(values.into_iter().map(Self::sorted).collect()),
            Self::Object(members) => {
                let mut members: Vec<_> = members
                    .into_iter()
                    .map(|(key, value)| (key, value.sorted()))
                    .collect();
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
                Self::Object(members)
            }
        }
    }
}
