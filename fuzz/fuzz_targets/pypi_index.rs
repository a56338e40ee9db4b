#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::pypi::locate::{IndexAnswer, release};
use remint_ecosystem::{Interpreter, Platform};
use remint_fuzz::Text;
use remint_model::{Ecosystem, PackageName};
use serde_json::json;

#[derive(Debug, Arbitrary)]
struct Input {
    page: Page,
    project: Option<Text>,
    version: Option<Text>,
}

#[derive(Debug, Arbitrary)]
enum Page {
    Bytes(Vec<u8>),
    Json(Text),
    Html(Text),
    Files(Vec<File>),
}

#[derive(Debug, Arbitrary)]
struct File {
    name: Text,
    url: Text,
    digest: Text,
    time: Text,
    size: Option<u64>,
    yanked: bool,
}

const WORDS: &[&str] = &[
    "my_server",
    "my-server",
    "-1.0",
    "-2.0rc1",
    "-py3-none-any",
    "-cp312-cp312-manylinux_2_17_x86_64",
    ".whl",
    ".tar.gz",
    ".zip",
    "-1",
    ".",
    "<a href=\"",
    "<a href=",
    "\">",
    "</a>",
    "<base href=",
    "<!--",
    "-->",
    "<",
    ">",
    "#sha256=",
    "abababababababababababababababababababababababababababababababab",
    "sha256-",
    "&amp;",
    "&#x",
    "&",
    ";",
    " data-yanked=\"",
    " data-requires-python='",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"files\":[",
    "\"filename\":",
    "\"url\":",
    "\"hashes\":{\"sha256\":",
    "\"versions\":[",
    "\"info\":{",
    "\"project_urls\":{",
    "\"Source\":",
    "\"https://github.com/o/n\"",
    "\"upload-time\":",
    "\"2026-01-01T00:00:00Z\"",
    "2026-01-01T00:00:00Z",
    "../",
    "%2B",
    "https://x.invalid/",
    "file:///",
    "true",
    "null",
    "1.0",
];

fuzz_target!(|input: Input| {
    let json = "application/vnd.pypi.simple.v1+json";
    let (content, content_type) = match &input.page {
        Page::Bytes(bytes) => (bytes.clone(), "text/html"),
        Page::Json(text) => (text.spelled(WORDS).into_bytes(), json),
        Page::Html(text) => (text.spelled(WORDS).into_bytes(), "text/html; charset=utf-8"),
        Page::Files(files) => {
            let files: Vec<_> = files
                .iter()
                .map(|file| {
                    json!({
                        "filename": file.name.spelled(WORDS),
                        "url": file.url.spelled(WORDS),
                        "hashes": {"sha256": file.digest.spelled(WORDS)},
                        "upload-time": file.time.spelled(WORDS),
                        "size": file.size,
                        "yanked": file.yanked,
                    })
                })
                .collect();
            let page = json!({"meta": {"api-version": "1.1"}, "name": "my-server", "files": files});
            (page.to_string().into_bytes(), json)
        }
    };
    let project = input.project.map(|text| text.spelled(WORDS).into_bytes());
    let version = input
        .version
        .and_then(|text| text.spelled(WORDS).parse().ok());
    let found = release(
        &PackageName::parse(Ecosystem::Pypi, "my-server").expect("a name"),
        &IndexAnswer {
            content: &content,
            content_type,
            url: "https://index.invalid/simple/my-server/",
        },
        project.as_deref(),
        version.as_ref(),
        Platform {
            system: "linux",
            processor: "x64",
        },
        &[Interpreter {
            version: "3.12.1".to_owned(),
            path: "/python".into(),
        }],
    );
    if let Ok(release) = found {
        assert!(!release.files.is_empty());
        for file in release.files {
            assert!(
                file.url.starts_with("https:") || file.url.starts_with("http:"),
                "{}",
                file.url
            );
        }
    }
});
