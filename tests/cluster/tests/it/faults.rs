//! A deployment that goes wrong leaves the old version serving.

use cluster_tests::{Installation, Kubectl, Tool, given, until};
use std::time::Duration;

const SERVICES: [&str; 3] = ["auth-service", "user-service", "org-service"];

#[test]
fn what_cannot_start_never_replaces_what_serves() {
    let installation = Installation::new(Tool::Helm4);
    let version = given("EAP_TEST_VERSION");
    installation.helm(&version);
    let _ingress = installation.ingress();
    installation.curl_until("/v1/health", "\"healthy\"");
    let fails = |what: &str, more: &str, reason: &str| {
        let line = Installation::helm_line(&version).replace("--timeout 10m", "--timeout 20s") + more;
        assert!(!installation.shell.try_lines(&line).good, "{what} was deployed");
        until(Duration::from_mins(1), reason, || reasons(&installation.kubectl).contains(reason));
        for _ in 0..20 {
            let health = installation.shell.lines("curl -sS --fail https://api.example.com/v1/health");
            assert!(health.contains(&format!("\"version\":\"{version}\"")), "{what}: {health}");
        }
        for service in SERVICES {
            let ready = installation.kubectl.pods(service).iter().filter(|pod| Kubectl::is_ready(pod)).count();
            assert!(ready >= 2, "{what}: {ready} pods of {service} are ready");
        }
        println!("{what}: refused, the old version serves");
        installation.shell.lines("helm rollback api-platform --namespace production --wait --timeout 5m");
    };
    fails("a version that does not exist", " --set image.tag=0.0.0-none", "ErrImage");
    fails("a crash at the start", " --set env[0].name=EAP_NO_SUCH_SETTING --set env[0].value=x", "CrashLoopBackOff");
    fails("a missing secret", " --set secrets.name=no-such-secret", "ContainerCreating");
    installation.secrets(&installation.database.url("api_platform_app").replace("of-the-cluster", "wrong"));
    fails("wrong database credentials", " --set podAnnotations.again=yes", "\"ready\":false");
}

/// Why containers wait, and whether they are ready.
fn reasons(kubectl: &Kubectl) -> String {
    let pods: Vec<_> = SERVICES.iter().flat_map(|service| kubectl.pods(service)).collect();
    let containers =
        pods.iter().flat_map(|pod| pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default());
    containers.map(|container| container.to_string()).collect::<Vec<_>>().join("\n")
}
