//! Findings for people and for programs.

use super::{Finding, rules};
use serde_json::{Value, json};
use std::fmt::Write;

/// One block each: place, rule, what is wrong, what to do.
pub fn human(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { file, rule, line, column, message, help } in findings {
        let _ = writeln!(text, "{file}:{line}:{column}: {rule}: {message}");
        if let Some(help) = help {
            let _ = writeln!(text, "    {help}");
        }
    }
    text
}

/// SARIF 2.1.0; `folder` is where the files are, seen from the project's root.
pub fn sarif(findings: &[Finding], folder: &str) -> Value {
    let rules: Vec<_> = rules().into_iter().map(|rule| json!({ "id": rule })).collect();
    let result = |finding: &Finding| {
        let help = finding.help.iter().flat_map(|help| [" ", help.as_str()]).collect::<String>();
        json!({
            "ruleId": finding.rule,
            "level": "error",
            "message": { "text": format!("{}{help}", finding.message) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": format!("{folder}/{}", finding.file) },
                "region": { "startLine": finding.line, "startColumn": finding.column },
            }}],
        })
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "platform migrate lint", "rules": rules } },
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}
