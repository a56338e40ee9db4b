//! `verify-build` takes the word of others, where the user's policy says so, wherever they publish it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::registry::Registry;
use crate::served::{build, release, world};
use crate::tamper;
use crate::world::{Answer, World, commit};

const SPEC: &str = "npm:@fixture/note-server@1.0.0";

/// A user who trusts somebody, and a release.
struct User {
    world: World,
    tarball: Vec<u8>,
    _registry: Option<Registry>,
}

impl User {
    fn new() -> Self {
        let (world, repository) = world("", "v1.0.0");
        let tarball = build(&world, &repository);
        let mut user = Self {
            world,
            tarball,
            _registry: None,
        };
        user.serve(user.tarball.clone());
        user.succeed(&["key", "generate", "--output", "me"]);
        user.succeed(&["trust", "init", "trust.toml"]);
        user.succeed(&["trust", "add", "trust.toml", "--key", "me.pub"]);
        user
    }

    /// Has the registry serve this file.
    fn serve(&mut self, tarball: Vec<u8>) {
        let registry = Registry::serve(&release(tarball));
        fs_err::write(self.world.path().join(".npmrc"), registry.npmrc("@fixture")).unwrap();
        self._registry = Some(registry);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut program = self.world.program();
        program.env("REMINT_KEY_PASSWORD", "a passphrase");
        program.args(arguments).output().unwrap()
    }

    fn succeed(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn verify(&self, place: &str, more: &[&str]) -> Answer {
        let mut arguments = vec![SPEC, "--trust", "trust.toml", "--attestations", place];
        arguments.extend(more);
        self.world.verify(&arguments)
    }
}

fn basis(answer: &Answer) -> &Value {
    &answer.target()["basis"]
}

#[test]
fn what_somebody_trusted_has_attested_is_not_rebuilt() {
    let mut user = User::new();
    user.succeed(&["attest", SPEC, "--key", "me.key", "--output", "shelf"]);
    let shelf = user.world.path().join("shelf");

    let answer = user.verify("shelf", &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.outcome(), ("verified", "identical"));
    assert_eq!(basis(&answer), "attestation");
    assert!(answer.target()["build"].is_null(), "{answer:?}");
    let notes = answer.target()["notes"].to_string();
    assert!(notes.contains("attested by me"), "{notes}");

    let answer = user.verify("shelf", &["--rebuild", "always"]);
    assert_eq!(basis(&answer), "rebuild");

    // The same over HTTP, and from a git repository.
    let web = serve_files(&shelf);
    let answer = user.verify(&web, &["--rebuild", "never"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(basis(&answer), "attestation");

    let repository = git2::Repository::init(&shelf).unwrap();
    commit(&repository, "Attest");
    let config = user.world.path().join(".gitconfig");
    let public = "https://git.example.invalid/rebuilder/attestations";
    let rewrite = format!(
        "{}[url \"file://{}\"]\n\tinsteadOf = {public}\n",
        fs_err::read_to_string(&config).unwrap(),
        shelf.display()
    );
    fs_err::write(&config, rewrite).unwrap();
    let answer = user.verify(&format!("git+{public}"), &["--rebuild", "never"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(basis(&answer), "attestation");

    // From a registry of containers, where bundles refer to the file by its digest.
    let registry = serve_referrers(&user.tarball, &shelf);
    let answer = user.verify(&registry, &["--rebuild", "never"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(basis(&answer), "attestation");

    // Another file under the same name has no attestations, whatever there is of the honest one.
    let path = user.world.path().join("fixture-note-server-1.0.0.tgz");
    fs_err::write(&path, &user.tarball).unwrap();
    let tampered = tamper::tarball(&path, &user.world.path().join("tampered"), |entries| {
        tamper::replace(
            entries,
            "package/lib/answer.js",
            "      notes.push(",
            "      fetch(\"https://canary.invalid/\");\n      notes.push(",
        );
    });
    user.serve(fs_err::read(tampered).unwrap());
    let answer = user.verify("shelf", &["--rebuild", "never"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    let answer = user.verify("shelf", &[]);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(basis(&answer), "rebuild");

    // Once somebody trusted has found that, nobody needs to build it again.
    let attested = user.run(&["attest", SPEC, "--key", "me.key", "--output", "shelf"]);
    assert_eq!(attested.status.code(), Some(1), "{attested:?}");
    let answer = user.verify("shelf", &[]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(
        answer.findings().get("attested-failed"),
        Some(&"high"),
        "{answer:?}"
    );
    assert!(answer.target()["build"].is_null(), "{answer:?}");
}

#[test]
fn what_cannot_be_had_or_believed_is_rebuilt_or_stays_open() {
    let user = User::new();
    user.succeed(&["attest", SPEC, "--key", "me.key", "--output", "shelf"]);
    let never = ["--rebuild", "never"];

    // Nobody answers there.
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let answer = user.verify(&closed, &never);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(answer.target()["reason"], "unavailable", "{answer:?}");

    // A bundle that was changed, one that is missing, and an index that leads elsewhere.
    let folder = user
        .world
        .path()
        .join("shelf/npm/%40fixture%2Fnote-server/1.0.0");
    let folder = folder.join(
        fs_err::read_dir(&folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .file_name(),
    );
    let index = folder.join("index.json");
    let text = fs_err::read_to_string(&index).unwrap();
    let listed: Value = serde_json::from_str(&text).unwrap();
    let summary = listed["attestations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["kind"] == "summary")
        .unwrap();
    let path: PathBuf = folder.join(summary["path"].as_str().unwrap());
    let bundle = fs_err::read_to_string(&path).unwrap();
    fs_err::write(
        &path,
        bundle.replacen("\"payload\":\"e", "\"payload\":\"f", 1),
    )
    .unwrap();
    let answer = user.verify("shelf", &never);
    // The comparison beside it is authentic, and what was there may have said another thing.
    assert_eq!(answer.code, 3, "{answer:?}");
    let notes = answer.target()["notes"].to_string();
    assert!(
        notes.contains("is not the bundle that is listed"),
        "{notes}"
    );

    fs_err::remove_file(&path).unwrap();
    let answer = user.verify("shelf", &never);
    assert_eq!(answer.code, 3, "{answer:?}");
    let notes = answer.target()["notes"].to_string();
    assert!(notes.contains("is listed and not there"), "{notes}");

    fs_err::write(&index, text.replace("key-", "../../key-")).unwrap();
    let answer = user.verify("shelf", &never);
    assert_eq!(answer.code, 3, "{answer:?}");
    let notes = answer.target()["notes"].to_string();
    assert!(notes.contains("no path of an attestation"), "{notes}");
    let answer = user.verify("shelf", &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(basis(&answer), "source-tree");

    // What others say of their source answers nothing about the one that the user names.
    fs_err::write(&index, &text).unwrap();
    fs_err::write(&path, &bundle).unwrap();
    let answer = user.verify("shelf", &never);
    assert_eq!(answer.code, 0, "{answer:?}");
    let another = ["--ref", "v1.0.0", "--rebuild", "never"];
    let answer = user.verify("shelf", &another);
    assert_eq!(answer.code, 3, "{answer:?}");
    let detail = answer.target()["detail"].to_string();
    assert!(detail.contains("another question"), "{detail}");

    // Whoever trusts nobody rebuilds.
    let empty = user.world.path().join("empty.toml");
    fs_err::write(&empty, "format = \"remint.trust/v1\"\n").unwrap();
    let answer = user.world.verify(&[
        SPEC,
        "--trust",
        "empty.toml",
        "--attestations",
        "shelf",
        "--rebuild",
        "never",
    ]);
    assert_eq!(answer.code, 3, "{answer:?}");

    for wrong in [
        vec!["--rebuild", "never"],
        vec!["--trust", "trust.toml"],
        vec!["--trust", "none.toml", "--attestations", "shelf"],
        vec!["--trust", "trust.toml", "--attestations", "nowhere"],
    ] {
        let mut arguments = vec![SPEC];
        arguments.extend(&wrong);
        let answer = user.world.verify(&arguments);
        assert_eq!(answer.code, 2, "{wrong:?}: {answer:?}");
    }
}

/// Serves a directory as static files until the test ends.
fn serve_files(root: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let root = root.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let root = root.clone();
            std::thread::spawn(move || send_file(stream.unwrap(), &root));
        }
    });
    url
}

fn send_file(mut stream: TcpStream, root: &Path) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = first
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    // As every static server does, once.
    let path = percent_decoded(path);
    let (status, content) = match fs_err::read(root.join(path)) {
        Ok(content) => ("200 OK", content),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    // A client that went away has seen enough.
    let _gone = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&content));
}

fn percent_decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(2);
        decoded.push(char::from(u8::from_str_radix(code, 16).unwrap()));
        decoded.push_str(rest);
    }
    decoded
}

/// Serves the summaries below a directory as an OCI registry would that wants to be shown a token and keeps its blobs
/// elsewhere.
fn serve_referrers(artifact: &[u8], shelf: &Path) -> String {
    let hex = |bytes: &[u8]| remint_model::Sha256::of(bytes).to_string();
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let mut files = BTreeMap::new();
    let mut manifests = Vec::new();
    for path in crate::attest::files(shelf) {
        if !path.to_str().unwrap().ends_with(".summary.sigstore.json") {
            continue;
        }
        let bundle = fs_err::read(path).unwrap();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": kind,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": format!("sha256:{}", hex(b"{}")), "size": 2 },
            "layers": [{ "mediaType": kind, "digest": format!("sha256:{}", hex(&bundle)), "size": bundle.len() }],
            "subject": { "mediaType": "application/octet-stream", "digest": format!("sha256:{}", hex(artifact)), "size": artifact.len() },
        })
        .to_string()
        .into_bytes();
        manifests.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": kind,
            "digest": format!("sha256:{}", hex(&manifest)),
            "size": manifest.len(),
        }));
        files.insert(
            format!("/v2/me/shelf/manifests/sha256:{}", hex(&manifest)),
            manifest,
        );
        files.insert(format!("/elsewhere/sha256:{}", hex(&bundle)), bundle);
    }
    let index = json!({ "schemaVersion": 2, "manifests": manifests }).to_string();
    files.insert(
        format!("/v2/me/shelf/referrers/sha256:{}", hex(artifact)),
        index.into_bytes(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let named = host.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
            let shown = head
                .to_ascii_lowercase()
                .contains("authorization: bearer everybody");
            let (status, more, content) = if path.starts_with("/token?") {
                let wanted = path.contains("scope=repository%3Ame%2Fshelf%3Apull");
                assert!(wanted && !shown, "{head}");
                (
                    "200 OK",
                    String::new(),
                    b"{\"token\":\"everybody\"}".to_vec(),
                )
            } else if let Some(digest) = path.strip_prefix("/v2/me/shelf/blobs/") {
                let location = format!("Location: /elsewhere/{digest}\r\n");
                ("307 Temporary Redirect", location, Vec::new())
            } else if path.starts_with("/v2/") && !shown {
                let challenge = format!(
                    "WWW-Authenticate: Bearer realm=\"http://{named}/token\",service=\"{named}\"\r\n"
                );
                ("401 Unauthorized", challenge, Vec::new())
            } else {
                match files.get(&path) {
                    Some(content) => ("200 OK", String::new(), content.clone()),
                    None => ("404 Not Found", String::new(), Vec::new()),
                }
            };
            let head = format!(
                "HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n",
                content.len()
            );
            // A client that went away has seen enough.
            let _gone = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&content));
        }
    });
    format!("oci://{host}/me/shelf")
}
