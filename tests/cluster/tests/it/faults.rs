//! A deployment that goes wrong leaves the old version serving.

use cluster_tests::{Ingress, Installation, Kubectl, Tool, given, until};
use std::time::Duration;

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
        let version = given("EAP_TEST_VERSION");
        installation.helm(&version);
        let ingress = installation.ingress();
        installation.curl_until("/v1/health", "\"healthy\"");
        Self { installation, version, _ingress: ingress }
    }

    /// The runbook's line with something more fails, for a reason that the cluster names, while the old version serves.
    pub(crate) fn survives(&self, what: &str, more: &str, reason: &str) {
        let Self { installation, version, .. } = self;
        let line = Installation::helm_line(version).replace("--timeout 10m", "--timeout 20s") + more;
        assert!(!installation.shell.try_lines(&line).good, "{what} was deployed");
        until(Duration::from_mins(1), reason, || reasons(&installation.kubectl).contains(reason));
        self.serves(what);
        println!("{what}: refused, the old version serves");
        installation.shell.lines("helm rollback api-platform --namespace production --wait --timeout 5m");
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
    serving.survives("a version that does not exist", " --set image.tag=0.0.0-none", "ErrImage");
    let unknown = " --set env[0].name=EAP_NO_SUCH_SETTING --set env[0].value=x";
    serving.survives("a crash at the start", unknown, "CrashLoopBackOff");
    serving.survives("a missing secret", " --set secrets.name=no-such-secret", "ContainerCreating");
    let installation = &serving.installation;
    installation.secrets(&installation.database.url("api_platform_app").replace("of-the-cluster", "wrong"));
    serving.survives("wrong database credentials", " --set podAnnotations.again=yes", "\"ready\":false");
}

/// Why containers wait or ended, whether they are ready, and what pods and their makers are refused.
fn reasons(kubectl: &Kubectl) -> String {
    let pods: Vec<_> = SERVICES.iter().flat_map(|service| kubectl.pods(service)).collect();
    let makers = kubectl.list(&["replicasets"]);
    let told = pods
        .iter()
        .chain(&makers)
        .flat_map(|object| ["containerStatuses", "conditions"].map(|part| object["status"][part].to_string()));
    told.collect::<Vec<_>>().join("\n")
}
