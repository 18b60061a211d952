//! The receiver of webhooks: answers 200 and notes when what was sent arrived.

use anyhow::Result;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    start: Instant,
    seen: Arc<Mutex<Vec<Duration>>>,
}

impl Sink {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let sink = Self { address: listener.local_addr()?, start: Instant::now(), seen: Arc::default() };
        let accepting = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let sink = accepting.clone();
                let service = service_fn(move |request| {
                    let sink = sink.clone();
                    async move { sink.receive(request).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(sink)
    }

    /// Now, as a message says it.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    async fn receive(&self, request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, hyper::Error> {
        let body = request.into_body().collect().await?.to_bytes();
        let arrived = self.now_us();
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let sent = message["data"]["sent_us"].as_u64().unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(Duration::from_micros(arrived.saturating_sub(sent)));
        Ok(Response::new(Empty::new()))
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// From sending to receipt, sorted; what was seen is forgotten.
    pub(crate) fn take(&self) -> Vec<Duration> {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.sort_unstable();
        seen
    }
}
