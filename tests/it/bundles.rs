//! Bundles, honest and tampered with, held against a registry and a repository.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::registry::{Registry, Release};
use crate::world::{Answer, World, commit};

const NAME: &str = "@fixture/dependency";
const CODE: &str = "module.exports = 1;\n";
const SERVER: &str = "require('@fixture/dependency');\n";
const FOLDER: &str = "node_modules/@fixture/dependency";

/// A repository, a registry with its dependency, and the bundle that is made of both.
struct Stage {
    world: World,
    repository: PathBuf,
    _registry: Registry,
}

fn package() -> String {
    json!({"name": NAME, "version": "1.0.0", "main": "index.js"}).to_string()
}

fn manifest(config: &Value) -> String {
    json!({
        "manifest_version": "0.3", "name": "note-server", "version": "1.2.0",
        "server": {"type": "node", "entry_point": "server/index.js", "mcp_config": config},
        "tools": [{"name": "note"}],
    })
    .to_string()
}

pub(crate) fn starts_itself() -> Value {
    json!({"command": "node", "args": ["${__dirname}/server/index.js"]})
}

fn tarball() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in [
        ("package/package.json", &*package()),
        ("package/index.js", CODE),
        ("package/index.d.ts", "export {};\n"),
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
    encoder.finish().unwrap()
}

type Files = Vec<(String, String)>;

fn honest() -> Files {
    [
        ("manifest.json", manifest(&starts_itself())),
        ("package.json", "{}".to_owned()),
        ("server/index.js", SERVER.to_owned()),
        (&format!("{FOLDER}/package.json"), package()),
        (&format!("{FOLDER}/index.js"), CODE.to_owned()),
        ("node_modules/.package-lock.json", "{}".to_owned()),
    ]
    .map(|(path, content)| (path.to_owned(), content))
    .to_vec()
}

fn zip(files: &Files) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in files {
        let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
        writer.start_file(path.as_str(), options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn block(signature: &[u8], stated: usize) -> Vec<u8> {
    let stated = u32::try_from(stated).unwrap().to_le_bytes();
    [b"MCPB_SIG_V1", &stated[..], signature, b"MCPB_SIG_END"].concat()
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let tarball = tarball();
        let digest =
            base64::engine::general_purpose::STANDARD.encode(sha2::Sha512::digest(&tarball));
        let lock = json!({"lockfileVersion": 3, "packages": {
            FOLDER: {"version": "1.0.0", "integrity": format!("sha512-{digest}")},
        }});
        let registry = Registry::serve(&Release {
            name: NAME,
            version: "1.0.0",
            tarball,
            repository: "https://git.invalid/dependency",
            extra: json!({}),
            declared: None,
            attestations: None,
            announced: &[],
        });
        fs_err::write(world.path().join(".npmrc"), registry.npmrc("@fixture")).unwrap();
        let repository = world.path().join("repository");
        for (path, content) in [
            ("manifest.json", &*manifest(&starts_itself())),
            ("package.json", "{}"),
            ("package-lock.json", &lock.to_string()),
            ("server/index.js", SERVER),
            ("notes/todo.md", "none"),
            (".mcpbignore", "notes/\n"),
        ] {
            let path = repository.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        tag(&repository, "v1.2.0");
        Self {
            world,
            repository,
            _registry: registry,
        }
    }

    fn bundle(&self, content: &[u8]) -> PathBuf {
        let path = self.world.path().join("note-server.mcpb");
        fs_err::write(&path, content).unwrap();
        path
    }

    fn verify(&self, content: &[u8], more: &[&str]) -> Answer {
        let bundle = self.bundle(content);
        let mut arguments = vec![
            bundle.to_str().unwrap(),
            "--source",
            self.repository.to_str().unwrap(),
        ];
        arguments.extend(more);
        self.world.verify(&arguments)
    }
}

pub(crate) fn tag(repository: &Path, name: &str) {
    let repository = git2::Repository::init(repository).unwrap();
    let commit = commit(&repository, "Release");
    let object = repository.find_object(commit, None).unwrap();
    repository.tag_lightweight(name, &object, true).unwrap();
}

#[test]
fn an_honest_bundle_is_its_source_and_the_registrys_packages() {
    let stage = Stage::new();
    let answer = stage.verify(&zip(&honest()), &[]);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
    assert_eq!(answer.code, 0);
    let target = answer.target();
    assert_eq!(target["basis"], "source-tree");
    assert_eq!(
        target["target"],
        "pkg:generic/note-server@1.2.0?file_name=note-server.mcpb"
    );
    let bundle = &target["bundle"];
    assert_eq!(bundle["signature"]["state"], "absent");
    assert_eq!(bundle["packages"][0]["files"], 2);
    assert_eq!(bundle["own"], 3);
    assert_eq!(bundle["tools"][0], "note");
    // The other ending means the same.
    let other = stage.world.path().join("note-server.dxt");
    fs_err::write(&other, zip(&honest())).unwrap();
    let source = stage.repository.to_str().unwrap();
    let answer = stage
        .world
        .verify(&[other.to_str().unwrap(), "--source", source]);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
}

#[test]
fn a_package_under_a_name_that_the_source_gives_it_is_the_registrys() {
    let stage = Stage::new();
    let gives = json!({"dependencies": {"other-name": format!("npm:{NAME}@1.0.0")}}).to_string();
    let renamed: Files = honest()
        .into_iter()
        .map(|(path, content)| match path.as_str() {
            "package.json" => (path, gives.clone()),
            _ => (path.replace(FOLDER, "node_modules/other-name"), content),
        })
        .collect();
    // The bundle's word for it is not enough.
    let answer = stage.verify(&zip(&renamed), &[]);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:#?}");
    assert_eq!(answer.differences()[0].0, "package.json");

    let lock = stage.repository.join("package-lock.json");
    let text = fs_err::read_to_string(&lock).unwrap();
    let mut locked: Value = serde_json::from_str(&text).unwrap();
    let mut entry = locked["packages"][FOLDER].take();
    entry["name"] = NAME.into();
    locked["packages"] = json!({"node_modules/other-name": entry});
    fs_err::write(&lock, locked.to_string()).unwrap();
    fs_err::write(stage.repository.join("package.json"), &gives).unwrap();
    tag(&stage.repository, "v1.2.0");
    let answer = stage.verify(&zip(&renamed), &[]);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
    let package = &answer.target()["bundle"]["packages"][0];
    assert_eq!(package["name"], NAME);
    assert_eq!(package["folder"], "node_modules/other-name");

    let mut changed = renamed;
    for file in &mut changed {
        if file.0 == "node_modules/other-name/index.js" {
            "evil();\n".clone_into(&mut file.1);
        }
    }
    let answer = stage.verify(&zip(&changed), &[]);
    assert_eq!(answer.outcome(), ("failed", "equivalent"), "{answer:#?}");
    assert_eq!(answer.findings()["bundled-file-unattributed"], "high");
}

#[test]
fn what_was_changed_is_refused_for_its_reason() {
    let stage = Stage::new();
    let check = |name: &str, files: Files, outcome: (&str, &str), finding: &str, severity: &str| {
        let answer = stage.verify(&zip(&files), &[]);
        assert_eq!(answer.outcome(), outcome, "{name}: {answer:#?}");
        if finding.is_empty() {
            return;
        }
        assert_eq!(
            answer.findings().get(finding),
            Some(&severity),
            "{name}: {answer:#?}"
        );
    };
    let changed = |path: &str, content: &str| {
        let mut files = honest();
        for file in &mut files {
            if file.0 == path {
                content.clone_into(&mut file.1);
            }
        }
        files
    };
    let added = |path: &str, content: &str| {
        let mut files = honest();
        files.push((path.to_owned(), content.to_owned()));
        files
    };
    let failed = ("failed", "equivalent");
    check(
        "a changed dependency",
        changed(&format!("{FOLDER}/index.js"), "evil();\n"),
        failed,
        "bundled-file-unattributed",
        "high",
    );
    check(
        "a file more in a dependency",
        added(&format!("{FOLDER}/more.js"), "evil();\n"),
        failed,
        "bundled-file-unattributed",
        "high",
    );
    check(
        "a package that is no package",
        added("node_modules/evil/index.js", "evil();\n"),
        failed,
        "bundled-file-unattributed",
        "high",
    );
    check(
        "a package in another's folder",
        {
            let mut files = honest();
            files.push(("node_modules/fs-extra/package.json".to_owned(), package()));
            files.push(("node_modules/fs-extra/index.js".to_owned(), CODE.to_owned()));
            files
        },
        failed,
        "bundled-file-unattributed",
        "high",
    );
    check(
        "data that no registry has",
        added(&format!("{FOLDER}/words.bin"), "words"),
        ("inconclusive", "equivalent"),
        "bundled-file-unattributed",
        "medium",
    );
    check(
        "the same package in two places",
        {
            let mut files = honest();
            let nested = format!("{FOLDER}/node_modules/@fixture/dependency");
            files.push((format!("{nested}/package.json"), package()));
            files
        },
        ("verified", "equivalent"),
        "",
        "",
    );
    check(
        "a changed server",
        changed("server/index.js", "evil();\n"),
        ("failed", "different"),
        "",
        "",
    );
    check(
        "a file more",
        added("server/more.js", "evil();\n"),
        ("failed", "different"),
        "",
        "",
    );
    // Nothing that is there is unexplained, and nothing is proven.
    check(
        "a file less",
        honest()
            .into_iter()
            .filter(|(path, _)| path != "server/index.js")
            .collect(),
        ("inconclusive", "inconclusive"),
        "",
        "",
    );
    let npx = json!({"command": "npx", "args": ["-y", "note-server"]});
    check(
        "a runner",
        changed("manifest.json", &manifest(&npx)),
        ("failed", "different"),
        "bundle-runs-remote-code",
        "high",
    );
    let pinned = json!({"command": "npx", "args": ["-y", "note-server@1.2.0"]});
    check(
        "a pinned runner",
        changed("manifest.json", &manifest(&pinned)),
        ("failed", "different"),
        "bundle-runs-remote-code",
        "info",
    );
}

#[test]
fn signature_blocks_are_blocks_or_anomalies() {
    let stage = Stage::new();
    let check = |suffix: &[u8], state: &str, expect: &[&str]| {
        let content = [&zip(&honest())[..], suffix].concat();
        let answer = stage.verify(&content, &[]);
        let signature = &answer.target()["bundle"]["signature"];
        assert_eq!(signature["state"], state, "{answer:#?}");
        let findings = answer.findings();
        for id in ["suffix-bytes", "bundle-signature-invalid"] {
            let found = findings.get(id) == Some(&"high");
            assert_eq!(found, expect.contains(&id), "{id}: {answer:#?}");
        }
    };
    let both = ["suffix-bytes", "bundle-signature-invalid"];
    let whole = block(b"no signature", 12);
    check(&whole, "not-verified", &[]);
    check(&whole[..whole.len() - 3], "malformed", &both);
    check(&block(b"no signature", 11), "malformed", &both);
    check(&block(b"no signature", 1 << 30), "malformed", &both);
    check(&[&whole[..], &whole].concat(), "malformed", &both);
    check(
        &[b"more", &whole[..]].concat(),
        "not-verified",
        &["suffix-bytes"],
    );
    check(b"more", "absent", &["suffix-bytes"]);
}

#[test]
fn bundles_that_unpack_to_anything_are_refused() {
    let stage = Stage::new();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let zeros = vec![0; 64 << 20];
    for number in 0..33 {
        let options = zip::write::SimpleFileOptions::default();
        writer
            .start_file(format!("zeros{number}"), options)
            .unwrap();
        writer.write_all(&zeros).unwrap();
    }
    let answer = stage.verify(&writer.finish().unwrap().into_inner(), &[]);
    assert_eq!(answer.code, 3, "{answer:#?}");
    assert_eq!(answer.target()["reason"], "malformed");
}

#[test]
fn a_server_is_built_by_the_scripts_of_its_source() {
    let stage = Stage::new();
    let build = "const fs = require('fs'); fs.mkdirSync('dist'); \
                 fs.writeFileSync('dist/index.js', 'built();\\n');\n";
    let package = r#"{"name":"note-server","version":"1.2.0","scripts":{"build":"node build.js"}}"#;
    fs_err::write(stage.repository.join("package.json"), package).unwrap();
    fs_err::write(stage.repository.join("build.js"), build).unwrap();
    fs_err::write(stage.repository.join("package-lock.json"), r#"{"name":"note-server","version":"1.2.0","lockfileVersion":3,"packages":{"":{"name":"note-server","version":"1.2.0"}}}"#).unwrap();
    fs_err::write(stage.repository.join(".mcpbignore"), "notes/\nbuild.js\n").unwrap();
    tag(&stage.repository, "built");
    let bundle = |built: &str| -> Files {
        let mut files: Files = honest()
            .into_iter()
            .filter(|(path, _)| !path.starts_with("node_modules"))
            .collect();
        files[1].1 = package.to_owned();
        files.push(("dist/index.js".to_owned(), built.to_owned()));
        files
    };
    let answer = stage.verify(&zip(&bundle("built();\n")), &["--ref", "built"]);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
    assert_eq!(answer.target()["basis"], "rebuild");
    let answer = stage.verify(&zip(&bundle("evil();\n")), &["--ref", "built"]);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:#?}");
    assert_eq!(
        answer.differences(),
        [("dist/index.js", "changed", "executable")]
    );
    // What the build does not make is explained by nothing, and is never verified.
    let mut more = bundle("built();\n");
    more.push(("dist/more.js".to_owned(), "evil();\n".to_owned()));
    let answer = stage.verify(&zip(&more), &["--ref", "built"]);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "inconclusive"),
        "{answer:#?}"
    );
    assert_eq!(answer.target()["reason"], "not-built");
}

#[test]
fn what_the_source_builds_does_not_vouch_for_itself() {
    let stage = Stage::new();
    let package = |script: &str| {
        format!(r#"{{"name":"note-server","version":"1.2.0","scripts":{{"build":"{script}"}}}}"#)
    };
    let write = |path: &str, content: &str| {
        let path = stage.repository.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    };
    write(
        "package-lock.json",
        r#"{"name":"note-server","version":"1.2.0","lockfileVersion":3,"packages":{"":{"name":"note-server","version":"1.2.0"}}}"#,
    );
    write(".mcpbignore", "notes/\n.github/\nbuild.js\nharden.js\n");
    let check = |case: &str, script: &str, build: &str, outcome: (&str, &str), basis: &Value| {
        write("package.json", &package(script));
        write("build.js", build);
        tag(&stage.repository, case);
        let mut files: Files = honest()
            .into_iter()
            .filter(|(path, _)| !path.starts_with("node_modules"))
            .collect();
        files[1].1 = package(script);
        let answer = stage.verify(&zip(&files), &["--ref", case]);
        assert_eq!(answer.outcome(), outcome, "{case}: {answer:#?}");
        assert_eq!(&answer.target()["basis"], basis, "{case}: {answer:#?}");
        if outcome.0 == "inconclusive" {
            assert_eq!(
                answer.target()["reason"],
                "not-built",
                "{case}: {answer:#?}"
            );
        }
    };
    let writes =
        |content: &str| format!("require('fs').writeFileSync('server/index.js', {content:?});\n");
    let verified = ("verified", "equivalent");
    let open = ("inconclusive", "inconclusive");
    let build = "node build.js";
    check("same", build, &writes(SERVER), verified, &"rebuild".into());
    check(
        "other",
        build,
        &writes("other();\n"),
        ("failed", "different"),
        &"rebuild".into(),
    );
    check("broken", build, "process.exit(1);\n", open, &Value::Null);
    check("packs", "mcpb pack", "", verified, &"source-tree".into());
    // A program that the build makes and the bundle lacks.
    let adds = "require('fs').writeFileSync('server/more.js', '');\n";
    check("adds", build, adds, open, &Value::Null);
    // Steps of the workflow come before the script.
    let steps = "on: push\njobs:\n  publish:\n    runs-on: ubuntu-latest\n    steps:\n      - run: node harden.js\n      - run: npm run build\n      - run: npm publish\n";
    write(".github/workflows/publish.yml", steps);
    write(
        "harden.js",
        "require('fs').writeFileSync('notes/todo.md', 'hard');\n",
    );
    let built = "const fs = require('fs'); const hard = fs.readFileSync('notes/todo.md', 'utf8') === 'hard';\n\
                 fs.writeFileSync('server/index.js', hard ? 'hard();' : \"require('@fixture/dependency');\\n\");\n";
    check(
        "left-out",
        build,
        built,
        ("failed", "different"),
        &"rebuild".into(),
    );
    write("harden.js", "require('missing');\n");
    check("failed-step", build, built, open, &Value::Null);
}

#[test]
fn what_the_packer_leaves_out_has_no_business_in_a_bundle() {
    let stage = Stage::new();
    fs_err::write(stage.repository.join(".env"), "AUTH=off\n").unwrap();
    tag(&stage.repository, "settings");
    for (path, content, outcome) in [
        (".env", "AUTH=off\n", ("failed", "different")),
        ("notes/todo.md", "none", ("failed", "different")),
        (".mcpbignore", "notes/\n", ("verified", "equivalent")),
    ] {
        let mut files = honest();
        files.push((path.to_owned(), content.to_owned()));
        let answer = stage.verify(&zip(&files), &["--ref", "settings"]);
        assert_eq!(answer.outcome(), outcome, "{path}: {answer:#?}");
    }
}

#[test]
fn without_a_source_a_lockfile_or_a_registry_nothing_is_verified() {
    let stage = Stage::new();
    let bundle = stage.bundle(&zip(&honest()));
    let answer = stage.world.verify(&[bundle.to_str().unwrap()]);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "inconclusive"),
        "{answer:#?}"
    );
    assert_eq!(answer.target()["reason"], "no-source");

    fs_err::remove_file(stage.repository.join("package-lock.json")).unwrap();
    tag(&stage.repository, "unlocked");
    let answer = stage.verify(&zip(&honest()), &["--ref", "unlocked"]);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "equivalent"),
        "{answer:#?}"
    );
    assert_eq!(answer.target()["bundle"]["unlocked"], "npm");

    fs_err::write(
        stage.repository.join("package-lock.json"),
        r#"{"packages":{}}"#,
    )
    .unwrap();
    tag(&stage.repository, "locks-nothing");
    let answer = stage.verify(&zip(&honest()), &["--ref", "locks-nothing"]);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "equivalent"),
        "{answer:#?}"
    );
    assert_eq!(
        answer.findings().get("bundled-package-unlocked"),
        Some(&"medium")
    );

    let silent = "@fixture:registry=http://127.0.0.1:9/\n";
    fs_err::write(stage.world.path().join(".npmrc"), silent).unwrap();
    let answer = stage.verify(&zip(&honest()), &["--offline"]);
    assert_eq!(answer.outcome().0, "inconclusive", "{answer:#?}");
    assert_eq!(answer.target()["reason"], "unavailable");
    assert!(!answer.findings().contains_key("bundled-file-unattributed"));
}

#[test]
fn the_digest_of_the_registry_entry_is_asked_for() {
    let stage = Stage::new();
    let content = zip(&honest());
    let declare = |digest: &str| {
        let entry = json!({"name": "io.example/note-server", "packages": [
            {"registryType": "mcpb", "identifier": "https://x.invalid/note-server.mcpb", "fileSha256": digest},
        ]});
        let path = stage.world.path().join("server.json");
        fs_err::write(&path, entry.to_string()).unwrap();
        path
    };
    let right = format!("{:x}", sha2::Sha256::digest(&content));
    let entry = declare(&right);
    let answer = stage.verify(&content, &["--server-json", entry.to_str().unwrap()]);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
    let entry = declare(&"0".repeat(64));
    let answer = stage.verify(&content, &["--server-json", entry.to_str().unwrap()]);
    assert_eq!(
        answer.findings().get("integrity-mismatch"),
        Some(&"critical")
    );
    assert_eq!(answer.code, 1);
    fs_err::write(&entry, "{}").unwrap();
    let answer = stage.verify(&content, &["--server-json", entry.to_str().unwrap()]);
    assert_eq!(answer.code, 2, "{answer:#?}");
}

#[test]
fn two_bundles_are_compared_entry_by_entry() {
    let world = World::new();
    let (one, other) = (world.path().join("a.mcpb"), world.path().join("b.mcpb"));
    let compare = |first: &[u8], second: &[u8]| {
        fs_err::write(&one, first).unwrap();
        fs_err::write(&other, second).unwrap();
        let output = world.remint(&[
            "compare",
            one.to_str().unwrap(),
            other.to_str().unwrap(),
            "--format",
            "json",
        ]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), report)
    };
    let names = |report: &Value| -> Vec<String> {
        report["erasures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|erasure| erasure["normaliser"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut reordered = honest();
    reordered.reverse();
    let (code, report) = compare(&zip(&honest()), &zip(&reordered));
    assert_eq!(
        (code, names(&report)),
        (0, vec!["entry-order".to_owned()]),
        "{report:#}"
    );
    let signed = [&zip(&honest())[..], &block(b"signature", 9)].concat();
    let (code, report) = compare(&zip(&honest()), &signed);
    assert_eq!(
        (code, names(&report)),
        (0, vec!["bundle-signature".to_owned()]),
        "{report:#}"
    );
    let mut changed = honest();
    changed[2].1 = "evil();\n".to_owned();
    let (code, report) = compare(&zip(&honest()), &zip(&changed));
    assert_eq!(
        (code, &report["content"]),
        (1, &"different".into()),
        "{report:#}"
    );
    let (code, _) = compare(&zip(&honest()), &[&signed[..], b"more"].concat());
    assert_eq!(code, 1);
}

#[test]
fn a_version_that_is_written_at_release_is_no_difference() {
    let stage = Stage::new();
    let source = manifest(&starts_itself()).replace("1.2.0", "0.0.0");
    fs_err::write(stage.repository.join("manifest.json"), source).unwrap();
    tag(&stage.repository, "v1.3.0");
    let mut files = honest();
    files[0].1 = files[0].1.replace("1.2.0", "1.3.0");
    let answer = stage.verify(&zip(&files), &[]);
    assert_eq!(answer.outcome(), ("verified", "equivalent"), "{answer:#?}");
    assert_eq!(answer.target()["source"]["stamp"]["wanted"], "1.3.0");
    files[0].1 = files[0].1.replace("index.js", "other.js");
    let answer = stage.verify(&zip(&files), &[]);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:#?}");
}

#[test]
fn what_is_no_release_is_neither_attested_nor_signed() {
    let stage = Stage::new();
    let bundle = stage.bundle(&zip(&honest()));
    let bundle = bundle.to_str().unwrap();
    for command in [
        ["attest", bundle, "--key", "absent.key"],
        ["sign-release", bundle, "--key", "absent.key"],
    ] {
        let output = stage
            .world
            .remint(&[&command[..], &["--output", "out", "--source", "."]].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains("cannot be attested") || told.contains("cannot be signed"),
            "{told}"
        );
    }
}
