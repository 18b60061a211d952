//! `runbook` deploys the next version and goes back, by each of the document's ways.

use cluster_tests::{Installation, Operator, Tool, given};
use std::{fmt::Write as _, fs};

/// A version that serves, and what an operator types.
pub(crate) fn go_through(tool: Tool, ways: &[&str]) -> String {
    let mut installation = Installation::new(tool);
    let (version, next) = (given("EAP_TEST_VERSION"), given("EAP_TEST_NEXT_VERSION"));
    installation.helm(&version);
    let _ingress = installation.ingress();
    installation.curl_until("/v1/health", "\"healthy\"");
    let token = installation.token();
    installation.shell.set("TEST_TOKEN", &token);
    let operator = Operator::new(&installation);
    let mut transcript = String::new();
    for words in ways {
        for (line, expected) in [
            (format!("runbook deploy staging --version {next}{words} --reason \"to try it\""), &next),
            (format!("runbook rollback staging{words} --reason \"to try the way back\""), &version),
        ] {
            let said = operator.does(&line);
            let _ = writeln!(transcript, "$ {line}\n{said}");
            let health = installation.shell.lines("curl -sS --fail https://api.example.com/v1/health");
            assert!(health.contains(&format!("\"version\":\"{expected}\"")), "{line}\n{said}\n{health}");
            for shown in ["401 bad_credentials", "users: 200", "no error in", "answers were errors", "8 of 8"] {
                assert!(said.contains(shown), "{shown}: {said}");
            }
        }
    }
    transcript
}

#[test]
fn the_next_version_and_the_way_back_by_helm_3_and_by_kubectl() {
    let transcript = go_through(Tool::Helm3, &["", " --via kubectl"]);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate/runbook-transcript.md");
        fs::write(page, written(&transcript)).unwrap();
    }
}

/// The page; what differs from one machine to the next is named.
fn written(transcript: &str) -> String {
    let kubeconfig = given("KUBECONFIG");
    let text = transcript.replace(&kubeconfig, "~/.kube/config-staging");
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    format!(
        "# A deployment and the way back, by `runbook`\n\nWhat [`runbook`](runbook.md) prints into a pipe while a test deploys the next version on a real Kubernetes and goes back: by helm 3, then by kubectl. \
         At a terminal there are colours, and a tree of the pods while a rollout goes on. Written by `UPDATE_PAGES=1 cargo xtask test --stage cluster the_next_version`.\n\n```console\n{text}\n```\n"
    )
}
