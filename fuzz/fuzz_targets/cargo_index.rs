#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::cargo::locate::{IndexConfig, filtered, index_path, release};
use remint_fuzz::Text;
use remint_model::{Ecosystem, PackageName};
use serde_json::json;

#[derive(Debug, Arbitrary)]
struct Input {
    index: Index,
    config: Config,
    name: Text,
    version: Option<Text>,
    moment: i64,
}

#[derive(Debug, Arbitrary)]
enum Index {
    Bytes(Vec<u8>),
    Text(Text),
    Lines(Vec<Line>),
}

#[derive(Debug, Arbitrary)]
struct Line {
    version: Text,
    checksum: Text,
    time: Option<Text>,
    dependencies: Vec<(Text, Text, Option<Text>)>,
    yanked: bool,
    format: Option<u8>,
}

#[derive(Debug, Arbitrary)]
enum Config {
    Bytes(Vec<u8>),
    Download(Text),
}

const WORDS: &[&str] = &[
    "x",
    "X",
    "-",
    "_",
    ".",
    "+",
    "/",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "1.0.0",
    "2.0.0-rc.1",
    "0.0.0",
    "^1",
    "*",
    ">=1, <2",
    "dev",
    "build",
    "cfg(unix)",
    "null",
    "true",
    "{\"name\":\"x\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"",
    "abababababababababababababababababababababababababababababababab",
    "\"v\":3",
    "https://a.invalid/",
    "file:///",
    "{crate}",
    "{version}",
    "{prefix}",
    "{lowerprefix}",
    "{sha256-checksum}",
    "2026-01-01T00:00:00Z",
    "9999999999-",
    "é",
];

fuzz_target!(|input: Input| {
    let text = |text: &Text| text.spelled(WORDS);
    let name = text(&input.name);
    let name = PackageName::parse(Ecosystem::Cargo, &name)
        .unwrap_or_else(|_| PackageName::parse(Ecosystem::Cargo, "x").expect("a name"));
    let path = index_path(&name);
    assert!(
        !path
            .split('/')
            .any(|part| part.is_empty() || part.contains('.'))
    );
    let config = match &input.config {
        Config::Bytes(bytes) => bytes.clone(),
        Config::Download(download) => json!({"dl": text(download)}).to_string().into_bytes(),
    };
    let content = match &input.index {
        Index::Bytes(bytes) => bytes.clone(),
        Index::Text(content) => text(content).into_bytes(),
        Index::Lines(lines) => lines
            .iter()
            .map(|line| {
                let dependencies: Vec<_> = line
                    .dependencies
                    .iter()
                    .map(|(name, range, package)| {
                        json!({"name": text(name), "req": text(range), "package": package.as_ref().map(text)})
                    })
                    .collect();
                let line = json!({
                    "name": name.as_str(),
                    "vers": text(&line.version),
                    "cksum": text(&line.checksum),
                    "pubtime": line.time.as_ref().map(text),
                    "deps": dependencies,
                    "yanked": line.yanked,
                    "v": line.format.unwrap_or(1),
                });
                format!("{line}\n")
            })
            .collect::<String>()
            .into_bytes(),
    };
    let kept = filtered(&content, &|_, time| {
        time.is_none_or(|time| time <= input.moment)
    });
    assert!(kept.len() <= content.len() + 1);
    let Ok(config) = IndexConfig::parse(&config) else {
        return;
    };
    let version = input
        .version
        .as_ref()
        .and_then(|version| text(version).parse().ok());
    if let Ok(release) = release(&name, &content, &config, version.as_ref()) {
        assert_eq!(release.files.len(), 1);
        assert!(version.is_none_or(|version| version == release.version));
        assert!(
            release
                .earlier
                .iter()
                .all(|earlier| earlier.version != release.version)
        );
    }
});
