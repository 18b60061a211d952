//! Webhooks over HTTPS: to whom the machine's certificate authorities vouch for, and not a byte to anybody else.

use crate::process::{Dev, client, folder, json, platform, until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json as object};
use standardwebhooks::Webhook;
use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use testing::Database;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A receiver with a certificate: who came, and what they said once there was trust.
struct Receiver {
    url: String,
    connections: Arc<AtomicUsize>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start(name: &str, by: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, by).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/hooks", listener.local_addr().unwrap().port());
        let (connections, said) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let receiver = Self { url, connections: Arc::clone(&connections), said: Arc::clone(&said) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Relaxed);
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                // Whoever does not trust it says nothing that can be read.
                let text = exchange(StreamOwned::new(connection, stream.unwrap())).unwrap_or_default();
                said.lock().unwrap().push(text);
            }
        });
        receiver
    }

    fn heard(&self) -> String {
        self.said.lock().unwrap().concat()
    }
}

/// Reads a request to its end, answers 200, and says what was read; also when it ended too early.
fn exchange(mut stream: StreamOwned<ServerConnection, TcpStream>) -> io::Result<String> {
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    while !is_whole(&text) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return Ok(text),
            Ok(length) => text += &String::from_utf8_lossy(&buffer[..length]),
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(text)
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.unwrap().parse().unwrap()
}

async fn endpoint(dev: &Dev, token: &str, receiver: &Receiver) -> Value {
    let body = object!({ "url": receiver.url, "event_types": ["invoice.paid"] });
    dev.post(token, "webhooks/endpoints", body).await
}

/// The first attempt at an endpoint, as the delivery log has it.
async fn attempt(dev: &Dev, token: &str, endpoint: &Value) -> Value {
    let get = async |path: &str| {
        json(client().get(format!("{}/webhooks/{path}", dev.api)).bearer_auth(token).send().await.unwrap()).await
    };
    let list = format!("deliveries?endpoint={}", endpoint["id"].as_str().unwrap());
    let mut attempt = Value::Null;
    until(async || {
        let page = get(&list).await;
        let Some(id) = page["data"][0]["id"].as_str() else { return false };
        attempt = get(&format!("deliveries/{id}")).await["attempts"][0].take();
        attempt.is_object()
    })
    .await;
    attempt
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_over_https_to_whom_a_trusted_authority_names_and_to_nobody_else() {
    let (trusted, other, folder) = (authority(), authority(), folder());
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, trusted.pem()).unwrap();
    let database = Database::new().await;
    let mut command = platform();
    // How whoever operates a machine says which authorities it trusts.
    command.env("SSL_CERT_FILE", &roots).env_remove("SSL_CERT_DIR");
    let dev = Dev::spawn(command, &database, &folder.path().join("dev")).await;
    let token = dev.token().await;

    let good = Receiver::start("localhost", &trusted, |_| {});
    let past = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    };
    let future = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    let bad = [
        (Receiver::start("localhost", &other, |_| {}), "certificate_untrusted"),
        (Receiver::start("hooks.example.com", &trusted, |_| {}), "certificate_of_another_host"),
        (Receiver::start("localhost", &trusted, past), "certificate_expired"),
        (Receiver::start("localhost", &trusted, future), "certificate_expired"),
    ];
    let ours = endpoint(&dev, &token, &good).await;
    let mut theirs = vec![];
    for (receiver, reason) in &bad {
        theirs.push((endpoint(&dev, &token, receiver).await, receiver, reason));
    }
    let message = object!({ "type": "invoice.paid", "data": { "amount": 4_711 } });
    dev.post(&token, "webhooks/messages", message).await;

    let delivered = attempt(&dev, &token, &ours).await;
    assert_eq!((&delivered["status_code"], &delivered["error"]), (&object!(200), &Value::Null), "{delivered}");
    let request = good.heard();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let headers = head.lines().filter_map(|line| line.split_once(": ")).map(|(name, value)| {
        (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse::<reqwest::header::HeaderValue>().unwrap())
    });
    let webhook = Webhook::new(ours["secret"].as_str().unwrap()).unwrap();
    webhook.verify(body.as_bytes(), &headers.collect::<reqwest::header::HeaderMap>()).unwrap();
    assert!(body.contains("4711"), "{body}");

    for (endpoint, receiver, reason) in theirs {
        let failed = attempt(&dev, &token, &endpoint).await;
        assert_eq!((&failed["status_code"], &failed["error"]), (&Value::Null, &object!(reason)), "{failed}");
        assert!(receiver.connections.load(Relaxed) > 0, "{reason}: it was asked for its certificate");
        until(async || !receiver.said.lock().unwrap().is_empty()).await;
        assert_eq!(receiver.heard(), "", "{reason}");
    }
}
