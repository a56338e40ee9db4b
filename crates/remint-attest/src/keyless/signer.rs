//! The order in which services are asked, and what becomes of a statement when one of them fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sigstore_bundle::BundleV03;
use sigstore_crypto::{
    CertificateInfo, KeyPair, SigningScheme, parse_certificate_info, verify_signature,
};
use sigstore_types::bundle::TransparencyLogEntry;
use sigstore_types::{
    Artifact, ArtifactDigest, DerCertificate, DsseEnvelope, DsseSignature, HashAlgorithm, KeyId,
    PayloadBytes, TimestampToken, pae,
};
use sigstore_verify::VerificationPolicy;

use super::failure::{KeylessError, Unfinished};
use super::pending::{Pending, SignedStatement, Stage};
use super::services::{Service, ServiceAnswer, ServiceRequest, Services};
use super::token::{IdentityToken, SignerIdentity};
use super::{KeylessConfig, Observer, Progress, wire};
use crate::bundle::Bundle;
use crate::digests::ArtifactDigests;
use crate::refusal::{Refusal, RefusalReason};
use crate::sign::{Signed, canonical_text};
use crate::statement::PAYLOAD_TYPE;
use crate::verify::ExpectedSigner;

/// Before the second try; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause that is not asked for by the service.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Signs with a certificate for an identity.
pub struct KeylessSigner<S> {
    pub(super) config: KeylessConfig,
    services: S,
    token: Option<IdentityToken>,
}

/// One statement on its way.
struct Work {
    pending: Pending,
    outcome: Option<Result<Signed, KeylessError>>,
    /// Whether signing it anew may help.
    again: bool,
}

impl<S: Services> KeylessSigner<S> {
    /// A signer. Without a token it can only finish what is signed already.
    pub const fn new(config: KeylessConfig, services: S, token: Option<IdentityToken>) -> Self {
        Self {
            config,
            services,
            token,
        }
    }

    /// Signs new statements and finishes pending ones; the answers are in the order of the statements.
    ///
    /// 1. One certificate for all that are not signed yet; they are signed, and the key is forgotten.
    /// 2. A timestamp for each, while the certificate lasts: it proves that the signature was made in time.
    /// 3. An entry in the log for each, which from then on may take as long as it takes.
    ///
    /// Whoever keeps what [`Progress::Kept`] shows loses nothing, whenever the process ends.
    pub async fn sign(
        &self,
        statements: Vec<Pending>,
        observe: &mut Observer<'_>,
    ) -> Vec<Result<Signed, Unfinished>> {
        let until = after(self.services.now(), self.config.patience);
        let mut works: Vec<Work> = statements
            .into_iter()
            .map(|pending| Work {
                pending,
                outcome: None,
                again: false,
            })
            .collect();
        for (index, work) in works.iter().enumerate() {
            let pending = &work.pending;
            observe(Progress::Kept { index, pending });
        }
        self.advance(&mut works, until, observe).await;
        // A signature that came too late, or whose entry cannot be found again, is made once more.
        if self.has_token() && works.iter().any(|work| work.again) {
            for work in works.iter_mut().filter(|work| work.again) {
                work.outcome = None;
            }
            self.advance(&mut works, until, observe).await;
        }
        works
            .into_iter()
            .map(|work| {
                // Each has an outcome by now: what is not signed was refused a certificate.
                let outcome = work.outcome.unwrap_or(Err(KeylessError::NoToken));
                outcome.map_err(|failure| Unfinished {
                    pending: Box::new(work.pending),
                    failure,
                })
            })
            .collect()
    }

    fn has_token(&self) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| token.expires() > self.services.now())
    }

    async fn advance(&self, works: &mut [Work], until: Timestamp, observe: &mut Observer<'_>) {
        for (index, work) in works.iter_mut().enumerate() {
            if let Stage::Signed(signed) = &work.pending.stage
                && self.ended(signed).is_some()
            {
                work.back_to_unsigned(index, observe);
            }
        }
        self.certify(works, until, observe).await;
        for (index, work) in works.iter_mut().enumerate() {
            self.stamp(index, work, until, observe).await;
        }
        for (index, work) in works.iter_mut().enumerate() {
            self.enter(index, work, until, observe).await;
        }
    }

    /// Step 1.
    async fn certify(&self, works: &mut [Work], until: Timestamp, observe: &mut Observer<'_>) {
        let wanted = |work: &Work| {
            work.outcome.is_none() && matches!(work.pending.stage, Stage::Unsigned { .. })
        };
        if !works.iter().any(wanted) {
            return;
        }
        match self.certificate(until, observe).await {
            Ok((key, certificate, signer)) => {
                for (index, work) in works
                    .iter_mut()
                    .enumerate()
                    .filter(|(_, work)| wanted(work))
                {
                    match sign(&key, work.pending.payload()) {
                        Ok(envelope) => {
                            let signed = SignedStatement {
                                envelope,
                                certificate: certificate.clone(),
                                signer: signer.clone(),
                            };
                            work.move_to(index, Stage::Signed(signed), observe);
                        }
                        Err(failure) => work.outcome = Some(Err(failure)),
                    }
                }
            }
            Err(failure) => {
                for work in works.iter_mut().filter(|work| wanted(work)) {
                    work.outcome = Some(Err(failure.clone()));
                }
            }
        }
    }

    async fn certificate(
        &self,
        until: Timestamp,
        observe: &mut Observer<'_>,
    ) -> Result<(KeyPair, DerCertificate, SignerIdentity), KeylessError> {
        let token = self.token.as_ref().ok_or(KeylessError::NoToken)?;
        if token.expires() <= self.services.now() {
            return Err(KeylessError::TokenExpired(token.expires()));
        }
        let key = KeyPair::generate_ecdsa_p256().map_err(|error| crypto(&error))?;
        let public = key.public_key_der().map_err(|error| crypto(&error))?;
        let proof = key
            .sign(token.challenge().as_bytes())
            .map_err(|error| crypto(&error))?;
        let body = wire::certificate_request(token.secret(), &public, &proof);
        let url = format!(
            "{}/api/v2/signingCert",
            self.config.endpoints.certificate_authority
        );
        let request = || wire::json_request(&url, body.clone());
        let certificate = self
            .ask(
                Service::CertificateAuthority,
                until.min(token.expires()),
                request,
                wire::leaf_certificate,
                observe,
            )
            .await?;
        let malformed = |reason: String| KeylessError::Malformed {
            service: Service::CertificateAuthority,
            url: url.clone(),
            reason,
        };
        let found =
            parse_certificate_info(&certificate).map_err(|error| malformed(error.to_string()))?;
        if found.public_key != public {
            return Err(KeylessError::ForeignKey);
        }
        let expected = self.config.signer.as_ref().unwrap_or(token.signer());
        let named = SignerIdentity {
            identity: found
                .identity
                .as_ref()
                .map_or_else(String::new, |identity| identity.as_str().to_owned()),
            issuer: found.issuer.unwrap_or_default(),
        };
        if named != *expected {
            return Err(KeylessError::ForeignIdentity {
                found: named,
                expected: expected.clone(),
            });
        }
        if found.not_after <= self.services.now() {
            return Err(KeylessError::CertificateEnded(found.not_after));
        }
        Ok((key, certificate, named))
    }

    /// Step 2.
    async fn stamp(
        &self,
        index: usize,
        work: &mut Work,
        until: Timestamp,
        observe: &mut Observer<'_>,
    ) {
        if work.outcome.is_some() {
            return;
        }
        let Stage::Signed(signed) = work.pending.stage.clone() else {
            return;
        };
        let end = match authentic(&signed) {
            Ok(certificate) => certificate.not_after,
            Err(failure) => {
                work.outcome = Some(Err(failure));
                return;
            }
        };
        let url = self.config.endpoints.timestamp_authority.whole();
        let request = || wire::timestamp_request(url, signed.envelope.signature.sig.as_bytes());
        let service = Service::TimestampAuthority;
        let answer = self
            .ask(service, until.min(end), request, wire::timestamp, observe)
            .await;
        match answer {
            Ok(timestamp) => match self.check_unlogged(&work.pending, &signed, &timestamp) {
                Ok(()) => work.move_to(index, Stage::Stamped { signed, timestamp }, observe),
                Err(refusal) => work.reject(index, refusal, observe),
            },
            Err(failure) => {
                // No further try would have come in time: what is signed is worth nothing any more.
                if self.ended(&signed).is_some() || (end < until && failure.is_passing()) {
                    work.back_to_unsigned(index, observe);
                    work.again = true;
                }
                work.outcome = Some(Err(failure));
            }
        }
    }

    /// Step 3.
    async fn enter(
        &self,
        index: usize,
        work: &mut Work,
        until: Timestamp,
        observe: &mut Observer<'_>,
    ) {
        if work.outcome.is_some() {
            return;
        }
        let Stage::Stamped { signed, timestamp } = work.pending.stage.clone() else {
            return;
        };
        // What was kept may have been changed, the root may be another one, and what is entered in a log stays there.
        let checked = authentic(&signed).and_then(|_| {
            self.check_unlogged(&work.pending, &signed, &timestamp)
                .map_err(|refusal| KeylessError::Rejected {
                    service: blamed(&refusal),
                    refusal,
                })
        });
        if let Err(failure) = checked {
            work.outcome = Some(Err(failure));
            return;
        }
        let entered = self.entry(&signed, until, observe).await;
        let finished = entered.and_then(|entry| {
            self.finish(&work.pending.artifact, &signed, timestamp, entry)
                .map_err(|refusal| KeylessError::Rejected {
                    service: Service::Log,
                    refusal,
                })
        });
        if matches!(finished, Err(KeylessError::AlreadyLogged)) {
            work.back_to_unsigned(index, observe);
            work.again = true;
        }
        work.outcome = Some(finished);
    }

    async fn entry(
        &self,
        signed: &SignedStatement,
        until: Timestamp,
        observe: &mut Observer<'_>,
    ) -> Result<TransparencyLogEntry, KeylessError> {
        let endpoints = &self.config.endpoints;
        let entry = wire::entry_request(endpoints.log_version, signed)
            .map_err(|error| KeylessError::Crypto(error.to_string()))?;
        let url = format!("{}/{}", endpoints.log, entry.path);
        let request = || wire::json_request(&url, entry.body.clone());
        let read = |body: &[u8]| wire::entry(endpoints.log_version, body);
        let entered = self.ask(Service::Log, until, request, read, observe).await;
        match entered {
            Err(KeylessError::Refused {
                status: 409,
                message,
                ..
            }) => self
                .look_up(signed, &message, until, observe)
                .await?
                .ok_or(KeylessError::AlreadyLogged),
            entered => entered,
        }
    }

    /// Everything but the log: what would not verify with any log is not entered in one.
    fn check_unlogged(
        &self,
        pending: &Pending,
        signed: &SignedStatement,
        timestamp: &TimestampToken,
    ) -> Result<(), Refusal> {
        let bundle = BundleV03::with_certificate_and_dsse(
            signed.certificate.clone(),
            signed.envelope.clone(),
        )
        .with_rfc3161_timestamp(timestamp.clone())
        .into_bundle();
        let signer = self.signer(signed);
        let policy = VerificationPolicy::new(signer.identity.as_str(), signer.issuer.as_str())
            .skip_tlog_unsafe();
        let digest = pending.artifact.sha256.as_bytes().to_vec();
        let artifact = ArtifactDigest::new(HashAlgorithm::Sha2256, digest)
            .map_err(|error| Refusal::new(RefusalReason::ArtifactMismatch, error.to_string()))?;
        self.config
            .root
            .verifier
            .verify(Artifact::Digest(artifact), &bundle, &policy)?;
        Ok(())
    }

    /// The bundle, verified as everybody else will verify it.
    fn finish(
        &self,
        artifact: &ArtifactDigests,
        signed: &SignedStatement,
        timestamp: TimestampToken,
        entry: TransparencyLogEntry,
    ) -> Result<Signed, Refusal> {
        let inner = BundleV03::with_certificate_and_dsse(
            signed.certificate.clone(),
            signed.envelope.clone(),
        )
        .with_tlog_entry(entry)
        .with_rfc3161_timestamp(timestamp)
        .into_bundle();
        let text = canonical_text(&inner)
            .map_err(|error| Refusal::new(RefusalReason::BundleMalformed, error.to_string()))?;
        let bundle = Bundle::parse(text.as_bytes())?;
        let SignerIdentity { identity, issuer } = self.signer(signed).clone();
        ExpectedSigner::identity(identity, issuer, Arc::clone(&self.config.root))
            .verify(&bundle, artifact)?;
        Ok(Signed { bundle, text })
    }

    fn signer<'a>(&'a self, signed: &'a SignedStatement) -> &'a SignerIdentity {
        self.config.signer.as_ref().unwrap_or(&signed.signer)
    }

    /// When the certificate ended, where it did.
    fn ended(&self, signed: &SignedStatement) -> Option<Timestamp> {
        authentic(signed)
            .ok()
            .map(|certificate| certificate.not_after)
            .filter(|end| *end <= self.services.now())
    }

    /// Asks until there is an answer, or until the next try would come too late.
    pub(super) async fn ask<T>(
        &self,
        service: Service,
        until: Timestamp,
        request: impl Fn() -> ServiceRequest,
        read: impl Fn(&[u8]) -> Result<T, String>,
        observe: &mut Observer<'_>,
    ) -> Result<T, KeylessError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let request = request();
            let url = request.url.clone();
            let answer = self.services.send(request).await;
            let read = |body: &[u8]| {
                read(body).map_err(|reason| KeylessError::Malformed {
                    service,
                    url: url.clone(),
                    reason: self.clean(&reason),
                })
            };
            let asked = answer.as_ref().ok().and_then(|answer| answer.retry_after);
            let failure = match self.judge(service, &url, answer, read) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = jittered(pause).max(asked.unwrap_or_default());
            if !failure.is_passing() || after(self.services.now(), wait) >= until {
                return Err(failure);
            }
            observe(Progress::Waiting {
                service,
                pause: wait,
                failure: &failure,
            });
            self.services.pause(wait).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    fn judge<T>(
        &self,
        service: Service,
        url: &str,
        answer: Result<ServiceAnswer, String>,
        read: impl Fn(&[u8]) -> Result<T, KeylessError>,
    ) -> Result<T, KeylessError> {
        let answer = answer.map_err(|reason| KeylessError::Unanswered {
            service,
            url: url.to_owned(),
            reason: self.clean(&reason),
        })?;
        if (200..300).contains(&answer.status) {
            return read(&answer.body);
        }
        Err(KeylessError::Refused {
            service,
            url: url.to_owned(),
            status: answer.status,
            message: self.clean(&String::from_utf8_lossy(&answer.body)),
        })
    }

    /// What somebody else says, short, on one line, and without the token.
    fn clean(&self, text: &str) -> String {
        let text = match &self.token {
            Some(token) => token.redact(text),
            None => text.to_owned(),
        };
        text.trim().escape_debug().take(400).collect()
    }
}

impl<S> fmt::Debug for KeylessSigner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeylessSigner")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Work {
    fn move_to(&mut self, index: usize, stage: Stage, observe: &mut Observer<'_>) {
        self.pending.stage = stage;
        let pending = &self.pending;
        observe(Progress::Kept { index, pending });
    }

    fn back_to_unsigned(&mut self, index: usize, observe: &mut Observer<'_>) {
        let stage = self.pending.unsigned();
        self.move_to(index, stage, observe);
    }

    /// Keeps the signature where only the timestamp was refused.
    fn reject(&mut self, index: usize, refusal: Refusal, observe: &mut Observer<'_>) {
        let service = blamed(&refusal);
        let timestamp_alone = matches!(
            refusal.reason,
            RefusalReason::TimestampInvalid | RefusalReason::TimestampMissing
        );
        if !timestamp_alone {
            self.back_to_unsigned(index, observe);
        }
        self.outcome = Some(Err(KeylessError::Rejected { service, refusal }));
    }
}

fn sign(key: &KeyPair, payload: &[u8]) -> Result<DsseEnvelope, KeylessError> {
    let signature = key
        .sign(&pae(PAYLOAD_TYPE, payload))
        .map_err(|error| crypto(&error))?;
    Ok(DsseEnvelope::new(
        PAYLOAD_TYPE,
        PayloadBytes::from_bytes(payload),
        DsseSignature::new(signature, KeyId::default()),
    ))
}

/// The certificate, where the envelope is signed with its key.
fn authentic(signed: &SignedStatement) -> Result<CertificateInfo, KeylessError> {
    let certificate =
        parse_certificate_info(&signed.certificate).map_err(|_| KeylessError::Tampered)?;
    let envelope = &signed.envelope;
    let scheme = SigningScheme::EcdsaP256Sha256;
    verify_signature(
        &certificate.public_key,
        &envelope.pae(),
        &envelope.signature.sig,
        scheme,
    )
    .map_err(|_| KeylessError::Tampered)?;
    Ok(certificate)
}

/// Which service an answer that is refused for this reason is of.
fn blamed(refusal: &Refusal) -> Service {
    let times = [
        RefusalReason::TimestampInvalid,
        RefusalReason::TimestampMissing,
        RefusalReason::CertificateExpired,
    ];
    if times.contains(&refusal.reason) {
        Service::TimestampAuthority
    } else {
        Service::CertificateAuthority
    }
}

fn crypto(error: &sigstore_crypto::Error) -> KeylessError {
    KeylessError::Crypto(error.to_string())
}

fn after(start: Timestamp, duration: Duration) -> Timestamp {
    start.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// Between half of it and all of it, so that those who failed together do not return together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0];
    // Without randomness the pause is only less well spread.
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return pause;
    }
    pause.mul_f64(0.5 + f64::from(random[0]) / 510.0)
}
