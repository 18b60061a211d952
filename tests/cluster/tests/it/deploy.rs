//! `runbook` deploys the next version and goes back, by each of the document's ways.

use cluster_tests::{Installation, Operator, Tool, given};
use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

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

#[test]
fn a_version_that_cannot_start_is_taken_back_by_itself_with_its_reason_kept() {
    let installation = Installation::new(Tool::Helm3);
    let (version, next) = (given("EAP_TEST_VERSION"), given("EAP_TEST_NEXT_VERSION"));
    installation.helm(&version);
    let _ingress = installation.ingress();
    installation.curl_until("/v1/health", "\"healthy\"");
    let operator = Operator::new(&installation);
    let small = operator.folder().join("tests/cluster/small.yaml");
    let values = fs::read_to_string(&small).unwrap();
    fs::write(&small, format!("{values}secrets:\n  name: no-such-secret\n")).unwrap();
    let line = format!("runbook deploy staging --version {next}");
    let (began, said) = (Instant::now(), operator.types(&line));
    println!("{}", said.text);
    assert_eq!(said.code, Some(3), "it is taken back: {}", said.text);
    assert!(began.elapsed() < Duration::from_mins(5), "it was waited for, as helm does: {:?}", began.elapsed());
    let missing = "secret \"no-such-secret\" not found";
    assert!(said.text.contains(missing), "{}", said.text);
    installation.serves_alone(&version);
    let health = installation.shell.lines("curl -sS --fail https://api.example.com/v1/health");
    assert!(health.contains(&format!("\"version\":\"{version}\"")), "{health}");
    let history = installation.shell.lines("helm history api-platform -n production --max 1");
    assert!(history.contains("deployed") && history.contains("Rollback to 1"), "{history}");
    let kept = |folder: &str| {
        let files = fs::read_dir(operator.folder().join(".runbook").join(folder)).unwrap();
        let texts: Vec<_> = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        assert_eq!(texts.len(), 1, "{folder}");
        texts.concat()
    };
    assert!(kept("evidence").contains("no-such-secret"), "the events are saved before the pods are gone");
    let incident = kept("incidents");
    assert!(incident.contains("the way back was taken") && incident.contains("no-such-secret"), "{incident}");
    // The same once more is refused until somebody says what is different now.
    let again = operator.types(&line);
    assert_eq!(again.code, Some(2), "{}", again.text);
    assert!(again.text.contains(&format!("{next} was rolled back from staging")), "{}", again.text);
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
