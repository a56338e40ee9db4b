//! Keys: a P-256 key that signs, and the Ed25519 key of its own transparency log, which is derived from it.
//!
//! Private keys are read and written in the format of cosign (scrypt and NaCl secretbox in PEM) or as plain PKCS#8;
//! public keys are SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::hkdf;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use remint_model::Sha256;
use signed_note::{StandardSigner, StandardVerifier, Verifier as _};
use sigstore::crypto::signing_key::KeyPair as _;
use sigstore::crypto::signing_key::ecdsa::EllipticCurve;
use sigstore::crypto::signing_key::ecdsa::ec::EcdsaKeys;
use sigstore_crypto::{KeyAlgorithm, KeyPair, VerificationKey};
use sigstore_types::DerPublicKey;
use zeroize::Zeroizing;

/// The largest key file that is read, in bytes.
pub const LARGEST_KEY: usize = 64 << 10;

/// What an Ed25519 public key in SubjectPublicKeyInfo begins with (RFC 8410, section 4).
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The signature type of Ed25519 in signed notes (C2SP signed-note, "Signature types").
const NOTE_ED25519: u8 = 1;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is no key in a format that is read.
    #[error("it is no private key that can be read: {0}")]
    Format(String),
    /// The passphrase does not open the key.
    #[error("the passphrase does not open this key")]
    Passphrase,
    /// The key is encrypted and there is no passphrase.
    #[error("the key is encrypted, and there is no passphrase")]
    PassphraseNeeded,
    /// A curve or algorithm that is not used here.
    #[error("only ECDSA keys on the curve P-256 can sign, and this is another kind")]
    Kind,
    /// A public key that cannot be read.
    #[error("it is no P-256 public key in PEM: {0}")]
    PublicFormat(String),
    /// A log key that cannot be read.
    #[error("it is no Ed25519 verifier key of a log (`NAME+HASH+KEY`, C2SP signed-note): {0}")]
    LogFormat(String),
}

/// A key that signs.
pub struct SigningKey {
    pub(crate) pair: KeyPair,
    pub(crate) log: StandardSigner,
    public: PublicKey,
    log_public: LogKey,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.public.id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// The system has none.
    pub fn generate() -> Result<Self, KeyError> {
        let keys = EcdsaKeys::new(EllipticCurve::P256)
            .map_err(|error| KeyError::Format(error.to_string()))?;
        Self::from_keys(&keys)
    }

    /// Whether this text is a private key that only a passphrase opens.
    #[must_use]
    pub fn is_encrypted(pem: &str) -> bool {
        pem.contains("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----")
            || pem.contains("-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----")
    }

    /// Reads a private key: cosign's encrypted format, or plain PKCS#8 in PEM, for which the passphrase is not used.
    ///
    /// # Errors
    /// The text is no such key, the passphrase is wrong or missing, or the key is of another kind than P-256.
    pub fn parse(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        if pem.len() > LARGEST_KEY {
            return Err(KeyError::Format(format!("it has {} bytes", pem.len())));
        }
        let keys = if Self::is_encrypted(pem) {
            let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
            EcdsaKeys::from_encrypted_pem(pem.as_bytes(), passphrase.as_bytes()).map_err(
                |error| {
                    let words = error.to_string();
                    // The box is authenticated: it does not open, or it is not one at all.
                    if words.contains("aead") {
                        KeyError::Passphrase
                    } else {
                        KeyError::Format(words)
                    }
                },
            )?
        } else {
            EcdsaKeys::from_pem(pem.as_bytes())
                .map_err(|error| KeyError::Format(error.to_string()))?
        };
        Self::from_keys(&keys)
    }

    fn from_keys(keys: &EcdsaKeys) -> Result<Self, KeyError> {
        let format = |error: sigstore::errors::SigstoreError| KeyError::Format(error.to_string());
        let pkcs8 = keys.private_key_to_der().map_err(format)?;
        let pair = KeyPair::from_pkcs8_der(&pkcs8).map_err(|_| KeyError::Kind)?;
        if pair.algorithm() != KeyAlgorithm::EcdsaP256 {
            return Err(KeyError::Kind);
        }
        let public = pair
            .public_key_der()
            .map_err(|error| KeyError::Format(error.to_string()))
            .and_then(PublicKey::from_der)?;
        let seed = log_seed(&pkcs8)?;
        let name = format!("{}{LOG_NAME}", public.id.short());
        let (log, log_public) = log_keys(&name, &seed)?;
        Ok(Self {
            pair,
            log,
            public,
            log_public,
            pkcs8,
        })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The public key of this key's own log.
    #[must_use]
    pub const fn log(&self) -> &LogKey {
        &self.log_public
    }

    /// The private key as cosign writes it: PEM, encrypted with the passphrase.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn to_encrypted_pem(&self, passphrase: &str) -> Result<Zeroizing<String>, KeyError> {
        EcdsaKeys::from_pkcs8_der(&self.pkcs8)
            .and_then(|keys| keys.private_key_to_encrypted_pem(passphrase.as_bytes()))
            .map_err(|error| KeyError::Format(error.to_string()))
    }
}

/// What the names of the logs that belong to keys end with. A name is a host's, which nobody has (RFC 2606, section 2),
/// because other verifiers look for a log by the host in its address.
const LOG_NAME: &str = ".log.remint.invalid";

/// The seed of the log's key: HKDF-SHA-256 (RFC 5869) over the private scalar, so that one secret is all that has to be
/// kept, wherever it comes from.
fn log_seed(pkcs8: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
        .map_err(|_| KeyError::Kind)?;
    let scalar: EcPrivateKeyBin<'_> = pair
        .private_key()
        .as_be_bytes()
        .map_err(|_| KeyError::Kind)?;
    let mut seed = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"remint local log v1")
        .extract(scalar.as_ref())
        .expand(&[b"ed25519"], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(&mut *seed))
        .map_err(|_| KeyError::Kind)?;
    Ok(seed)
}

fn log_keys(name: &str, seed: &[u8; 32]) -> Result<(StandardSigner, LogKey), KeyError> {
    let encode = |bytes: &[u8]| sigstore_types::PayloadBytes::from_bytes(bytes).to_base64();
    let signing = ed25519_dalek::SigningKey::from_bytes(seed);
    let verifying = signing.verifying_key();
    let log_key = LogKey::parse(&signed_note::new_ed25519_verifier_key(name, &verifying))?;
    let private = Zeroizing::new([&[NOTE_ED25519], seed.as_slice()].concat());
    let text = Zeroizing::new(format!(
        "PRIVATE+KEY+{name}+{:08x}+{}",
        log_key.verifier.key_id(),
        encode(&private)
    ));
    let signer =
        StandardSigner::new(&text).map_err(|error| KeyError::LogFormat(error.to_string()))?;
    Ok((signer, log_key))
}

/// SHA-256 over a key's SubjectPublicKeyInfo: how a key is named in bundles, policies and paths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Sha256);

impl KeyId {
    /// The first 16 hexadecimal digits, for paths and for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.0.to_string().chars().take(16).collect()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A P-256 key that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(crate) der: DerPublicKey,
    id: KeyId,
}

impl PublicKey {
    /// Reads a public key in PEM (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// It is none, or of another kind than P-256.
    pub fn parse(pem: &str) -> Result<Self, KeyError> {
        if pem.len() > LARGEST_KEY {
            return Err(KeyError::PublicFormat(format!(
                "it has {} bytes",
                pem.len()
            )));
        }
        DerPublicKey::from_pem(pem)
            .map_err(|error| KeyError::PublicFormat(error.to_string()))
            .and_then(Self::from_der)
    }

    pub(crate) fn from_der(der: DerPublicKey) -> Result<Self, KeyError> {
        VerificationKey::from_spki(&der)
            .map_err(|error| KeyError::PublicFormat(error.to_string()))?;
        match KeyAlgorithm::from_spki(&der) {
            Ok(KeyAlgorithm::EcdsaP256) => {}
            _ => return Err(KeyError::Kind),
        }
        let id = KeyId(Sha256::of(der.as_bytes()));
        Ok(Self { der, id })
    }

    /// The key as PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let mut pem = self.der.to_pem();
        if !pem.ends_with('\n') {
            pem.push('\n');
        }
        pem
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Its fingerprint as `ssh-keygen -l` shows it: how Go's DSSE library, and so cosign, names the keys of envelopes
    /// (docs/decisions/key-ids.md).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // The DER of a P-256 key ends with the point, uncompressed.
        let der = self.der.as_bytes();
        let point = der.get(der.len().saturating_sub(65)..).unwrap_or(der);
        let mut wire = Vec::new();
        for part in [&b"ecdsa-sha2-nistp256"[..], b"nistp256", point] {
            wire.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            wire.extend(part);
        }
        let digest = sigstore_types::PayloadBytes::from_bytes(Sha256::of(&wire).as_bytes());
        format!("SHA256:{}", digest.to_base64().trim_end_matches('='))
    }
}

/// The key of a transparency log: a name and an Ed25519 key, as C2SP signed-note writes verifier keys.
#[derive(Clone)]
pub struct LogKey {
    pub(crate) verifier: StandardVerifier,
    text: String,
    key: [u8; 32],
}

impl LogKey {
    /// Reads `NAME+HASH+KEY`.
    ///
    /// # Errors
    /// It is no verifier key, or not of an Ed25519 key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let format = |words: &str| KeyError::LogFormat(words.to_owned());
        if text.len() > 1024 {
            return Err(format("it is too long"));
        }
        let verifier = StandardVerifier::new(text).map_err(|error| format(&error.to_string()))?;
        let encoded = text.rsplit('+').next().unwrap_or_default();
        // The base64 of the key may hold `+`: the last two separators do not delimit it, the first two do.
        let encoded = text.splitn(3, '+').nth(2).unwrap_or(encoded);
        let bytes = sigstore_types::PayloadBytes::from_base64(encoded)
            .map_err(|error| format(&error.to_string()))?;
        let key = match bytes.as_bytes() {
            [NOTE_ED25519, key @ ..] => <[u8; 32]>::try_from(key).ok(),
            _ => None,
        };
        Ok(Self {
            verifier,
            text: text.to_owned(),
            key: key.ok_or_else(|| format("it is of another algorithm"))?,
        })
    }

    /// The log's name, which is the origin of its checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// The key as SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> Vec<u8> {
        [ED25519_SPKI.as_slice(), &self.key].concat()
    }

    /// The 32 bytes whose first four are the key hint of checkpoints (C2SP signed-note, "Signatures").
    pub(crate) fn log_id(&self) -> Sha256 {
        let mut named = self.name().as_bytes().to_vec();
        named.extend([b'\n', NOTE_ED25519]);
        named.extend(self.key);
        Sha256::of(&named)
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({self})")
    }
}

impl PartialEq for LogKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for LogKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_passphrase_and_no_other() {
        let key = SigningKey::generate().unwrap();
        let pem = key.to_encrypted_pem("open sesame").unwrap();
        assert!(SigningKey::is_encrypted(&pem));
        let again = SigningKey::parse(&pem, Some("open sesame")).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(again.log(), key.log());
        assert_eq!(
            SigningKey::parse(&pem, Some("open")).unwrap_err(),
            KeyError::Passphrase
        );
        assert_eq!(
            SigningKey::parse(&pem, None).unwrap_err(),
            KeyError::PassphraseNeeded
        );
    }

    #[test]
    fn public_keys_and_log_keys_survive_their_text() {
        let key = SigningKey::generate().unwrap();
        assert_eq!(
            PublicKey::parse(&key.public().to_pem()).unwrap(),
            *key.public()
        );
        let text = format!("{}\n", key.log());
        assert_eq!(LogKey::parse(&text).unwrap(), *key.log());
    }

    #[test]
    fn fingerprints_are_those_of_ssh() {
        // As `ssh-keygen -l` says of the same key.
        let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEowuF6SDHAFf22fyzu45rcEUFM/Z4\nUqw803zDbpInegg3ESxRwh7YRlTIeYfTM0f7tFUkEFszMyOXgOYouAzKCw==\n-----END PUBLIC KEY-----\n";
        assert_eq!(
            PublicKey::parse(pem).unwrap().fingerprint(),
            "SHA256:V7KlhLj38tPNHBSHKMk7ePnWJtt7Y7PBKlLCdpnt+Ig"
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n",
        ] {
            assert!(matches!(
                SigningKey::parse(text, None),
                Err(KeyError::Format(_))
            ));
            assert!(PublicKey::parse(text).is_err());
            assert!(LogKey::parse(text).is_err());
        }
    }
}
