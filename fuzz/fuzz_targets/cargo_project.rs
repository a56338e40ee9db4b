#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_ecosystem::{
    manifest_identity, publisher_commit, same_version, version_files, version_in_file,
};
use remint_fuzz::{Project, Text};
use remint_model::{Ecosystem, EntryPath, Survey};

#[derive(Debug, Arbitrary)]
struct Input {
    bytes: Vec<u8>,
    member: Text,
    root: Option<Text>,
    lock: Option<Text>,
    toolchain: Option<Text>,
    subdirectory: bool,
    stamp: Option<Option<Text>>,
    published: Text,
    published_lock: Option<Text>,
    vcs_info: Text,
}

const WORDS: &[&str] = &[
    "[package]\n",
    "[workspace]\n",
    "[workspace.package]\n",
    "[workspace.dependencies]\n",
    "[dependencies]\n",
    "[build-dependencies]\n",
    "[dev-dependencies.a]\n",
    "[target.'cfg(unix)'.dependencies]\n",
    "[lib]\n",
    "[[package]]\n",
    "[toolchain]\n",
    "name = \"x\"\n",
    "name = ",
    "version = \"1.2.3\"\n",
    "version = ",
    "version.workspace = true\n",
    "workspace = \"../..\"\n",
    "build = ",
    "links = \"z\"\n",
    "proc-macro = true\n",
    "crate-type = [\"proc-macro\"]\n",
    "repository = \"https://github.com/o/n\"\n",
    "channel = \"1.88\"\n",
    "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
    "checksum = ",
    "a = \"1\"\n",
    "a = { workspace = true, optional = true }\n",
    "a = { path = \"../a\", version = \">= 1, <2\" }\n",
    "a = { git = \"https://x.invalid/a\" }\n",
    "\"",
    "'",
    "=",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\n",
    "#",
    "true",
    "false",
    "..",
    "/",
    "\\",
    "{\"git\":{\"sha1\":\"399923ca47fa6ba4cb57896226bc9a2c1a1f2144\"",
    "},\"path_in_vcs\":\"",
    "\"}",
    "é",
];

fn read(path: &str, content: &[u8]) {
    let path: EntryPath = path.parse().expect("a path");
    let _ = manifest_identity(Ecosystem::Cargo, &path, content);
    for file in version_files(Ecosystem::Cargo, &path, content) {
        assert!(!file.as_str().split('/').any(|part| part == ".."));
    }
    let _ = version_in_file(Ecosystem::Cargo, content);
    let survey = Survey {
        texts: vec![(
            ".cargo_vcs_info.json".parse().expect("a path"),
            content.to_vec(),
        )],
        ..Survey::default()
    };
    let _ = publisher_commit(Ecosystem::Cargo, None, &survey);
}

fuzz_target!(|input: Input| {
    let text = |text: &Text| text.spelled(WORDS);
    read("a/b/Cargo.toml", &input.bytes);
    let (member, published, vcs_info) = (
        text(&input.member),
        text(&input.published),
        text(&input.vcs_info),
    );
    for content in [&member, &published, &vcs_info] {
        read("a/b/Cargo.toml", content.as_bytes());
        assert!(same_version(Ecosystem::Cargo, content, content));
    }
    let folder = if input.subdirectory { "a/b/" } else { "" };
    let mut files = vec![(format!("{folder}Cargo.toml"), member)];
    for (path, content) in [
        ("Cargo.toml", &input.root),
        ("Cargo.lock", &input.lock),
        ("rust-toolchain", &input.toolchain),
    ] {
        if let Some(content) = content
            && !files.iter().any(|(known, _)| known == path)
        {
            files.push((path.to_owned(), text(content)));
        }
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let mut project = Project::new(&files)
        .publishing("Cargo.toml", &published)
        .publishing(".cargo_vcs_info.json", &vcs_info);
    if let Some(lock) = &input.published_lock {
        project = project.publishing("Cargo.lock", &text(lock));
    }
    if input.subdirectory {
        project = project.at("a/b");
    }
    if let Some(stamp) = &input.stamp {
        project = project.stamped(stamp.as_ref().map(text));
    }
    project.plans(Ecosystem::Cargo);
});
