//! Three services on the loopback interface that behave as asked, reached as the program reaches real ones.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use remint_attest::TrustRoot;
use remint_attest::keyless::{
    DEFAULT_PATIENCE, Endpoints, IdentityToken, KeylessConfig, LogVersion, ServiceAnswer,
    ServiceRequest, Services,
};
use remint_fetch::{ServiceClient, ServicePost, UserConfiguration};
use remint_model::Sha256;
use serde_json::{Value, json};

use crate::tiles::TileLog;
use crate::tools;
use crate::watchdog::Watchdog;

pub(crate) const ISSUER: &str = "https://issuer.loopback.example";
pub(crate) const IDENTITY: &str =
    "https://git.loopback.example/o/r/.github/workflows/rebuild.yml@refs/heads/main";

/// How a service behaves towards one request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// This status, and after how many seconds to ask again.
    Status(u16, Option<u64>),
    /// Status 200 and this.
    Garbage(&'static [u8]),
    /// No end of an answer.
    Silent,
    /// More bytes than any answer has.
    Endless,
    /// It says nothing that is HTTP.
    Rude,
    /// The answer to another request than the one that was sent.
    Misread(fn(&[u8]) -> Vec<u8>),
    /// An honest answer, changed on its way.
    Changed(fn(&mut Value)),
    /// A log's checkpoint, signed by somebody else.
    ForeignLog,
    /// The status and body of an answer that repeats what was sent.
    Echo(u16),
    /// It does what it is asked, and its answer is lost.
    Lost,
}

/// What is done with the requests to come.
#[derive(Debug, Clone, Default)]
struct Plan {
    next: VecDeque<Fault>,
    /// Afterwards, for ever.
    always: Option<Fault>,
}

pub(crate) struct World {
    port: u16,
    state: Arc<State>,
    material: Value,
    log: Value,
    pub(crate) cache: tempfile::TempDir,
    _watchdog: Watchdog,
}

struct State {
    authorities: Mutex<Authorities>,
    log: Mutex<TileLog>,
    foreign_log: Mutex<TileLog>,
    plans: Mutex<BTreeMap<&'static str, Plan>>,
    seen: Mutex<BTreeMap<&'static str, usize>>,
    /// How far the clock was turned, for everybody.
    skipped: Mutex<Duration>,
}

/// The process that plays what needs keys and certificates.
struct Authorities {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Authorities {
    fn start() -> (Self, Watchdog, Value) {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../remint-attest/tests/keyless/authorities.cjs"
        );
        let mut child = tools::node()
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut authorities = Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        let watchdog = Watchdog::over(authorities.child.id());
        let material = authorities.line();
        (authorities, watchdog, material)
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the authorities ended")
    }

    fn ask(&mut self, service: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let request = json!({ "service": service, "body": STANDARD.encode(body) });
        writeln!(self.input, "{request}").unwrap();
        let answer = self.line();
        let body = STANDARD.decode(answer["body"].as_str().unwrap()).unwrap();
        (
            u16::try_from(answer["status"].as_u64().unwrap()).unwrap(),
            body,
        )
    }
}

impl Drop for Authorities {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let (authorities, watchdog, material) = Authorities::start();
        let log = TileLog::new(1);
        let trusted = log.trusted(&since());
        let state = Arc::new(State {
            authorities: Mutex::new(authorities),
            log: Mutex::new(log),
            foreign_log: Mutex::new(TileLog::new(2)),
            plans: Mutex::default(),
            seen: Mutex::default(),
            skipped: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A client that breaks off is what some tests are about.
                std::thread::spawn(move || drop(shared.answer(stream)));
            }
        });
        Self {
            port,
            state,
            material,
            log: trusted,
            cache: tempfile::tempdir().unwrap(),
            _watchdog: watchdog,
        }
    }

    /// What a service does with so many requests; then it is honest.
    pub(crate) fn first(&self, count: usize, service: &'static str, fault: Fault) {
        let next = std::iter::repeat_n(fault, count).collect();
        let plan = Plan { next, always: None };
        self.state.plans.lock().unwrap().insert(service, plan);
    }

    pub(crate) fn always(&self, service: &'static str, fault: Fault) {
        let plan = Plan {
            next: VecDeque::new(),
            always: Some(fault),
        };
        self.state.plans.lock().unwrap().insert(service, plan);
    }

    pub(crate) fn honest(&self) {
        self.state.plans.lock().unwrap().clear();
    }

    /// How many requests a service has seen.
    pub(crate) fn seen(&self, service: &str) -> usize {
        let seen = self.state.seen.lock().unwrap();
        seen.get(service).copied().unwrap_or_default()
    }

    pub(crate) fn signing_config(&self, log_version: LogVersion) -> String {
        let service = |path: &str, version: u32| {
            json!([{
                "url": format!("http://127.0.0.1:{}{path}", self.port),
                "majorApiVersion": version,
                "validFor": { "start": since() },
                "operator": "loopback.example",
            }])
        };
        let version = match log_version {
            LogVersion::V1 => 1,
            LogVersion::V2 => 2,
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": service("", 1),
            "oidcUrls": [],
            "rekorTlogUrls": service("/", version),
            "tsaUrls": service("/api/v1/timestamp", 1),
            "rekorTlogConfig": { "selector": "ANY" },
            "tsaConfig": { "selector": "ANY" },
        })
        .to_string()
    }

    pub(crate) fn trusted_root(&self) -> Value {
        let certificates = |chain: &[&Value]| json!({ "certificates": chain.iter().map(|der| json!({ "rawBytes": der })).collect::<Vec<_>>() });
        let authority = |chain: Value, name: &str| {
            json!({
                "subject": { "organization": "sigstore.mock", "commonName": name },
                "uri": "https://authority.loopback.example",
                "certChain": chain,
                "validFor": { "start": since() },
            })
        };
        let log = |spki: &Value, url: &str| {
            let der = STANDARD.decode(spki.as_str().unwrap()).unwrap();
            json!({
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": spki,
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": { "start": since() },
                },
                "logId": { "keyId": STANDARD.encode(Sha256::of(&der).as_bytes()) },
            })
        };
        let material = &self.material;
        let stamps = &material["timestamps"];
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.log, log(&material["log"], "https://log-v1.loopback.example")],
            "certificateAuthorities": [
                authority(certificates(&[&material["authority"]]), "sigstore")
            ],
            "ctlogs": [log(&material["certificateLog"], "https://ct.loopback.example")],
            "timestampAuthorities": [
                authority(certificates(&[&stamps[0], &stamps[1]]), "timestamps")
            ],
        })
    }

    pub(crate) fn config(&self) -> KeylessConfig {
        self.config_for(LogVersion::V2)
    }

    pub(crate) fn config_for(&self, log_version: LogVersion) -> KeylessConfig {
        let config = self.signing_config(log_version);
        KeylessConfig {
            endpoints: Endpoints::from_signing_config(&config).unwrap(),
            root: Arc::new(TrustRoot::parse(&self.trusted_root().to_string()).unwrap()),
            signer: None,
            patience: DEFAULT_PATIENCE,
        }
    }

    pub(crate) fn client(&self) -> Loopback {
        let user = UserConfiguration {
            home: None,
            directory: self.cache.path().to_owned(),
            variables: BTreeMap::new(),
            cache: self.cache.path().to_owned(),
            offline: false,
        };
        Loopback {
            client: ServiceClient::new(&user).unwrap(),
            before: *self.state.skipped.lock().unwrap(),
            deadline: Duration::from_secs(10),
            patient: false,
            state: Arc::clone(&self.state),
        }
    }
}

impl State {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (path, body) = read_request(&stream)?;
        let service = match path.as_str() {
            "/api/v2/signingCert" => "certificate-authority",
            "/api/v1/timestamp" => "timestamp-authority",
            "/api/v1/log/entries" | "/api/v2/log/entries" => "log",
            path => return self.look_up(&stream, path),
        };
        *self.seen.lock().unwrap().entry(service).or_default() += 1;
        let fault = {
            let mut plans = self.plans.lock().unwrap();
            let plan = plans.entry(service).or_default();
            plan.next.pop_front().or_else(|| plan.always.clone())
        };
        let honest = |body: &[u8]| {
            if path == "/api/v2/log/entries" {
                let (status, answer) = self.log.lock().unwrap().enter(body);
                (status, answer.to_string().into_bytes())
            } else {
                self.authorities.lock().unwrap().ask(service, body)
            }
        };
        let (status, answer) = match fault {
            None => honest(&body),
            Some(Fault::Status(status, retry_after)) => {
                let header = retry_after
                    .map_or_else(String::new, |seconds| format!("retry-after: {seconds}\r\n"));
                return write_answer(&stream, status, &header, b"come back later\n");
            }
            Some(Fault::Garbage(garbage)) => (200, garbage.to_vec()),
            Some(Fault::Silent) => {
                // The client ends first.
                let mut end = Vec::new();
                stream.read_to_end(&mut end)?;
                return Ok(());
            }
            Some(Fault::Endless) => {
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                for _ in 0..1024 {
                    stream.write_all(&[b' '; 1 << 16])?;
                }
                return Ok(());
            }
            Some(Fault::Rude) => return stream.write_all(b"who is there?\n"),
            Some(Fault::Misread(change)) => honest(&change(&body)),
            Some(Fault::Changed(change)) => {
                let (status, answer) = honest(&body);
                let mut answer = serde_json::from_slice(&answer).unwrap();
                change(&mut answer);
                (status, answer.to_string().into_bytes())
            }
            Some(Fault::ForeignLog) => {
                let foreign = self.foreign_log.lock().unwrap();
                let (status, answer) = self.log.lock().unwrap().enter_as(&foreign, &body);
                (status, answer.to_string().into_bytes())
            }
            Some(Fault::Echo(status)) => (status, body),
            Some(Fault::Lost) => {
                honest(&body);
                return write_answer(&stream, 504, "", b"the answer was lost");
            }
        };
        write_answer(&stream, status, "", &answer)
    }
}

impl State {
    /// What is asked of a log afterwards.
    fn look_up(&self, stream: &TcpStream, path: &str) -> std::io::Result<()> {
        *self.seen.lock().unwrap().entry("look-up").or_default() += 1;
        let plans = self.plans.lock().unwrap().get("look-up").cloned();
        if let Some(Fault::Status(status, _)) = plans.and_then(|plan| plan.always) {
            return write_answer(stream, status, "", b"");
        }
        let found = if let Some(id) = path.strip_prefix("/api/v1/log/entries/") {
            let mut authorities = self.authorities.lock().unwrap();
            let (status, entry) = authorities.ask("log-entry", id.as_bytes());
            (status == 200).then_some(entry)
        } else {
            let path = path.strip_prefix("/api/v2/");
            path.and_then(|path| self.log.lock().unwrap().served(path))
        };
        match found {
            Some(found) => write_answer(stream, 200, "", &found),
            None => write_answer(stream, 404, "", b"no such path"),
        }
    }
}

fn read_request(stream: &TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or("").to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((path, body))
}

fn write_answer(
    mut stream: &TcpStream,
    status: u16,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

/// Since when everything here is valid.
fn since() -> String {
    let day = SignedDuration::from_hours(24);
    (Timestamp::now() - day).to_string()
}

/// The program's way to services, with a clock that pauses turn forward.
#[derive(Clone)]
pub(crate) struct Loopback {
    client: ServiceClient,
    /// How far the clock was turned before.
    before: Duration,
    /// Long enough for what is on this machine.
    pub(crate) deadline: Duration,
    /// Whether pauses are waited for: a log that states times is believed none of the future.
    pub(crate) patient: bool,
    state: Arc<State>,
}

impl Loopback {
    /// How long was waited.
    pub(crate) fn waited(&self) -> Duration {
        *self.state.skipped.lock().unwrap() - self.before
    }

    /// Time passes, here and for the authorities.
    pub(crate) fn skip(&self, duration: Duration) {
        let mut skipped = self.state.skipped.lock().unwrap();
        *skipped += duration;
        let ahead = skipped.as_millis().to_string();
        let mut authorities = self.state.authorities.lock().unwrap();
        authorities.ask("clock", ahead.as_bytes());
    }
}

impl Services for Loopback {
    async fn send(&self, request: ServiceRequest) -> Result<ServiceAnswer, String> {
        let (url, accept) = (&request.url, request.accept);
        let deadline = request.deadline.min(self.deadline);
        let answer = match request.body {
            Some(body) => {
                let post = ServicePost {
                    url,
                    media_type: body.media_type,
                    accept,
                    body: body.bytes,
                    limit: request.limit,
                    deadline,
                };
                self.client.post(post).await
            }
            None => self.client.get(url, accept, request.limit, deadline).await,
        };
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(ServiceAnswer {
            status: answer.status,
            retry_after: answer.retry_after,
            body: answer.body,
        })
    }

    async fn pause(&self, duration: Duration) {
        if self.patient {
            tokio::time::sleep(duration).await;
        } else {
            self.skip(duration);
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.state.skipped.lock().unwrap()
    }
}

/// A token that ends after that long.
pub(crate) fn token_text(lasts: SignedDuration) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = encode(&json!({
        "iss": ISSUER,
        "sub": IDENTITY,
        "aud": "sigstore",
        "exp": (Timestamp::now() + lasts).as_second(),
    }));
    let signature = URL_SAFE_NO_PAD.encode("nobody here checks this signature");
    format!("{header}.{claims}.{signature}")
}

pub(crate) fn token() -> IdentityToken {
    IdentityToken::parse(&token_text(SignedDuration::from_hours(24 * 365))).unwrap()
}
