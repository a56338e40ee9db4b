//! Holds the manifests to the direction of the arrows (docs/architecture.md).

use std::collections::BTreeSet;
use std::path::Path;

/// What the pure crates may use from outside: parsers and data structures, nothing that reaches the machine.
const PURE: &[&str] = &[
    "base64",
    "bstr",
    "flate2",
    "globset",
    "hex",
    "imara-diff",
    "jiff",
    "jsonc-parser",
    "memchr",
    "nodejs-semver",
    // Types of the OCI specifications: references, manifests and configurations, from texts that were already read.
    "oci-spec",
    // Parses the headers of machine code that was already read: which sections and functions differ.
    "object",
    // Parse JavaScript from a text to a tree in memory: whether two files are one program.
    "oxc_allocator",
    "oxc_ast",
    "oxc_parser",
    "oxc_span",
    "pep440_rs",
    "pep508_rs",
    "percent-encoding",
    "purl",
    "regex",
    "rust-ini",
    // Unpacks Zstandard from memory to memory.
    "ruzstd",
    "serde",
    "serde-saphyr",
    "serde_json",
    "sha1",
    "sha2",
    "similar",
    "tar",
    "thiserror",
    "toml",
    "unicode-normalization",
    "url",
    // Splits WebAssembly that was already read into its sections; runs none of it.
    "wasmparser",
    "zip",
];

fn manifest(name: &str) -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{name}/Cargo.toml"));
    fs_err::read_to_string(path).unwrap().parse().unwrap()
}

fn dependencies(name: &str) -> BTreeSet<String> {
    manifest(name)
        .get("dependencies")
        .and_then(toml::Value::as_table)
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

fn own(name: &str) -> BTreeSet<String> {
    dependencies(name)
        .into_iter()
        .filter(|dependency| dependency.starts_with("remint"))
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn no_stage_knows_another() {
    assert_eq!(own("remint-model"), set(&[]));
    for stage in [
        "remint-ecosystem",
        "remint-compare",
        "remint-judge",
        "remint-sandbox",
        "remint-attest",
    ] {
        let own = own(stage);
        assert!(
            own.is_subset(&set(&["remint-model"])),
            "{stage} knows {own:?}"
        );
    }
    assert!(own("remint-fetch").is_subset(&set(&["remint-model", "remint-ecosystem"])));
}

#[test]
fn pure_crates_reach_nothing() {
    for name in [
        "remint-model",
        "remint-ecosystem",
        "remint-compare",
        "remint-judge",
    ] {
        for dependency in dependencies(name) {
            assert!(
                dependency.starts_with("remint-") || PURE.contains(&dependency.as_str()),
                "{name} depends on {dependency}, which is not on the list of pure crates"
            );
        }
    }
}

#[test]
fn every_crate_has_the_common_lints_and_a_description() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in fs_err::read_dir(crates).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let manifest = manifest(&name);
        assert!(manifest["package"].get("description").is_some(), "{name}");
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{name}"
        );
    }
}
