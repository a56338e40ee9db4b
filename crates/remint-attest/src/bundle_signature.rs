//! The signature of an MCP bundle: detached PKCS#7 signed data (RFC 5652) over the zip before it.
//!
//! Who signed is told, and whether the signature holds over these bytes. Whether the certificate at the end of the
//! chain deserves trust, or has been revoked, is not asked: that a name stands in a certificate proves little.

use std::io;

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, Tagged as _};
use remint_model::{BundleSignature, BundleSigner, Sha256};
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const EC_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const EC_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED_25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const SUBJECT_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");

/// Certificates of one signature that are looked at.
const MOST_CERTIFICATES: usize = 16;
/// The longest name that is shown.
const LONGEST_NAME: usize = 300;

/// The digests that signers of bundles use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleDigest {
    /// SHA-256, which `mcpb sign` uses.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Finds out who signed a bundle. `digests` computes the digest of what may have been signed: of the zip as it stands
/// and, where a signer changed it afterwards in a known way, of what it was before.
///
/// # Errors
/// The bundle cannot be read.
pub fn verify_bundle(
    pkcs7: &[u8],
    digests: impl FnOnce(BundleDigest) -> io::Result<Vec<Vec<u8>>>,
) -> io::Result<BundleSignature> {
    let signed = match Signed::read(pkcs7) {
        Ok(signed) => signed,
        Err(why) => return Ok(BundleSignature::NotVerified(why)),
    };
    let found = digests(signed.digest)?;
    Ok(match signed.verify(&found) {
        Ok(signer) => BundleSignature::Valid(signer),
        Err(Refused::Unsupported(why)) => BundleSignature::NotVerified(why),
        Err(Refused::Invalid(why)) => BundleSignature::Invalid(why.to_owned()),
    })
}

enum Refused {
    Unsupported(String),
    Invalid(&'static str),
}

/// Signed data with one signer, whose certificate lies beside.
struct Signed {
    signer: SignerInfo,
    certificates: Vec<Certificate>,
    /// Which of them the signer names.
    own: usize,
    digest: BundleDigest,
    /// The attributes as they stand, their tag that of a SET: signers do not always sort them, and what is signed is
    /// what they wrote.
    attributes: Vec<u8>,
}

impl Signed {
    fn read(pkcs7: &[u8]) -> Result<Self, String> {
        let unreadable = |error: der::Error| format!("it is no PKCS#7 signature: {error}");
        let content = ContentInfo::from_der(pkcs7).map_err(unreadable)?;
        if content.content_type != SIGNED_DATA {
            return Err("it is PKCS#7, and no signature".to_owned());
        }
        let data: SignedData = content.content.decode_as().map_err(unreadable)?;
        if data.encap_content_info.econtent.is_some() {
            return Err(
                "it carries a content of its own, instead of being about the bundle".to_owned(),
            );
        }
        let [signer] = data.signer_infos.0.as_slice() else {
            let count = data.signer_infos.0.len();
            return Err(format!("it has {count} signers, where one is expected"));
        };
        let certificates: Vec<Certificate> = data
            .certificates
            .iter()
            .flat_map(|set| set.0.iter())
            .filter_map(|choice| match choice {
                CertificateChoices::Certificate(certificate) => Some(certificate.clone()),
                CertificateChoices::Other(_) => None,
            })
            .take(MOST_CERTIFICATES)
            .collect();
        let own = certificates
            .iter()
            .position(|certificate| names(&signer.sid, certificate))
            .ok_or("it does not hold the certificate of its signer")?;
        let digest = match signer.digest_alg.oid {
            SHA_256 => BundleDigest::Sha256,
            SHA_384 => BundleDigest::Sha384,
            SHA_512 => BundleDigest::Sha512,
            other => return Err(format!("digest algorithm {other} is not supported")),
        };
        let attributes = attributes(pkcs7)
            .map_err(unreadable)?
            .ok_or("it has no signed attributes, as signatures of bundles have")?;
        Ok(Self {
            signer: signer.clone(),
            certificates,
            own,
            digest,
            attributes,
        })
    }

    /// 1. The attributes say that the content is data, and what digest it has.
    /// 2. The bundle has that digest.
    /// 3. The signature over the attributes is one by the certificate's key.
    fn verify(&self, digests: &[Vec<u8>]) -> Result<BundleSigner, Refused> {
        let content_type = self.attribute(CONTENT_TYPE)?;
        let is_data =
            content_type.tag() == Tag::ObjectIdentifier && content_type.value() == DATA.as_bytes();
        if !is_data {
            return Err(Refused::Invalid("it is not about data"));
        }
        let digest = self.attribute(MESSAGE_DIGEST)?;
        if digest.tag() != Tag::OctetString || !digests.iter().any(|found| found == digest.value())
        {
            return Err(Refused::Invalid("it is one over other bytes"));
        }
        let Some(own) = self.certificates.get(self.own) else {
            return Err(Refused::Invalid(
                "it does not hold the certificate of its signer",
            ));
        };
        let algorithm = self.signer.signature_algorithm.oid;
        let holds = is_signed_by(
            own,
            algorithm,
            self.digest,
            &self.attributes,
            self.signer.signature.as_bytes(),
        )?;
        if !holds {
            return Err(Refused::Invalid("the certificate's key did not make it"));
        }
        Ok(self.who(own))
    }

    /// The only value of an attribute.
    fn attribute(&self, oid: ObjectIdentifier) -> Result<AnyRef<'_>, Refused> {
        let attributes = self.signer.signed_attrs.iter().flat_map(|set| set.iter());
        let mut found = attributes.filter(|attribute| attribute.oid == oid);
        match (found.next(), found.next()) {
            (Some(attribute), None) => match attribute.values.as_slice() {
                [value] => Ok(AnyRef::from(value)),
                _ => Err(Refused::Invalid("a signed attribute has not one value")),
            },
            _ => Err(Refused::Invalid(
                "a signed attribute is missing, or there twice",
            )),
        }
    }

    fn who(&self, own: &Certificate) -> BundleSigner {
        let body = &own.tbs_certificate;
        let shown = |name: String| name.chars().take(LONGEST_NAME).collect::<String>();
        BundleSigner {
            subject: shown(body.subject.to_string()),
            issuer: shown(body.issuer.to_string()),
            self_signed: body.subject == body.issuer,
            chain: self.chain(own),
            fingerprint: own
                .to_der()
                .map(|der| Sha256::of(&der).to_string())
                .unwrap_or_default(),
            validity: (
                body.validity.not_before.to_string(),
                body.validity.not_after.to_string(),
            ),
        }
    }

    /// How many of the certificates lead upwards, each of which signed the one before.
    fn chain(&self, own: &Certificate) -> usize {
        let mut length = 0;
        let mut lowest = own;
        while length < MOST_CERTIFICATES {
            let body = &lowest.tbs_certificate;
            if body.subject == body.issuer {
                break;
            }
            let issuer = self.certificates.iter().find(|issuer| {
                issuer.tbs_certificate.subject == body.issuer && has_issued(issuer, lowest)
            });
            let Some(issuer) = issuer else {
                break;
            };
            length += 1;
            lowest = issuer;
        }
        length
    }
}

/// Whether the signer names this certificate.
fn names(signer: &SignerIdentifier, certificate: &Certificate) -> bool {
    let body = &certificate.tbs_certificate;
    match signer {
        SignerIdentifier::IssuerAndSerialNumber(named) => {
            named.issuer == body.issuer && named.serial_number == body.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(named) => body
            .extensions
            .iter()
            .flatten()
            .filter(|extension| extension.extn_id == SUBJECT_KEY)
            .any(|extension| {
                SubjectKeyIdentifier::from_der(extension.extn_value.as_bytes())
                    .is_ok_and(|own| own == *named)
            }),
    }
}

fn has_issued(issuer: &Certificate, certificate: &Certificate) -> bool {
    let algorithm = certificate.signature_algorithm.oid;
    let digest = match algorithm {
        RSA_SHA_256 | EC_SHA_256 | ED_25519 => BundleDigest::Sha256,
        RSA_SHA_384 | EC_SHA_384 => BundleDigest::Sha384,
        RSA_SHA_512 => BundleDigest::Sha512,
        _ => return false,
    };
    let (Ok(body), Some(signature)) = (
        certificate.tbs_certificate.to_der(),
        certificate.signature.as_bytes(),
    ) else {
        return false;
    };
    is_signed_by(issuer, algorithm, digest, &body, signature).unwrap_or(false)
}

/// Whether the key of a certificate made a signature over a message.
fn is_signed_by(
    certificate: &Certificate,
    algorithm: ObjectIdentifier,
    digest: BundleDigest,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, Refused> {
    let key = &certificate.tbs_certificate.subject_public_key_info;
    let curve = || {
        let parameters = key.algorithm.parameters.as_ref()?;
        parameters.decode_as::<ObjectIdentifier>().ok()
    };
    let verification: &'static dyn VerificationAlgorithm =
        match (key.algorithm.oid, algorithm, digest) {
            (RSA, RSA | RSA_SHA_256, BundleDigest::Sha256) => {
                &signature::RSA_PKCS1_2048_8192_SHA256
            }
            (RSA, RSA | RSA_SHA_384, BundleDigest::Sha384) => {
                &signature::RSA_PKCS1_2048_8192_SHA384
            }
            (RSA, RSA | RSA_SHA_512, BundleDigest::Sha512) => {
                &signature::RSA_PKCS1_2048_8192_SHA512
            }
            (EC, EC_SHA_256, BundleDigest::Sha256) if curve() == Some(P_256) => {
                &signature::ECDSA_P256_SHA256_ASN1
            }
            (EC, EC_SHA_384, BundleDigest::Sha384) if curve() == Some(P_384) => {
                &signature::ECDSA_P384_SHA384_ASN1
            }
            (ED_25519, ED_25519, _) => &signature::ED25519,
            (key, algorithm, _) => {
                return Err(Refused::Unsupported(format!(
                    "signature algorithm {algorithm} with a key of kind {key} is not supported"
                )));
            }
        };
    let bytes = key.subject_public_key.raw_bytes();
    Ok(UnparsedPublicKey::new(verification, bytes)
        .verify(message, signature)
        .is_ok())
}

/// The signed attributes of the first signer, byte for byte, with the tag of a SET in place of their own (RFC 5652,
/// section 5.4).
fn attributes(pkcs7: &[u8]) -> der::Result<Option<Vec<u8>>> {
    let inner = |bytes: &[u8]| -> der::Result<Vec<(Tag, usize, usize)>> { parts(bytes) };
    // ContentInfo → [0] → SignedData → signerInfos, the last of its parts → SignerInfo.
    let content = value(pkcs7)?;
    let explicit = last(content, &inner(content)?)?;
    let data = value(explicit)?;
    let signers = last(data, &inner(data)?)?;
    let signer = value(signers)?;
    for (tag, start, end) in inner(signer)? {
        let is_signed = matches!(
            tag,
            Tag::ContextSpecific { constructed: true, number } if number == der::TagNumber::N0
        );
        // A subject key identifier has the same number, and is not constructed.
        if is_signed {
            let mut bytes = signer.get(start..end).unwrap_or_default().to_vec();
            if let Some(tag) = bytes.first_mut() {
                *tag = 0x31;
            }
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// What the first element of `bytes` holds.
fn value(bytes: &[u8]) -> der::Result<&[u8]> {
    Ok(AnyRef::decode(&mut SliceReader::new(bytes)?)?.value())
}

fn last<'b>(bytes: &'b [u8], parts: &[(Tag, usize, usize)]) -> der::Result<&'b [u8]> {
    let (_, start, end) = parts.last().ok_or_else(|| Tag::Sequence.length_error())?;
    value(bytes.get(*start..*end).unwrap_or_default())
}

/// Tag and place of every element.
fn parts(bytes: &[u8]) -> der::Result<Vec<(Tag, usize, usize)>> {
    let mut reader = SliceReader::new(bytes)?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        let start = usize::try_from(reader.position())?;
        let tag = AnyRef::decode(&mut reader)?.tag();
        parts.push((tag, start, usize::try_from(reader.position())?));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
