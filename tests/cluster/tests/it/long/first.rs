//! The first deployment of all, as somebody who is new to `runbook` makes it.

use cluster_tests::{Installation, Operator, Tool, given, until};
use std::time::Duration;

/// Until helm has made what it can make.
const MADE: Duration = Duration::from_mins(3);

#[test]
fn a_first_deployment_goes_through_where_there_are_secrets_alone() {
    let installation = Installation::new(Tool::Helm3);
    let next = given("EAP_TEST_NEXT_VERSION");
    let operator = Operator::new(&installation);
    let refused = operator.types("runbook rollback staging");
    assert!(!refused.good && refused.text.contains("nothing is deployed in staging"), "{}", refused.text);
    println!("{}\n{}", operator.types("runbook doctor staging").text, refused.text);
    let deploy = operator.starts(&format!("runbook deploy staging --version {next}"));
    until(MADE, "the Ingress is there", || !installation.kubectl.list(&["ingress"]).is_empty());
    let _ingress = installation.ingress();
    let (exit, said) = deploy.ends();
    println!("{said}");
    assert_eq!(exit, Some(0), "{said}");
    for shown in ["a first deployment: there is nothing to go back to", "no error in", "8 of 8"] {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    let runs = operator.does("runbook runs staging");
    assert!(runs.contains("done") && runs.contains(&next), "{runs}");
}
