//! A registry on the loopback interface that serves what a test puts into it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::Digest as _;

pub(crate) struct Registry {
    url: String,
}

/// One release as the registry describes it.
pub(crate) struct Release<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) tarball: Vec<u8>,
    pub(crate) repository: &'a str,
    /// Further fields of the version's metadata.
    pub(crate) extra: Value,
    /// What the registry declares instead of the true digest.
    pub(crate) declared: Option<Vec<u8>>,
    /// What the registry answers when it is asked for provenance.
    pub(crate) attestations: Option<String>,
    /// Versions, this one or earlier ones, that the metadata says were published with provenance.
    pub(crate) announced: &'a [&'a str],
}

impl Registry {
    /// Serves a release until the test ends.
    pub(crate) fn serve(release: &Release<'_>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let unscoped = release.name.rsplit('/').next().unwrap();
        let path = format!("{}/-/{unscoped}-{}.tgz", release.name, release.version);
        let declared = release.declared.as_ref().unwrap_or(&release.tarball);
        let digest =
            base64::engine::general_purpose::STANDARD.encode(sha2::Sha512::digest(declared));
        let mut manifest = json!({
            "name": release.name,
            "version": release.version,
            "repository": { "type": "git", "url": release.repository },
            "dist": { "tarball": format!("{url}{path}"), "integrity": format!("sha512-{digest}") },
        });
        for (key, value) in release.extra.as_object().unwrap() {
            manifest[key] = value.clone();
        }
        let mut versions = json!({ release.version: manifest });
        for version in release.announced {
            let mut manifest = versions[release.version].clone();
            manifest["version"] = (*version).into();
            manifest["dist"]["attestations"] = json!({
                "url": format!("{url}-/npm/v1/attestations/{}@{version}", release.name),
                "provenance": { "predicateType": "https://slsa.dev/provenance/v1" },
            });
            versions[version] = manifest;
        }
        let packument = json!({
            "name": release.name,
            "dist-tags": { "latest": release.version },
            "versions": versions,
        });
        let mut files: BTreeMap<String, Vec<u8>> = [
            (
                format!("/{}", release.name),
                packument.to_string().into_bytes(),
            ),
            (format!("/{path}"), release.tarball.clone()),
        ]
        .into();
        if let Some(attestations) = &release.attestations {
            let place = format!(
                "/-/npm/v1/attestations/{}@{}",
                release.name, release.version
            );
            files.insert(place, attestations.clone().into_bytes());
        }
        serve(listener, files);
        Self { url }
    }

    /// Serves these files until the test ends, as a Python index below `simple/` for instance.
    pub(crate) fn of_files(files: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let files = files
            .iter()
            .map(|(path, content)| (format!("/{path}"), content.clone().into_bytes()))
            .collect();
        serve(listener, files);
        Self { url }
    }

    /// The same for files that are no text.
    pub(crate) fn of_bytes(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let files = files
            .into_iter()
            .map(|(path, content)| (format!("/{path}"), content))
            .collect();
        serve(listener, files);
        Self { url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The user's settings for a scope.
    pub(crate) fn npmrc(&self, scope: &str) -> String {
        format!("{scope}:registry={}\n", self.url)
    }
}

fn serve(listener: TcpListener, files: BTreeMap<String, Vec<u8>>) {
    let files = Arc::new(files);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let files = Arc::clone(&files);
            std::thread::spawn(move || answer(stream.unwrap(), &files));
        }
    });
}

/// One request a connection.
fn answer(mut stream: TcpStream, files: &BTreeMap<String, Vec<u8>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let path = path
        .replace("%2f", "/")
        .replace("%2F", "/")
        .replace("%40", "@");
    let (status, content): (_, &[u8]) = match files.get(&path) {
        Some(content) => ("200 OK", content),
        None => ("404 Not Found", b""),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    // A client that went away has seen enough.
    let _gone = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(content));
}
