//! Values that cannot work are refused before anything changes, in words that lead to the cure.

use super::{CHART, Findings, HELMS};
use anyhow::Result;

struct Refusal {
    /// Beside the document's values.
    arguments: &'static [&'static str],
    /// What somebody must be told.
    words: &'static [&'static str],
}

const REFUSED: &[Refusal] = &[
    // 3 × 56 × (5 + 1)
    Refusal {
        arguments: &["--set", "autoscaling.maxReplicas=56"],
        words: &["168 pods", "1008", "database.maxConnections is 1000", "database.pool"],
    },
    // What the document's values need, and one less.
    Refusal { arguments: &["--set", "database.maxConnections=899"], words: &["900", "maxConnections is 899"] },
    Refusal {
        arguments: &["--set", "env[3].name=EAP_DATABASE_POOL", "--set-string", "env[3].value=6"],
        words: &["7 connections", "1050"],
    },
    Refusal {
        arguments: &["--set", "services.user.autoscaling.minReplicas=60"],
        words: &["user-service", "minReplicas 60", "maxReplicas 50"],
    },
    Refusal { arguments: &["--set", "shutdown.gracePeriodSeconds=20"], words: &["gracePeriodSeconds is 20", "30"] },
    Refusal { arguments: &["--set", "migration.enabled=true"], words: &["migration.secretName is empty"] },
    Refusal { arguments: &["--set", "ingress.enabled=false"], words: &["publicUrl", "ingress.hosts"] },
    Refusal { arguments: &["--set", "ingress.hosts[0].paths[0]=/api"], words: &["/api", "/v1"] },
    // What the schema says: unknown names, other types, texts that cannot be right.
    Refusal { arguments: &["--set", "replicas=3"], words: &["replicas", "not allowed"] },
    Refusal { arguments: &["--set", "autoscaling.maxReplica=3"], words: &["autoscaling", "maxReplica", "not allowed"] },
    Refusal { arguments: &["--set", "services.billing.replicaCount=3"], words: &["services", "billing"] },
    Refusal { arguments: &["--set-string", "replicaCount=five"], words: &["replicaCount", "integer"] },
    Refusal { arguments: &["--set", "ingress.enabled=maybe"], words: &["ingress", "enabled", "boolean"] },
    Refusal { arguments: &["--set", "image.pullPolicy=Sometimes"], words: &["pullPolicy"] },
    Refusal { arguments: &["--set", "publicUrl=api.example.com"], words: &["publicUrl", "https?"] },
    Refusal { arguments: &["--set", "env[0].valu=x"], words: &["env", "valu"] },
];

/// Values at the edge of what is refused.
const ACCEPTED: &[&[&str]] = &[
    &["--set", "database.maxConnections=900"],
    &["--set", "autoscaling.maxReplicas=55"],
    &["--set", "autoscaling.maxReplicas=500", "--set", "database.maxConnections=0"],
    &["--set", "ingress.enabled=false", "--set", "publicUrl=https://api.example.com"],
    &["--set", "image.tag=1.2.4"],
];

/// Each with both helms.
pub(super) fn check() -> Result<Findings> {
    let mut findings = vec![];
    for helm in HELMS {
        let template = |arguments: &[&str]| -> Result<(bool, String)> {
            let mut command = helm.command()?;
            let output = command.args(["template", CHART, "-f", "helm/values-prod.yaml"]).args(arguments).output()?;
            Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
        };
        for Refusal { arguments, words } in REFUSED {
            let (good, said) = template(arguments)?;
            if good {
                findings.push(format!("{} accepts {}", helm.name, arguments.join(" ")));
            } else if let Some(word) = words.iter().find(|word| !said.contains(**word)) {
                findings.push(format!("{} refuses {} without `{word}`: {said}", helm.name, arguments.join(" ")));
            }
        }
        for arguments in ACCEPTED {
            let (good, said) = template(arguments)?;
            if !good {
                findings.push(format!("{} refuses {}: {said}", helm.name, arguments.join(" ")));
            }
        }
    }
    Ok(findings)
}
