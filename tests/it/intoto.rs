//! in-toto's own verifier judges the links and layouts that are made here.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::attest::files;
use crate::judges;
use crate::npm::stand_in;
use crate::tamper;
use crate::world::World;

const SPEC: &str = "npm:note-server@1.0.0";

/// A release, rebuilders, and somebody who owns a policy that believes them.
struct Consumer {
    world: World,
    repository: PathBuf,
    file: PathBuf,
}

impl Consumer {
    fn new() -> Self {
        let world = World::new();
        let repository = world.repository("npm/plain", &[], "v1.0.0");
        let stand_in = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
        let file = world.build(SPEC, &repository, &stand_in);
        let consumer = Self {
            world,
            repository,
            file,
        };
        for who in ["owner", "alice", "bob", "stranger"] {
            consumer.succeed(&["key", "generate", "--output", who]);
        }
        consumer.succeed(&["trust", "init", "trust.toml"]);
        for who in ["alice.pub", "bob.pub"] {
            consumer.succeed(&["trust", "add", "trust.toml", "--key", who]);
        }
        consumer
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut program = self.world.program();
        program.env("REMINT_KEY_PASSWORD", "a passphrase");
        program.args(arguments).output().unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Attests a file; returns what was said and the links.
    fn attest(&self, who: &str, file: &Path, output: &str) -> (String, Vec<PathBuf>) {
        let said = self.run(&[
            "attest",
            SPEC,
            "--artifact",
            file.to_str().unwrap(),
            "--source",
            self.repository.to_str().unwrap(),
            "--key",
            &format!("{who}.key"),
            "--output",
            output,
        ]);
        let mut links = files(&self.world.path().join(output));
        links.retain(|path| path.extension().is_some_and(|ending| ending == "link"));
        links.sort();
        (String::from_utf8(said.stderr).unwrap(), links)
    }

    /// A layout with this threshold; returns what was lost in translation.
    fn export(&self, threshold: usize, owner: &str, output: &str, more: &[&str]) -> String {
        let policy = self.world.path().join("trust.toml");
        let text = fs_err::read_to_string(&policy).unwrap();
        let wanted = format!("threshold = {threshold}");
        let text = text
            .replace("threshold = 1", &wanted)
            .replace("threshold = 2", &wanted);
        fs_err::write(&policy, text).unwrap();
        let key = format!("{owner}.key");
        let mut arguments = vec!["trust", "export", "trust.toml", "--in-toto", "--key", &key];
        arguments.extend(["--output", output]);
        arguments.extend(more);
        self.succeed(&arguments)
    }

    /// What in-toto says about a directory with this file in it, under a layout of the owner.
    fn judged(&self, layout: &str, links: &[&Path], file: Option<&Path>) -> Result<(), String> {
        let link_folder = tempfile::tempdir().unwrap();
        for link in links {
            fs_err::copy(link, link_folder.path().join(link.file_name().unwrap())).unwrap();
        }
        let at_hand = tempfile::tempdir().unwrap();
        if let Some(file) = file {
            fs_err::copy(file, at_hand.path().join(self.file.file_name().unwrap())).unwrap();
        }
        judges::in_toto_verifies(
            &self.world.path().join(layout),
            &self.world.path().join("owner.pub"),
            link_folder.path(),
            at_hand.path(),
        )
    }
}

fn payload(envelope: &Path) -> Value {
    let envelope: Value = serde_json::from_slice(&fs_err::read(envelope).unwrap()).unwrap();
    let payload = envelope["payload"].as_str().unwrap();
    let payload = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload);
    serde_json::from_slice(&payload.unwrap()).unwrap()
}

#[test]
fn in_toto_accepts_what_enough_rebuilders_made_and_nothing_else() {
    let consumer = Consumer::new();
    let file = &*consumer.file;
    let (_, alice) = consumer.attest("alice", file, "alice");
    let (_, bob) = consumer.attest("bob", file, "bob");
    let (_, stranger) = consumer.attest("stranger", file, "stranger");
    let [alice, bob, stranger] = [&alice[0], &bob[0], &stranger[0]].map(PathBuf::as_path);
    let home = consumer.world.path().to_str().unwrap();
    assert!(!payload(alice).to_string().contains(home));

    let lost = consumer.export(1, "owner", "one.layout", &[]);
    assert!(lost.contains("a FAILED outweighs nothing"), "{lost}");
    consumer.export(2, "owner", "two.layout", &[]);
    let honest = Some(file);
    assert_eq!(consumer.judged("one.layout", &[alice], honest), Ok(()));
    assert_eq!(consumer.judged("one.layout", &[bob], honest), Ok(()));
    assert_eq!(consumer.judged("two.layout", &[alice, bob], honest), Ok(()));

    let refused = |layout: &str, links: &[&Path], file: Option<&Path>, words: &str| {
        let said = consumer.judged(layout, links, file).unwrap_err();
        assert!(said.contains(words), "{words}: {said}");
    };
    refused("two.layout", &[alice], honest, "LinkNotFoundError");
    refused(
        "two.layout",
        &[alice, stranger],
        honest,
        "LinkNotFoundError",
    );

    // A stranger's link under the name of one who is believed.
    let forged = consumer.world.path().join(bob.file_name().unwrap());
    fs_err::copy(stranger, &forged).unwrap();
    refused(
        "two.layout",
        &[alice, &forged],
        honest,
        "ThresholdVerificationError",
    );

    // A link that says something else than what was signed.
    let mut envelope: Value = serde_json::from_slice(&fs_err::read(bob).unwrap()).unwrap();
    let mut link = payload(bob);
    link["environment"]["isolation"] = "none".into();
    envelope["payload"] =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, link.to_string()).into();
    fs_err::write(&forged, envelope.to_string()).unwrap();
    refused(
        "two.layout",
        &[alice, &forged],
        honest,
        "ThresholdVerificationError",
    );

    let other = tamper::tarball(file, &consumer.world.path().join("other"), |_| {});
    refused(
        "two.layout",
        &[alice, bob],
        Some(&other),
        "RuleVerificationError",
    );
    refused("two.layout", &[alice, bob], None, "BadReturnValueError");

    // Nothing is expired that is written; so a second passes.
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let soon = soon.to_string();
    consumer.export(1, "owner", "old.layout", &["--expires", &soon]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    refused("old.layout", &[alice], honest, "LayoutExpiredError");
    consumer.export(1, "stranger", "foreign.layout", &[]);
    refused(
        "foreign.layout",
        &[alice],
        honest,
        "SignatureVerificationError",
    );
}

#[test]
fn links_are_written_for_identical_files_and_never_overwritten() {
    let consumer = Consumer::new();
    let (_, first) = consumer.attest("alice", &consumer.file, "out");
    let before = fs_err::read(&first[0]).unwrap();
    let (_, both) = consumer.attest("alice", &consumer.file, "out");
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.contains(&first[0]));
    assert_eq!(fs_err::read(&first[0]).unwrap(), before);

    let repacked = tamper::tarball(
        &consumer.file,
        &consumer.world.path().join("repacked"),
        |_| {},
    );
    let (said, links) = consumer.attest("alice", &repacked, "repacked");
    assert!(links.is_empty(), "{links:?}");
    assert!(said.contains("no link"), "{said}");
}

#[test]
fn a_policy_that_in_toto_cannot_hold_is_refused() {
    let consumer = Consumer::new();
    let refused = |arguments: &[&str], words: &str| {
        let mut all = vec!["trust", "export", "trust.toml", "--key", "owner.key"];
        all.extend(arguments);
        let output = consumer.run(&all);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains(words), "{said}");
    };
    refused(&[], "--in-toto");
    refused(&["--in-toto", "--expires", "soon"], "expected a date");
    refused(&["--in-toto", "--expires", "2020-01-01"], "expired already");
    let policy = consumer.world.path().join("trust.toml");
    let text = fs_err::read_to_string(&policy).unwrap();
    fs_err::write(&policy, text.replace("threshold = 1", "threshold = 3")).unwrap();
    refused(&["--in-toto"], "the threshold is 3");
}
