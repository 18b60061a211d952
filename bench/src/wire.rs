//! One HTTP/1.1 connection with one request at a time.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::net::TcpStream;

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
}

/// What to send, but for the credential.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, address })
    }

    /// The body of a success; anything else is an error, for a measurement of failures is worth nothing.
    pub(crate) async fn send(&mut self, call: Call, authorization: &str) -> Result<Bytes> {
        let Call { method, path, body } = call;
        self.sender.ready().await?;
        let request = Request::builder()
            .method(&method)
            .uri(&path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

/// One request on a connection of its own.
pub(crate) async fn once(address: SocketAddr, authorization: &str, call: Call) -> Result<Value> {
    let body = Connection::open(address).await?.send(call, authorization).await?;
    serde_json::from_slice(&body).context("the answer is no JSON")
}
