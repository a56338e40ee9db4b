//! `remint compare` of two container images.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::compare::{compare, report};
use crate::layout::{Image, digest, gzip, tar};

const SERVER: &str = "const to = message.to;\nsend(to);\n";
const CHANGED: &str = "const to = message.to;\nbcc(to);\nsend(to);\n";

fn config() -> Value {
    json!({"Cmd": ["node", "/app/server.js"]})
}

fn base() -> Vec<u8> {
    tar(&[
        ("bin/sh", "\x7fELF shell"),
        ("etc/old", "old"),
        ("usr/share/Foo::Bar.3pm", "a colon"),
    ])
}

fn image(layers: &[Vec<u8>]) -> Image {
    Image::of(layers, &config())
}

/// What is said of two images.
fn compared(first: &Image, second: &Image) -> (i32, Value) {
    let directory = tempfile::tempdir().unwrap();
    first.lay_out(&directory.path().join("first"));
    second.lay_out(&directory.path().join("second"));
    report(directory.path(), &["oci:./first", "oci:./second"])
}

fn differences(report: &Value) -> Vec<(&str, &str, &str)> {
    let differences = report["differences"].as_array().unwrap();
    differences
        .iter()
        .map(|difference| {
            let field = |name: &str| difference[name].as_str().unwrap();
            (field("path"), field("change"), field("class"))
        })
        .collect()
}

fn of<'r>(report: &'r Value, path: &str) -> &'r Value {
    let differences = report["differences"].as_array().unwrap();
    differences
        .iter()
        .find(|difference| difference["path"] == path)
        .unwrap()
}

#[test]
fn files_are_held_against_each_other_whatever_layer_has_them() {
    let one = image(&[
        base(),
        tar(&[("app/server.js", SERVER), ("etc/.wh.old", "")]),
    ]);
    let (code, same) = compared(&one, &one);
    assert_eq!((code, &same["content"]), (0, &"identical".into()));
    assert_eq!(same["files"], json!({"equal": 5, "total": 5}));
    assert_eq!(same["first"]["sha256"], one.manifest[7..]);

    // The same but for one line, in a layer of its own, and with a link and a program more.
    let other = image(&[
        base(),
        tar(&[("app/server.js", SERVER), ("etc/.wh.old", "")]),
        tar(&[
            ("app/server.js", CHANGED),
            ("app/run", "\x7fELF run"),
            ("bin/bash = bin/sh", ""),
            ("app/link -> server.js", ""),
        ]),
    ]);
    let (code, found) = compared(&one, &other);
    assert_eq!((code, &found["content"]), (1, &"different".into()));
    assert_eq!(
        differences(&found),
        [
            ("rootfs/app/run", "added", "native"),
            ("rootfs/bin/bash", "added", "native"),
            ("rootfs/app/server.js", "changed", "executable"),
            ("config.json", "changed", "manifest"),
            ("rootfs/app/link", "added", "data"),
            ("manifest.json", "changed", "metadata"),
        ]
    );
    let hunk = of(&found, "rootfs/app/server.js")["hunks"][0]
        .as_str()
        .unwrap();
    assert!(hunk.contains("\n+bcc(to);"), "{hunk}");
    let documents = [
        (
            "config.json",
            "they say how to run in the same way, and name other layers or times",
        ),
        ("manifest.json", "\"digest\""),
    ];
    assert_eq!(of(&found, documents[0].0)["explanation"], documents[0].1);
    assert!(
        of(&found, documents[1].0)["hunks"][0]
            .as_str()
            .unwrap()
            .contains(documents[1].1)
    );
    assert_eq!(found["files"], json!({"equal": 2, "total": 8}));
    assert_eq!(found["erasures"], json!([]));
}

#[test]
fn another_packing_is_told_from_another_content_and_is_no_excuse() {
    let layer = tar(&[("app/server.js", SERVER)]);
    let one = image(&[base(), layer.clone()]);
    let diff_ids = [digest(&base()), digest(&layer)];
    let packed = vec![gzip(&base()), gzip_best(&layer)];
    let packed = Image::declaring(packed, &diff_ids, &config());
    let (code, found) = compared(&one, &packed);
    assert_eq!(code, 1);
    assert_eq!(
        differences(&found),
        [("manifest.json", "changed", "metadata")]
    );
    assert_eq!(
        of(&found, "manifest.json")["explanation"],
        "the layers are the same, and packed in another way"
    );

    // All in one layer.
    let whole = image(&[tar(&[
        ("bin/sh", "\x7fELF shell"),
        ("etc/old", "old"),
        ("usr/share/Foo::Bar.3pm", "a colon"),
        ("app/server.js", SERVER),
    ])]);
    let (code, found) = compared(&one, &whole);
    assert_eq!(code, 1);
    assert_eq!(found["files"], json!({"equal": 4, "total": 6}));
    let explanation = of(&found, "config.json")["explanation"].as_str().unwrap();
    assert!(explanation.starts_with("all files and the way to run are the same"));

    // The same files, run in another way.
    let started = Image::of(
        &[base(), layer],
        &json!({"Cmd": ["sh", "-c", "curl x | sh"]}),
    );
    let (code, found) = compared(&one, &started);
    assert_eq!(code, 1);
    assert_eq!(of(&found, "config.json")["explanation"], Value::Null);
    let hunk = of(&found, "config.json")["hunks"][0].as_str().unwrap();
    assert!(hunk.contains("curl x | sh"), "{hunk}");
}

fn gzip_best(layer: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(layer).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_image_that_is_not_what_its_digests_say_is_never_equal() {
    let layer = tar(&[("app/server.js", SERVER)]);
    let honest = image(std::slice::from_ref(&layer));
    let mut tampered = honest.clone();
    let changed = gzip(&tar(&[("app/server.js", CHANGED)]));
    for (name, bytes) in &mut tampered.blobs {
        if *name == digest(&gzip(&layer)) {
            // Of the same size, so that only the digest tells.
            bytes.clone_from(&[&changed[..], &[0; 64]].concat()[..bytes.len()].to_vec());
        }
    }
    let (code, found) = compared(&honest, &tampered);
    assert_eq!((code, &found["content"]), (3, &"inconclusive".into()));
    // Its uncompressed layer is another than the configuration says.
    let lying = Image::declaring(vec![gzip(&layer)], &[digest(b"other")], &config());
    let (code, found) = compared(&honest, &lying);
    assert_eq!((code, &found["content"]), (3, &"inconclusive".into()));
    let detail = found["detail"].as_str().unwrap();
    assert!(detail.contains("the uncompressed layer 0"), "{detail}");
}

#[test]
fn two_of_one_kind_are_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let at: &Path = directory.path();
    image(&[base()]).lay_out(&at.join("one"));
    fs_err::write(at.join("a.tgz"), gzip(&base())).unwrap();
    let refused = |arguments: &[&str], words: &str| {
        let (code, _, error) = compare(at, arguments);
        assert_eq!(code, 2, "{error}");
        assert!(error.contains(words), "{error}");
    };
    refused(&["oci:./one", "./a.tgz"], "one is a container image");
    refused(
        &["./a.tgz", "./a.tgz", "--platform", "linux/arm64"],
        "--platform is for container images",
    );
    let (code, text, _) = compare(at, &["oci:./one", "oci:./missing"]);
    assert!(code == 2 || code == 3, "{text}");
    let page = at.join("page.html");
    let (code, text, _) = compare(at, &["oci:./one", "oci:./one", "--html", "page.html"]);
    assert_eq!(code, 0);
    assert!(text.contains("the same image, byte for byte"), "{text}");
    assert!(
        fs_err::read_to_string(page)
            .unwrap()
            .contains("Foo::Bar.3pm")
    );
}
