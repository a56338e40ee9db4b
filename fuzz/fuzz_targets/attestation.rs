#![no_main]

//! Bundles that somebody changed, under a policy that trusts whoever signed the original: what is accepted says what was
//! signed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_attest::log::LogFiles;
use remint_attest::trust::{Policy, Verdict, decide};
use remint_attest::{
    ArtifactDigests, Bundle, Instance, SigningKey, Statement, Subject, TrustRoot, sign_with_key,
};
use remint_model::{Sha256, Sha512};

#[derive(Debug, Arbitrary)]
enum Input {
    Bytes(Vec<u8>),
    /// The signed bundle with these bytes replaced.
    Changed(Vec<(u16, u8)>),
    Cut(u16),
}

#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

impl LogFiles for Memory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().get(path).cloned())
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }
}

const FILE: &[u8] = b"a published file";

static SIGNED: LazyLock<(String, Policy)> = LazyLock::new(|| {
    let key = SigningKey::generate().expect("there is randomness");
    let subject = Subject::new("server.tgz", &Sha256::of(FILE), &Sha512::of(FILE));
    let predicate = serde_json::json!({
        "verifier": { "id": "urn:x-remint:rebuilder:v1", "version": {} },
        "startedOn": "2026-11-20T12:00:00Z",
        "finishedOn": "2026-11-20T12:00:00Z",
        "resourceUri": "pkg:npm/server@1.0.0",
        "reason": "not-built",
        "detail": "",
    });
    let kind = "urn:x-remint:predicate:rebuild-attempt:v1";
    let payload = Statement::new(subject, kind, predicate).to_bytes();
    let signed = sign_with_key(&key, &[payload.clone(), payload], &Memory::default());
    let text = signed
        .expect("a log in memory takes entries")
        .remove(1)
        .text;
    let policy = format!(
        "format = 'remint.trust/v1'\n[[rebuilder]]\nname = 'me'\nkey = '''{}'''\nlog_key = '{}'\nscope = ['pkg:*']\n",
        key.public().to_pem(),
        key.log()
    );
    let root = || TrustRoot::embedded(Instance::PublicGood);
    (text, Policy::parse(&policy, &root).expect("it is a policy"))
});

fuzz_target!(|input: Input| {
    let (text, policy) = &*SIGNED;
    let bytes = match input {
        Input::Bytes(bytes) => bytes,
        Input::Changed(changes) => {
            let mut bytes = text.clone().into_bytes();
            for (at, byte) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            bytes
        }
        Input::Cut(at) => text.as_bytes()[..usize::from(at).min(text.len())].to_vec(),
    };
    let Ok(bundle) = Bundle::parse(&bytes) else {
        return;
    };
    let now = "2026-11-21T00:00:00Z".parse().expect("a time");
    let decision = decide(policy, &[bundle], &ArtifactDigests::of(FILE), None, now);
    // Nothing but the very text that was signed is believed.
    assert_eq!(
        matches!(decision.verdict, Verdict::NoJudgement),
        bytes == text.as_bytes()
    );
});
