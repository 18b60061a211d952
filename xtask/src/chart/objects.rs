//! Rendered objects, judged by others' rules: Kubernetes' schemas and checkov. Neither asks anything of the network.

use super::Findings;
use crate::{manifests::GOLDEN, tools};
use anyhow::{Context, Result};
use std::{env, fs, path::PathBuf, process::Output};

/// The oldest that the document's prerequisites allow, and a new one.
const KUBERNETES: [&str; 2] = ["1.28", "1.35"];

/// No unknown field, no wrong type.
pub(super) fn follow_their_schemas() -> Result<Findings> {
    let mut findings = vec![];
    let folder = folder("schemas")?;
    let own = folder.join("objects.yaml");
    // `preStop.sleep` is rendered for clusters that know it.
    for (version, files) in KUBERNETES.into_iter().zip([manifests()?, golden()]) {
        for file in files {
            fs::write(&own, of_kubernetes(&fs::read_to_string(&file)?))?;
            let mut command = tools::KUBERNETES_VALIDATE.command()?;
            let output = command.args(["--strict", "--kubernetes-version", version]).arg(&own).output()?;
            if !output.status.success() {
                findings.push(format!("{} for Kubernetes {version}: {}", file.display(), said(&output)));
            }
        }
    }
    fs::remove_dir_all(folder)?;
    Ok(findings)
}

/// The exceptions, each with its reason, are in `helm/checkov.yaml`.
pub(super) fn pass_checkov() -> Result<Findings> {
    let mut command = tools::CHECKOV.command()?;
    let output =
        command.args(["--config-file", "helm/checkov.yaml", "--file", "helm/golden/everything.yaml"]).output()?;
    // A file in which it found no object would be good as well.
    let looked = said(&output).contains("Failed checks: 0") && !said(&output).contains("Passed checks: 0");
    Ok(if output.status.success() && looked { vec![] } else { vec![said(&output)] })
}

fn golden() -> Vec<PathBuf> {
    GOLDEN.iter().map(|golden| PathBuf::from(golden.file)).collect()
}

fn manifests() -> Result<Vec<PathBuf>> {
    fs::read_dir("k8s/production").context("k8s/production")?.map(|entry| Ok(entry?.path())).collect()
}

/// Without the objects whose schemas are not Kubernetes' own.
fn of_kubernetes(rendered: &str) -> String {
    let objects = rendered.split("---\n").filter(|object| !object.contains("apiVersion: monitoring.coreos.com/"));
    objects.filter(|object| object.contains("kind: ")).collect::<Vec<_>>().join("---\n")
}

fn folder(name: &str) -> Result<PathBuf> {
    let folder = env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).trim().to_owned());
    texts.join("\n")
}
