//! Somebody's server, to which webhooks are delivered.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it was sent.
    pub text: String,
    /// The same, read.
    pub body: Value,
}

impl Received {
    /// The header `webhook-id`.
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    /// The member `type` of the body.
    pub fn of(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }
}

type Answers = dyn Fn(&Received) -> Response + Send + Sync;

/// A running receiver; it ends with the test's runtime.
#[derive(Clone)]
pub struct Receiver {
    url: String,
    answers: Arc<Mutex<Arc<Answers>>>,
    seen: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// One that answers 200.
    pub async fn new() -> Self {
        Self::answering(|_| StatusCode::OK.into_response()).await
    }

    /// One that answers as it is told.
    pub async fn answering(answers: impl Fn(&Received) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::<Arc<Answers>>::new(Arc::new(answers)));
        let receiver = Self { url, answers, seen: Arc::default() };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// One that answers with a status and nothing else.
    pub async fn status(status: u16) -> Self {
        Self::answering(move |_| StatusCode::from_u16(status).unwrap().into_response()).await
    }

    /// One that takes a request and never answers.
    pub async fn hanging() -> Self {
        let receiver = Self::new().await;
        receiver.answer(|_| Response::builder().status(299).body(Body::empty()).unwrap());
        receiver
    }

    /// Answers in another way from now on.
    pub fn answer(&self, answers: impl Fn(&Received) -> Response + Send + Sync + 'static) {
        *self.answers.lock().unwrap() = Arc::new(answers);
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What arrived, in order.
    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }

    /// How much arrived.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The different `webhook-id`s that arrived.
    pub fn ids(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().iter().map(|one| one.id().to_owned()).collect()
    }

    /// Waits until as much has arrived, and says what.
    pub async fn until(&self, count: usize) -> Vec<Received> {
        crate::until(Duration::from_secs(20), async || self.count() >= count).await;
        self.seen()
    }
}

async fn receive(State(to): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    let received = Received { at: Instant::now(), path: uri.path().to_owned(), headers, text, body };
    to.seen.lock().unwrap().push(received.clone());
    let answers = to.answers.lock().unwrap().clone();
    let response = answers(&received);
    if response.status() == 299 {
        std::future::pending::<()>().await;
    }
    response
}
