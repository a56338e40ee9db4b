//! The registries' answers: each attestation in them as a Sigstore bundle. Nothing in them is believed here.

use remint_model::ProvenanceOrigin;
use serde::Deserialize;
use serde_json::{Value, json};

use super::printable;
use crate::bundle::Bundle;
use crate::refusal::{Refusal, RefusalReason};
use crate::statement::PAYLOAD_TYPE;

/// The largest answer that is read, in bytes.
pub const LARGEST_ANSWER: usize = 16 << 20;

/// The most attestations that are looked at; the most known for one file are four.
pub const MOST_ATTESTATIONS: usize = 64;

/// What a registry offers for one file.
#[derive(Debug, Clone)]
pub struct Offer {
    pub(super) origin: ProvenanceOrigin,
    pub(super) items: Vec<Item>,
}

/// One attestation.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The type of its statement, where the answer says.
    pub(super) announced: Option<String>,
    /// Who published the file, where the answer says.
    pub(super) publisher: Option<Publisher>,
    pub(super) bundle: Result<Bundle, Refusal>,
}

/// A publisher as PyPI names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Publisher {
    Known(TrustedPublisher),
    /// Of this kind.
    Unknown(String),
}

/// A workflow that PyPI lets publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrustedPublisher {
    pub(super) host: PublisherHost,
    /// `owner/name`, with as many groups as GitLab allows.
    pub(super) repository: String,
    /// The workflow's file: by its name on GitHub, by its path on GitLab.
    pub(super) workflow: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PublisherHost {
    GitHub,
    GitLab,
}

/// An answer that cannot be understood as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is too long.
    #[error("the answer has {0} bytes, and {LARGEST_ANSWER} is the most that is read")]
    TooLarge(usize),
    /// It is of another form than such an answer has.
    #[error("the answer has not the form that it should have: {0}")]
    Malformed(String),
    /// It is of a newer form.
    #[error("the answer is of version `{0}`, and only version 1 is understood")]
    Version(String),
    /// It holds more attestations than anybody makes for one file.
    #[error(
        "the answer holds {0} attestations, and {MOST_ATTESTATIONS} is the most that is looked at"
    )]
    TooMany(usize),
}

impl Offer {
    /// Reads the answer of such a place.
    ///
    /// # Errors
    /// It cannot be understood as a whole.
    pub fn parse(origin: ProvenanceOrigin, answer: &[u8]) -> Result<Self, AnswerError> {
        match origin {
            ProvenanceOrigin::Npm => Self::npm(answer),
            ProvenanceOrigin::Pypi => Self::pypi(answer),
            ProvenanceOrigin::GitHub => Self::github(answer),
        }
    }

    /// Reads the answer of an npm registry to `/-/npm/v1/attestations/NAME@VERSION`.
    fn npm(answer: &[u8]) -> Result<Self, AnswerError> {
        #[derive(Deserialize)]
        struct Wire {
            attestations: Vec<WireAttestation>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct WireAttestation {
            predicate_type: String,
            bundle: Value,
        }
        let wire: Wire = read(answer)?;
        Self::new(
            ProvenanceOrigin::Npm,
            wire.attestations.into_iter().map(|attestation| Item {
                announced: Some(attestation.predicate_type),
                publisher: None,
                bundle: bundle(&attestation.bundle),
            }),
        )
    }

    /// Reads the answer of a Python index to `/integrity/NAME/VERSION/FILE/provenance` (PEP 740).
    fn pypi(answer: &[u8]) -> Result<Self, AnswerError> {
        #[derive(Deserialize)]
        struct Wire {
            version: Value,
            attestation_bundles: Vec<WireBundle>,
        }
        #[derive(Deserialize)]
        struct WireBundle {
            publisher: Value,
            attestations: Vec<Value>,
        }
        let wire: Wire = read(answer)?;
        if wire.version != 1 {
            return Err(AnswerError::Version(printable(&wire.version.to_string())));
        }
        Self::new(
            ProvenanceOrigin::Pypi,
            wire.attestation_bundles.into_iter().flat_map(|bundle| {
                let publisher = Publisher::read(&bundle.publisher);
                bundle
                    .attestations
                    .into_iter()
                    .map(move |attestation| Item {
                        announced: None,
                        publisher: Some(publisher.clone()),
                        bundle: bundle_of_pep_740(attestation),
                    })
            }),
        )
    }

    /// Reads the answer of GitHub to `/repos/OWNER/NAME/attestations/sha256:DIGEST`.
    fn github(answer: &[u8]) -> Result<Self, AnswerError> {
        #[derive(Deserialize)]
        struct Wire {
            attestations: Vec<WireAttestation>,
        }
        #[derive(Deserialize)]
        struct WireAttestation {
            #[serde(default)]
            bundle: Value,
        }
        let wire: Wire = read(answer)?;
        Self::new(
            ProvenanceOrigin::GitHub,
            wire.attestations.into_iter().map(|attestation| Item {
                announced: None,
                publisher: None,
                bundle: if attestation.bundle.is_null() {
                    Err(Refusal::new(
                        RefusalReason::BundleUnsupported,
                        "the answer names a place where the bundle is, and does not hold it",
                    ))
                } else {
                    bundle(&attestation.bundle)
                },
            }),
        )
    }

    fn new(
        origin: ProvenanceOrigin,
        items: impl Iterator<Item = Item>,
    ) -> Result<Self, AnswerError> {
        let mut items = items;
        let taken: Vec<Item> = items.by_ref().take(MOST_ATTESTATIONS).collect();
        match items.count() {
            0 => Ok(Self {
                origin,
                items: taken,
            }),
            more => Err(AnswerError::TooMany(taken.len() + more)),
        }
    }

    /// Whether nothing is offered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

pub(super) fn read<'de, Wire: Deserialize<'de>>(answer: &'de [u8]) -> Result<Wire, AnswerError> {
    if answer.len() > LARGEST_ANSWER {
        return Err(AnswerError::TooLarge(answer.len()));
    }
    serde_json::from_slice(answer)
        .map_err(|error| AnswerError::Malformed(printable(&error.to_string())))
}

fn bundle(value: &Value) -> Result<Bundle, Refusal> {
    Bundle::parse(value.to_string().as_bytes())
}

/// Shuffles the fields of an attestation into those of a bundle (PEP 740, "Attestation objects").
fn bundle_of_pep_740(attestation: Value) -> Result<Bundle, Refusal> {
    #[derive(Deserialize)]
    struct Attestation {
        version: Value,
        verification_material: Material,
        envelope: Envelope,
    }
    #[derive(Deserialize)]
    struct Material {
        certificate: String,
        transparency_entries: Vec<Value>,
    }
    #[derive(Deserialize)]
    struct Envelope {
        statement: String,
        signature: String,
    }
    let attestation: Attestation = serde_json::from_value(attestation).map_err(|error| {
        Refusal::new(
            RefusalReason::BundleMalformed,
            format!(
                "the attestation cannot be read: {}",
                printable(&error.to_string())
            ),
        )
    })?;
    if attestation.version != 1 {
        return Err(Refusal::new(
            RefusalReason::BundleUnsupported,
            format!(
                "the attestation is of version `{}`, and only version 1 is understood",
                printable(&attestation.version.to_string())
            ),
        ));
    }
    bundle(&json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": { "rawBytes": unwrapped(&attestation.verification_material.certificate) },
            "tlogEntries": attestation.verification_material.transparency_entries,
        },
        "dsseEnvelope": {
            "payload": unwrapped(&attestation.envelope.statement),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "keyid": "", "sig": unwrapped(&attestation.envelope.signature) }],
        },
    }))
}

/// Publishers' tools wrap base64 after 76 characters.
fn unwrapped(base64: &str) -> String {
    base64.split_ascii_whitespace().collect()
}

impl Publisher {
    fn read(value: &Value) -> Self {
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let kind = text("kind").unwrap_or_default();
        let of = |host, workflow| {
            Some(TrustedPublisher {
                host,
                repository: text("repository")?,
                workflow: text(workflow)?,
            })
        };
        let known = match kind.as_str() {
            "GitHub" => of(PublisherHost::GitHub, "workflow"),
            "GitLab" => of(PublisherHost::GitLab, "workflow_filepath"),
            _ => None,
        };
        known.map_or(Self::Unknown(kind), Self::Known)
    }
}
