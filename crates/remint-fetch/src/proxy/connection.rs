//! The HTTP of the proxy: CONNECT with TLS inside, absolute addresses without it, nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_RANGES, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST,
    HeaderMap, HeaderName, HeaderValue, RANGE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::configuration::credentials::shown;
use crate::proxy::address::Asked;
use crate::proxy::answer::{Answer, Wanted};
use crate::proxy::body::{AnswerBody, Unsatisfiable, part_of};
use crate::proxy::npm::Part;
use crate::proxy::packument::{ABBREVIATED, Form};
use crate::proxy::rules::Refusal;
use crate::proxy::{Shared, cargo, npm, python};

const HANDSHAKE: Duration = Duration::from_secs(30);
/// A client that sends no request for so long has forgotten its connection.
const IDLE: Duration = Duration::from_secs(300);

/// Takes up connections until it is aborted, which ends them as well.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    serve(shared, stream).await;
                    drop(slot);
                });
            }
            // Out of descriptors, or the connection is gone already: neither is over at once.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

fn http() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(128 << 10)
        .keep_alive(true);
    builder
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    // Answers are small and many; waiting to fill packets only delays them.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| outer(Arc::clone(&shared), request));
    // A client that breaks off has what it wanted; what it was given is in the record.
    drop(
        http()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await,
    );
}

/// A request to the proxy itself.
async fn outer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    if request.method() == Method::CONNECT {
        return Ok(connect(&shared, request));
    }
    let url: Option<Url> = request
        .uri()
        .scheme()
        .and_then(|_| request.uri().to_string().parse().ok());
    let Some(url) = url else {
        let text = "this is a proxy: ask for absolute addresses";
        return Ok(plain(StatusCode::BAD_REQUEST, text));
    };
    Ok(respond(&shared, &url, request.method(), request.headers()).await)
}

fn connect(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<AnswerBody> {
    let (host, port) = match request.uri().authority() {
        Some(authority) => (
            authority.host().to_ascii_lowercase(),
            authority.port_u16().unwrap_or(443),
        ),
        None => return plain(StatusCode::BAD_REQUEST, "CONNECT needs host:port"),
    };
    if !shared.rules.connects(&host, port) {
        let suffix = if port == 443 {
            String::new()
        } else {
            format!(":{port}")
        };
        let url = format!("https://{host}{suffix}/");
        let answer = shared.refuse(&url, Refusal::NotARegistry, Wanted::Metadata);
        return refused_response(&answer);
    }
    let config = match shared.authority.server(&host) {
        Ok(config) => config,
        Err(error) => return plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let shared = Arc::clone(shared);
    let mut open = shared.open.clone();
    let tunnel = async move {
        // The connection that carries the tunnel gives its slot back once the tunnel is made.
        let Ok(_slot) = Arc::clone(&shared.slots).acquire_owned().await else {
            return;
        };
        let Ok(upgraded) = hyper::upgrade::on(request).await else {
            return;
        };
        let upgraded = TokioIo::new(upgraded);
        // Some clients ask for a tunnel even where no TLS is to follow.
        if shared.rules.is_plain(&host, port) {
            let service = service_fn(move |request| {
                inner_request(
                    Arc::clone(&shared),
                    format!("http://{host}:{port}"),
                    request,
                )
            });
            drop(
                http()
                    .serve_connection(TokioIo::new(upgraded), service)
                    .await,
            );
            return;
        }
        let greeting = TlsAcceptor::from(config).accept(upgraded);
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, greeting).await else {
            return;
        };
        let service = service_fn(move |request| {
            inner_request(
                Arc::clone(&shared),
                format!("https://{host}:{port}"),
                request,
            )
        });
        drop(http().serve_connection(TokioIo::new(stream), service).await);
    };
    drop(tokio::spawn(async move {
        tokio::select! {
            () = tunnel => {}
            // The proxy was finished: whoever still holds a tunnel gets nothing more through it.
            _ = open.changed() => {}
        }
    }));
    Response::new(AnswerBody::bytes(""))
}

/// A request inside a CONNECT tunnel.
async fn inner_request(
    shared: Arc<Shared>,
    origin: String,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let Ok(url) = format!("{origin}{path}").parse::<Url>() else {
        return Ok(plain(StatusCode::BAD_REQUEST, "unreadable address"));
    };
    // The tunnel decides which host is meant; another one in the header is an attempt to be taken for it.
    let stated = request
        .headers()
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .map(|value| {
            value
                .split(':')
                .next()
                .unwrap_or(value)
                .to_ascii_lowercase()
        });
    if stated.is_some_and(|stated| url.host_str() != Some(stated.as_str())) {
        let text = "the request is for another host than its tunnel";
        return Ok(plain(StatusCode::MISDIRECTED_REQUEST, text));
    }
    Ok(respond(&shared, &url, request.method(), request.headers()).await)
}

async fn respond(
    shared: &Arc<Shared>,
    url: &Url,
    method: &Method,
    headers: &HeaderMap,
) -> Response<AnswerBody> {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let answer = answer(shared, url, method, header(ACCEPT).unwrap_or_default()).await;
    match answer {
        Answer::Document { bytes, media_type } => {
            let size = bytes.len() as u64;
            let body = if *method == Method::HEAD {
                Vec::new()
            } else {
                bytes
            };
            with_headers(
                StatusCode::OK,
                AnswerBody::bytes(body),
                &[
                    (CONTENT_TYPE, media_type),
                    (CONTENT_LENGTH, &size.to_string()),
                ],
            )
        }
        Answer::File {
            path,
            size,
            media_type,
        } => {
            let range = header(RANGE).filter(|_| *method == Method::GET);
            file_response(&path, size, media_type, method, range).await
        }
        answer @ (Answer::Refused(_) | Answer::Absent | Answer::Failed(_)) => {
            refused_response(&answer)
        }
    }
}

/// Decides and fetches.
async fn answer(shared: &Arc<Shared>, url: &Url, method: &Method, accept: &str) -> Answer {
    let asked = shared.rules.asked(url);
    let address = shown(url);
    let refuse = |refusal| shared.refuse(&address, refusal, Wanted::Metadata);
    if asked == Asked::Audit {
        return refuse(Refusal::Audit);
    }
    if asked == Asked::Elsewhere {
        return refuse(Refusal::NotARegistry);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return refuse(Refusal::Method);
    }
    if shared.budget.check().is_err() {
        return refuse(Refusal::OverBudget);
    }
    match asked {
        Asked::Packument(name) => {
            let form = if accept.contains(ABBREVIATED) {
                Form::Abbreviated
            } else {
                Form::Full
            };
            npm::metadata(shared, &name, Part::All(form)).await
        }
        Asked::Manifest(name, version) => npm::metadata(shared, &name, Part::One(version)).await,
        Asked::Tarball(name, file) => npm::tarball(shared, &name, &file, url).await,
        Asked::Project(name) => python::project(shared, &name, accept).await,
        Asked::PythonFile(file) => python::file(shared, &file, url).await,
        Asked::IndexConfig => cargo::config(),
        Asked::IndexFile(name) => cargo::index_file(shared, &name).await,
        Asked::Crate(name, version) => cargo::file(shared, &name, &version).await,
        Asked::Audit | Asked::Elsewhere | Asked::Unknown => refuse(Refusal::UnknownEndpoint),
    }
}

async fn file_response(
    path: &std::path::Path,
    size: u64,
    media_type: &str,
    method: &Method,
    range: Option<&str>,
) -> Response<AnswerBody> {
    let (status, start, length) = match part_of(range, size) {
        Ok(None) => (StatusCode::OK, 0, size),
        Ok(Some((start, length))) => (StatusCode::PARTIAL_CONTENT, start, length),
        Err(Unsatisfiable) => {
            return with_headers(
                StatusCode::RANGE_NOT_SATISFIABLE,
                AnswerBody::bytes(""),
                &[(CONTENT_RANGE, &format!("bytes */{size}"))],
            );
        }
    };
    let body = if *method == Method::HEAD {
        Ok(AnswerBody::bytes(""))
    } else {
        AnswerBody::part(path, start, length).await
    };
    let body = match body {
        Ok(body) => body,
        Err(error) => return plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let last = start.saturating_add(length).saturating_sub(1);
    let part = format!("bytes {start}-{last}/{size}");
    let length = length.to_string();
    let mut headers = vec![
        (CONTENT_TYPE, media_type),
        (CONTENT_LENGTH, length.as_str()),
        (ACCEPT_RANGES, "bytes"),
    ];
    if status == StatusCode::PARTIAL_CONTENT {
        headers.push((CONTENT_RANGE, part.as_str()));
    }
    with_headers(status, body, &headers)
}

/// Failures that trying again cannot mend are told as such: the proxy has tried often enough.
fn refused_response(answer: &Answer) -> Response<AnswerBody> {
    match answer {
        Answer::Refused(Refusal::Method) => with_headers(
            StatusCode::METHOD_NOT_ALLOWED,
            AnswerBody::bytes("refused by remint: method\n"),
            &[(ALLOW, "GET, HEAD")],
        ),
        Answer::Refused(Refusal::UnknownEndpoint) => {
            plain(StatusCode::NOT_FOUND, "refused by remint: unknown-endpoint")
        }
        Answer::Refused(refusal) => plain(
            StatusCode::FORBIDDEN,
            &format!("refused by remint: {}", refusal.word()),
        ),
        Answer::Failed(reason) => plain(
            StatusCode::FORBIDDEN,
            &format!("not to be had through remint: {reason}"),
        ),
        Answer::Absent | Answer::Document { .. } | Answer::File { .. } => {
            plain(StatusCode::NOT_FOUND, "no such package or file")
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<AnswerBody> {
    with_headers(
        status,
        AnswerBody::bytes(format!("{text}\n")),
        &[
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            // An unread request body would be taken for the next request.
            (CONNECTION, "close"),
        ],
    )
}

fn with_headers(
    status: StatusCode,
    body: AnswerBody,
    headers: &[(HeaderName, &str)],
) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}
