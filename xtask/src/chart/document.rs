//! The runbook's own words: the document is kept as it was given, and what it says works as it says it.

use super::{Findings, HELMS};
use anyhow::Result;

/// `helm template helm/api-platform -f helm/values-prod.yaml --debug`, without a name for the release.
pub(super) fn template() -> Result<Findings> {
    let mut findings = vec![];
    for helm in HELMS {
        let line = ["template", super::CHART, "-f", "helm/values-prod.yaml", "--debug"];
        let output = helm.command()?.args(line).output()?;
        let rendered = String::from_utf8_lossy(&output.stdout);
        for service in ["auth", "user", "org"] {
            if !rendered.contains(&format!("kind: Deployment\nmetadata:\n  name: {service}-service\n")) {
                let said = String::from_utf8_lossy(&output.stderr);
                findings.push(format!("{} renders no {service}-service: {}", helm.name, said.trim()));
            }
        }
    }
    Ok(findings)
}
