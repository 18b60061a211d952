//! `cargo xtask sbom`: what a release is made of, as CycloneDX 1.6, which scanners read. By `cargo metadata`: the crates
//! that are linked into `platform`, with the checksums of the lock file. No serial number and no time: the same sources
//! make the same document.

use crate::tools::target_folder;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, ExitCode},
};

/// Writes it; the last line that is printed is where.
pub(crate) fn run() -> Result<ExitCode> {
    let document = document()?;
    let version = document["metadata"]["component"]["version"].as_str().unwrap_or_default();
    let folder = target_folder()?.join("sbom");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("platform-{version}.cdx.json"));
    fs::write(&file, serde_json::to_string_pretty(&document)? + "\n")?;
    println!("{}", file.display());
    Ok(ExitCode::SUCCESS)
}

fn document() -> Result<Value> {
    let metadata = metadata()?;
    let packages: BTreeMap<_, _> =
        array(&metadata["packages"]).map(|package| (text(&package["id"]), package)).collect();
    let nodes: BTreeMap<_, _> = array(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let root = packages.iter().find(|(_, package)| package["name"] == "platform").context("no package `platform`")?.0;
    let linked = reached(root, &nodes);
    let checksums = checksums(&fs::read_to_string("Cargo.lock").context("Cargo.lock")?);
    let component = |id: &&str| component(packages[id], &checksums);
    let components: Vec<_> = linked.iter().filter(|id| *id != root).map(component).collect();
    let dependencies: Vec<_> = linked
        .iter()
        .map(|id| {
            let on: Vec<_> = dependencies(nodes[id]).iter().map(|id| reference(packages[id])).collect();
            json!({ "ref": reference(packages[id]), "dependsOn": on })
        })
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": self::component(packages[root], &checksums) },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// For the machine that it runs on, as the images are.
fn metadata() -> Result<Value> {
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output()?;
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--locked", "--format-version=1", "--filter-platform"]);
    metadata.arg(String::from_utf8_lossy(&host.stdout).trim());
    serde_json::from_slice(&metadata.output()?.stdout).context("cargo metadata")
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is linked or runs while it is compiled; what only tests need is not in a release.
fn dependencies(node: &Value) -> BTreeSet<&str> {
    let is_shipped = |dependency: &&Value| array(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev");
    array(&node["deps"]).filter(is_shipped).map(|dependency| text(&dependency["pkg"])).collect()
}

fn reached<'a>(root: &'a str, nodes: &BTreeMap<&'a str, &'a Value>) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![root]);
    while let Some(id) = next.pop() {
        if reached.insert(id) {
            next.extend(dependencies(nodes[id]));
        }
    }
    reached
}

fn reference(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]))
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let kind = if name == "platform" { "application" } else { "library" };
    let mut component = Map::from_iter([
        ("type".to_owned(), json!(kind)),
        ("bom-ref".to_owned(), json!(reference(package))),
        ("name".to_owned(), json!(name)),
        ("version".to_owned(), json!(version)),
        ("purl".to_owned(), json!(reference(package))),
    ]);
    if let Some(license) = package["license"].as_str() {
        // Before SPDX had expressions, crates wrote a slash.
        component.insert("licenses".to_owned(), json!([{ "expression": license.replace('/', " OR ") }]));
    }
    if let Some(checksum) = checksums.get(&(name.to_owned(), version.to_owned())) {
        component.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": checksum }]));
    }
    Value::Object(component)
}

/// By name and version; our own crates have none.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            Some(((value(package, "name")?, value(package, "version")?), value(package, "checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> Value {
        std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap();
        document().unwrap()
    }

    #[test]
    fn every_crate_that_cargo_links_into_the_platform_is_in_it() {
        let document = project();
        let named: BTreeSet<_> = array(&document["components"]).map(|component| text(&component["purl"])).collect();
        let mut tree = Command::new("cargo");
        tree.args(["tree", "--locked", "--package=platform", "--edges=normal,build", "--prefix=none", "--no-dedupe"]);
        let tree = String::from_utf8(tree.args(["--format={p}"]).output().unwrap().stdout).unwrap();
        let mut linked: BTreeSet<_> = tree.lines().filter_map(|line| line.split_once(" v")).collect();
        linked.retain(|(name, _)| *name != "platform");
        assert!(linked.len() > 150, "{}", linked.len());
        for (name, version) in linked {
            let version = version.split(' ').next().unwrap();
            assert!(named.contains(&&*format!("pkg:cargo/{name}@{version}")), "{name} {version}");
        }
        assert!(!named.iter().any(|purl| purl.starts_with("pkg:cargo/insta@")), "tests' crates are not shipped");
    }

    #[test]
    fn what_came_from_elsewhere_has_a_checksum_and_every_component_a_licence() {
        let document = project();
        let is_ours =
            |component: &Value| component["version"] == env!("CARGO_PKG_VERSION") && component["hashes"].is_null();
        let ours = array(&document["components"]).filter(|component| is_ours(component)).count();
        let with_checksum = array(&document["components"]).filter(|component| !component["hashes"].is_null()).count();
        assert_eq!(ours + with_checksum, array(&document["components"]).count());
        for component in array(&document["components"]) {
            assert!(component["licenses"][0]["expression"].is_string(), "{component}");
        }
    }
}
