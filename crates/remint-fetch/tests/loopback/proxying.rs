//! The proxy as a client inside a build meets it.

use std::path::Path;
use std::sync::Arc;

use remint_fetch::{Proxy, ProxyRules, Registries, Tokens, UserConfiguration, Withheld};
use remint_model::{Ecosystem, Integrity, Lock, LockedFetch, PackageName, Sha256, Sha512, Target};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::{Reply, Server, user};

/// A proxy on the loopback interface, and a client that knows no other way out.
pub(crate) struct Inside {
    pub(crate) proxy: Proxy,
    client: Client,
}

impl Inside {
    fn new(user: &UserConfiguration, lock: &Lock, tokens: Tokens) -> Self {
        Self::with_budget(user, lock, tokens, u64::MAX)
    }

    fn with_budget(user: &UserConfiguration, lock: &Lock, tokens: Tokens, budget: u64) -> Self {
        Self::rebuilding(Ecosystem::Npm, user, lock, tokens, budget)
    }

    /// Inside a build of version 1.0.0 of `published`.
    pub(crate) fn rebuilding(
        ecosystem: Ecosystem,
        user: &UserConfiguration,
        lock: &Lock,
        tokens: Tokens,
        budget: u64,
    ) -> Self {
        let withheld = Withheld {
            target: Target {
                ecosystem,
                name: PackageName::parse(ecosystem, "published").unwrap(),
                version: "1.0.0".parse().unwrap(),
                file: None,
            },
            sha256: Sha256::of(b"published"),
            sha512: Sha512::of(b"published"),
            size: 9,
        };
        let rules = ProxyRules {
            lock,
            withheld: Some(withheld),
            tokens,
            budget,
        };
        let registries = Arc::new(Registries::new(user).unwrap());
        let proxy = Proxy::start(registries, &rules).unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        proxy.serve(listener).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let authority = {
            use rustls::pki_types::pem::PemObject as _;
            rustls::pki_types::CertificateDer::from_pem_slice(proxy.ca_pem().as_bytes()).unwrap()
        };
        roots.add(authority).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .proxy(reqwest::Proxy::all(address).unwrap())
            .build()
            .unwrap();
        Self { proxy, client }
    }

    pub(crate) async fn get(&self, url: &str) -> Response {
        self.client.get(url).send().await.unwrap()
    }

    async fn json(&self, url: &str, accept: &str) -> Value {
        let response = self
            .client
            .get(url)
            .header("accept", accept)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// Whether no connection to that host is made at all.
    pub(crate) async fn client_get_fails(&self, url: &str) -> bool {
        self.client.get(url).send().await.is_err()
    }

    pub(crate) fn refused(&self) -> Vec<(String, String)> {
        let refused = self.proxy.record().refused;
        refused
            .into_iter()
            .map(|entry| (entry.url, entry.reason))
            .collect()
    }
}

fn pair(url: &str, reason: &str) -> (String, String) {
    (url.to_owned(), reason.to_owned())
}

fn locked(fetches: Vec<LockedFetch>) -> Lock {
    Lock::Locked {
        file: "package-lock.json".parse().unwrap(),
        fetches,
    }
}

fn fetch(name: &str, url: Option<&str>, content: Option<&[u8]>) -> LockedFetch {
    LockedFetch {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        url: url.map(str::to_owned),
        integrity: content.map(|content| Integrity::Sha512(Sha512::of(content))),
    }
}

fn packument(server: &Server, name: &str, versions: &[(&str, &str)]) -> Reply {
    let documents: serde_json::Map<String, Value> = versions
        .iter()
        .map(|(version, _)| {
            let dist =
                json!({"tarball": server.url(&format!("npm/{name}/-/{name}-{version}.tgz"))});
            let document = json!({"name": name, "version": version, "readme": "x", "dist": dist});
            ((*version).to_owned(), document)
        })
        .collect();
    let mut times: serde_json::Map<String, Value> = versions
        .iter()
        .map(|(version, time)| ((*version).to_owned(), json!(time)))
        .collect();
    let (latest, _) = versions.last().unwrap();
    times.insert("created".to_owned(), json!(versions.first().unwrap().1));
    Reply::json(
        &json!({"name": name, "versions": documents, "time": times, "dist-tags": {"latest": latest}}),
    )
}

fn place() -> (tempfile::TempDir, Server) {
    (tempfile::tempdir().unwrap(), Server::start())
}

fn anything() -> Lock {
    Lock::AsOf { time: None }
}

#[tokio::test]
async fn what_the_lockfile_lists_passes_and_is_recorded() {
    let (place, server) = place();
    let lock = locked(vec![fetch(
        "a",
        Some("https://registry.npmjs.org/a/-/a-1.0.0.tgz"),
        Some(b"content"),
    )]);
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"content"));
    let inside = Inside::new(&user(place.path(), &server), &lock, Tokens::AsConfigured);
    let url = "https://registry.npmjs.org/a/-/a-1.0.0.tgz";
    for _ in 0..2 {
        let response = inside.get(&format!("{url}?token=x")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.bytes().await.unwrap(), "content");
    }
    // Plain http and another public mirror mean the same file.
    for url in [
        "http://registry.npmjs.org/a/-/a-1.0.0.tgz",
        "https://registry.yarnpkg.com/a/-/a-1.0.0.tgz",
    ] {
        assert_eq!(inside.get(url).await.bytes().await.unwrap(), "content");
    }
    assert_eq!(server.count("npm/a/-/a-1.0.0.tgz"), 1);
    let record = inside.proxy.finish();
    let [fetched] = record.fetched.as_slice() else {
        panic!("{record:?}");
    };
    assert_eq!(
        (fetched.url.as_str(), fetched.sha256, fetched.size),
        (url, Sha256::of(b"content"), 7)
    );
    assert!(record.refused.is_empty() && !record.consumed_published);
}

#[tokio::test]
async fn everything_else_is_refused_for_its_reason() {
    let (place, server) = place();
    let lock = locked(vec![fetch("a", None, Some(b"content"))]);
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"tampered"));
    server.set("npm/b/-/b-1.0.0.tgz", Reply::file(b"content"));
    let inside = Inside::new(&user(place.path(), &server), &lock, Tokens::AsConfigured);
    for url in [
        "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
        "https://registry.npmjs.org/b/-/b-1.0.0.tgz",
        "https://registry.npmjs.org/b",
        "http://169.254.169.254/latest/meta-data",
    ] {
        let response = inside.get(url).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{url}");
        assert!(!response.text().await.unwrap().contains("tampered"));
    }
    // Not even a connection.
    assert!(
        inside
            .client
            .get("https://github.com/x")
            .send()
            .await
            .is_err()
    );
    for method in [reqwest::Method::PUT, reqwest::Method::POST] {
        let url = "https://registry.npmjs.org/a";
        let response = inside.client.request(method, url).body("x").send().await;
        assert_eq!(response.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    let audit = "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk";
    let response = inside.client.post(audit).body("{}").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let mut expect = vec![
        pair(
            "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
            "digest-mismatch",
        ),
        pair(
            "https://registry.npmjs.org/b/-/b-1.0.0.tgz",
            "not-in-lockfile",
        ),
        pair("https://registry.npmjs.org/b", "not-in-lockfile"),
        pair("http://169.254.169.254/latest/meta-data", "not-a-registry"),
        pair("https://github.com/", "not-a-registry"),
        pair("https://registry.npmjs.org/a", "method"),
        pair(audit, "audit"),
    ];
    expect.sort();
    assert_eq!(inside.refused(), expect);
    assert!(inside.proxy.record().fetched.is_empty());
    assert_eq!(server.count("npm/b/-/b-1.0.0.tgz"), 0);
}

#[tokio::test]
async fn the_published_file_is_never_handed_out() {
    let (place, server) = place();
    let inside = Inside::new(
        &user(place.path(), &server),
        &anything(),
        Tokens::AsConfigured,
    );
    server.set(
        "npm/published",
        packument(
            &server,
            "published",
            &[
                ("0.9.0", "2024-01-01T00:00:00Z"),
                ("1.0.0", "2024-02-01T00:00:00Z"),
            ],
        ),
    );
    // Its metadata does not show it, and asking for that is nothing to report.
    let document = inside
        .json("https://registry.npmjs.org/published", "application/json")
        .await;
    assert_eq!(document["dist-tags"], json!({"latest": "0.9.0"}));
    assert_eq!(document["versions"].as_object().unwrap().len(), 1);
    assert!(!inside.proxy.record().consumed_published);
    // By name and version, without asking the registry; by content, under another name.
    server.set("npm/other/-/other-1.0.0.tgz", Reply::file(b"published"));
    for name in ["published", "other"] {
        let url = format!("https://registry.npmjs.org/{name}/-/{name}-1.0.0.tgz");
        let response = inside.get(&url).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_ne!(response.bytes().await.unwrap(), "published");
        assert!(inside.refused().contains(&pair(&url, "published-file")));
    }
    assert_eq!(server.count("npm/published/-/published-1.0.0.tgz"), 0);
    assert!(inside.proxy.finish().consumed_published);
}

#[tokio::test]
async fn metadata_shows_the_state_at_the_release() {
    let (place, server) = place();
    // 2024-06-01
    let lock = Lock::AsOf {
        time: Some(1_717_200_000),
    };
    let inside = Inside::new(&user(place.path(), &server), &lock, Tokens::AsConfigured);
    server.set(
        "npm/a",
        packument(
            &server,
            "a",
            &[
                ("1.0.0", "2024-01-01T00:00:00Z"),
                ("1.1.0", "2024-05-01T00:00:00Z"),
                ("2.0.0", "2024-07-01T00:00:00Z"),
            ],
        ),
    );
    // Nothing was out in time: the times are those of a mirror, and tell nothing.
    server.set(
        "npm/late",
        packument(&server, "late", &[("1.0.0", "2025-01-01T00:00:00Z")]),
    );
    let abbreviated = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
    let versions = |document: &Value| -> Vec<String> {
        document["versions"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let document = inside
        .json("https://registry.npmjs.org/a", abbreviated)
        .await;
    assert_eq!(versions(&document), ["1.0.0", "1.1.0"]);
    assert_eq!(document["dist-tags"]["latest"], "1.1.0");
    assert_eq!(document["versions"]["1.0.0"].get("readme"), None);
    assert_eq!(
        document["versions"]["1.0.0"]["dist"]["tarball"],
        "https://registry.npmjs.org/a/-/a-1.0.0.tgz"
    );
    let document = inside
        .json("https://registry.npmjs.org/late", abbreviated)
        .await;
    assert_eq!(versions(&document), ["1.0.0"]);
    let document = inside
        .json("https://registry.npmjs.org/a/latest", "application/json")
        .await;
    assert_eq!(document["version"], "1.1.0");

    let file = |version: &str, time: &str| {
        json!({"filename": format!("mcp_x-{version}.tar.gz"), "url": server.url(&format!("f/mcp_x-{version}.tar.gz")),
            "hashes": {}, "upload-time": time})
    };
    let page = json!({"meta": {"api-version": "1.1"}, "name": "mcp-x", "versions": ["1.0", "2.0"],
        "files": [file("1.0", "2024-01-01T00:00:00Z"), file("2.0", "2024-07-01T00:00:00Z")]});
    let body = serde_json::to_vec(&page).unwrap();
    server.set(
        "simple/mcp-x/",
        Reply::Content("application/vnd.pypi.simple.v1+json", body),
    );
    server.set("f/mcp_x-1.0.tar.gz", Reply::file(b"sdist"));
    let document = inside
        .json(
            "https://pypi.org/simple/mcp-x/",
            "application/vnd.pypi.simple.v1+json",
        )
        .await;
    assert_eq!(document["versions"], json!(["1.0"]));
    assert_eq!(document["files"].as_array().unwrap().len(), 1);
    let url = document["files"][0]["url"].as_str().unwrap();
    assert_eq!(
        url,
        "https://files.pythonhosted.org/packages/by-name/mcp-x/mcp_x-1.0.tar.gz"
    );
    assert_eq!(inside.get(url).await.bytes().await.unwrap(), "sdist");
    let html = inside.get("https://pypi.org/simple/mcp_X/").await;
    let html = html.text().await.unwrap();
    assert!(
        html.contains("mcp_x-1.0.tar.gz</a>") && !html.contains("2.0"),
        "{html}"
    );
}

#[tokio::test]
async fn gone_and_unavailable_files_are_told_apart() {
    let (place, server) = place();
    let inside = Inside::new(
        &user(place.path(), &server),
        &anything(),
        Tokens::AsConfigured,
    );
    server.set("npm/b/-/b-1.0.0.tgz", Reply::Status(503));
    let gone = "https://registry.npmjs.org/a/-/a-1.0.0.tgz";
    let unavailable = "https://registry.npmjs.org/b/-/b-1.0.0.tgz";
    assert_eq!(inside.get(gone).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        inside.get(unavailable).await.status(),
        StatusCode::FORBIDDEN
    );
    let record = inside.proxy.finish();
    assert_eq!(record.gone, [gone]);
    let [entry] = record.unavailable.as_slice() else {
        panic!("{record:?}");
    };
    assert!(
        entry.starts_with(unavailable) && entry.contains("503"),
        "{entry}"
    );
}

#[tokio::test]
async fn credentials_are_added_outside_and_only_where_allowed() {
    let (place, server) = place();
    let mut user = user(place.path(), &server);
    user.variables.insert(
        format!("npm_config_//127.0.0.1:{}/npm/:_authToken", server.port),
        "secret".to_owned(),
    );
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"content"));
    let url = "https://registry.npmjs.org/a/-/a-1.0.0.tgz";
    let send = async |place: &Path, tokens: Tokens| {
        let mut user = user.clone();
        user.cache = place.to_owned();
        let inside = Inside::new(&user, &anything(), tokens);
        let request = inside
            .client
            .get(url)
            .header("authorization", "Bearer inside");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        let seen = server.seen();
        seen.last().unwrap().headers.get("authorization").cloned()
    };
    let with = send(&place.path().join("one"), Tokens::AsConfigured).await;
    assert_eq!(with.as_deref(), Some("Bearer secret"));
    let without = send(&place.path().join("two"), Tokens::Never).await;
    assert_eq!(without, None);
}

#[tokio::test]
async fn parts_of_files_are_served() {
    let (place, server) = place();
    let inside = Inside::new(
        &user(place.path(), &server),
        &anything(),
        Tokens::AsConfigured,
    );
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"0123456789"));
    let url = "https://registry.npmjs.org/a/-/a-1.0.0.tgz";
    let part = async |range: &str| {
        let request = inside.client.get(url).header("range", range);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(part("bytes=2-4").await, (206, "234".to_owned()));
    assert_eq!(part("bytes=-2").await, (206, "89".to_owned()));
    assert_eq!(part("bytes=10-").await.0, 416);
    let response = inside.client.head(url).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], "10");
    let [fetched] = inside.proxy.finish().fetched.try_into().unwrap();
    assert_eq!(fetched.size, 10);
}

#[tokio::test]
async fn a_build_gets_no_more_than_its_budget() {
    let (place, server) = place();
    let user = user(place.path(), &server);
    let url = |name: &str| format!("https://registry.npmjs.org/{name}/-/{name}-1.0.0.tgz");
    for name in ["a", "b", "c", "d"] {
        let content = name.repeat(400);
        let reply = Reply::file(content.as_bytes());
        server.set(&format!("npm/{name}/-/{name}-1.0.0.tgz"), reply);
    }
    server.set(
        "npm/a",
        packument(&server, "a", &[("1.0.0", "2024-01-01T00:00:00Z")]),
    );
    let with_budget =
        |budget| Inside::with_budget(&user, &anything(), Tokens::AsConfigured, budget);

    let inside = with_budget(1000);
    // The same file again and again is one file.
    for name in ["a", "b", "a", "b", "a"] {
        assert_eq!(inside.get(&url(name)).await.status(), StatusCode::OK);
    }
    assert_eq!(inside.proxy.record().over_budget, None);
    let response = inside.get(&url("c")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        response.text().await.unwrap(),
        "refused by remint: over-budget\n"
    );
    // From then on nothing more: neither what would still fit, nor what it had.
    for url in [url("a"), "https://registry.npmjs.org/a".to_owned()] {
        assert_eq!(inside.get(&url).await.status(), StatusCode::FORBIDDEN);
    }
    let record = inside.proxy.finish();
    assert_eq!(record.over_budget, Some(1000));
    assert_eq!(record.fetched.len(), 2);
    assert!(record.unavailable.is_empty() && record.gone.is_empty());
    assert!(
        record
            .refused
            .iter()
            .all(|entry| entry.reason == "over-budget")
    );

    // Metadata counts, and so does what is in the cache already.
    let inside = with_budget(1000);
    assert_eq!(
        inside.get("https://registry.npmjs.org/a").await.status(),
        StatusCode::OK
    );
    let spent = inside
        .proxy
        .record()
        .fetched
        .iter()
        .map(|entry| entry.size)
        .sum::<u64>();
    let inside = with_budget(spent + 799);
    for (url, status) in [
        ("https://registry.npmjs.org/a".to_owned(), StatusCode::OK),
        (url("a"), StatusCode::OK),
        (url("b"), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(inside.get(&url).await.status(), status, "{url}");
    }

    // A file without end is broken off on the way.
    server.set("npm/e/-/e-1.0.0.tgz", Reply::Endless);
    let inside = with_budget(8 << 20);
    assert_eq!(inside.get(&url("e")).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(inside.refused(), [pair(&url("e"), "over-budget")]);
    assert_eq!(inside.proxy.finish().over_budget, Some(8 << 20));
}

#[tokio::test]
async fn a_finished_proxy_serves_nobody() {
    let (place, server) = place();
    let inside = Inside::new(
        &user(place.path(), &server),
        &anything(),
        Tokens::AsConfigured,
    );
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"content"));
    let url = "https://registry.npmjs.org/a/-/a-1.0.0.tgz";
    // Leaves a tunnel open.
    assert_eq!(inside.get(url).await.bytes().await.unwrap(), "content");
    let Inside { proxy, client } = inside;
    drop(proxy.finish());
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(client.get(url).send().await.is_err());
}

#[tokio::test]
async fn nothing_may_be_fetched_where_nothing_is_installed() {
    let (place, server) = place();
    let inside = Inside::new(
        &user(place.path(), &server),
        &Lock::Nothing,
        Tokens::AsConfigured,
    );
    for url in ["https://registry.npmjs.org/a", "https://pypi.org/simple/a/"] {
        assert_eq!(inside.get(url).await.status(), StatusCode::FORBIDDEN);
        assert!(inside.refused().contains(&pair(url, "not-in-lockfile")));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_tunnel_without_tls_is_served_as_well() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let (place, server) = place();
    server.set("npm/a/-/a-1.0.0.tgz", Reply::file(b"content"));
    let registries = Arc::new(Registries::new(&user(place.path(), &server)).unwrap());
    let lock = anything();
    let rules = ProxyRules {
        lock: &lock,
        withheld: None,
        tokens: Tokens::AsConfigured,
        budget: u64::MAX,
    };
    let proxy = Proxy::start(registries, &rules).unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    proxy.serve(listener).unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let host = "registry.npmjs.org";
    let connect = format!("CONNECT {host}:80 HTTP/1.1\r\nHost: {host}:80\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let count = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..count].starts_with(b"HTTP/1.1 200"));
    let request =
        format!("GET /a/-/a-1.0.0.tgz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.ends_with(b"content"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    // A request for another host than the tunnel's is not served.
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(connect.as_bytes()).await.unwrap();
    let count = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..count].starts_with(b"HTTP/1.1 200"));
    let request = "GET /a HTTP/1.1\r\nHost: pypi.org\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 421"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}
