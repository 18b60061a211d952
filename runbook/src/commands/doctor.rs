//! `runbook doctor [ENV]`

use crate::{
    doctor::{self, Finding},
    exit::Exit,
    failure::Failure,
    page::{Mark, Note, Page},
    place::Place,
    screen::{Form, Screen},
    time,
};
use serde_json::json;
use std::time::Duration;

pub(crate) async fn run(place: &Place, name: Option<&str>) -> Result<Exit, Failure> {
    let file = place.file()?;
    let environment = match name {
        Some(name) => Some((name, file.environment(name).map_err(Failure::unknown)?)),
        None => None,
    };
    let start = time::now();
    let findings = doctor::examine(&place.folder, &file, environment).await;
    let took_ms = time::now().as_millisecond() - start.as_millisecond();
    let count = |mark: Mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let (good, warnings, failed) = (count(Mark::Good), count(Mark::Warning), count(Mark::Failed));
    if place.screen.form == Form::Json {
        for finding in &findings {
            Screen::event("check", &json!(finding));
        }
        let sums = json!({ "good": good, "warnings": warnings, "failed": failed, "took_ms": took_ms });
        Screen::event("result", &sums);
    } else {
        let mut page = pages(&findings);
        let took = Duration::from_millis(took_ms.unsigned_abs()).as_secs_f64();
        page.text(format!("{good} good, {warnings} to know, {failed} to cure, in {took:.1} s"));
        place.screen.page(&page);
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

fn pages(findings: &[Finding]) -> Page {
    let mut page = Page::default();
    for group in findings.chunk_by(|one, next| one.group == next.group) {
        page.title(group.first().map_or("", |finding| finding.group.title()));
        for Finding { mark, what, why, cure, .. } in group {
            let why = why.iter().map(|why| Note::text("why", why));
            let cure = cure.iter().map(|cure| Note::command("cure", cure));
            page.item(*mark, what, why.chain(cure).collect());
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::runs::tests::human;
    use doctor::Group;

    fn findings() -> Vec<Finding> {
        let uid = "4c1a6a4e-5b9e-4a51-8a42-2f6a3c6b7d10";
        vec![
            Group::Tools.good("tool.git", "git 2.39.5, for Steps 2 and 7"),
            Group::Tools
                .failed("tool.helm", "helm 3.9.4 is older than 3.12.0", "Step 4 and Rollback Option 1 cannot be done")
                .cured_by("install helm 3.12.0 or newer, or accept it in runbook.toml: [tools] helm = \"3.9.4\""),
            Group::Cluster
                .warning(
                    "cluster.identity",
                    "prod-us-east-1 answers, and nobody compares which cluster it is",
                    "a context can come to mean another one",
                )
                .cured_by(format!("in runbook.toml, in cluster: uid = \"{uid}\"")),
            Group::Cluster
                .failed(
                    "right.patch.deployments.apps",
                    "you may not patch deployments.apps in namespace production",
                    "Step 4 and every rollback change them",
                )
                .cured_by("kubectl auth can-i patch deployments.apps --context prod-us-east-1 --kubeconfig /etc/kube/prod -n production"),
            Group::Database.failed(
                "database.connections",
                "900 connections (3 services × 50 pods × 6) may be needed, and 83 are left of 100 (others hold 17)",
                "pods that find no connection are not ready, and the rollout stops",
            ),
        ]
    }

    #[test]
    fn failures_at_a_terminal() {
        for width in [60, 100, 160] {
            let mut page = pages(&findings());
            page.text("1 good, 1 to know, 3 to cure, in 0.9 s");
            insta::assert_snapshot!(format!("failures_at_{width}"), page.render(&human(width)));
        }
    }
}
