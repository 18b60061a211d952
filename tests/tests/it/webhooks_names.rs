//! Names that lead elsewhere than they did: a real DNS server says so, and the platform asks it as it asks any other.

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::CNAME},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};
use testing::Database;
use tests::{Person, TestApp, trap, until};
use tokio::net::{TcpStream, UdpSocket};

const SECOND: Duration = Duration::from_secs(1);
/// Public by its prefix, in a block that IANA has given to nobody: it leads nowhere on any network.
const NOBODYS: &str = "2d00::1";

/// Below `hooks.com`.
const NAMES: [&str; 12] = [
    "rebinds",
    "rebinds6",
    "both",
    "mapped",
    "metadata",
    "private",
    "sixtofour",
    "nat64",
    "cgnat",
    "cloud",
    "alias",
    "nowhere",
];

/// What the server knows of a name, when it is asked for the addresses of one kind for the n-th time.
fn answers(name: &Name, of: RecordType, n: usize) -> Option<Vec<RData>> {
    let addresses: &[&str] = match (&*name.to_ascii(), n) {
        // Public when somebody looks first, and this machine ever after.
        ("rebinds.hooks.com." | "rebinds6.hooks.com.", 0) => &[NOBODYS],
        ("rebinds.hooks.com." | "localhost.hooks.com.", _) => &["127.0.0.1"],
        ("rebinds6.hooks.com.", _) => &["::1"],
        ("both.hooks.com.", _) => &[NOBODYS, "127.0.0.1"],
        ("mapped.hooks.com.", _) => &["::ffff:127.0.0.1"],
        ("metadata.hooks.com.", _) => &["169.254.169.254"],
        ("sixtofour.hooks.com.", _) => &["2002:7f00:1::"],
        ("nat64.hooks.com.", _) => &["64:ff9b::7f00:1"],
        ("cgnat.hooks.com.", _) => &["100.64.0.1"],
        ("cloud.hooks.com.", _) => &[NOBODYS, "100.100.100.200"],
        ("private.hooks.com.", _) => &["10.0.0.1", "fd00:ec2::254"],
        ("alias.hooks.com.", _) => {
            let target = Name::from_ascii("localhost.hooks.com.").unwrap();
            return Some(vec![RData::CNAME(CNAME(target))]);
        }
        _ => return None,
    };
    let addresses = addresses.iter().map(|text| text.parse::<IpAddr>().unwrap());
    let of_kind = addresses.filter(|address| address.is_ipv4() == (of == RecordType::A));
    Some(of_kind.map(RData::from).collect())
}

/// A DNS server on a port of this machine, which lets nobody remember what it said; it ends with the test's runtime.
#[derive(Clone)]
struct DnsServer {
    at: SocketAddr,
    asked: Arc<Mutex<BTreeMap<(String, RecordType), usize>>>,
}

impl DnsServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Self { at: socket.local_addr().unwrap(), asked: Arc::default() };
        let this = server.clone();
        tokio::spawn(async move {
            let mut packet = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let response = this.response(&Message::from_vec(&packet[..length]).unwrap());
                socket.send_to(&response.to_vec().unwrap(), from).await.unwrap();
            }
        });
        server
    }

    fn response(&self, query: &Message) -> Message {
        let asked = query.queries[0].clone();
        let n = self.count(&asked.name, asked.query_type);
        let mut response = query.clone().into_response();
        match answers(&asked.name, asked.query_type, n) {
            Some(answers) => response.answers = answers.into_iter().map(|data| record(&asked.name, data)).collect(),
            None => response.metadata.response_code = ResponseCode::NXDomain,
        }
        response
    }

    /// How often somebody asked before.
    fn count(&self, name: &Name, of: RecordType) -> usize {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry((name.to_ascii(), of)).or_default();
        *times += 1;
        *times - 1
    }
}

fn record(name: &Name, data: RData) -> Record {
    Record::from_rdata(name.clone(), 0, data)
}

/// What became of the attempts at each name, in order, as soon as each had so many.
async fn outcomes(person: &Person, names: &BTreeMap<String, &str>, attempts: usize) -> BTreeMap<String, Vec<Value>> {
    let mut found = BTreeMap::new();
    until(40 * SECOND, async || {
        found.clear();
        for delivery in person.get("/v1/webhooks/deliveries?limit=200").await.body["data"].as_array().unwrap() {
            let path = format!("/v1/webhooks/deliveries/{}", delivery["id"].as_str().unwrap());
            let tried = person.get(&path).await.body["attempts"].as_array().unwrap().clone();
            let name = names[delivery["endpoint_id"].as_str().unwrap()].to_owned();
            found.insert(name, tried.iter().map(|one| one["error"].clone()).collect::<Vec<_>>());
        }
        found.len() == names.len() && found.values().all(|tried| tried.len() >= attempts)
    })
    .await;
    found
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_at_any_moment_reaches_nothing() {
    let (dns, (port, reached)) = (DnsServer::start().await, trap().await);
    // The trap counts.
    drop(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    until(5 * SECOND, async || reached.load(Relaxed) == 1).await;
    let lookup = webhooks::Lookup::server(dns.at).unwrap();
    let app = TestApp::with(Database::new().await, |options| {
        options.delivery = webhooks::Delivery { lookup, ..webhooks::Delivery::default() };
    });
    let app = app.await;
    let ada = app.owner("ada").await;
    let mut names = BTreeMap::new();
    for name in NAMES {
        let url = format!("https://{name}.hooks.com:{port}/");
        let answer = ada.post("/v1/webhooks/endpoints", json!({ "url": url, "event_types": ["invoice.paid"] })).await;
        names.insert(answer.body["id"].as_str().unwrap().to_owned(), name);
    }
    let message = json!({ "type": "invoice.paid", "data": {} });
    assert_eq!(ada.post("/v1/webhooks/messages", message).await.status, 202);

    let first = outcomes(&ada, &names, 1).await;
    for (name, tried) in &first {
        let why = tried[0].as_str().unwrap();
        match &**name {
            // It was public, and nobody is there.
            "rebinds" | "rebinds6" => assert!(["connect", "timeout"].contains(&why), "{name}: {why}"),
            "nowhere" => assert_eq!(why, "dns"),
            _ => assert_eq!(why, "not_allowed", "{name}"),
        }
    }
    app.clock.advance(10 * SECOND);
    for (name, tried) in outcomes(&ada, &names, 2).await {
        assert_eq!(tried[1], if name == "nowhere" { "dns" } else { "not_allowed" }, "{name}");
    }
    assert_eq!(reached.load(Relaxed), 1, "nobody but the test itself");
    let asked = dns.asked.lock().unwrap().clone();
    for (name, suffix) in names.values().map(|name| (name, ".hooks.com.")) {
        assert!(asked.get(&(format!("{name}{suffix}"), RecordType::A)).is_some_and(|times| *times >= 2), "{asked:?}");
    }
    assert!(asked.keys().all(|(name, _)| name.ends_with(".hooks.com.")), "only as they were written: {asked:?}");
}
