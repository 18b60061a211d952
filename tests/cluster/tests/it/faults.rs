//! A deployment that goes wrong leaves the old version serving.

use cluster_tests::{Ingress, Installation, Kubectl, Tool, given, until};
use std::{
    thread,
    time::{Duration, Instant},
};

pub(crate) const SERVICES: [&str; 3] = ["auth-service", "user-service", "org-service"];

/// A version that serves.
pub(crate) struct Serving {
    pub(crate) installation: Installation,
    version: String,
    _ingress: Ingress,
}

impl Serving {
    pub(crate) fn new() -> Self {
        let installation = Installation::new(Tool::Helm4);
        // So that a next version that does not start has no other reason than the fault.
        installation.database.migrate_to_next();
        let version = given("EAP_TEST_VERSION");
        installation.helm(&version);
        let ingress = installation.ingress();
        installation.curl_until("/v1/health", "\"healthy\"");
        Self { installation, version, _ingress: ingress }
    }

    /// The runbook's line for the next version with something more fails, for a reason that the cluster names, while the
    /// old version serves. helm's own failure would be none: a good rollout takes longer than it is given.
    pub(crate) fn survives(&self, what: &str, more: &str, reason: &str) {
        self.fails(what, more);
        let kubectl = &self.installation.kubectl;
        until(Duration::from_mins(1), &format!("{what}: {reason}"), || reasons(kubectl).contains(reason));
        self.recovers(what);
    }

    /// As [`Self::survives`], where the new pods run and no more.
    fn survives_what_is_never_ready(&self, what: &str, more: &str) {
        self.fails(what, more);
        let next = format!(":{}", given("EAP_TEST_NEXT_VERSION"));
        let (began, mut ran) = (Instant::now(), false);
        // A good one is ready within a quarter of that.
        while began.elapsed() < Duration::from_mins(1) {
            let pods = SERVICES.iter().flat_map(|service| self.installation.kubectl.pods(service));
            for pod in pods.filter(|pod| Installation::image(pod).ends_with(&next)) {
                assert!(!Kubectl::is_ready(&pod), "{what}: {pod:#}");
                ran |= pod["status"]["containerStatuses"][0]["started"] == true;
            }
            thread::sleep(Duration::from_secs(1));
        }
        assert!(ran, "{what}: no pod of the next version ran");
        self.recovers(what);
    }

    fn fails(&self, what: &str, more: &str) {
        let line = Installation::helm_line(&given("EAP_TEST_NEXT_VERSION"));
        let line = line.replace("--timeout 10m", "--timeout 20s") + more;
        assert!(!self.installation.shell.try_lines(&line).good, "{what} was deployed");
    }

    fn recovers(&self, what: &str) {
        self.serves(what);
        println!("{what}: refused, the old version serves");
        self.installation.shell.lines("helm rollback api-platform --namespace production --wait --timeout 5m");
    }

    /// Twenty answers in a row, and pods enough of every service.
    pub(crate) fn serves(&self, what: &str) {
        let Self { installation, version, .. } = self;
        for _ in 0..20 {
            let health = installation.shell.lines("curl -sS --fail https://api.example.com/v1/health");
            assert!(health.contains(&format!("\"version\":\"{version}\"")), "{what}: {health}");
        }
        for service in SERVICES {
            let ready = installation.kubectl.ready(service);
            assert!(ready >= 2, "{what}: {ready} pods of {service} are ready");
        }
    }
}

#[test]
fn what_cannot_start_never_replaces_what_serves() {
    let serving = Serving::new();
    // Of a registry that refuses at once: no name has to be looked up.
    let absent = " --set image.tag=0.0.0-none --set image.repository=127.0.0.1:5999/x";
    serving.survives("a version that does not exist", absent, "ImagePull");
    let unknown = " --set env[0].name=EAP_NO_SUCH_SETTING --set env[0].value=x";
    serving.survives("a crash at the start", unknown, "CrashLoopBackOff");
    let unmounted = "secret \"no-such-secret\" not found";
    serving.survives("a missing secret", " --set secrets.name=no-such-secret", unmounted);
    let installation = &serving.installation;
    installation.secrets(&installation.database.url("api_platform_app").replace("of-the-cluster", "wrong"));
    serving.survives_what_is_never_ready("wrong database credentials", "");
}

/// Why containers wait or ended, what pods and their makers are refused, and what is told of them.
fn reasons(kubectl: &Kubectl) -> String {
    let pods: Vec<_> = SERVICES.iter().flat_map(|service| kubectl.pods(service)).collect();
    let makers = kubectl.list(&["replicasets"]);
    let told = pods
        .iter()
        .chain(&makers)
        .flat_map(|object| ["containerStatuses", "conditions"].map(|part| object["status"][part].to_string()));
    let events = kubectl.list(&["events"]);
    let messages = events.iter().filter_map(|event| event["message"].as_str().map(str::to_owned));
    told.chain(messages).collect::<Vec<_>>().join("\n")
}
