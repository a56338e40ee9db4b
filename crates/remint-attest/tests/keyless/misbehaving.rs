//! Services that fail or lie: the answer is named, no bundle comes of it, and what is kept can be finished later.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use remint_attest::keyless::{
    IdentityToken, KeylessConfig, KeylessError, KeylessSigner, LogVersion, Pending,
    PendingDirectory, PendingState, Progress, Service, SignerIdentity, Unfinished,
};
use remint_attest::{RefusalReason, Signed, TrustRoot};
use serde_json::Value;

use crate::accepted::{statement, verify};
use crate::world::{Fault, IDENTITY, ISSUER, Loopback, World, token, token_text};

const AUTHORITY: &str = "certificate-authority";
const TIMESTAMPS: &str = "timestamp-authority";
const LOG: &str = "log";

/// Signs as the program does: what comes further is written down, and what is finished is removed.
async fn sign(
    config: KeylessConfig,
    services: &Loopback,
    token: Option<IdentityToken>,
    directory: &PendingDirectory,
    statements: Vec<(String, Pending)>,
) -> Vec<Result<Signed, Unfinished>> {
    let (names, statements): (Vec<_>, Vec<_>) = statements.into_iter().unzip();
    let signer = KeylessSigner::new(config, services.clone(), token);
    let keep = |progress: Progress<'_>| {
        if let Progress::Kept { index, pending } = progress {
            directory.write(&names[index], pending).unwrap();
        }
    };
    let answers = signer.sign(statements, &mut { keep }).await;
    for (name, answer) in names.iter().zip(&answers) {
        match answer {
            Ok(_) => directory.remove(name).unwrap(),
            Err(unfinished) => assert_eq!(directory.read(name).unwrap(), *unfinished.pending),
        }
    }
    answers
}

struct Attempt {
    directory: PendingDirectory,
    services: Loopback,
    failure: KeylessError,
    state: PendingState,
}

/// One statement that is not signed.
async fn fail(world: &World, config: KeylessConfig, token: Option<IdentityToken>) -> Attempt {
    fail_within(world, config, token, Duration::from_secs(10)).await
}

async fn fail_within(
    world: &World,
    config: KeylessConfig,
    token: Option<IdentityToken>,
    deadline: Duration,
) -> Attempt {
    let directory = PendingDirectory::at(world.cache.path().join("pending"));
    let mut services = world.client();
    services.deadline = deadline;
    let statements = vec![("one".to_owned(), statement("one"))];
    let mut answers = sign(config, &services, token, &directory, statements).await;
    let unfinished = answers.remove(0).unwrap_err();
    Attempt {
        directory,
        services,
        failure: unfinished.failure,
        state: unfinished.pending.state(),
    }
}

/// Whatever went wrong: with honest services everything that was kept is finished.
async fn finish(world: &World, attempt: &Attempt, token: Option<IdentityToken>) {
    world.honest();
    let directory = &attempt.directory;
    let pending: Vec<_> = directory
        .names()
        .unwrap()
        .into_iter()
        .map(|name| (name.clone(), directory.read(&name).unwrap()))
        .collect();
    assert!(!pending.is_empty());
    let services = &attempt.services;
    for answer in sign(world.config(), services, token, directory, pending).await {
        let signed = answer.unwrap_or_else(|unfinished| panic!("{:?}", unfinished.failure));
        verify(&world.trusted_root(), &signed.text).unwrap();
    }
    assert!(directory.names().unwrap().is_empty());
}

fn patient(world: &World, minutes: u64) -> KeylessConfig {
    KeylessConfig {
        patience: Duration::from_secs(minutes * 60),
        ..world.config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_out_is_asked_again_and_then_left_for_later() {
    let world = World::new();
    let state = |service| match service {
        AUTHORITY => PendingState::Unsigned,
        TIMESTAMPS => PendingState::Signed,
        _ => PendingState::Stamped,
    };
    for service in [AUTHORITY, TIMESTAMPS, LOG] {
        for (fault, status) in [
            (Fault::Status(429, Some(30)), Some(429)),
            (Fault::Status(500, None), Some(500)),
            (Fault::Status(503, Some(5)), Some(503)),
            (Fault::Garbage(b"<html>log in first</html>"), None),
            (Fault::Rude, None),
        ] {
            let name = format!("{service}, {fault:?}");
            world.always(service, fault);
            let before = world.seen(service);
            let attempt = fail(&world, patient(&world, 5), Some(token())).await;
            let named = match (&attempt.failure, status) {
                (KeylessError::Refused { status, .. }, Some(expected)) => *status == expected,
                (KeylessError::Malformed { .. } | KeylessError::Unanswered { .. }, None) => true,
                _ => false,
            };
            assert!(named, "{name}: {:?}", attempt.failure);
            assert_eq!(attempt.state, state(service), "{name}");
            let asked = world.seen(service) - before;
            assert!((5..40).contains(&asked), "{name}: asked {asked} times");
            let waited = attempt.services.waited().as_secs();
            assert!((200..300).contains(&waited), "{name}: waited {waited} s");
            finish(&world, &attempt, Some(token())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_ends_its_answer_is_not_waited_for() {
    let world = World::new();
    for service in [AUTHORITY, TIMESTAMPS, LOG] {
        for (fault, expected) in [(Fault::Silent, "within"), (Fault::Endless, "larger than")] {
            world.always(service, fault);
            let config = KeylessConfig {
                patience: Duration::ZERO,
                ..world.config()
            };
            let deadline = Duration::from_millis(1500);
            let attempt = fail_within(&world, config, Some(token()), deadline).await;
            let words = attempt.failure.to_string();
            assert!(
                matches!(attempt.failure, KeylessError::Unanswered { .. }),
                "{words}"
            );
            assert!(words.contains(expected), "{service}: {words}");
            finish(&world, &attempt, Some(token())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_wants_to_be_left_alone_for_longer_than_there_is_time_is() {
    let world = World::new();
    for service in [AUTHORITY, LOG] {
        world.always(service, Fault::Status(429, Some(u64::MAX)));
        let before = world.seen(service);
        let attempt = fail(&world, world.config(), Some(token())).await;
        assert_eq!(world.seen(service) - before, 1);
        assert_eq!(attempt.services.waited(), Duration::ZERO);
        finish(&world, &attempt, Some(token())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_an_hour_is_waited_out() {
    let world = World::new();
    world.first(90, LOG, Fault::Status(503, None));
    let directory = PendingDirectory::at(world.cache.path().join("pending"));
    let services = world.client();
    let statements = ["one", "two"].map(|name| (name.to_owned(), statement(name)));
    let answers = sign(
        world.config(),
        &services,
        Some(token()),
        &directory,
        statements.into(),
    )
    .await;
    for answer in answers {
        verify(&world.trusted_root(), &answer.unwrap().text).unwrap();
    }
    let minutes = services.waited().as_secs() / 60;
    assert!((45..100).contains(&minutes), "{minutes} minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_lacks_its_entry_needs_no_token_days_later() {
    let world = World::new();
    world.always(LOG, Fault::Status(503, None));
    let attempt = fail(&world, world.config(), Some(token())).await;
    assert_eq!(attempt.state, PendingState::Stamped);
    attempt.services.skip(Duration::from_secs(3 * 24 * 60 * 60));
    finish(&world, &attempt, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_whose_certificate_ends_without_a_timestamp_is_made_anew() {
    let world = World::new();
    // Within one run, while the token lasts.
    world.first(26, TIMESTAMPS, Fault::Status(503, None));
    let directory = PendingDirectory::at(world.cache.path().join("pending"));
    let services = world.client();
    let statements = vec![("one".to_owned(), statement("one"))];
    let answers = sign(
        world.config(),
        &services,
        Some(token()),
        &directory,
        statements,
    )
    .await;
    verify(&world.trusted_root(), &answers[0].as_ref().unwrap().text).unwrap();
    assert_eq!(world.seen(AUTHORITY), 2);

    // In a later run, with a new token.
    world.always(TIMESTAMPS, Fault::Status(503, None));
    let attempt = fail(&world, patient(&world, 5), Some(token())).await;
    assert_eq!(attempt.state, PendingState::Signed);
    attempt.services.skip(Duration::from_secs(60 * 60));
    finish(&world, &attempt, Some(token())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_answer_was_lost_is_found_again() {
    let world = World::new();
    for version in [LogVersion::V1, LogVersion::V2] {
        world.first(1, LOG, Fault::Lost);
        let directory = PendingDirectory::at(world.cache.path().join("pending"));
        let mut services = world.client();
        services.patient = true;
        let config = world.config_for(version);
        let before = world.seen(AUTHORITY);
        let statements = vec![("one".to_owned(), statement("one"))];
        let answers = sign(config, &services, Some(token()), &directory, statements).await;
        let signed = answers[0].as_ref().unwrap();
        verify(&world.trusted_root(), &signed.text).unwrap();
        assert_eq!(world.seen(AUTHORITY) - before, 1, "{version:?}");

        // Days later, without a token, while the log takes entries and does not find them.
        world.always(LOG, Fault::Lost);
        let config = KeylessConfig {
            patience: Duration::ZERO,
            ..world.config_for(version)
        };
        let attempt = fail(&world, config.clone(), Some(token())).await;
        assert_eq!(attempt.state, PendingState::Stamped, "{version:?}");
        world.honest();
        world.always("look-up", Fault::Status(503, None));
        let pending = attempt.directory.read("one").unwrap();
        let signer = KeylessSigner::new(config, world.client(), None);
        let mut answers = signer
            .sign(vec![pending.clone()], &mut |_: Progress<'_>| ())
            .await;
        let unfinished = answers.remove(0).unwrap_err();
        assert!(
            matches!(
                unfinished.failure,
                KeylessError::Refused { status: 503, .. }
            ),
            "{version:?}: {:?}",
            unfinished.failure
        );
        assert_eq!(*unfinished.pending, pending, "{version:?}");
        world.honest();
        let signer = KeylessSigner::new(world.config_for(version), world.client(), None);
        let signing = signer.sign(vec![pending], &mut |_: Progress<'_>| ()).await;
        verify(&world.trusted_root(), &signing[0].as_ref().unwrap().text).unwrap();
        attempt.directory.remove("one").unwrap();

        // Where it is not to be found at all, it is signed anew.
        world.first(1, LOG, Fault::Lost);
        world.always("look-up", Fault::Status(404, None));
        let before = world.seen(AUTHORITY);
        let statements = vec![("one".to_owned(), statement("one"))];
        let config = world.config_for(version);
        let answers = sign(config, &services, Some(token()), &directory, statements).await;
        verify(&world.trusted_root(), &answers[0].as_ref().unwrap().text).unwrap();
        assert_eq!(world.seen(AUTHORITY) - before, 2, "{version:?}");
        world.honest();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_no_such_log_gives_is_not_taken_for_one() {
    let world = World::new();
    world.always(LOG, Fault::Changed(a_time_of_its_own));
    let config = KeylessConfig {
        patience: Duration::ZERO,
        ..world.config()
    };
    let attempt = fail(&world, config, Some(token())).await;
    assert!(
        matches!(
            attempt.failure,
            KeylessError::Malformed {
                service: Service::Log,
                ..
            }
        ),
        "{:?}",
        attempt.failure
    );
    assert_eq!(attempt.state, PendingState::Stamped);
    // It is entered by now.
    finish(&world, &attempt, None).await;
}

/// A public key that is nobody's here.
fn another_key(request: &[u8]) -> Vec<u8> {
    let key = sigstore_crypto::KeyPair::generate_ecdsa_p256().unwrap();
    let mut request: Value = serde_json::from_slice(request).unwrap();
    request["publicKeyRequest"]["publicKey"]["content"] =
        key.public_key_der().unwrap().to_pem().into();
    request.to_string().into_bytes()
}

fn another_identity(request: &[u8]) -> Vec<u8> {
    let claims = serde_json::json!({ "iss": ISSUER, "sub": "https://example.org/other" });
    let claims = STANDARD.encode(claims.to_string()).replace('=', "");
    let mut request: Value = serde_json::from_slice(request).unwrap();
    request["credentials"]["oidcIdentityToken"] = format!("e30.{claims}.e30").into();
    request.to_string().into_bytes()
}

/// The last byte of the digest that is to be stamped.
fn other_bytes(request: &[u8]) -> Vec<u8> {
    let mut request = request.to_vec();
    let last = request.len() - 4;
    request[last] ^= 1;
    request
}

fn another_body(request: &[u8]) -> Vec<u8> {
    let mut request: Value = serde_json::from_slice(request).unwrap();
    request["hashedRekordRequestV002"]["digest"] = STANDARD.encode([7; 32]).into();
    request.to_string().into_bytes()
}

fn another_index(answer: &mut Value) {
    answer["logIndex"] = "2".into();
}

fn a_time_of_its_own(answer: &mut Value) {
    answer["integratedTime"] = "1700000000".into();
}

fn no_proof(answer: &mut Value) {
    answer.as_object_mut().unwrap().remove("inclusionProof");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_is_named_and_believed_by_nobody() {
    let world = World::new();
    type Expected = fn(&KeylessError) -> bool;
    let cases: [(&str, Fault, Expected, PendingState); 8] = [
        (
            AUTHORITY,
            Fault::Misread(another_key),
            |failure| matches!(failure, KeylessError::ForeignKey),
            PendingState::Unsigned,
        ),
        (
            AUTHORITY,
            Fault::Misread(another_identity),
            |failure| {
                matches!(failure, KeylessError::ForeignIdentity { found, expected }
                    if found.identity == "https://example.org/other" && expected.identity == IDENTITY)
            },
            PendingState::Unsigned,
        ),
        (
            TIMESTAMPS,
            Fault::Misread(other_bytes),
            |failure| {
                rejected(
                    failure,
                    Service::TimestampAuthority,
                    RefusalReason::TimestampInvalid,
                )
            },
            PendingState::Signed,
        ),
        (
            LOG,
            Fault::Misread(another_body),
            |failure| rejected(failure, Service::Log, RefusalReason::LogEntryMismatch),
            PendingState::Stamped,
        ),
        (
            LOG,
            Fault::ForeignLog,
            |failure| rejected(failure, Service::Log, RefusalReason::CheckpointInvalid),
            PendingState::Stamped,
        ),
        (
            LOG,
            Fault::Changed(another_index),
            |failure| rejected(failure, Service::Log, RefusalReason::InclusionInvalid),
            PendingState::Stamped,
        ),
        (
            LOG,
            Fault::Changed(no_proof),
            |failure| rejected(failure, Service::Log, RefusalReason::InclusionMissing),
            PendingState::Stamped,
        ),
        (
            LOG,
            Fault::Status(409, None),
            |failure| matches!(failure, KeylessError::AlreadyLogged),
            PendingState::Unsigned,
        ),
    ];
    for (service, fault, expected, state) in cases {
        let name = format!("{service}, {fault:?}");
        world.always(service, fault);
        let attempt = fail(&world, patient(&world, 5), Some(token())).await;
        assert!(expected(&attempt.failure), "{name}: {:?}", attempt.failure);
        assert_eq!(attempt.state, state, "{name}");
        finish(&world, &attempt, Some(token())).await;
    }
}

fn rejected(failure: &KeylessError, by: Service, reason: RefusalReason) -> bool {
    matches!(failure, KeylessError::Rejected { service, refusal }
        if *service == by && refusal.reason == reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_the_root_does_not_know_are_refused_before_anything_is_logged() {
    let world = World::new();
    let other = World::new().trusted_root();
    for (part, service, reason) in [
        (
            "certificateAuthorities",
            Service::CertificateAuthority,
            RefusalReason::CertificateInvalid,
        ),
        (
            "ctlogs",
            Service::CertificateAuthority,
            RefusalReason::CertificateInvalid,
        ),
        (
            "timestampAuthorities",
            Service::TimestampAuthority,
            RefusalReason::TimestampInvalid,
        ),
    ] {
        let mut root = world.trusted_root();
        root[part] = other[part].clone();
        let config = KeylessConfig {
            root: Arc::new(TrustRoot::parse(&root.to_string()).unwrap()),
            ..world.config()
        };
        let before = world.seen(LOG);
        let attempt = fail(&world, config, Some(token())).await;
        assert!(
            rejected(&attempt.failure, service, reason),
            "{part}: {:?}",
            attempt.failure
        );
        assert_eq!(world.seen(LOG), before, "{part}");
        finish(&world, &attempt, Some(token())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_repeated() {
    let world = World::new();
    for service in [AUTHORITY, TIMESTAMPS, LOG] {
        for status in [302, 400, 401, 404, 413] {
            world.always(service, Fault::Status(status, None));
            let before = world.seen(service);
            let attempt = fail(&world, world.config(), Some(token())).await;
            assert_eq!(world.seen(service) - before, 1, "{service} {status}");
            assert!(
                matches!(attempt.failure, KeylessError::Refused { status: found, .. } if found == status),
                "{service} {status}: {:?}",
                attempt.failure
            );
            finish(&world, &attempt, Some(token())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_that_lasts_nobody_is_asked() {
    let world = World::new();
    let attempt = fail(&world, world.config(), None).await;
    assert!(matches!(attempt.failure, KeylessError::NoToken));
    finish(&world, &attempt, Some(token())).await;

    let before = world.seen(AUTHORITY);
    let expired = IdentityToken::parse(&token_text(SignedDuration::from_secs(-1))).unwrap();
    let attempt = fail(&world, world.config(), Some(expired)).await;
    assert!(matches!(attempt.failure, KeylessError::TokenExpired(_)));
    assert_eq!(attempt.state, PendingState::Unsigned);
    assert_eq!(world.seen(AUTHORITY), before);
    finish(&world, &attempt, Some(token())).await;

    // One that ends while the authority is out.
    world.always(AUTHORITY, Fault::Status(503, None));
    let short = IdentityToken::parse(&token_text(SignedDuration::from_mins(5))).unwrap();
    let attempt = fail(&world, world.config(), Some(short)).await;
    let waited = attempt.services.waited().as_secs();
    assert!((200..300).contains(&waited), "waited {waited} s");
    finish(&world, &attempt, Some(token())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signer_can_be_named_where_the_token_does_not_tell() {
    let world = World::new();
    let named = |identity: &str| KeylessConfig {
        signer: Some(SignerIdentity {
            identity: identity.to_owned(),
            issuer: ISSUER.to_owned(),
        }),
        ..world.config()
    };
    let attempt = fail(&world, named("https://example.org/other"), Some(token())).await;
    assert!(matches!(
        attempt.failure,
        KeylessError::ForeignIdentity { .. }
    ));
    let pending = vec![("one".to_owned(), statement("one"))];
    let answers = sign(
        named(IDENTITY),
        &attempt.services,
        Some(token()),
        &attempt.directory,
        pending,
    )
    .await;
    verify(&world.trusted_root(), &answers[0].as_ref().unwrap().text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_repeats_the_token_does_not_make_it_public() {
    let world = World::new();
    let text = token_text(SignedDuration::from_hours(1));
    for status in [200, 400, 503] {
        world.always(AUTHORITY, Fault::Echo(status));
        let token = IdentityToken::parse(&text).unwrap();
        let attempt = fail(&world, patient(&world, 1), Some(token)).await;
        let file = attempt.directory.read("one").unwrap().to_text();
        let said = format!("{} {:?} {file}", attempt.failure, attempt.failure);
        for part in text.split('.') {
            assert!(!said.contains(part), "{said}");
        }
        finish(&world, &attempt, Some(crate::world::token())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_file_that_was_tampered_with_reaches_no_log() {
    let world = World::new();
    world.always(LOG, Fault::Status(503, None));
    let attempt = fail(&world, patient(&world, 1), Some(token())).await;
    let good: Value =
        serde_json::from_str(&attempt.directory.read("one").unwrap().to_text()).unwrap();
    let attempt_two = fail(&world, patient(&world, 1), Some(token())).await;
    let other: Value =
        serde_json::from_str(&attempt_two.directory.read("one").unwrap().to_text()).unwrap();
    world.honest();
    let before = world.seen(LOG);
    for part in ["/envelope", "/certificate", "/timestamp"] {
        let mut changed = good.clone();
        *changed.pointer_mut(part).unwrap() = other.pointer(part).unwrap().clone();
        let pending = Pending::parse(changed.to_string().as_bytes()).unwrap();
        let signer = KeylessSigner::new(world.config(), world.client(), Some(token()));
        let answers = signer
            .sign(vec![pending.clone()], &mut |_: Progress<'_>| ())
            .await;
        let unfinished = answers[0].as_ref().unwrap_err();
        let failure = &unfinished.failure;
        let named = if part == "/timestamp" {
            let stamps = Service::TimestampAuthority;
            rejected(failure, stamps, RefusalReason::TimestampInvalid)
        } else {
            matches!(failure, KeylessError::Tampered)
        };
        assert!(named, "{part}: {failure:?}");
        // What somebody else put there is not signed anew.
        assert_eq!(*unfinished.pending, pending, "{part}");
    }
    let mut changed = good.clone();
    changed["identity"] = "https://example.org/other".into();
    let pending = Pending::parse(changed.to_string().as_bytes()).unwrap();
    let signer = KeylessSigner::new(world.config(), world.client(), None);
    let answers = signer.sign(vec![pending], &mut |_: Progress<'_>| ()).await;
    let failure = &answers[0].as_ref().unwrap_err().failure;
    assert!(
        rejected(
            failure,
            Service::CertificateAuthority,
            RefusalReason::IdentityMismatch
        ),
        "{failure:?}"
    );
    assert_eq!(world.seen(LOG), before);

    let text = good.to_string();
    let version = text.replace("remint.pending/v1", "remint.pending/v2");
    let state = text.replace("\"stamped\"", "\"finished\"");
    for broken in [&text[..text.len() - 1], &version, &state, "", "{}", "[]"] {
        assert!(Pending::parse(broken.as_bytes()).is_err(), "{broken}");
    }
}
