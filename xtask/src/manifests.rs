//! `cargo xtask manifests`: what the chart renders, committed. `k8s/production` is for who deploys with kubectl;
//! `helm/golden` shows in a review what a change of the chart changes.

use crate::kubernetes_tools::{HELM_4, KubernetesTool};
use anyhow::{Context, Result, bail};
use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

const PRODUCTION: &str = "k8s/production";

/// A render that is looked at.
pub(crate) struct Golden {
    /// Its file.
    pub(crate) file: &'static str,
    /// What it is made from.
    values: &'static str,
    /// Kinds that the cluster knows beside Kubernetes' own.
    kinds: &'static [&'static str],
}

/// The document's values, a developer's cluster, and everything switched on.
pub(crate) const GOLDEN: [Golden; 3] = [
    Golden { file: "helm/golden/prod.yaml", values: "helm/values-prod.yaml", kinds: &[] },
    Golden { file: "helm/golden/dev.yaml", values: "helm/values-dev.yaml", kinds: &[] },
    Golden {
        file: "helm/golden/everything.yaml",
        values: "helm/golden/everything.values.yaml",
        kinds: &["monitoring.coreos.com/v1"],
    },
];

impl Golden {
    /// Renders it; either helm must write the same.
    pub(crate) fn render(&self, helm: &KubernetesTool) -> Result<String> {
        let kinds = self.kinds.iter().flat_map(|kind| ["--api-versions", kind]);
        let arguments: Vec<_> = ["--kube-version", "1.35.0"].into_iter().chain(kinds).collect();
        template(helm, self.values, &arguments)
    }
}

/// Writes the files, or says which of them are out of date.
pub(crate) fn run(check: bool) -> Result<ExitCode> {
    let outdated = outdated()?;
    for (path, wanted) in &outdated {
        match wanted {
            _ if check => println!("out of date: {path}"),
            Some(text) => {
                fs::create_dir_all(Path::new(path).parent().context("no folder")?)?;
                fs::write(path, text)?;
                println!("wrote {path}");
            }
            None => {
                fs::remove_file(path)?;
                println!("removed {path}");
            }
        }
    }
    println!("{} rendered files {}", outdated.len(), if check { "are out of date" } else { "changed" });
    Ok(if check && !outdated.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Files that are not as the chart renders them; without a text: which it does not render.
pub(crate) fn outdated() -> Result<BTreeMap<String, Option<String>>> {
    let mut wanted: BTreeMap<_, _> = production()?.into_iter().map(|(path, text)| (path, Some(text))).collect();
    for golden in &GOLDEN {
        wanted.insert(golden.file.to_owned(), Some(golden.render(&HELM_4)?));
    }
    for entry in fs::read_dir(PRODUCTION).into_iter().flatten() {
        wanted.entry(format!("{PRODUCTION}/{}", entry?.file_name().display())).or_insert(None);
    }
    wanted.retain(|path, text| fs::read_to_string(path).ok() != *text);
    Ok(wanted)
}

/// The manifests, one file a kind: without namespace, as the command names it, and without what only helm runs.
/// For Kubernetes 1.28, which kubectl of the document's prerequisites may still meet.
fn production() -> Result<BTreeMap<String, String>> {
    let rendered =
        template(&HELM_4, "helm/values-prod.yaml", &["--kube-version", "1.28.0", "--no-hooks", "--skip-tests"])?;
    let mut files = BTreeMap::<String, String>::new();
    for object in rendered.split("---\n").filter(|object| !object.trim().is_empty()) {
        let (source, object) = object.split_once('\n').with_context(|| format!("no source: {object}"))?;
        let kind = Path::new(source).file_stem().and_then(|stem| stem.to_str()).context("no template")?;
        // kubectl applies in the order of names: without its account no pod starts.
        let kind = if kind == "serviceaccount" { "account" } else { kind };
        let header = "# Rendered from helm/api-platform by `cargo xtask manifests`.\n";
        let file = files.entry(format!("{PRODUCTION}/{kind}.yaml")).or_insert_with(|| header.to_owned());
        file.push_str("---\n");
        file.push_str(&without_helm(object));
    }
    Ok(files)
}

/// Labels that say that helm manages an object, which it does not here.
fn without_helm(object: &str) -> String {
    let lines = object.lines().filter(|line| !line.trim_start().starts_with("helm.sh/chart:"));
    lines.map(|line| line.replace("managed-by: Helm", "managed-by: kubectl") + "\n").collect()
}

fn template(helm: &KubernetesTool, values: &str, arguments: &[&str]) -> Result<String> {
    let mut command = helm.command()?;
    command.args(["template", "api-platform", "helm/api-platform", "--namespace", "production", "-f", values]);
    let output = command.args(arguments).output()?;
    if !output.status.success() {
        bail!("{} cannot render {values}:\n{}", helm.name, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}
