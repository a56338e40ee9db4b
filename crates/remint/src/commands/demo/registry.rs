//! A registry on the loopback interface with the demo's releases in it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read as _;
use std::sync::Arc;

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use remint_model::{Integrity, Sha512};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::publisher::Published;
use super::server;

/// A running registry; it ends when dropped.
pub(super) struct Registry {
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Registry {
    /// Its address, with a slash at the end.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the releases on a free port.
pub(super) async fn serve(releases: &[Published]) -> anyhow::Result<Registry> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("cannot listen on the loopback interface")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let mut answers: BTreeMap<String, (&'static str, Bytes)> = BTreeMap::new();
    let mut versions = serde_json::Map::new();
    let mut latest = Value::Null;
    for release in releases {
        let content = fs_err::read(&release.path)?;
        let mut manifest = manifest(&content)?;
        let path = format!("tarballs/postbox-{}.tgz", release.version);
        if let Some(manifest) = manifest.as_object_mut() {
            manifest.insert(
                "dist".to_owned(),
                json!({
                    "tarball": format!("{url}{path}"),
                    "integrity": Integrity::Sha512(Sha512::of(&content)).to_string(),
                }),
            );
        }
        versions.insert(release.version.clone(), manifest);
        latest = json!(release.version);
        answers.insert(path, ("application/octet-stream", content.into()));
    }
    let packument = json!({
        "name": server::NAME,
        "dist-tags": { "latest": latest },
        "versions": versions,
    });
    answers.insert(
        server::NAME.replace('/', "%2f"),
        ("application/json", packument.to_string().into()),
    );
    let answers = Arc::new(answers);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(&answers, &request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                // A client that goes away in the middle is its own affair.
                drop(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
    Ok(Registry { url, task })
}

fn answer(
    answers: &BTreeMap<String, (&'static str, Bytes)>,
    request: &Request<hyper::body::Incoming>,
) -> Response<Full<Bytes>> {
    let path = request
        .uri()
        .path()
        .trim_start_matches('/')
        .replace("%2F", "%2f");
    let path = path.replace("%40", "@");
    let mut response = Response::new(Full::default());
    match answers.get(&path) {
        Some((kind, content)) => {
            if let Ok(kind) = kind.parse() {
                response
                    .headers_mut()
                    .insert(hyper::header::CONTENT_TYPE, kind);
            }
            *response.body_mut() = Full::new(content.clone());
        }
        None => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

/// The manifest inside a tarball, as registries copy it into their metadata.
fn manifest(tarball: &[u8]) -> anyhow::Result<Value> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(tarball));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.to_str() == Some("package/package.json") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            return Ok(serde_json::from_str(&text)?);
        }
    }
    anyhow::bail!("the release has no manifest")
}
