//! What keyless signing needs from elsewhere: the identity of a job, services, and the trusted root by TUF.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use remint_fetch::signing_identity::{IdentityError, ambient};
use remint_fetch::trusted_root::{TrustRepository, TrustUpdateError};
use remint_fetch::{FetchError, ServiceClient, ServicePost, UserConfiguration};
use remint_model::Sha256;
use serde_json::{Value, json};
use sigstore_crypto::KeyPair;

use crate::server::{Reply, Server};

fn user(directory: &tempfile::TempDir, variables: &[(&str, &str)]) -> UserConfiguration {
    UserConfiguration {
        home: None,
        directory: directory.path().to_owned(),
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        cache: directory.path().join("cache"),
        offline: false,
    }
}

async fn identity(variables: &[(&str, &str)]) -> Result<Option<String>, IdentityError> {
    let directory = tempfile::tempdir().unwrap();
    let user = user(&directory, variables);
    let client = ServiceClient::new(&user).unwrap();
    ambient(&user, &client).await
}

#[tokio::test]
async fn a_job_has_its_own_identity_and_nobody_else_has_one() {
    let server = Server::start();
    server.set(
        "token?api-version=2&audience=sigstore",
        Reply::json(&json!({ "count": 7, "value": "the.job.token" })),
    );
    let url = server.url("token?api-version=2");
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-of-the-job"),
    ];
    assert_eq!(
        identity(&github).await.unwrap().as_deref(),
        Some("the.job.token")
    );
    assert_eq!(
        server.seen()[0].headers["authorization"],
        "Bearer bearer-of-the-job"
    );
    assert_eq!(identity(&[]).await.unwrap(), None);
    assert_eq!(identity(&[("GITHUB_ACTIONS", "")]).await.unwrap(), None);
    for ci in ["GITLAB_CI", "CI"] {
        let variables = [(ci, "true"), ("SIGSTORE_ID_TOKEN", "a.gitlab.token")];
        let token = identity(&variables).await.unwrap();
        assert_eq!(token.as_deref(), Some("a.gitlab.token"));
    }
}

#[tokio::test]
async fn a_job_that_should_have_an_identity_says_why_it_has_none() {
    assert!(matches!(
        identity(&[("GITHUB_ACTIONS", "true")]).await,
        Err(IdentityError::Permission)
    ));
    assert!(matches!(
        identity(&[("GITLAB_CI", "true")]).await,
        Err(IdentityError::NotAskedFor)
    ));
    let in_the_clear = [
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://tokens.example.org/"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-of-the-job"),
    ];
    assert!(matches!(
        identity(&in_the_clear).await,
        Err(IdentityError::Withheld(reason)) if reason.contains("https")
    ));
    let server = Server::start();
    for (path, reply) in [
        ("status", Reply::Status(403)),
        (
            "redirect",
            Reply::Redirect("https://example.org/".to_owned()),
        ),
        ("garbage", Reply::Content("text/html", b"<html>".to_vec())),
        ("endless", Reply::Endless),
    ] {
        server.set(&format!("{path}?audience=sigstore"), reply);
        let url = server.url(path);
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer-of-the-job"),
        ];
        let error = identity(&variables).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("bearer-of-the-job"), "{said}");
        match error {
            IdentityError::Withheld(_) => assert_ne!(path, "endless", "{said}"),
            IdentityError::Fetch(FetchError::TooLarge { .. }) => assert_eq!(path, "endless"),
            IdentityError::Permission | IdentityError::NotAskedFor | IdentityError::Fetch(_) => {
                panic!("{path}: {said}")
            }
        }
    }
}

#[tokio::test]
async fn a_service_is_asked_once_and_its_answer_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let client = ServiceClient::new(&user(&directory, &[])).unwrap();
    let server = Server::start();
    server.set("good", Reply::Content("text/plain", vec![b'x'; 100]));
    server.set("busy", Reply::Status(503));
    server.set("endless", Reply::Endless);
    server.set("cut", Reply::Truncated(vec![b'x'; 50]));
    let post = async |path: &str| {
        let url = server.url(path);
        let request = ServicePost {
            url: &url,
            media_type: "application/json",
            accept: "application/json",
            body: b"{}".to_vec(),
            limit: 100,
            deadline: Duration::from_secs(20),
        };
        client.post(request).await
    };
    let good = post("good").await.unwrap();
    assert_eq!((good.status, good.body.len()), (200, 100));
    assert_eq!(post("busy").await.unwrap().status, 503);
    assert_eq!(server.count("busy"), 1);
    assert!(matches!(
        post("endless").await,
        Err(FetchError::TooLarge { limit: 100, .. })
    ));
    assert!(matches!(
        post("cut").await,
        Err(FetchError::Unavailable { .. })
    ));
    let mut offline = user(&directory, &[]);
    offline.offline = true;
    let client = ServiceClient::new(&offline).unwrap();
    let request = ServicePost {
        url: &server.url("good"),
        media_type: "",
        accept: "",
        body: Vec::new(),
        limit: 1,
        deadline: Duration::from_secs(1),
    };
    assert!(matches!(
        client.post(request).await,
        Err(FetchError::Offline(_))
    ));
}

fn canonical(value: &Value) -> Vec<u8> {
    sigstore_tuf::canonical_json::to_canonical_bytes(value).unwrap()
}

/// The publisher of a TUF repository, with one key for every role.
struct Publisher {
    key: KeyPair,
    id: String,
    public: Value,
}

impl Publisher {
    fn new() -> Self {
        let key = KeyPair::generate_ecdsa_p256().unwrap();
        let public = json!({
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp256",
            "keyval": { "public": key.public_key_der().unwrap().to_pem() },
        });
        let id = Sha256::of(&canonical(&public)).to_string();
        Self { key, id, public }
    }

    fn sign(&self, signed: &Value) -> Vec<u8> {
        let signature = self.key.sign(&canonical(signed)).unwrap();
        let hex: String = signature
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let document = json!({
            "signed": signed,
            "signatures": [{ "keyid": self.id, "sig": hex }],
        });
        document.to_string().into_bytes()
    }

    fn root(&self) -> Vec<u8> {
        let role = json!({ "keyids": [self.id], "threshold": 1 });
        self.sign(&json!({
            "_type": "root",
            "spec_version": "1.0.0",
            "version": 1,
            "expires": "2999-01-01T00:00:00Z",
            "consistent_snapshot": false,
            "keys": { &self.id: self.public },
            "roles": { "root": role, "timestamp": role, "snapshot": role, "targets": role },
        }))
    }

    /// Publishes these targets as that version.
    fn publish(&self, server: &Server, version: u32, expires: &str, targets: &[(&str, &str)]) {
        let metadata = |kind: &str, more: &[(&str, Value)]| {
            let mut signed = json!({
                "_type": kind,
                "spec_version": "1.0.0",
                "version": version,
                "expires": expires,
            });
            for (name, value) in more {
                signed[*name] = value.clone();
            }
            self.sign(&signed)
        };
        let listed: BTreeMap<&str, Value> = targets
            .iter()
            .map(|(name, text)| {
                let digest = Sha256::of(text.as_bytes()).to_string();
                (
                    *name,
                    json!({ "length": text.len(), "hashes": { "sha256": digest } }),
                )
            })
            .collect();
        let at = json!({ "version": version });
        let files = [
            (
                "targets.json",
                metadata("targets", &[("targets", json!(listed))]),
            ),
            (
                "snapshot.json",
                metadata("snapshot", &[("meta", json!({ "targets.json": at }))]),
            ),
            (
                "timestamp.json",
                metadata("timestamp", &[("meta", json!({ "snapshot.json": at }))]),
            ),
        ];
        for (name, bytes) in files {
            server.set(name, Reply::Content("application/json", bytes));
        }
        for (name, text) in targets {
            let reply = Reply::Content("application/json", text.as_bytes().to_vec());
            server.set(&format!("targets/{name}"), reply);
        }
    }
}

#[tokio::test]
async fn the_trusted_root_is_updated_and_never_goes_back() {
    let directory = tempfile::tempdir().unwrap();
    let user = user(&directory, &[]);
    let client = ServiceClient::new(&user).unwrap();
    let server = Server::start();
    let publisher = Publisher::new();
    let repository = TrustRepository::at(&user, &server.url(""), publisher.root());
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let far = "2999-01-01T00:00:00Z";
    let both = |root| {
        [
            ("trusted_root.json", root),
            ("signing_config.v0.2.json", "{}"),
        ]
    };
    let update = async || repository.update(&user, &client, now).await;

    assert!(matches!(
        repository.kept(now).await,
        Err(TrustUpdateError::NotKept(_))
    ));
    publisher.publish(&server, 1, far, &both("the first root"));
    assert_eq!(update().await.unwrap().trusted_root, "the first root");
    publisher.publish(&server, 2, far, &both("the second root"));
    let second = update().await.unwrap();
    assert_eq!(second.trusted_root, "the second root");
    assert_eq!(second.signing_config.as_deref(), Some("{}"));
    let kept = async || repository.kept(now).await.unwrap();
    assert_eq!(kept().await, second);

    let refused = async |what: &str| {
        let error = update().await.expect_err(what);
        assert!(
            matches!(error, TrustUpdateError::Update { .. }),
            "{what}: {error:?}"
        );
        assert_eq!(kept().await, second, "{what}");
    };
    publisher.publish(&server, 1, far, &both("the first root"));
    refused("an older version").await;
    let stranger = Publisher::new();
    stranger.publish(&server, 3, far, &both("a stranger's root"));
    refused("signed by somebody else").await;
    publisher.publish(&server, 3, "2026-05-01T00:00:00Z", &both("a frozen root"));
    refused("expired").await;
    publisher.publish(&server, 4, far, &both("a root that is signed"));
    server.set(
        "targets/trusted_root.json",
        Reply::Content("application/json", b"another root, unsigned".to_vec()),
    );
    let error = update().await.unwrap_err();
    assert!(
        matches!(error, TrustUpdateError::Update { .. }),
        "{error:?}"
    );
    server.set("timestamp.json", Reply::Status(500));
    assert!(update().await.is_err());

    let elsewhere = tempfile::tempdir().unwrap();
    let mut offline = self::user(&elsewhere, &[]);
    offline.offline = true;
    assert!(matches!(
        repository.update(&offline, &client, now).await,
        Err(TrustUpdateError::Fetch(FetchError::Offline(_)))
    ));
}
