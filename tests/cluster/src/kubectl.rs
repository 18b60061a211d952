//! kubectl, with what it says as JSON.

use serde_json::Value;
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// kubectl in a namespace.
#[derive(Clone, Debug)]
pub struct Kubectl {
    namespace: String,
}

impl Kubectl {
    /// In a namespace.
    pub fn within(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    /// Its command, with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.namespace]).args(words);
        command
    }

    /// Runs it; it must succeed. What it printed.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {errors}", words.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    /// `kubectl get`, as JSON.
    pub fn get(&self, words: &[&str]) -> Value {
        let words: Vec<_> = ["get", "--output=json"].iter().chain(words).copied().collect();
        serde_json::from_str(&self.run(&words)).unwrap()
    }

    /// The items of a list.
    pub fn list(&self, words: &[&str]) -> Vec<Value> {
        self.get(words)["items"].as_array().cloned().unwrap_or_default()
    }

    /// Creates or changes objects.
    pub fn apply(&self, object: &Value) {
        use std::io::Write;
        let mut child = self
            .command(&["apply", "--filename=-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "kubectl apply: {object:#}");
    }

    /// The pods of a service that are not on their way out.
    pub fn pods(&self, service: &str) -> Vec<Value> {
        let mut pods = self.list(&["pods", &format!("--selector=app.kubernetes.io/name={service}")]);
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods
    }

    /// How many pods of a service are ready.
    pub fn ready(&self, service: &str) -> usize {
        self.pods(service).iter().filter(|pod| Self::is_ready(pod)).count()
    }

    /// Whether a pod's condition `Ready` holds.
    pub fn is_ready(pod: &Value) -> bool {
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    }
}

/// Waits until something holds.
pub fn until(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(100));
    }
    start.elapsed()
}
