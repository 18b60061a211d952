//! The runbook's own lines, as written, one after the other; what they said becomes the transcript in the docs.

use cluster_tests::{Installation, Kubectl, Tool, given, until};
use std::{fmt::Write as _, fs, path::Path, time::Duration};

/// A line, and what its output holds. What stands in `<…>` is said here in [`literal`], because it is no line of the
/// document as it is.
type Line = (&'static str, &'static str);

/// The document's Steps 4 to 6, and its rollback by helm.
const HELM: &[Line] = &[
    ("helm lint helm/api-platform", "1 chart(s) linted, 0 chart(s) failed"),
    ("helm template helm/api-platform -f helm/values-prod.yaml --debug", "kind: Deployment"),
    ("<dry run>", "deployment.apps/auth-service"),
    ("<deploy>", "STATUS: deployed"),
    ("kubectl rollout status deployment/auth-service -n production", "successfully rolled out"),
    ("kubectl rollout status deployment/user-service -n production", "successfully rolled out"),
    ("kubectl rollout status deployment/org-service -n production", "successfully rolled out"),
    ("kubectl get pods -n production", "1/1     Running"),
    ("curl https://api.example.com/v1/health", "\"status\":\"healthy\",\"version\":\"$NEW_VERSION\""),
    ("<login>", "bad_credentials"),
    ("<logs>", "serving"),
    ("npm run test:smoke -- --env=production", "8 of 8"),
    ("<deploy the next>", "STATUS: deployed"),
    ("helm history api-platform -n production", "superseded"),
    ("helm rollback api-platform 1 -n production --wait --timeout=10m", "Rollback was a success"),
];

/// Its rollback by kubectl and its troubleshooting: helm has no part in these.
const KUBECTL: &[Line] = &[
    ("<restart>", "restarted"),
    ("kubectl rollout status deployment/auth-service -n production", "successfully rolled out"),
    ("kubectl rollout history deployment/auth-service -n production", "REVISION"),
    ("<undo>", "deployment.apps/org-service rolled back"),
    ("kubectl rollout status deployment/auth-service -n production", "successfully rolled out"),
    ("kubectl scale deployment --all --replicas=0 -n production", "deployment.apps/user-service scaled"),
    ("kubectl scale deployment --all --replicas=5 -n production", "deployment.apps/user-service scaled"),
    ("kubectl rollout status deployment/auth-service -n production", "successfully rolled out"),
    ("kubectl rollout status deployment/user-service -n production", "successfully rolled out"),
    ("kubectl rollout status deployment/org-service -n production", "successfully rolled out"),
    ("<errors>", "none"),
    ("<pod>", "deleted"),
    ("kubectl get events -n production --sort-by='.lastTimestamp'", "Scheduled"),
    ("kubectl describe nodes | grep -A 5 \"Allocated resources\"", "cpu"),
];

/// What is typed: the document's lines, several where they belong together, and with an end where they would follow.
fn literal(line: &str) -> String {
    let text = match line {
        "<deploy>" => &Installation::helm_line("$NEW_VERSION"),
        "<deploy the next>" => {
            &format!("NEW_VERSION={}\n{}", given("EAP_TEST_NEXT_VERSION"), Installation::helm_line("$NEW_VERSION"))
        }
        "<dry run>" => {
            "helm template api-platform helm/api-platform -f helm/values-prod.yaml --namespace production | \\\n  \
             kubectl apply --dry-run=server --validate=strict --namespace production -f -"
        }
        "<login>" => {
            "curl -X POST https://api.example.com/v1/auth/login \\\n  -H \"Content-Type: application/json\" \\\n  \
             -d '{\"email\":\"test@example.com\",\"password\":\"test123\"}'"
        }
        "<logs>" => "timeout 10 kubectl logs -f deployment/auth-service -n production --tail=100 || [ $? = 124 ]",
        "<errors>" => "timeout 10 kubectl logs -f deployment/auth-service -n production | grep ERROR || echo none",
        "<restart>" => "kubectl rollout restart deployment/auth-service -n production",
        "<undo>" => {
            "kubectl rollout undo deployment/auth-service -n production\n\
             kubectl rollout undo deployment/user-service -n production\n\
             kubectl rollout undo deployment/org-service -n production"
        }
        "<pod>" => {
            "POD=$(kubectl get pods -n production -o name | grep auth-service | head -n 1)\n\
             kubectl logs $POD -n production --tail=2\nkubectl describe $POD -n production | tail -n 3\n\
             kubectl delete $POD -n production"
        }
        line => line,
    };
    text.to_owned()
}

#[test]
fn the_runbooks_lines_work_as_written_with_helm_3() {
    go_through(Tool::Helm3, HELM);
}

#[test]
fn the_runbooks_lines_work_as_written_with_helm_4() {
    let transcript = go_through(Tool::Helm4, &[HELM, KUBECTL].concat());
    if std::env::var_os("UPDATE_PAGES").is_some() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/runbooks/transcript.md");
        // Of a line that was written over, as curl's progress is, a terminal shows what came last.
        let shown: Vec<_> = transcript.lines().map(|line| line.rsplit('\r').next().unwrap_or_default()).collect();
        fs::write(page, shown.join("\n") + "\n").unwrap();
    }
}

fn go_through(tool: Tool, lines: &[Line]) -> String {
    let installation = Installation::new(tool);
    let version = given("EAP_TEST_VERSION");
    let mut transcript = format!(
        "# A deployment, line by line\n\nThe lines of [the runbook](deployment.md) as a test types them into a shell beside a real Kubernetes, and what they say. \
         Written by `UPDATE_PAGES=1 cargo xtask test --stage cluster`.\n\n```console\n$ NEW_VERSION={version}\n"
    );
    let mut ingress = None;
    for (line, expected) in lines {
        match *line {
            "<deploy the next>" => installation.database.migrate_to_next(),
            "<pod>" => none_ends(&installation.kubectl),
            _ => {}
        }
        let (typed, expected) = (literal(line), &expected.replace("$NEW_VERSION", &version));
        let mut text = String::new();
        until(Duration::from_mins(2), &typed, || {
            let said = installation.shell.try_lines(&typed);
            text = said.text;
            // Only a question may be asked again: what was just started needs a moment.
            assert!(said.good && text.contains(expected) || typed.starts_with("curl"), "{typed}\n{text}");
            text.contains(expected)
        });
        // `none` is also said when `timeout` ended it: what was found stands before it.
        assert!(*line != "<errors>" || !text.contains("ERROR"), "{text}");
        if ingress.is_none() && *line == "<deploy>" {
            ingress = Some(installation.ingress());
        }
        let _ = writeln!(transcript, "$ {typed}\n{}", shown(&text));
    }
    // No line of the document: the same smoke test as a pod of the chart.
    let tested = installation.shell.lines("helm test api-platform --namespace production --timeout 5m");
    assert!(tested.contains("Succeeded"), "{tested}");
    transcript + "```\n"
}

/// Those that were scaled away have ended: the first of a list is one that stays.
fn none_ends(kubectl: &Kubectl) {
    until(Duration::from_mins(2), "no pod is on its way out", || {
        kubectl.list(&["pods"]).iter().all(|pod| pod["metadata"]["deletionTimestamp"].is_null())
    });
}

/// Of a line on the page, in characters.
const WIDTH: usize = 240;

/// A page is for reading: no line twice in a row, what is long cut, and the folder of this machine left out.
fn shown(text: &str) -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let text = text.replace(&*project.to_string_lossy(), ".");
    let cut = |line: &str| line.chars().take(WIDTH).collect::<String>().trim_end().to_owned();
    let mut lines: Vec<_> = text.lines().map(cut).collect();
    lines.dedup();
    match lines.len() {
        0..=24 => lines.join("\n"),
        all => format!("{}\n… ({} lines more)", lines[..12].join("\n"), all - 12),
    }
}
