//! The provenance that registries offer beside a file. It is fetched while the file is rebuilt and judged elsewhere;
//! whatever happens here is an answer, since no verdict rests on getting it.

use std::time::Duration;

use remint_ecosystem::ReleaseFile;
use remint_model::{Ecosystem, PackageName, Sha256, Target};
use url::Url;

use crate::client::{Client, Tokens};
use crate::error::FetchError;
use crate::registry::Registries;

/// The largest answer: thousands of times what one file has.
const LARGEST: u64 = 16 << 20;

/// How long an answer is waited for in all: no verdict rests on it.
const DEADLINE: Duration = Duration::from_secs(30);
const GITHUB_DEADLINE: Duration = Duration::from_secs(5);

/// What came of asking for provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvenanceReply {
    /// This document.
    Document(Vec<u8>),
    /// There is none, or no place where it could be.
    NoneOffered,
    /// No answer, or not to us; the reason in words.
    Unreachable(String),
    /// An answer that is none of this kind; the reason in words.
    Unreadable(String),
}

impl Registries {
    /// Asks the registry that served a file for its provenance: npm's attestations, or PEP 740's.
    pub async fn provenance(&self, target: &Target, file: &ReleaseFile) -> ProvenanceReply {
        in_time(DEADLINE, async {
            match target.ecosystem {
                Ecosystem::Npm => self.npm_attestations(target).await,
                Ecosystem::Pypi => self.python_provenance(target, file).await,
                // crates.io keeps to itself which workflow published a file, and no registry has bundles.
                Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => {
                    ProvenanceReply::NoneOffered
                }
            }
        })
        .await
    }

    /// Asks an npm registry for the keys with which it signs that it published a package.
    pub async fn registry_keys(&self, name: &PackageName) -> ProvenanceReply {
        let registry = self.npm_registries.of(name);
        let Ok(url) = registry.join("-/npm/v1/keys") else {
            return ProvenanceReply::NoneOffered;
        };
        in_time(
            DEADLINE,
            self.ask(&self.npm, &url, "application/json", Tokens::AsConfigured),
        )
        .await
    }

    /// Asks GitHub what its users' workflows attested about a file with this digest. It answers few strangers an hour,
    /// so it is not waited for long.
    pub async fn github_attestations(
        &self,
        owner_and_name: &str,
        sha256: &Sha256,
    ) -> ProvenanceReply {
        let address =
            format!("https://api.github.com/repos/{owner_and_name}/attestations/sha256:{sha256}");
        let Ok(url) = address.parse() else {
            return ProvenanceReply::NoneOffered;
        };
        let accept = "application/vnd.github+json";
        in_time(
            GITHUB_DEADLINE,
            self.ask(&self.npm, &url, accept, Tokens::Never),
        )
        .await
    }

    /// `<registry>/-/npm/v1/attestations/@scope%2fname@version`. The address in the metadata is the public registry's
    /// also where a mirror passes it on, so the configured registry is asked, as npm does.
    async fn npm_attestations(&self, target: &Target) -> ProvenanceReply {
        let name = target.name.as_str().replace('/', "%2f");
        let version = &target.version;
        let registry = self.npm_registries.of(&target.name);
        match registry.join(&format!("-/npm/v1/attestations/{name}@{version}")) {
            Ok(url) => {
                self.ask(&self.npm, &url, "application/json", Tokens::AsConfigured)
                    .await
            }
            Err(_) => ProvenanceReply::NoneOffered,
        }
    }

    /// The address that the index's page gives, on the same host; else `/integrity/NAME/VERSION/FILE/provenance`
    /// beside `/simple/`, as PyPI has it. Mirrors pass on PyPI's own address, which the user did not configure.
    async fn python_provenance(&self, target: &Target, file: &ReleaseFile) -> ProvenanceReply {
        let name = &target.name;
        let page = match self.project_page(name, Tokens::AsConfigured).await {
            Ok((page, _)) => page,
            Err(error) => return reply(&error),
        };
        let stated = file
            .provenance
            .as_deref()
            .and_then(|address| page.join(address).ok())
            .filter(|address| address.origin() == page.origin());
        let beside = || {
            page.path()
                .ends_with(&format!("/simple/{name}/"))
                .then(|| {
                    let (version, file) = (&target.version, &file.name);
                    page.join(&format!(
                        "../../integrity/{name}/{version}/{file}/provenance"
                    ))
                    .ok()
                })
                .flatten()
        };
        match stated.or_else(beside) {
            Some(url) => {
                let accept = "application/vnd.pypi.integrity.v1+json";
                self.ask(&self.python, &url, accept, Tokens::AsConfigured)
                    .await
            }
            None => ProvenanceReply::NoneOffered,
        }
    }

    async fn ask(
        &self,
        client: &Client,
        url: &Url,
        accept: &str,
        tokens: Tokens,
    ) -> ProvenanceReply {
        match self
            .document_within(client, url, accept, tokens, LARGEST)
            .await
        {
            Ok(document) => ProvenanceReply::Document(document.bytes),
            Err(error) => reply(&error),
        }
    }
}

async fn in_time(
    deadline: Duration,
    asking: impl Future<Output = ProvenanceReply>,
) -> ProvenanceReply {
    tokio::time::timeout(deadline, asking)
        .await
        .unwrap_or_else(|_| {
            ProvenanceReply::Unreachable(format!("no answer within {} s", deadline.as_secs()))
        })
}

fn reply(error: &FetchError) -> ProvenanceReply {
    match error {
        FetchError::NotFound(_) | FetchError::Lacks { .. } => ProvenanceReply::NoneOffered,
        FetchError::Malformed { .. }
        | FetchError::TooLarge { .. }
        | FetchError::Integrity { .. } => ProvenanceReply::Unreadable(error.to_string()),
        FetchError::Unavailable { .. }
        | FetchError::Denied { .. }
        | FetchError::Offline(_)
        | FetchError::OverBudget { .. }
        | FetchError::Disk(_)
        | FetchError::Configuration { .. }
        | FetchError::Artifact { .. }
        | FetchError::Tool { .. } => ProvenanceReply::Unreachable(error.to_string()),
    }
}
