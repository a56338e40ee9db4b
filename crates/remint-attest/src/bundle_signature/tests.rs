use aws_lc_rs::digest;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SigningKey as _};

use super::*;

const ZIP: &[u8] = b"a zip";

/// One element, DER.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short @ 0..128) => bytes.push(short),
        Ok(long) => bytes.extend([0x81, long]),
        Err(_) => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}

fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    oid.to_der().unwrap()
}

/// A key with a certificate and those above it.
struct Who {
    key: KeyPair,
    certificates: Vec<Vec<u8>>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn self_signed() -> Who {
    let key = KeyPair::generate().unwrap();
    let certificate = params("Somebody").self_signed(&key).unwrap();
    Who {
        certificates: vec![certificate.der().to_vec()],
        key,
    }
}

fn issued() -> Who {
    let (above, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = params("An authority");
    let root_certificate = root.self_signed(&above).unwrap();
    let issuer = Issuer::from_params(&root, &above);
    let certificate = params("Somebody").signed_by(&key, &issuer).unwrap();
    Who {
        certificates: vec![certificate.der().to_vec(), root_certificate.der().to_vec()],
        key,
    }
}

/// What a test may have otherwise than a signer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    Nothing,
    AttributesReversed,
    WithoutAttributes,
    WithContent,
    WithoutCertificate,
    OtherSignature,
    Twice,
}

fn sign(who: &Who, content: &[u8], otherwise: Otherwise) -> Vec<u8> {
    let attribute = |name, value: Vec<u8>| element(0x30, &[&oid(name), &element(0x31, &[&value])]);
    let sha256 = digest::digest(&digest::SHA256, content);
    let mut attributes = [
        attribute(CONTENT_TYPE, oid(DATA)),
        attribute(MESSAGE_DIGEST, element(0x04, &[sha256.as_ref()])),
    ];
    if otherwise == Otherwise::AttributesReversed {
        attributes.reverse();
    }
    let attributes = attributes.concat();
    let message = element(0x31, &[&attributes]);
    let signed: &[u8] = if otherwise == Otherwise::OtherSignature {
        b"other"
    } else {
        &message
    };
    let signature = who.key.sign(signed).unwrap();
    let certificate = Certificate::from_der(&who.certificates[0]).unwrap();
    let body = &certificate.tbs_certificate;
    let algorithm = |name| element(0x30, &[&oid(name)]);
    let attributes = if otherwise == Otherwise::WithoutAttributes {
        Vec::new()
    } else {
        element(0xa0, &[&attributes])
    };
    let signer = element(
        0x30,
        &[
            &element(0x02, &[&[1]]),
            &element(
                0x30,
                &[
                    &body.issuer.to_der().unwrap(),
                    &body.serial_number.to_der().unwrap(),
                ],
            ),
            &algorithm(SHA_256),
            &attributes,
            &algorithm(EC_SHA_256),
            &element(0x04, &[&signature]),
        ],
    );
    let content = if otherwise == Otherwise::WithContent {
        element(0xa0, &[&element(0x04, &[content])])
    } else {
        Vec::new()
    };
    let mut certificates = who.certificates.concat();
    if otherwise == Otherwise::WithoutCertificate {
        certificates = self_signed().certificates.concat();
    }
    let mut signers = signer.clone();
    if otherwise == Otherwise::Twice {
        let again = who.key.sign(b"again").unwrap();
        signers.extend(element(
            0x30,
            &[
                &element(0x02, &[&[1]]),
                &element(
                    0x30,
                    &[
                        &body.issuer.to_der().unwrap(),
                        &body.serial_number.to_der().unwrap(),
                    ],
                ),
                &algorithm(SHA_256),
                &algorithm(EC_SHA_256),
                &element(0x04, &[&again]),
            ],
        ));
    }
    let data = element(
        0x30,
        &[
            &element(0x02, &[&[1]]),
            &element(0x31, &[&algorithm(SHA_256)]),
            &element(0x30, &[&oid(DATA), &content]),
            &element(0xa0, &[&certificates]),
            &element(0x31, &[&signers]),
        ],
    );
    element(0x30, &[&oid(SIGNED_DATA), &element(0xa0, &[&data])])
}

fn verified(pkcs7: &[u8], zip: &[u8]) -> BundleSignature {
    verify_bundle(pkcs7, |kind| {
        assert_eq!(kind, BundleDigest::Sha256);
        Ok(vec![digest::digest(&digest::SHA256, zip).as_ref().to_vec()])
    })
    .unwrap()
}

#[test]
fn a_signature_says_who_signed_and_how_they_are_vouched_for() {
    let BundleSignature::Valid(signer) =
        verified(&sign(&self_signed(), ZIP, Otherwise::Nothing), ZIP)
    else {
        panic!("it holds");
    };
    assert_eq!(signer.subject, "CN=Somebody");
    assert!(signer.self_signed && signer.chain == 0 && signer.fingerprint.len() == 64);

    let BundleSignature::Valid(signer) = verified(&sign(&issued(), ZIP, Otherwise::Nothing), ZIP)
    else {
        panic!("it holds");
    };
    assert_eq!(signer.issuer, "CN=An authority");
    assert!(!signer.self_signed && signer.chain == 1);
}

#[test]
fn the_order_of_attributes_is_the_signers() {
    let pkcs7 = sign(&self_signed(), ZIP, Otherwise::AttributesReversed);
    let found = verified(&pkcs7, ZIP);
    assert!(matches!(found, BundleSignature::Valid(_)), "{found:?}");
}

/// What comes of a signature, in words.
fn words(otherwise: Otherwise, zip: &[u8]) -> String {
    match verified(&sign(&self_signed(), ZIP, otherwise), zip) {
        BundleSignature::Invalid(why) => format!("invalid: {why}"),
        BundleSignature::NotVerified(why) => format!("not verified: {why}"),
        BundleSignature::Valid(_) => "valid".to_owned(),
        BundleSignature::Absent | BundleSignature::Malformed(_) => "no signature".to_owned(),
    }
}

#[test]
fn what_does_not_hold_is_refused_for_its_reason() {
    assert_eq!(words(Otherwise::Nothing, ZIP), "valid");
    assert_eq!(
        words(Otherwise::Nothing, b"another zip"),
        "invalid: it is one over other bytes"
    );
    assert_eq!(
        words(Otherwise::OtherSignature, ZIP),
        "invalid: the certificate's key did not make it"
    );
}

#[test]
fn what_cannot_be_verified_is_never_valid() {
    for (otherwise, why) in [
        (Otherwise::WithContent, "content of its own"),
        (Otherwise::WithoutCertificate, "certificate of its signer"),
        (Otherwise::WithoutAttributes, "no signed attributes"),
        (Otherwise::Twice, "2 signers"),
    ] {
        let words = words(otherwise, ZIP);
        assert!(
            words.starts_with("not verified") && words.contains(why),
            "{words}"
        );
    }
    let no_signature = element(0x30, &[&oid(DATA), &element(0xa0, &[b"\x05\0"])]);
    for bytes in [&b""[..], b"der", &no_signature] {
        assert!(matches!(
            verified(bytes, ZIP),
            BundleSignature::NotVerified(_)
        ));
    }
}

proptest! {
    #[test]
    fn a_changed_byte_never_makes_another_signer(at: prop::sample::Index, with in 1_u8..) {
        let mut pkcs7 = sign(&self_signed(), ZIP, Otherwise::Nothing);
        let at = at.index(pkcs7.len());
        pkcs7[at] ^= with;
        let found = verify_bundle(&pkcs7, |_| {
            Ok(vec![digest::digest(&digest::SHA256, ZIP).as_ref().to_vec()])
        });
        if let BundleSignature::Valid(signer) = found.unwrap() {
            // Only what nobody signs can differ: a certificate vouches for itself, and is not asked whether it does.
            prop_assert!(signer.self_signed || signer.chain == 0);
        }
    }

    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>) {
        let found = verify_bundle(&bytes, |_| Ok(Vec::new())).unwrap();
        prop_assert!(!matches!(found, BundleSignature::Valid(_)));
    }
}
