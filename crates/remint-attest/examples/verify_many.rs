//! Signs many statements and verifies each bundle in one process, for `scripts/bench-attestations`:
//! `verify_many COUNT` prints seconds for parsing and deciding all of them, on one core.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement, not a part of the program"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use remint_attest::log::LogFiles;
use remint_attest::trust::{Policy, Verdict, decide};
use remint_attest::{
    ArtifactDigests, Bundle, Instance, SigningKey, Statement, Subject, TrustRoot, sign_with_key,
};
use remint_model::{Sha256, Sha512};

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

fn main() {
    let count: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let key = SigningKey::generate().unwrap();
    let file = |at: usize| format!("file {at}").into_bytes();
    let payloads: Vec<Vec<u8>> = (0..count)
        .map(|at| {
            let bytes = file(at);
            let subject = Subject::new("server.tgz", &Sha256::of(&bytes), &Sha512::of(&bytes));
            let predicate = serde_json::json!({
                "verifier": { "id": "urn:x-remint:rebuilder:v1", "version": {} },
                "startedOn": "2026-11-20T12:00:00Z",
                "finishedOn": "2026-11-20T12:00:00Z",
                "resourceUri": format!("pkg:npm/server@1.0.{at}"),
                "reason": "not-built",
                "detail": "a measurement",
            });
            let kind = "urn:x-remint:predicate:rebuild-attempt:v1";
            Statement::new(subject, kind, predicate).to_bytes()
        })
        .collect();
    let signed = sign_with_key(&key, &payloads, &Memory::default()).unwrap();
    let policy = format!(
        "format = 'remint.trust/v1'\n[[rebuilder]]\nname = 'me'\nkey = '''{}'''\nlog_key = '{}'\nscope = ['pkg:*']\n",
        key.public().to_pem(),
        key.log()
    );
    let policy = Policy::parse(&policy, &|| TrustRoot::embedded(Instance::PublicGood)).unwrap();
    let digests: Vec<ArtifactDigests> = (0..count)
        .map(|at| ArtifactDigests::of(&file(at)))
        .collect();
    let now = "2026-11-21T00:00:00Z".parse().unwrap();

    let clock = Instant::now();
    for (signed, digests) in signed.iter().zip(&digests) {
        let bundle = Bundle::parse(signed.text.as_bytes()).unwrap();
        let decision = decide(&policy, &[bundle], digests, None, now);
        assert_eq!(decision.verdict, Verdict::NoJudgement);
    }
    println!("{:.6}", clock.elapsed().as_secs_f64());
}
