//! The stage `chart`: what can be known about the Helm chart without a cluster, with the two helms that people have.

mod document;
mod objects;
mod readme;
mod refusals;

use crate::{
    kubernetes_tools::{HELM_3, HELM_4, KubernetesTool},
    manifests::{self, GOLDEN},
    stages::{Outcome, Wanted},
    tools,
};
use anyhow::Result;
use std::fs;

const CHART: &str = "helm/api-platform";
const HELMS: [&KubernetesTool; 2] = [&HELM_3, &HELM_4];

/// What is wrong; none: all is well.
type Findings = Vec<String>;

type Check = fn() -> Result<Findings>;

/// Every check, with all its findings.
pub(crate) fn run(_: &Wanted) -> Result<Outcome> {
    let python = [&tools::CHECKOV, &tools::KUBERNETES_VALIDATE].map(tools::Tool::path);
    let installed = HELMS.iter().map(|helm| helm.path()).chain(python).collect::<Result<Vec<_>>>();
    if let Err(error) = installed {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    let checks: [(&str, Check); 7] = [
        ("helm lint --strict", lint),
        ("the document's helm template", document::template),
        ("rendered files", rendered),
        ("the README's table of values", readme::check),
        ("refusals", refusals::check),
        ("schemas of Kubernetes", objects::follow_their_schemas),
        ("checkov", objects::pass_checkov),
    ];
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in checks {
        let findings = check()?;
        println!("  {name}: {}", if findings.is_empty() { "good" } else { "not good" });
        for finding in &findings {
            println!("    {}", finding.replace('\n', "\n    "));
        }
        if findings.is_empty() { passed += 1 } else { failed += 1 }
    }
    Ok(if failed == 0 { Outcome::Passed(passed) } else { Outcome::Failed(passed, failed) })
}

fn lint() -> Result<Findings> {
    let mut findings = vec![];
    let mut files: Vec<_> = ["prod", "staging", "dev"].map(|name| format!("helm/values-{name}.yaml")).into();
    files.push("helm/golden/everything.values.yaml".to_owned());
    for helm in HELMS {
        for values in std::iter::once(None).chain(files.iter().map(Some)) {
            let mut command = helm.command()?;
            command.args(["lint", "--strict", CHART]);
            if let Some(values) = values {
                command.args(["-f", values]);
            }
            let output = command.output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                findings.push(format!("{} with {values:?}: {said}", helm.name));
            }
        }
    }
    Ok(findings)
}

/// Committed renders are as the chart renders them, with either helm.
fn rendered() -> Result<Findings> {
    let mut findings: Findings = manifests::outdated()?
        .keys()
        .map(|path| format!("{path} is not as the chart renders it; cure: cargo xtask manifests"))
        .collect();
    for golden in &GOLDEN {
        if fs::read_to_string(golden.file).ok() != Some(golden.render(&HELM_3)?) {
            findings.push(format!("{}: {} renders something else", golden.file, HELM_3.name));
        }
    }
    Ok(findings)
}
