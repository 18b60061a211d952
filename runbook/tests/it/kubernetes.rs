//! The real kubectl, and a stand-in for the API server of a cluster: a namespace, a secret, and rights.

use serde_json::{Value, json};
use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

pub(crate) const UID: &str = "4c1a6a4e-5b9e-4a51-8a42-2f6a3c6b7d10";

/// A folder with `helm/helm` and `kubectl/kubectl`; none on a machine that cannot have them.
pub(crate) fn tools() -> Option<PathBuf> {
    let mut xtask = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "kubernetes-tools"]);
    let output = xtask.stderr(Stdio::inherit()).output().unwrap();
    if !output.status.success() {
        let why = "`runbook doctor` with a real kubectl, which cannot be installed here: `cargo xtask kubernetes-tools` \
                   says why";
        testing::not_checked("cluster", why);
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap().lines().last().unwrap().into())
}

/// Starts it; whose kubeconfig that is.
pub(crate) fn start(denied: &'static [&'static str]) -> String {
    start_slow(denied, Duration::ZERO)
}

/// The same, with the time that each answer takes.
pub(crate) fn start_slow(denied: &'static [&'static str], takes: Duration) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer(stream.unwrap(), denied, takes));
        }
    });
    format!(
        r#"apiVersion: v1
kind: Config
clusters: [{{name: prod, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: ada, user: {{token: not-a-token}}}}]
contexts: [{{name: prod-us-east-1, context: {{cluster: prod, user: ada}}}}]
"#
    )
}

fn answer(stream: TcpStream, denied: &[&str], takes: Duration) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        reader.read_line(&mut request).ok().filter(|bytes| *bytes > 0)?;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if header.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        thread::sleep(takes);
        let path = request.split(' ').nth(1)?.split('?').next()?;
        let (code, value) = object(path, &body, denied);
        let text = value.to_string();
        let head =
            format!("HTTP/1.1 {code} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        reader.get_mut().write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}

fn object(path: &str, body: &[u8], denied: &[&str]) -> (u16, Value) {
    let group = |name: &str| {
        let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
        json!({ "name": name, "versions": [version], "preferredVersion": version })
    };
    match path {
        "/api" => (200, json!({ "kind": "APIVersions", "versions": ["v1"] })),
        "/apis" => {
            let groups = ["apps", "autoscaling", "authorization.k8s.io"].map(group);
            (200, json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
        }
        "/api/v1" => (200, resources("v1", &["namespaces", "secrets", "pods", "pods/log", "events"])),
        "/apis/apps/v1" => (200, resources("apps/v1", &["deployments", "deployments/scale"])),
        "/apis/autoscaling/v1" => (200, resources("autoscaling/v1", &["horizontalpodautoscalers"])),
        "/apis/authorization.k8s.io/v1" => (200, resources("authorization.k8s.io/v1", &["selfsubjectaccessreviews"])),
        "/api/v1/namespaces/kube-system" => {
            let metadata = json!({ "name": "kube-system", "uid": UID });
            (200, json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": metadata }))
        }
        "/api/v1/namespaces/production/secrets/api-secrets" => {
            let data = json!({ "database-url": "aHVudGVyMg==", "master-key": "aHVudGVyMg==" });
            (200, json!({ "kind": "Secret", "apiVersion": "v1", "metadata": { "name": "api-secrets" }, "data": data }))
        }
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            let asked = Attributes::read(body);
            let right = format!("{} {} {}", asked.field(2), asked.field(5), asked.field(6));
            let is_known = ["production", "runbook"].contains(&asked.field(1));
            let is_allowed = is_known && !denied.contains(&right.trim());
            let review = json!({ "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
                                 "spec": {}, "status": { "allowed": is_allowed } });
            (201, review)
        }
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
            let status = json!({ "userInfo": { "username": "ada" } });
            (201, json!({ "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1", "status": status }))
        }
        _ => (
            404,
            json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
                           "message": format!("{path} not found") }),
        ),
    }
}

/// `ResourceAttributes` of Kubernetes, every field a text. As kubectl sends it: protobuf, in which 1 is the namespace, 2
/// the verb, 5 the resource, 6 the subresource. As `runbook` does: JSON.
struct Attributes(Vec<(u8, String)>);

impl Attributes {
    fn read(body: &[u8]) -> Self {
        const START: &[u8] = b"\x0a\x0aproduction";
        if let Ok(review) = serde_json::from_slice::<Value>(body) {
            let attributes = &review["spec"]["resourceAttributes"];
            let named = [(1, "namespace"), (2, "verb"), (5, "resource"), (6, "subresource")];
            let text = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
            return Self(named.map(|(number, name)| (number, text(name))).into());
        }
        let start = body.windows(START.len()).position(|bytes| bytes == START).unwrap_or(body.len());
        let (mut rest, mut fields) = (&body[start..], vec![]);
        while let [tag, length, after @ ..] = rest
            && *tag < 0x40
            && usize::from(*length) <= after.len()
        {
            let (text, next) = after.split_at(usize::from(*length));
            fields.push((tag >> 3, String::from_utf8_lossy(text).into_owned()));
            rest = next;
        }
        Self(fields)
    }

    fn field(&self, number: u8) -> &str {
        let found = self.0.iter().find(|(known, _)| *known == number);
        found.map_or("", |(_, text)| text)
    }
}

fn resources(version: &str, names: &[&str]) -> Value {
    let resources = names.iter().map(|name| {
        let is_namespaced = *name != "namespaces" && *name != "selfsubjectaccessreviews";
        let one = name.split('/').next().unwrap_or_default().trim_end_matches('s');
        let kind = format!("{}{}", one[..1].to_uppercase(), &one[1..]);
        json!({ "name": name, "singularName": one, "namespaced": is_namespaced, "kind": kind,
                "verbs": ["create", "get", "list", "patch"] })
    });
    json!({ "kind": "APIResourceList", "groupVersion": version, "resources": resources.collect::<Vec<_>>() })
}
