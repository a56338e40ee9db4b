//! Container images of layouts and of a registry, honest and hostile, read through the binary.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::layout::{Image, digest, gzip, tar};
use crate::registry::{Registry, Release};
use crate::world::{Answer, World, commit};

const SERVER: &str = "require('@fixture/dependency');\n";
const CODE: &str = "module.exports = 1;\n";

fn package() -> String {
    json!({"name": "@fixture/dependency", "version": "1.0.0"}).to_string()
}

/// Base, then the server with its dependency.
fn layers() -> [Vec<u8>; 2] {
    let folder = "app/node_modules/@fixture/dependency";
    [
        tar(&[
            ("bin/sh", "#!shell"),
            ("etc/old", "old"),
            ("etc/kept", "kept"),
        ]),
        tar(&[
            ("etc/.wh.old", ""),
            (&format!("{folder}/package.json"), &package()),
            (&format!("{folder}/index.js"), CODE),
            ("app/server.js", SERVER),
            ("app/link -> server.js", ""),
        ]),
    ]
}

fn config() -> Value {
    json!({"Cmd": ["node", "/app/server.js"], "User": "node", "Env": ["PATH=/bin"]})
}

fn only(world: &World, image: &Image, more: &[&str]) -> Answer {
    let directory = tempfile::tempdir_in(world.path()).unwrap();
    let spec = image.lay_out(directory.path());
    let mut arguments = vec![&*spec];
    arguments.extend(more);
    world.verify(&arguments)
}

fn files(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer.target()["image"]["files"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer:#?}"))
        .iter()
        .map(|file| (text(&file["path"]), text(&file["origin"])))
        .collect()
}

#[test]
fn an_image_is_told_file_by_file_and_never_verified() {
    let world = World::new();
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in [
        ("package/package.json", &*package()),
        ("package/index.js", CODE),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_path(path).unwrap();
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    let registry = Registry::serve(&Release {
        name: "@fixture/dependency",
        version: "1.0.0",
        tarball: gzip(&builder.into_inner().unwrap()),
        repository: "https://git.invalid/dependency",
        extra: json!({}),
        declared: None,
        attestations: None,
        announced: &[],
    });
    fs_err::write(world.path().join(".npmrc"), registry.npmrc("@fixture")).unwrap();
    let repository = world.path().join("repository");
    fs_err::create_dir_all(&repository).unwrap();
    fs_err::write(repository.join("server.js"), SERVER).unwrap();
    fs_err::write(repository.join("Dockerfile"), "FROM scratch\n").unwrap();
    commit(&git2::Repository::init(&repository).unwrap(), "Release");
    let [base, own] = layers();
    let base_image = Image::of(std::slice::from_ref(&base), &json!({}));
    let base_directory = world.path().join("base");
    let base_spec = base_image.lay_out(&base_directory);
    let image = Image::of(&[base, own], &config());

    let more = [
        "--base",
        &*base_spec,
        "--source",
        repository.to_str().unwrap(),
        "--ref",
        "HEAD",
    ];
    let answer = only(&world, &image, &more);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "inconclusive"),
        "{answer:#?}"
    );
    assert_eq!(answer.code, 3);
    let target = answer.target();
    assert_eq!(target["reason"], "unsupported");
    let detail = target["detail"].as_str().unwrap();
    assert!(
        detail.contains("Dockerfile") && detail.contains("no builder"),
        "{detail}"
    );
    assert!(answer.findings().is_empty(), "{answer:#?}");
    let expect = [
        ("app/link", "link"),
        ("app/node_modules/@fixture/dependency/index.js", "package"),
        (
            "app/node_modules/@fixture/dependency/package.json",
            "package",
        ),
        ("app/server.js", "source"),
        ("bin/sh", "base"),
        ("etc/kept", "base"),
    ];
    let found = files(&answer);
    let found: Vec<(&str, &str)> = found.iter().map(|(one, two)| (&**one, &**two)).collect();
    assert_eq!(found, expect);
    let told = &target["image"];
    assert_eq!(
        told["manifest"],
        image.manifest.strip_prefix("sha256:").unwrap()
    );
    assert_eq!(told["layers"][1]["created_by"], "STEP 1");
    assert_eq!(told["layers"][0]["of_base"], true);
    assert_eq!(told["other_platforms"], json!(["linux/arm64"]));
    assert_eq!(told["base"]["state"], "found");

    // The same as one file, and without anything that names a base or a source.
    let archive = world.path().join("image.tar");
    let directory = world.path().join("layout");
    image.lay_out(&directory);
    let mut builder = tar::Builder::new(fs_err::File::create(&archive).unwrap());
    builder.append_dir_all(".", &directory).unwrap();
    builder.into_inner().unwrap();
    let answer = world.verify(&[archive.to_str().unwrap()]);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "inconclusive"),
        "{answer:#?}"
    );
    assert_eq!(answer.findings()["image-file-unattributed"], "low");
    assert!(files(&answer).contains(&("bin/sh".to_owned(), "unattributed".to_owned())));

    let output = world.remint(&["verify-build", archive.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "? inconclusive",
        "no builder of images",
        "layer 1",
        "STEP 1",
        "--base",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Nobody vouches for what was not built.
    let refused = world.remint(&[
        "attest",
        archive.to_str().unwrap(),
        "--key",
        "x.key",
        "--output",
        "out",
    ]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("images cannot be attested"));
}

#[test]
fn hostile_layers_are_refused_or_named() {
    let world = World::new();
    let check = |name: &str, layers: &[Vec<u8>], finding: &str, severity: &str| {
        let answer = only(&world, &Image::of(layers, &config()), &[]);
        assert_eq!(
            answer.findings().get(finding),
            Some(&severity),
            "{name}: {answer:#?}"
        );
        let failed = severity == "high";
        assert_eq!(
            answer.code,
            if failed { 1 } else { 3 },
            "{name}: {answer:#?}"
        );
        files(&answer)
    };
    let anomaly = "image-layer-anomaly";
    let found = check(
        "climbs",
        &[tar(&[("../../etc/passwd", "x")])],
        anomaly,
        "high",
    );
    assert!(found.is_empty());
    check("whiteout", &[tar(&[("a/.wh...", "")])], anomaly, "high");
    let attributes = |key: &str| {
        let record = format!("SCHILY.xattr.{key}=/evil\n");
        let length = record.len() + 3;
        let mut builder = tar::Builder::new(Vec::new());
        let mut append = |kind: tar::EntryType, name: &str, content: &str| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(content.len() as u64);
            header.set_path(name).unwrap();
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        };
        append(tar::EntryType::XHeader, "x", &format!("{length} {record}"));
        append(tar::EntryType::Regular, "app", "x");
        builder.into_inner().unwrap()
    };
    let redirect = attributes("trusted.overlay.redirect");
    check("redirect", &[redirect], anomaly, "high");
    let capability = attributes("security.capability");
    check("capability", &[capability], "image-setuid-file", "low");
    let honest = only(
        &world,
        &Image::of(&[attributes("user.comment")], &config()),
        &[],
    );
    assert_eq!(honest.findings().len(), 1, "{honest:#?}");
    assert_eq!(honest.findings()["image-file-unattributed"], "low");
    check(
        "hard link out",
        &[tar(&[("a = ../../x", "")])],
        anomaly,
        "high",
    );
    let found = check("absolute", &[tar(&[("/etc/passwd", "x")])], anomaly, "low");
    assert_eq!(found[0].0, "etc/passwd");
    let found = check(
        "hard link across layers",
        &[tar(&[("a", "x")]), tar(&[("b = a", "")])],
        anomaly,
        "low",
    );
    assert_eq!(found.len(), 2);
    let found = check(
        "below a link",
        &[tar(&[("a -> /etc", "")]), tar(&[("a/x", "y")])],
        anomaly,
        "medium",
    );
    assert_eq!(found.len(), 1);

    // Opaque directories hide what is below them.
    let opaque = Image::of(
        &[
            tar(&[("d/a", "x"), ("d/e/f", "x")]),
            tar(&[("d/.wh..wh..opq", ""), ("d/b", "y")]),
        ],
        &config(),
    );
    let answer = only(&world, &opaque, &[]);
    assert_eq!(
        files(&answer),
        [("d/b".to_owned(), "unattributed".to_owned())]
    );
    assert!(answer.findings().is_empty(), "{answer:#?}");

    let starts = |command: &[&str], severity: &str| {
        let config = json!({"Entrypoint": command, "User": "0", "Env": ["API_TOKEN=x"]});
        let answer = only(&world, &Image::of(&[tar(&[])], &config), &[]);
        let findings = answer.findings();
        assert_eq!(
            findings.get("image-runs-remote-code"),
            Some(&severity),
            "{answer:#?}"
        );
        assert_eq!(findings["image-runs-as-root"], "info");
        assert_eq!(findings["image-secret-in-environment"], "medium");
        assert_eq!(answer.code, if severity == "high" { 1 } else { 3 });
    };
    starts(&["npx", "-y", "some-server"], "high");
    starts(&["/usr/bin/tini", "--", "uvx", "some-server"], "high");
    starts(&["npx", "-y", "some-server@1.0.0"], "info");
}

#[test]
fn what_is_not_what_its_digest_says_is_refused() {
    let world = World::new();
    let unresolved = |name: &str, image: &Image, reason: &str, detail: &str| {
        let answer = only(&world, image, &[]);
        assert_eq!(answer.code, 3, "{name}: {answer:#?}");
        let target = answer.target();
        assert_eq!(target["reason"], reason, "{name}: {answer:#?}");
        let found = target["detail"].as_str().unwrap();
        assert!(found.contains(detail), "{name}: {found}");
    };
    let failed = |name: &str, image: &Image| {
        let answer = only(&world, image, &[]);
        assert_eq!(answer.code, 1, "{name}: {answer:#?}");
        assert_eq!(
            answer.findings()["integrity-mismatch"],
            "critical",
            "{name}"
        );
    };
    let honest = Image::of(&layers(), &config());
    let changed = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = honest.clone();
        change(&mut image.blobs[at].1);
        image
    };
    // 0 is the configuration, 1 and 2 the layers, 3 the manifest.
    failed("configuration", &changed(0, &|bytes| bytes.push(b' ')));
    failed("layer", &changed(1, &|bytes| bytes[4] ^= 1));
    failed("manifest", &changed(3, &|bytes| bytes[20] ^= 1));
    let [base, own] = layers();
    failed(
        "diff id",
        &Image::declaring(
            vec![gzip(&base), gzip(&own)],
            &[digest(&base), digest(&base)],
            &config(),
        ),
    );
    unresolved(
        "truncated layer",
        &changed(1, &|bytes| bytes.truncate(40)),
        "malformed",
        "no file of",
    );
    unresolved(
        "no layer for a diff id",
        &Image::declaring(vec![gzip(&base)], &[], &config()),
        "malformed",
        "0 layers",
    );
    unresolved(
        "no tar",
        &Image::declaring(vec![gzip(&[1; 600])], &[digest(&[1; 600])], &config()),
        "malformed",
        "layer 0",
    );
    let mut huge = honest.clone();
    huge.index = vec![b' '; 5 << 20];
    unresolved("huge index", &huge, "malformed", "larger than");
    let mut deep = honest.clone();
    deep.index = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    unresolved("deep index", &deep, "malformed", "cannot be parsed");
    let answer = only(&world, &honest, &["--platform", "linux/s390x"]);
    assert_eq!(answer.target()["reason"], "not-found", "{answer:#?}");
    let answer = world.verify(&["oci:./missing"]);
    assert_eq!(answer.code, 2, "{answer:#?}");
}

/// A gzip of far more zeros than are unpacked: one stream of stored repetitions, made without unpacking it.
#[test]
fn a_layer_that_unpacks_to_too_much_is_refused() {
    let world = World::new();
    // A header that promises more than any limit, and a few bytes.
    let mut header = tar::Header::new_gnu();
    header.set_path("bomb").unwrap();
    header.set_mode(0o644);
    header.set_size(1 << 50);
    header.set_cksum();
    let mut layer = header.as_bytes().to_vec();
    layer.extend(vec![0; 4096]);
    let image = Image::of(std::slice::from_ref(&layer), &config());
    let answer = only(&world, &image, &[]);
    assert_eq!(answer.target()["reason"], "malformed", "{answer:#?}");
    assert_eq!(answer.code, 3);
}

/// Serves an image at `/v2/fixture/server/` to whoever shows the token that `/token` gives.
fn serve(image: Image) -> String {
    let (address, listener) = listen();
    serve_at(listener, address.clone(), image);
    address
}

fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap().to_string(), listener)
}

fn serve_at(listener: TcpListener, host: String, image: Image) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or_default() <= 2 {
                    break;
                }
                lines.push(line.trim().to_owned());
            }
            let path = lines
                .first()
                .and_then(|line| line.split(' ').nth(1))
                .unwrap_or("/")
                .to_owned();
            let shown = lines
                .iter()
                .find_map(|line| line.strip_prefix("authorization: "))
                .unwrap_or_default();
            let blob = |name: &str| {
                let known = image.blobs.iter().find(|(known, _)| known == name);
                known.map(|(_, bytes)| bytes.clone())
            };
            let wanted = path.strip_prefix("/v2/fixture/server/");
            let (status, head, body) = if path.starts_with("/token?") {
                assert!(
                    path.contains("scope=repository%3Afixture%2Fserver%3Apull"),
                    "{path}"
                );
                let user = "Basic bWU6c2VjcmV0";
                assert_eq!(shown, user, "the user's own credential");
                (
                    "200 OK",
                    String::new(),
                    br#"{"token": "one-token"}"#.to_vec(),
                )
            } else if shown != "Bearer one-token" {
                let challenge = format!(
                    "WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"fixture\"\r\n"
                );
                ("401 Unauthorized", challenge, Vec::new())
            } else {
                let found = match wanted {
                    Some("manifests/v1") => Some(image.index.clone()),
                    Some(other) => other
                        .strip_prefix("manifests/")
                        .or_else(|| other.strip_prefix("blobs/"))
                        .and_then(blob),
                    None => None,
                };
                match found {
                    Some(found) => ("200 OK", String::new(), found),
                    None => ("404 Not Found", String::new(), Vec::new()),
                }
            };
            let head = format!(
                "HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // A client that went away has seen enough.
            let _gone = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
}

fn log_in(world: &World, host: &str) -> PathBuf {
    let settings = world.path().join(".docker");
    fs_err::create_dir_all(&settings).unwrap();
    let config = json!({"auths": {host: {"auth": "bWU6c2VjcmV0"}}});
    let path = settings.join("config.json");
    fs_err::write(&path, config.to_string()).unwrap();
    path
}

#[test]
fn an_image_of_a_registry_is_read_with_a_token_and_then_from_the_cache() {
    let home = tempfile::tempdir().unwrap();
    let world = World::with_cache(&home.path().join("cache"));
    // Of its own, for no cache may have it.
    let mut config = config();
    config["Labels"] = json!({"io.modelcontextprotocol.server.name": "io.github.fixture/server"});
    let image = Image::of(&[tar(&[("app/server.js", SERVER)])], &config);
    let host = serve(image.clone());
    log_in(&world, &host);
    let spec = format!("oci:{host}/fixture/server:v1");
    let answer = world.verify(&[&spec]);
    assert_eq!(
        answer.outcome(),
        ("inconclusive", "inconclusive"),
        "{answer:#?}"
    );
    let target = answer.target();
    let purl = target["target"].as_str().unwrap();
    assert!(purl.starts_with("pkg:oci/server@sha256"), "{purl}");
    assert!(purl.contains(image.manifest.strip_prefix("sha256:").unwrap()));
    assert!(purl.contains("fixture/server&tag=v1"), "{purl}");
    assert_eq!(
        target["image"]["index"],
        digest(&image.index).strip_prefix("sha256:").unwrap()
    );
    let notes = target["notes"].to_string();
    assert!(notes.contains("io.github.fixture/server"), "{notes}");

    let offline = world.verify(&[&spec, "--offline"]);
    assert_eq!(offline.target()["image"]["files"], target["image"]["files"]);
    let absent = world.verify(&[&format!("oci:{host}/fixture/server:v2")]);
    assert_eq!(absent.target()["reason"], "not-found", "{absent:#?}");
    let other = format!("oci:{host}/fixture/server@{}", digest(b"nothing"));
    assert_eq!(world.verify(&[&other]).target()["reason"], "not-found");
    let never = world.verify(&[&other, "--offline"]);
    assert_eq!(never.target()["reason"], "unavailable", "{never:#?}");
}

#[test]
fn a_registry_that_serves_something_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let world = World::with_cache(&home.path().join("cache"));
    let mut image = Image::of(&[tar(&[("a", "something else")])], &config());
    // Of the same length: a longer one would be too large.
    image.blobs[1].1[4] ^= 1;
    let host = serve(image);
    log_in(&world, &host);
    let answer = world.verify(&[&format!("oci:{host}/fixture/server:v1")]);
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert_eq!(answer.findings()["integrity-mismatch"], "critical");
    // The package URL means the same image.
    let purl = format!("pkg:oci/server?repository_url={host}/fixture/server&tag=v1");
    let again = world.verify(&[&purl]);
    assert_eq!(again.code, 1, "{again:#?}");
}

#[test]
fn a_label_cannot_name_a_base_that_is_all_of_the_image() {
    let home = tempfile::tempdir().unwrap();
    let world = World::with_cache(&home.path().join("cache"));
    let [base, own] = layers();
    let check = |base: &[Vec<u8>], layers: &[Vec<u8>], state: &str, sh: &str| {
        let base = Image::of(base, &json!({}));
        let (address, listener) = listen();
        let mut config = config();
        config["Labels"] = json!({
            "org.opencontainers.image.base.name": format!("{address}/fixture/server"),
            "org.opencontainers.image.base.digest": base.manifest,
        });
        let mut image = Image::of(layers, &config);
        image.blobs.extend(base.blobs);
        serve_at(listener, address.clone(), image);
        log_in(&world, &address);
        let answer = world.verify(&[&format!("oci:{address}/fixture/server:v1")]);
        let told = &answer.target()["image"];
        assert_eq!(told["base"]["state"], state, "{answer:#?}");
        assert!(
            files(&answer).contains(&("bin/sh".to_owned(), sh.to_owned())),
            "{answer:#?}"
        );
        answer
    };
    let both = [base.clone(), own.clone()];
    check(&[base], &both, "found", "base");
    let answer = check(&both, &both, "whole", "unattributed");
    let notes = answer.target()["notes"].to_string();
    assert!(notes.contains("counts as no base"), "{notes}");
    assert_eq!(answer.findings()["image-file-unattributed"], "low");
}

#[test]
fn what_the_image_starts_is_code_whatever_it_is_called() {
    let world = World::new();
    for (file, config) in [
        ("app/data", json!({"Cmd": ["node", "/app/data"]})),
        (
            "app/data",
            json!({"Entrypoint": ["node", "data"], "WorkingDir": "/app"}),
        ),
        ("app/x.JS", json!({})),
        ("app/x.pyz", json!({})),
        ("etc/ld.so.preload", json!({})),
    ] {
        let answer = only(&world, &Image::of(&[tar(&[(file, "x")])], &config), &[]);
        assert_eq!(
            answer.findings()["image-file-unattributed"],
            "low",
            "{file}: {answer:#?}"
        );
    }
}

#[test]
fn a_label_leads_to_no_place_that_is_not_public() {
    let world = World::new();
    // Whoever asks here at all is told.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2"] {
        let mut config = config();
        config["Labels"] = json!({
            "org.opencontainers.image.base.name": format!("{host}:{port}/fixture/base"),
            "org.opencontainers.image.base.digest": digest(b"base"),
        });
        let answer = only(&world, &Image::of(&layers(), &config), &[]);
        let base = &answer.target()["image"]["base"];
        assert_eq!(base["state"], "unread", "{host}: {answer:#?}");
        let detail = base["detail"].as_str().unwrap();
        assert!(detail.contains("no public address"), "{host}: {detail}");
    }
    assert!(listener.accept().is_err());
}

#[test]
fn an_archive_is_the_same_image_to_docker_load() {
    let world = World::new();
    let directory = tempfile::tempdir_in(world.path()).unwrap();
    let image = Image::of(&layers(), &config());
    image.lay_out(directory.path());
    let path = |at: usize| {
        let hex = image.blobs[at].0.strip_prefix("sha256:").unwrap();
        format!("blobs/sha256/{hex}")
    };
    let archive = world.path().join("image.tar");
    let check = |manifest: &Value, more: &[(&str, &str)]| {
        fs_err::write(directory.path().join("manifest.json"), manifest.to_string()).unwrap();
        let mut builder = tar::Builder::new(fs_err::File::create(&archive).unwrap());
        builder.append_dir_all(".", directory.path()).unwrap();
        for (name, content) in more {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            let field = &mut header.as_ustar_mut().unwrap().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap();
        let answer = world.verify(&[archive.to_str().unwrap()]);
        let target = answer.target();
        let text = |field: &str| target[field].as_str().unwrap_or_default().to_owned();
        (text("reason"), text("detail"))
    };
    // 0 is the configuration, 1 and 2 the layers.
    let loaded = |config: usize, layers: &[usize]| {
        let layers: Vec<String> = layers.iter().map(|at| path(*at)).collect();
        json!({"Config": path(config), "RepoTags": ["server:1"], "Layers": layers})
    };
    let honest = loaded(0, &[1, 2]);
    let (reason, detail) = check(&json!([honest]), &[]);
    assert_eq!(reason, "unsupported", "{detail}");
    for manifest in [
        json!([]),
        json!([loaded(0, &[2, 1])]),
        json!([loaded(0, &[1])]),
        json!([loaded(1, &[1, 2])]),
        json!([honest, loaded(0, &[2])]),
    ] {
        let (reason, detail) = check(&manifest, &[]);
        assert_eq!(reason, "malformed", "{manifest}");
        assert!(detail.contains("`docker load`"), "{detail}");
    }
    let index = String::from_utf8(image.index.clone()).unwrap();
    let (reason, detail) = check(&json!([honest]), &[("././index.json", &index)]);
    assert_eq!(reason, "malformed");
    assert!(detail.contains("is there twice"), "{detail}");
}

#[test]
fn a_base_that_nobody_else_vouches_for_excuses_nothing_that_the_image_starts() {
    let home = tempfile::tempdir().unwrap();
    let world = World::with_cache(&home.path().join("cache"));
    let below = layers();
    let tiny = tar(&[("etc/tiny", "")]);
    let base = Image::of(&below, &json!({}));
    let (address, listener) = listen();
    let mut config = config();
    config["Labels"] = json!({
        "org.opencontainers.image.base.name": format!("{address}/fixture/server"),
        "org.opencontainers.image.base.digest": base.manifest,
    });
    let mut image = Image::of(&[&below[..], &[tiny]].concat(), &config);
    image.blobs.extend(base.blobs);
    serve_at(listener, address.clone(), image);
    log_in(&world, &address);
    let spec = format!("oci:{address}/fixture/server:v1");
    let check = |more: &[&str], by: &str, server: &str| {
        let answer = world.verify(&[&[&*spec], more].concat());
        let told = &answer.target()["image"];
        assert_eq!(told["base"]["state"], "found", "{answer:#?}");
        assert_eq!(told["base"]["named_by"], by, "{answer:#?}");
        let found = files(&answer);
        for (path, origin) in [("app/server.js", server), ("bin/sh", "base")] {
            let file = (path.to_owned(), origin.to_owned());
            assert!(found.contains(&file), "{answer:#?}");
        }
        answer
    };
    let answer = check(&[], "label", "unattributed");
    assert_eq!(answer.findings()["image-file-unattributed"], "medium");
    let notes = answer.target()["notes"].to_string();
    assert!(notes.contains("nobody else vouches"), "{notes}");
    let named = format!("{address}/fixture/server@{}", base.manifest);
    let answer = check(&["--base", &named], "user", "base");
    assert!(answer.findings().is_empty(), "{answer:#?}");
}

#[test]
fn an_image_that_a_configuration_names_has_to_be_public() {
    let world = World::new();
    // Whoever asks here at all is told.
    let (address, listener) = listen();
    listener.set_nonblocking(true).unwrap();
    log_in(&world, &address);
    let path = world.path().join("mcp.json");
    let server =
        json!({"command": "docker", "args": ["run", format!("{address}/fixture/server:v1")]});
    fs_err::write(&path, json!({"mcpServers": {"box": server}}).to_string()).unwrap();
    let configuration = ["--config", path.to_str().unwrap()];
    let answer = world.verify(&configuration);
    let target = answer.target();
    assert_eq!(target["reason"], "unavailable", "{answer:#?}");
    let detail = target["detail"].as_str().unwrap();
    assert!(detail.contains("no public address"), "{detail}");
    assert!(listener.accept().is_err());

    // What the user names himself is his will, whoever else names it.
    listener.set_nonblocking(false).unwrap();
    let config = config();
    serve_at(listener, address.clone(), Image::of(&layers(), &config));
    let spec = format!("oci:{address}/fixture/server:v1");
    let answer = world.verify(&[&configuration[..], &[&*spec]].concat());
    assert_eq!(answer.target()["reason"], "unsupported", "{answer:#?}");
    assert_eq!(answer.target()["image"]["base"]["state"], "unnamed");
}
