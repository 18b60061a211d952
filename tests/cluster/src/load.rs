//! Traffic that counts every failure: no retry, no pool that hides a closed connection.

use crate::{HOST, NODE};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// An answer takes no longer than this, or the request failed. What goes wrong in an upgrade is refused or reset at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two requests of a worker.
const PAUSE: Duration = Duration::from_millis(60);

/// What happened: how often each status, and each kind of error.
#[derive(Clone, Debug, Default)]
pub struct Count(BTreeMap<String, usize>);

impl Count {
    /// Requests in all.
    pub fn requests(&self) -> usize {
        self.0.values().sum()
    }

    /// What happened, and how often.
    pub fn each(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(what, count)| (&**what, *count))
    }

    /// Those that did not end in 2xx.
    pub fn failures(&self) -> usize {
        self.0.iter().filter(|(what, _)| !what.starts_with('2')).map(|(_, count)| count).sum()
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(what, count)| format!("{count} × {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

/// One request that is made over and over.
#[derive(Clone)]
struct Call {
    method: &'static str,
    path: String,
    body: Option<String>,
    /// Whether the connection stays for the next one.
    keep: bool,
}

/// Traffic until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    count: Arc<Mutex<Count>>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Reads and writes of the three services, each on connections that stay and on fresh ones.
    pub fn start(token: &str, authority: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::<Mutex<Count>>::default();
        let workers = Workers {
            token: token.to_owned(),
            tls: trusting(authority),
            stop: Arc::clone(&stop),
            count: Arc::clone(&count),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(workers.run());
        });
        Self { stop, count, thread }
    }

    /// What happened so far.
    pub fn count(&self) -> Count {
        self.count.lock().unwrap().clone()
    }

    /// Ends it, each request with its answer.
    pub fn stop(self) -> Count {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.count.lock().unwrap().clone()
    }
}

struct Workers {
    token: String,
    tls: TlsConnector,
    stop: Arc<AtomicBool>,
    count: Arc<Mutex<Count>>,
}

fn calls() -> Vec<Call> {
    let gets = ["/v1/whoami", "/v1/users?limit=5", "/v1/resources?type=note&limit=5"];
    let note = r#"{"type":"note","document":{"title":"under load"}}"#;
    let posts = [("/v1/resources", note), ("/v1/resources", note)];
    let mut calls = vec![];
    for keep in [true, false] {
        calls.extend(gets.map(|path| Call { method: "GET", path: path.to_owned(), body: None, keep }));
        calls.extend(posts.map(|(path, body)| Call {
            method: "POST",
            path: path.to_owned(),
            body: Some(body.to_owned()),
            keep,
        }));
    }
    calls
}

impl Workers {
    async fn run(self) {
        let this = Arc::new(self);
        let mut workers = tokio::task::JoinSet::new();
        for call in calls() {
            let this = Arc::clone(&this);
            workers.spawn(async move { this.repeat(&call).await });
        }
        workers.join_all().await;
    }

    async fn repeat(&self, call: &Call) {
        let mut connection = None;
        while !self.stop.load(Ordering::Relaxed) {
            let what = match timeout(PATIENCE, self.once(call, &mut connection)).await {
                Ok(Ok(status)) => format!("{} {} {}", status.as_u16(), call.method, call.path),
                Ok(Err(error)) => format!("{error} at {} {}", call.method, call.path),
                Err(_) => format!("no answer at {} {}", call.method, call.path),
            };
            if !what.starts_with('2') {
                connection = None;
            }
            *self.count.lock().unwrap().0.entry(what).or_default() += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn once(&self, call: &Call, kept: &mut Option<SendRequest<Full<Bytes>>>) -> Result<StatusCode, String> {
        let mut sender = match kept.take() {
            Some(sender) => sender,
            None => self.connect().await.map_err(|error| format!("connect: {error}"))?,
        };
        let request = Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header("host", HOST)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::from(call.body.clone().unwrap_or_default()))
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| format!("send: {error}"))?;
        let status = answer.status();
        let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
        answer.into_body().collect().await.map_err(|error| format!("body: {error}"))?;
        *kept = Some(sender).filter(|_| call.keep && !closes);
        Ok(status)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect((NODE, 443)).await?;
        let stream = self.tls.connect(ServerName::try_from(HOST)?, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn trusting(authority: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
