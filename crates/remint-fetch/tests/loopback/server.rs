//! A small HTTP server whose answers each test writes itself.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use remint_fetch::UserConfiguration;

/// What a path answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status 200 with this media type and body.
    Content(&'static str, Vec<u8>),
    /// A status alone.
    Status(u16),
    /// A redirect to this address.
    Redirect(String),
    /// A length that the body does not reach.
    Truncated(Vec<u8>),
    /// The first replies, one by one; the last one for ever.
    Sequence(Vec<Self>),
    /// Bytes without end.
    Endless,
}

impl Reply {
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::Content("application/json", serde_json::to_vec(value).unwrap())
    }

    pub(crate) fn file(bytes: &[u8]) -> Self {
        Self::Content("application/octet-stream", bytes.to_vec())
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A server; it ends with the test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    replies: Arc<Mutex<BTreeMap<String, Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            replies: Arc::default(),
            seen: Arc::default(),
        };
        let shared = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A client that breaks off is what some tests are about.
                std::thread::spawn(move || drop(shared.answer(&stream)));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn set(&self, path: &str, reply: Reply) {
        self.replies
            .lock()
            .unwrap()
            .insert(format!("/{path}"), reply);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        let path = format!("/{path}");
        self.seen().iter().filter(|seen| seen.path == path).count()
    }

    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or("").to_owned();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => {
                    headers.insert(name.to_ascii_lowercase(), value.to_owned());
                }
                None => break,
            }
        }
        let mut reply = {
            let mut replies = self.replies.lock().unwrap();
            match replies.get_mut(&path) {
                Some(Reply::Sequence(left)) if left.len() > 1 => left.remove(0),
                Some(Reply::Sequence(left)) => left.first().cloned().unwrap(),
                Some(reply) => reply.clone(),
                None => Reply::Status(404),
            }
        };
        self.seen.lock().unwrap().push(Seen {
            path,
            headers: headers.clone(),
        });
        if let Reply::Content(_, body) = &reply
            && headers.get("if-none-match").map(String::as_str) == Some(etag(body).as_str())
        {
            reply = Reply::Status(304);
        }
        let mut stream = stream;
        match reply {
            Reply::Content(kind, body) => {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\netag: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    etag(&body),
                    body.len()
                )?;
                stream.write_all(&body)
            }
            Reply::Status(status) => write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            ),
            Reply::Redirect(to) => write!(
                stream,
                "HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            ),
            Reply::Truncated(body) => {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len() + 1
                )?;
                stream.write_all(&body)
            }
            Reply::Endless => {
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                let chunk = vec![b' '; 1 << 20];
                // Far beyond any limit of a document, and still an end for a client that has none.
                for _ in 0..1024 {
                    stream.write_all(&chunk)?;
                }
                Ok(())
            }
            Reply::Sequence(_) => panic!("a sequence of sequences"),
        }
    }
}

fn etag(body: &[u8]) -> String {
    format!("\"{}\"", remint_model::Sha1::of(body))
}

/// A user who has this server as npm registry and as Python index, and nothing else.
pub(crate) fn user(place: &Path, server: &Server) -> UserConfiguration {
    let home = place.join("home");
    fs_err::create_dir_all(&home).unwrap();
    let variables = [
        ("npm_config_registry", server.url("npm/")),
        ("npm_config_globalconfig", "/nonexistent".to_owned()),
        ("PIP_CONFIG_FILE", "/dev/null".to_owned()),
        ("UV_NO_CONFIG", "1".to_owned()),
        ("PIP_INDEX_URL", server.url("simple/")),
        ("NO_PROXY", "*".to_owned()),
    ];
    UserConfiguration {
        home: Some(home),
        directory: place.to_owned(),
        variables: variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        cache: place.join("cache/v1"),
        offline: false,
    }
}
