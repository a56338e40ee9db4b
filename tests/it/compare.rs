//! `remint compare`, from two files to the answer in each format.

use std::io::Write as _;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use crate::tamper;

/// A small release, as npm packs it.
fn release(directory: &Path, name: &str) -> std::path::PathBuf {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in [
        (
            "package/package.json",
            "{\"name\":\"s\",\"version\":\"1.0.0\"}\n",
        ),
        ("package/lib/send.js", "const to = message.to;\nsend(to);\n"),
        ("package/lib/deep/log.js", "log();\n"),
        ("package/README.md", "# s\n"),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(499_162_500);
        header.set_path(path).unwrap();
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&builder.into_inner().unwrap()).unwrap();
    let path = directory.join(name);
    fs_err::write(&path, encoder.finish().unwrap()).unwrap();
    path
}

/// Runs in a directory; returns exit code, standard output and standard error.
pub(crate) fn compare(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    compare_with(directory, arguments, None)
}

fn compare_with(directory: &Path, arguments: &[&str], path: Option<&str>) -> (i32, String, String) {
    let output = Command::cargo_bin("remint")
        .unwrap()
        .arg("compare")
        .args(arguments)
        .env("HOME", directory)
        .envs(path.map(|path| ("PATH", path)))
        .env("REMINT_CACHE_DIR", directory.join("cache"))
        .current_dir(directory)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The JSON report, which follows its schema.
pub(crate) fn report(directory: &Path, arguments: &[&str]) -> (i32, Value) {
    let arguments = [arguments, &["--format", "json"]].concat();
    let (code, text, _) = compare(directory, &arguments);
    let report: Value = serde_json::from_str(&text).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/comparison.v1.schema.json");
    let schema: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    (code, report)
}

#[test]
fn the_same_file_is_identical_and_another_encoding_equivalent() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    release(at, "a.tgz");
    let (code, same) = report(at, &["a.tgz", "a.tgz"]);
    assert_eq!((code, &same["content"]), (0, &"identical".into()));
    assert_eq!(same["files"]["equal"], 4);
    fs_err::create_dir(at.join("again")).unwrap();
    tamper::tarball(&at.join("a.tgz"), &at.join("again"), |_| {});
    let (code, other) = report(at, &["a.tgz", "again/a.tgz"]);
    assert_eq!((code, &other["content"]), (0, &"equivalent".into()));
    assert_eq!(other["erasures"][0]["normaliser"], "gzip-encoding");
    assert_ne!(other["first"]["sha256"], other["second"]["sha256"]);
}

#[test]
fn what_the_second_has_more_is_an_addition() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    release(at, "a.tgz");
    fs_err::create_dir(at.join("b")).unwrap();
    tamper::tarball(&at.join("a.tgz"), &at.join("b"), |entries| {
        entries[1].content = b"const to = message.to;\nbcc(to);\nsend(to);\n".to_vec();
        entries[2].path = "package/lib/deep/</code><script>.js".to_owned();
    });
    let (code, found) = report(at, &["a.tgz", "b/a.tgz"]);
    assert_eq!((code, &found["content"]), (1, &"different".into()));
    let of = |path: &str| {
        let differences = found["differences"].as_array().unwrap();
        differences
            .iter()
            .find(|difference| difference["path"] == path)
            .unwrap()
            .clone()
    };
    assert!(
        of("lib/send.js")["hunks"][0]
            .as_str()
            .unwrap()
            .contains("\n+bcc(to);")
    );
    assert_eq!(of("lib/deep/log.js")["change"], "removed");

    let (code, text, _) = compare(at, &["a.tgz", "b/a.tgz", "--html", "page.html"]);
    assert_eq!(code, 1);
    assert!(text.starts_with("≠ different  a.tgz  b/a.tgz\n"), "{text}");
    assert!(text.contains("only in the first file"), "{text}");
    let page = fs_err::read_to_string(at.join("page.html")).unwrap();
    for part in [
        "<h1>different</h1>",
        "<a href=\"#difference-1\">",
        "id=\"difference-1\"",
        "<summary><span class=\"code\">deep/</span>",
        "bcc(to);",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(!page.contains("<script"), "{page}");
}

#[test]
fn what_cannot_be_compared_is_said_and_is_never_equal() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    release(at, "a.tgz");
    fs_err::write(at.join("broken.tgz"), b"\x1f\x8b\x08\x00junk").unwrap();
    fs_err::write(at.join("w.whl"), b"PK").unwrap();
    let (code, broken) = report(at, &["a.tgz", "broken.tgz"]);
    assert_eq!((code, &broken["content"]), (3, &"inconclusive".into()));
    assert!(broken["detail"].is_string(), "{broken}");
    for (arguments, words) in [
        (&["a.tgz", "missing.tgz"][..], "there is no such file"),
        (&["a.tgz", "w.whl"], "packed in different ways"),
        (&["a.tgz", "name@1"], "is not a spec"),
        (
            &["a.tgz", "a.tgz", "--html", "no/such/page.html"],
            "there is no directory",
        ),
    ] {
        let (code, _, told) = compare(at, arguments);
        assert_eq!(code, 2, "{arguments:?}\n{told}");
        assert!(told.contains(words), "{told}");
    }
}

/// A wheel with these modules, and nothing beside them that differs.
fn wheel(directory: &Path, folder: &str, modules: &[(&str, &str)]) {
    fs_err::create_dir_all(directory.join(folder)).unwrap();
    let file = directory.join(folder).join("s-1.0.0-py3-none-any.whl");
    let mut archive = zip::ZipWriter::new(fs_err::File::create(file).unwrap());
    let metadata = [
        (
            "s-1.0.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: s\nVersion: 1.0.0\n",
        ),
        (
            "s-1.0.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
    ];
    for (path, content) in modules.iter().chain(&metadata) {
        archive
            .start_file(*path, zip::write::SimpleFileOptions::default())
            .unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn python_is_explained_by_an_interpreters_own_parser() {
    let module = "def send(to, text):\n    \"\"\"Sends.\"\"\"\n    return post(to, text)  # once\n";
    let formatted =
        "only comments and formatting differ: the same syntax tree, as Python parses it";
    let documented = "only documentation strings, comments and formatting differ, as Python \
                      parses it; a program can read the first, and servers tell models what their \
                      tools do with them";
    let deep = format!("x = {}1{}\n", "(".repeat(5000), ")".repeat(5000));
    for (other, expect) in [
        (
            "def send(\n  to,\n  text,\n):\n  '''Sends.'''\n  return post(to, text)\n",
            Some(formatted),
        ),
        (
            "def send(to, text):\n    \"\"\"Sends it.\"\"\"\n    return post(to, text)\n",
            Some(documented),
        ),
        (
            "def send(to, text):\n    return post(to, text)\n",
            Some(documented),
        ),
        // Another tree, a string that is no documentation, no Python, and too much of it.
        (
            "def send(to, text):\n    \"\"\"Sends.\"\"\"\n    return post(text, to)\n",
            None,
        ),
        (
            "def send(to, text):\n    \"\"\"Sends.\"\"\"\n    return post(to, 'text')\n",
            None,
        ),
        ("print('same')\nimport (\n", None),
        (&deep, None),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        wheel(at, "one", &[("s/server.py", module)]);
        wheel(at, "other", &[("s/server.py", other)]);
        let file = |folder: &str| format!("{folder}/s-1.0.0-py3-none-any.whl");
        let (code, report) = report(at, &[&file("one"), &file("other")]);
        // An explanation excuses nothing.
        assert_eq!((code, &report["content"]), (1, &"different".into()));
        let difference = report["differences"]
            .as_array()
            .unwrap()
            .iter()
            .find(|difference| difference["path"] == "s/server.py")
            .unwrap();
        assert_eq!(difference["explanation"].as_str(), expect, "{other}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interpreter_that_fails_at_one_pair_answers_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let (one, other) = ("x = 1\n", "x = (1)  # y\n");
    // Deep enough to end an interpreter whose parser counts nothing; the others refuse it.
    let deep = ["x = 1", &"+1".repeat(200_000), "\n"].concat();
    let deep_other = deep.replace("x =", "x  =");
    let broken = ("x = 1 (\n", "x = 1  (\n");
    for (folder, texts) in [
        ("one", [one, &deep, broken.0, one]),
        ("other", [other, &deep_other, broken.1, other]),
    ] {
        let names = ["s/a.py", "s/b.py", "s/c.py", "s/d.py"];
        let modules: Vec<(&str, &str)> = names.into_iter().zip(texts).collect();
        wheel(at, folder, &modules);
    }
    // The first interpreter on the path may be none at all.
    let empty = at.join("fake/bin");
    fs_err::create_dir_all(&empty).unwrap();
    fs_err::copy("/bin/true", empty.join("python3")).unwrap();
    let faked = format!("{}:/usr/bin:/bin", empty.display());
    for path in [None, Some(&*faked)] {
        let wheels = ["one", "other"].map(|folder| format!("{folder}/s-1.0.0-py3-none-any.whl"));
        let arguments = [&wheels[0], &wheels[1], "--format", "json"];
        let (code, text, _) = compare_with(at, &arguments, path);
        assert_eq!(code, 1);
        let report: Value = serde_json::from_str(&text).unwrap();
        let explained = |path: &str| {
            let differences = report["differences"].as_array().unwrap();
            let found = differences.iter().find(|found| found["path"] == path);
            found.unwrap()["explanation"]
                .as_str()
                .is_some_and(|explanation| explanation.contains("as Python parses it"))
        };
        assert!(explained("s/a.py") && explained("s/d.py"), "{report}");
        assert!(!explained("s/c.py"), "{report}");
    }
}
