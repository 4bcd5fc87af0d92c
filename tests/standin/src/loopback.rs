//! A small HTTP/1.1 server on loopback, shared by every stand-in.
//!
//! It promises: a port chosen by the system (or asked for), whole bodies handed over as they came, a
//! connection closed without an answer when the stand-in says [`Reply::HangUp`], and a stop when the
//! handle is dropped. It does not route, does not know any API, and never listens beyond 127.0.0.1.

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, body::Incoming, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Bytes of a request body that are read; Google's own limit for these calls is 10 MiB or less.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// One request as it arrived.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The raw query string, without `?`, empty if there is none.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) received_at: SystemTime,
}

impl Asked {
    /// The query as decoded name and value pairs, in the order given.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token of `Authorization: Bearer …`; none when the header is absent, given twice or of another scheme.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let mut values = self.headers.get_all("authorization").iter();
        let only = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
        let (scheme, token) = only.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    }
}

/// What a stand-in does with a request.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Response<Full<Bytes>>),
    /// Close the connection without a byte of answer.
    HangUp,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(content_type));
        Self::Answer(response)
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json; charset=UTF-8", body.to_string())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain", body.to_owned())
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let (Self::Answer(response), Ok(value)) = (&mut self, value.parse()) {
            response.headers_mut().insert(name, value);
        }
        self
    }
}

/// The side of a stand-in that answers.
pub(crate) trait Answers: Send + Sync + 'static {
    fn answer(self: Arc<Self>, asked: Asked) -> impl Future<Output = Reply> + Send;
}

/// A running server; dropping it stops accepting and lets requests in flight finish.
#[derive(Debug)]
pub(crate) struct LoopbackServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// Closed by the accepting task when it has let go of the port.
    accepting: watch::Receiver<()>,
}

impl LoopbackServer {
    /// Binds 127.0.0.1 on `port` (0 = any free one) and serves until dropped.
    pub(crate) async fn start<A: Answers>(port: u16, answers: Arc<A>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let (running, accepting) = watch::channel(());
        tokio::spawn(async move {
            accept(listener, answers, stopped).await;
            drop(running);
        });
        Ok(Self { address, stop, accepting })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Stops and waits until the port is free again; requests in flight still finish.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        // The error is what is waited for: the task's end of the channel is gone.
        let _ = self.accepting.clone().changed().await;
    }
}

impl Drop for LoopbackServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn accept<A: Answers>(listener: TcpListener, answers: Arc<A>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve(stream, Arc::clone(&answers), stopped.clone()));
                }
            }
            // An error means the handle is gone: the same as a stop.
            _ = stopped.changed() => return,
        }
    }
}

async fn serve<A: Answers>(stream: TcpStream, answers: Arc<A>, mut stopped: watch::Receiver<bool>) {
    // Without it small answers wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(Arc::clone(&answers), request));
    let connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A hang-up and a client that leaves both end here; neither is news to a stand-in.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Tells hyper to close the connection without an answer.
#[derive(Debug)]
struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the stand-in hangs up as asked")
    }
}

impl std::error::Error for HungUp {}

async fn answer<A: Answers>(
    answers: Arc<A>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, HungUp> {
    let received_at = SystemTime::now();
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(response);
        }
        Err(_) => return Err(HungUp),
    };
    let asked = Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
        received_at,
    };
    match answers.answer(asked).await {
        Reply::Answer(response) => Ok(response),
        Reply::HangUp => Err(HungUp),
    }
}
