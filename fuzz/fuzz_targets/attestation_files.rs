#![no_main]

//! The other files that attestations come with: policies, scopes, keys, indexes, logs, and what is pending.

use std::io;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_attest::keyless::{Endpoints, IdentityToken, Pending};
use remint_attest::layout::Index;
use remint_attest::log::{LogFiles, verify_consistency, verify_log};
use remint_attest::trust::{Policy, Scope, empty};
use remint_attest::{Instance, LogKey, PublicKey, SigningKey, TrustRoot};
use remint_fuzz::Text;

#[derive(Debug, Arbitrary)]
struct Input {
    text: Text,
    bytes: Vec<u8>,
}

const WORDS: &[&str] = &[
    "format = 'remint.trust/v1'\n",
    "[[rebuilder]]\n",
    "name = 'a'\n",
    "scope = ['pkg:*']\n",
    "pkg:",
    "npm",
    "pypi",
    "/",
    "%40",
    "@",
    "*",
    "identity = 'a'\n",
    "issuer = 'b'\n",
    "threshold = ",
    "1",
    "not_after = 2027-01-01\n",
    "revoked = ",
    "true\n",
    "{",
    "}",
    "[",
    "]",
    "\"format\": \"remint.attestations/v1\"",
    "\"attestations\": ",
    "\"path\": ",
    "\"a/b/c\"",
    ",",
    "x.log.remint.invalid+00000000+AQ==",
    "\n\n\u{2014} ",
];

/// A log whose every file says the same.
struct Everywhere<'a>(&'a [u8]);

impl LogFiles for Everywhere<'_> {
    fn read(&self, _path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(Some(self.0.to_vec()))
    }

    fn write(&self, _path: &str, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|input: Input| {
    let text = input.text.spelled(WORDS);
    let root = || TrustRoot::embedded(Instance::PublicGood);
    drop(Policy::parse(&text, &root));
    drop(Policy::parse(&(empty() + &text), &root));
    if let Ok(scope) = text.parse::<Scope>() {
        assert_eq!(scope.to_string().parse(), Ok(scope));
    }
    drop(PublicKey::parse(&text));
    drop(SigningKey::parse(&text, Some("a")));
    drop(Endpoints::from_signing_config(&text));
    drop(IdentityToken::parse(&text));
    for bytes in [text.as_bytes(), &input.bytes] {
        if let Ok(index) = Index::parse(bytes) {
            for entry in &index.attestations {
                assert!(
                    !entry.path.contains("..") || !entry.path.split('/').any(|part| part == "..")
                );
            }
            assert_eq!(Index::parse(index.to_text().as_bytes()), Ok(index));
        }
        drop(Pending::parse(bytes));
        if let Ok(key) = LogKey::parse(&text) {
            drop(verify_log(&Everywhere(bytes), &key));
            drop(verify_consistency(&Everywhere(bytes), &key, bytes));
        }
    }
});
