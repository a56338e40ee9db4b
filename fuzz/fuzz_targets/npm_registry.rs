#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::npm::locate::{out_by, release};
use remint_fuzz::Text;
use remint_model::Version;

#[derive(Debug, Arbitrary)]
enum Input {
    Bytes(Vec<u8>),
    Json(Text),
    Document {
        name: String,
        versions: Vec<(Number, Text, Text)>,
        tag: Number,
        /// Seconds since 1970.
        times: Vec<(Number, i64)>,
    },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
struct Number(u8, u8, Option<u8>);

impl Number {
    fn text(self) -> String {
        let Self(minor, patch, pre) = self;
        let pre = pre.map(|pre| format!("-beta.{pre}")).unwrap_or_default();
        format!("1.{minor}.{patch}{pre}")
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"versions\":",
    "\"dist-tags\":",
    "\"time\":",
    "\"dist\":",
    "\"tarball\":",
    "\"integrity\":",
    "\"shasum\":",
    "\"1.0.0\"",
    "\"latest\"",
    "\"name\":",
    "\"repository\":",
    "\"gitHead\":",
    "\"deprecated\":",
    "\"https://x.invalid/-/x-1.0.0.tgz\"",
    "sha512-",
    "https://",
    "/-/",
    ".tgz",
    "%2f",
    "\"2026-01-01T00:00:00Z\"",
    "true",
    "null",
    "7",
];

fuzz_target!(|input: (Input, Option<Number>)| {
    let (input, wanted) = input;
    let wanted: Option<Version> = wanted.and_then(|number| number.text().parse().ok());
    // Other texts may state a thing twice.
    let is_document = matches!(input, Input::Document { .. });
    let bytes = match input {
        Input::Bytes(bytes) => bytes,
        Input::Json(text) => text.spelled(WORDS).into_bytes(),
        Input::Document {
            name,
            versions,
            tag,
            times,
        } => {
            let versions: serde_json::Map<_, _> = versions
                .into_iter()
                .map(|(number, tarball, integrity)| {
                    let document = serde_json::json!({
                        "dist": {"tarball": tarball.spelled(WORDS), "integrity": integrity.spelled(WORDS)},
                    });
                    (number.text(), document)
                })
                .collect();
            let times: serde_json::Map<_, _> = times
                .into_iter()
                .filter_map(|(number, time)| {
                    let time = jiff::Timestamp::from_second(time).ok()?;
                    Some((number.text(), time.to_string().into()))
                })
                .collect();
            serde_json::json!({
                "name": name,
                "dist-tags": {"latest": tag.text()},
                "versions": versions,
                "time": times,
            })
            .to_string()
            .into_bytes()
        }
    };
    let out = out_by(&bytes);
    if let Ok(seen) = serde_json::from_slice::<serde_json::Value>(&bytes)
        && is_document
    {
        for (version, time) in &out {
            // No version counts as younger than it was seen.
            let seen: jiff::Timestamp = seen["time"][version.as_str()]
                .as_str()
                .and_then(|seen| seen.parse().ok())
                .expect("a time comes from the document");
            assert!(*time <= seen.as_second());
        }
    }
    if let Ok(release) = release(&bytes, wanted.as_ref()) {
        assert_eq!(release.files.len(), 1);
        assert!(release.versions.contains(&release.version));
        for file in &release.files {
            assert!(file.url.starts_with("https:") || file.url.starts_with("http:"));
        }
        for previous in &release.earlier {
            assert!(release.versions.contains(&previous.version));
            assert_ne!(previous.version, release.version);
        }
    }
});
