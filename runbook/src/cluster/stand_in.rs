//! A stand-in for an API server: objects with versions, and everything that goes wrong between here and there.

use jiff::{SignedDuration, Timestamp};
use runbook_file::Cluster;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use tempfile::TempDir;
use types::Clock;

pub(crate) const UID: &str = "4c1a6a4e-5b9e-4a51-8a42-2f6a3c6b7d10";

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Fault {
    #[default]
    Nothing,
    /// An answer with 500.
    Failing,
    /// The answer comes late.
    Stalled(Duration),
    /// The connection ends before the request is read.
    Dropped,
    /// It is done, and the connection ends before the answer.
    AnswerLost,
    /// Nothing may be written.
    Denied,
}

#[derive(Default)]
struct Store {
    /// By path.
    objects: BTreeMap<String, Value>,
    version: u64,
    fault: Fault,
    /// Its clock, of this machine's.
    ahead: SignedDuration,
    /// Bytes of the requests that changed something.
    written: Vec<usize>,
}

/// It, while it is needed.
pub(crate) struct StandIn {
    store: Arc<Mutex<Store>>,
    kubeconfigs: TempDir,
    port: u16,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let store = Arc::new(Mutex::new(Store::default()));
        let this = Self { store: store.clone(), kubeconfigs: tempfile::tempdir().unwrap(), port };
        let system =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "kube-system", "uid": UID } });
        this.put("/api/v1/namespaces/kube-system", system);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let store = store.clone();
                thread::spawn(move || answer(stream.unwrap(), &store));
            }
        });
        this
    }

    /// As `runbook.toml` has it, for somebody.
    pub(crate) fn cluster(&self, user: &str) -> Cluster {
        let path = self.kubeconfigs.path().join(user);
        let text = format!(
            r#"apiVersion: v1
kind: Config
clusters: [{{name: prod, cluster: {{server: "http://127.0.0.1:{}"}}}}]
users: [{{name: me, user: {{token: "{user}"}}}}]
contexts: [{{name: prod-us-east-1, context: {{cluster: prod, user: me}}}}]
"#,
            self.port
        );
        fs::write(&path, text).unwrap();
        Cluster {
            kubeconfig: Some(path),
            context: "prod-us-east-1".to_owned(),
            namespace: "production".to_owned(),
            uid: Some(UID.to_owned()),
        }
    }

    /// From now on.
    pub(crate) fn fault(&self, fault: Fault) {
        self.store.lock().unwrap().fault = fault;
    }

    /// From now on its clock is so far ahead of this machine's.
    pub(crate) fn is_ahead(&self, ahead: SignedDuration) {
        self.store.lock().unwrap().ahead = ahead;
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.store.lock().unwrap().objects.get(path).cloned()
    }

    /// Behind everybody's back.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.store.lock().unwrap().put(path, object);
    }

    pub(crate) fn delete(&self, path: &str) {
        self.store.lock().unwrap().objects.remove(path);
    }

    /// The sizes of the requests that changed something.
    pub(crate) fn written(&self) -> Vec<usize> {
        self.store.lock().unwrap().written.clone()
    }
}

struct Request {
    verb: String,
    path: String,
    query: String,
    user: String,
    body: Value,
    size: usize,
}

fn answer(stream: TcpStream, store: &Mutex<Store>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        let now = Timestamp::from_millisecond(Clock::system().now().as_millis()).unwrap();
        let date = now + store.lock().unwrap().ahead;
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT");
        if request.query.contains("watch=true") {
            return watch(reader.get_mut(), store, &request);
        }
        let fault = store.lock().unwrap().fault;
        let (code, value) = match fault {
            Fault::Failing => status(500, "InternalError", "it was told to fail"),
            Fault::Denied if request.verb != "GET" => status(403, "Forbidden", "you may not"),
            Fault::Nothing | Fault::Denied => store.lock().unwrap().answer(&request),
            Fault::Stalled(time) => {
                thread::sleep(time);
                store.lock().unwrap().answer(&request)
            }
            Fault::Dropped => return None,
            Fault::AnswerLost => {
                store.lock().unwrap().answer(&request);
                if request.verb != "GET" {
                    return None;
                }
                store.lock().unwrap().answer(&request)
            }
        };
        let text = if let Value::String(text) = value { text } else { value.to_string() };
        let head = format!(
            "HTTP/1.1 {code} x\r\ndate: {date}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        reader.get_mut().write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}

/// Says each object of a kind that changes, for half a minute.
fn watch(stream: &mut TcpStream, store: &Mutex<Store>, request: &Request) -> Option<()> {
    stream.write_all(b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n").ok()?;
    let from = request.query.split('&').find_map(|word| word.strip_prefix("resourceVersion="));
    let mut seen: u64 = from?.parse().ok()?;
    for _ in 0..1_500 {
        let changed = {
            let store = store.lock().unwrap();
            let version =
                |object: &Value| object["metadata"]["resourceVersion"].as_str().map(|text| text.parse().unwrap());
            let is_new = |object: &&Value| version(object).is_some_and(|version: u64| version > seen);
            let changed: Vec<_> = store.of(&request.path).filter(is_new).cloned().collect();
            seen = store.version;
            changed
        };
        for object in changed {
            let event = json!({ "type": "MODIFIED", "object": object });
            stream.write_all(format!("{event}\n").as_bytes()).ok()?;
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut first, mut size, mut user) = (String::new(), 0, String::new());
    reader.read_line(&mut first).ok().filter(|bytes| *bytes > 0)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let (name, value) = header.trim().split_once(": ").unwrap_or_default();
        match &*name.to_ascii_lowercase() {
            "content-length" => size = value.parse().ok()?,
            "authorization" => value.trim_start_matches("Bearer ").clone_into(&mut user),
            "" => break,
            _ => {}
        }
    }
    let mut body = vec![0; size];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let verb = words.next()?.to_owned();
    let (path, query) = words.next().map(|url| url.split_once('?').unwrap_or((url, "")))?;
    let query = query.replace("%2F", "/").replace("%3D", "=").replace("%2C", ",");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Request { verb, path: path.to_owned(), query, user, body, size })
}

fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let value = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
                        "message": message });
    (code, value)
}

impl Store {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        if request.path.ends_with("/selfsubjectreviews") {
            let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {},
                                 "status": { "userInfo": { "username": request.user } } });
            return (201, review);
        }
        if request.verb != "GET" {
            self.written.push(request.size);
        }
        let found = self.objects.get(&request.path).cloned();
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let conflicts = |found: &Value| {
            let wanted = version(&request.body);
            !wanted.is_null() && wanted != version(found)
        };
        let conflict = || status(409, "Conflict", "the object has been modified");
        match (&*request.verb, found) {
            ("GET", None) if Self::is_list(&request.path) => (200, self.list(request)),
            ("POST", _) => {
                let path = format!("{}/{}", request.path, request.body["metadata"]["name"].as_str().unwrap());
                if self.objects.contains_key(&path) {
                    return status(409, "AlreadyExists", "it exists");
                }
                (201, self.put(&path, request.body.clone()))
            }
            (_, None) => status(404, "NotFound", &format!("{} not found", request.path)),
            ("GET", Some(found)) => (200, found),
            ("DELETE", Some(found)) => {
                self.objects.remove(&request.path);
                (200, found)
            }
            ("PUT" | "PATCH", Some(found)) if conflicts(&found) => conflict(),
            ("PUT", Some(_)) => (200, self.put(&request.path, request.body.clone())),
            ("PATCH", Some(mut found)) => {
                merge(&mut found, &request.body);
                (200, self.put(&request.path, found))
            }
            (verb, _) => status(405, "MethodNotAllowed", verb),
        }
    }

    fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        if object.is_object() {
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn is_list(path: &str) -> bool {
        let kinds = ["configmaps", "leases", "pods", "deployments", "replicasets", "events"];
        kinds.iter().any(|kind| path.rsplit('/').next() == Some(kind))
    }

    fn list(&self, request: &Request) -> Value {
        let labels = request.query.split('&').find_map(|word| word.strip_prefix("labelSelector=")).unwrap_or_default();
        let wanted: Vec<_> = labels.split(',').filter_map(|label| label.split_once('=')).collect();
        let has = |object: &Value, (key, value): &(&str, &str)| object["metadata"]["labels"][key] == *value;
        let items = self.of(&request.path).filter(|object| wanted.iter().all(|label| has(object, label)));
        let items: Vec<_> = items.collect();
        let metadata = json!({ "resourceVersion": self.version.to_string() });
        json!({ "apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items })
    }

    /// All objects of a kind; what lies deeper is a part of one.
    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let name = move |path: &str| path.strip_prefix(kind)?.strip_prefix('/').map(|name| !name.contains('/'));
        self.objects.iter().filter(move |(path, _)| name(path) == Some(true)).map(|(_, object)| object)
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Map::new().into();
    }
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.as_object_mut().unwrap().remove(key)),
            value => merge(&mut target[key], value),
        }
    }
}
