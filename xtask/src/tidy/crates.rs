//! Rules about the crates: which way dependencies point, and that the map names each of them.

use super::Breach;
use anyhow::{Context, Result};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, process::Command};

/// A crate of the workspace: its folder and those of the crates it is built on.
struct Crate {
    folder: String,
    needs: Vec<String>,
}

/// What the crates break.
pub(crate) fn breaches() -> Result<Vec<Breach>> {
    let crates = crates()?;
    let map = std::fs::read_to_string("ARCHITECTURE.md").context("ARCHITECTURE.md")?;
    let mut found = Vec::new();
    for of in crates.values() {
        let mut add = |rule| found.push(Breach { file: format!("{}/Cargo.toml", of.folder), line: 1, rule });
        if !map.contains(&format!("`{}`", of.folder)) {
            add("is not on the map: add its folder to ARCHITECTURE.md");
        }
        if !std::fs::read_to_string(format!("{}/Cargo.toml", of.folder))?.contains("[lints]\nworkspace = true") {
            add("does not take the workspace's lints");
        }
        for needed in of.needs.iter().filter_map(|name| crates.get(name)) {
            if !may_need(&of.folder, &needed.folder) {
                add(
                    "points the wrong way: platform → contexts → crates, runbook → crates, and identity → orgs alone between contexts",
                );
            }
        }
    }
    Ok(found)
}

/// Whether a crate may be built on another, by their folders. Circles cargo itself refuses.
fn may_need(from: &str, to: &str) -> bool {
    let top = |folder: &str| folder.split('/').next().unwrap_or_default().to_owned();
    match (&*top(from), &*top(to)) {
        ("contexts", "contexts") => (from, to) == ("contexts/identity", "contexts/orgs"),
        ("crates" | "runbook" | "xtask" | "bench" | "contexts", "crates")
        | ("platform", "contexts" | "crates")
        | ("tests", _) => true,
        _ => false,
    }
}

fn crates() -> Result<BTreeMap<String, Crate>> {
    let output = Command::new("cargo").args(["metadata", "--no-deps", "--format-version=1"]).output()?;
    Ok(named(&serde_json::from_slice(&output.stdout).context("cargo metadata")?))
}

/// The crates of cargo's metadata by name, with what they need to be built, tested or to build themselves.
fn named(metadata: &Value) -> BTreeMap<String, Crate> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |package: &Value| {
        let manifest = text(&package["manifest_path"]);
        let folder = Path::new(&manifest).parent().and_then(|folder| folder.strip_prefix(root).ok());
        let folder = folder.map(|folder| folder.display().to_string()).unwrap_or_default();
        let needs = package["dependencies"].as_array().into_iter().flatten().map(|one| text(&one["name"]));
        (text(&package["name"]), Crate { folder, needs: needs.collect() })
    };
    metadata["packages"].as_array().into_iter().flatten().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_point_one_way() {
        assert!(may_need("platform", "contexts/orgs") && may_need("contexts/identity", "contexts/orgs"));
        assert!(may_need("runbook", "crates/migrate") && !may_need("runbook", "contexts/orgs"));
        assert!(!may_need("platform", "runbook") && !may_need("runbook", "platform"));
        assert!(!may_need("contexts/orgs", "contexts/identity") && !may_need("crates/api", "contexts/orgs"));
        assert!(!may_need("contexts/resources", "contexts/orgs") && !may_need("crates/db", "platform"));
    }

    #[test]
    fn an_arrow_for_tests_alone_is_an_arrow_too() {
        let depends = |kind: &str| {
            named(&serde_json::json!({ "workspace_root": "/w", "packages": [{
                "name": "resources",
                "manifest_path": "/w/contexts/resources/Cargo.toml",
                "dependencies": [{ "name": "orgs", "kind": kind }],
            }] }))
        };
        for kind in ["dev", "build"] {
            let crates = depends(kind);
            assert_eq!(
                (&*crates["resources"].folder, &*crates["resources"].needs),
                ("contexts/resources", &["orgs".to_owned()][..])
            );
        }
    }
}
