//! What the services are asked, and how their answers are read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use sigstore_crypto::sha256;
use sigstore_rekor::{DsseEntry, HashedRekordV2, LogEntry, RekorV2KeyDetails};
use sigstore_types::bundle::TransparencyLogEntry;
use sigstore_types::{DerCertificate, DerPublicKey, KindVersion, SignatureBytes, TimestampToken};

use super::pending::SignedStatement;
use super::services::{LogVersion, RequestBody, ServiceRequest};
use crate::sign::{SignError, entry_body as canonical_body};

/// The most bytes of one answer: a chain of certificates, a timestamp, a log entry.
const LARGEST_ANSWER: u64 = 1 << 20;

/// For one answer. A log of tiles answers once the entry is integrated, which takes seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// A request for a certificate (Fulcio API, version 2, `CreateSigningCertificateRequest`). It holds the token.
pub(super) fn certificate_request(
    token: &str,
    public: &DerPublicKey,
    proof: &SignatureBytes,
) -> String {
    serde_json::json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "content": public.to_pem() },
            "proofOfPossession": proof,
        },
    })
    .to_string()
}

pub(super) fn json_request(url: &str, body: String) -> ServiceRequest {
    ServiceRequest {
        url: url.to_owned(),
        body: Some(RequestBody {
            media_type: "application/json",
            bytes: body.into_bytes(),
        }),
        accept: "application/json",
        limit: LARGEST_ANSWER,
        deadline: DEADLINE,
    }
}

pub(super) fn get(url: &str, accept: &'static str) -> ServiceRequest {
    ServiceRequest {
        url: url.to_owned(),
        body: None,
        accept,
        limit: LARGEST_ANSWER,
        deadline: DEADLINE,
    }
}

/// The signing certificate of Fulcio's answer (Fulcio API, version 2, `SigningCertificate`).
pub(super) fn leaf_certificate(body: &[u8]) -> Result<DerCertificate, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        signed_certificate_embedded_sct: Option<Embedded>,
    }
    #[derive(Deserialize)]
    struct Embedded {
        chain: Chain,
    }
    #[derive(Deserialize)]
    struct Chain {
        certificates: Vec<String>,
    }

    let answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    // A bundle has no place for a promise of the certificate log that is not in the certificate.
    let certificates = answer
        .signed_certificate_embedded_sct
        .ok_or("it has no certificate that a certificate log has signed for")?
        .chain
        .certificates;
    let leaf = certificates.first().ok_or("its chain is empty")?;
    DerCertificate::from_pem(leaf).map_err(|error| error.to_string())
}

/// A request for a timestamp over the SHA-256 of these bytes, with the authority's certificate (RFC 3161, section
/// 2.4.1). It has no nonce: that a signature just made was stamped before cannot be.
pub(super) fn timestamp_request(url: &str, signature: &[u8]) -> ServiceRequest {
    const BEFORE_DIGEST: &[u8] = &[
        0x30, 57, // TimeStampReq
        0x02, 1, 1, // version 1
        0x30, 49, // messageImprint
        0x30, 13, 0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
        0, // SHA-256
        0x04, 32, // hashedMessage
    ];
    const AFTER_DIGEST: &[u8] = &[0x01, 1, 0xff]; // certReq
    ServiceRequest {
        url: url.to_owned(),
        body: Some(RequestBody {
            media_type: "application/timestamp-query",
            bytes: [BEFORE_DIGEST, sha256(signature).as_bytes(), AFTER_DIGEST].concat(),
        }),
        accept: "application/timestamp-reply",
        limit: LARGEST_ANSWER,
        deadline: DEADLINE,
    }
}

/// An answer that is whole; what it says is verified with the signature at hand.
pub(super) fn timestamp(body: &[u8]) -> Result<TimestampToken, String> {
    let (length, rest) = match body {
        [0x30, length, rest @ ..] if *length < 0x80 => (usize::from(*length), rest),
        [0x30, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x30, 0x82, high, low, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return Err("it is no DER sequence".to_owned()),
    };
    if rest.len() == length {
        Ok(TimestampToken::new(body.to_vec()))
    } else {
        Err(format!(
            "it has {} bytes where it says {length}",
            rest.len()
        ))
    }
}

/// What is asked of a log, and where below its base.
pub(super) struct EntryRequest {
    pub(super) path: &'static str,
    pub(super) body: String,
}

/// The entry follows from what was signed, so nothing of it has to be kept.
pub(super) fn entry_request(
    version: LogVersion,
    signed: &SignedStatement,
) -> Result<EntryRequest, sigstore_rekor::Error> {
    match version {
        LogVersion::V1 => {
            let entry = DsseEntry::new(&signed.envelope, &signed.certificate)?;
            Ok(EntryRequest {
                path: "api/v1/log/entries",
                body: serde_json::to_string(&entry)?,
            })
        }
        LogVersion::V2 => Ok(EntryRequest {
            path: "api/v2/log/entries",
            body: serde_json::to_string(&hashed_rekord(signed))?,
        }),
    }
}

fn hashed_rekord(signed: &SignedStatement) -> HashedRekordV2 {
    HashedRekordV2::new_with_certificate(
        &sha256(&signed.envelope.pae()),
        &signed.envelope.signature.sig,
        &signed.certificate,
        RekorV2KeyDetails::PkixEcdsaP256Sha256,
    )
}

/// What a log of tiles keeps of the entry.
pub(super) fn entry_body(signed: &SignedStatement) -> Result<Vec<u8>, SignError> {
    canonical_body(&hashed_rekord(signed))
}

/// The entry that a log answers with.
pub(super) fn entry(version: LogVersion, body: &[u8]) -> Result<TransparencyLogEntry, String> {
    match version {
        LogVersion::V1 => entry_v1(body),
        LogVersion::V2 => entry_v2(body),
    }
}

/// Rekor v1's answer: one entry by its id.
fn entry_v1(body: &[u8]) -> Result<TransparencyLogEntry, String> {
    let entries: BTreeMap<String, LogEntry> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut entries = entries.into_values();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => entry
            .to_bundle_entry(KindVersion::DsseV001)
            .map_err(|error| error.to_string()),
        _ => Err("it is not about one entry".to_owned()),
    }
}

/// Rekor v2's answer: the entry as it stands in a bundle.
fn entry_v2(body: &[u8]) -> Result<TransparencyLogEntry, String> {
    let entry: TransparencyLogEntry =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if entry.kind_version != KindVersion::HashedRekordV002 {
        return Err("it is about another kind of entry".to_owned());
    }
    if entry.integrated_time.is_some() || entry.inclusion_promise.is_some() {
        return Err("it has a time or a promise, which such a log does not give".to_owned());
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_whole_or_none() {
        let long = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        for whole in [&[0x30, 1, 7][..], &[0x30, 0x81, 1, 7], &long] {
            assert_eq!(timestamp(whole).unwrap().as_bytes(), whole);
        }
        let more = [&long[..], &[7]].concat();
        for broken in [
            &b""[..],
            b"0",
            b"<html></html>",
            &[0x30, 2, 7],
            &[0x30, 0x80, 7, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &long[..200],
            &more,
        ] {
            timestamp(broken).unwrap_err();
        }
    }

    #[test]
    fn a_certificate_without_a_promise_inside_is_of_no_use() {
        let with = |key: &str, chain: &serde_json::Value| {
            leaf_certificate(
                serde_json::json!({ key: { "chain": { "certificates": chain } } })
                    .to_string()
                    .as_bytes(),
            )
        };
        let key = "signedCertificateEmbeddedSct";
        let pem = DerCertificate::new(vec![0x30, 1, 7]).to_pem();
        assert_eq!(
            with(key, &serde_json::json!([pem, "more"]))
                .unwrap()
                .as_bytes(),
            [0x30, 1, 7]
        );
        let detached = with("signedCertificateDetachedSct", &serde_json::json!([pem]));
        assert!(detached.unwrap_err().contains("certificate log"));
        for chain in [
            serde_json::json!([]),
            serde_json::json!(["no PEM"]),
            "".into(),
        ] {
            with(key, &chain).unwrap_err();
        }
    }

    #[test]
    fn a_log_answers_about_one_entry() {
        for broken in ["", "[]", "{}", "{\"a\":{}}", "{\"a\":{},\"b\":{}}", "null"] {
            entry(LogVersion::V1, broken.as_bytes()).unwrap_err();
            entry(LogVersion::V2, broken.as_bytes()).unwrap_err();
        }
    }
}
