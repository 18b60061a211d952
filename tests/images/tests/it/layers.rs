//! How the layers come about: what is compiled anew, and that the same sources make the same layers.

use crate::docker::{SERVICES, image, inspect, printed, profile, project};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

/// A build in a folder; the id of what it made.
pub(crate) fn build(folder: &Path, arguments: &[&str]) -> String {
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "--network=none", "-f", "services/auth/Dockerfile"]);
    build.args([&format!("--build-arg=PROFILE={}", profile())]).args(arguments).arg(".").current_dir(folder);
    printed(&build.output().unwrap(), arguments).trim().to_owned()
}

/// A copy of what the build gets.
fn copy() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut parts = vec!["Cargo.toml", "Cargo.lock", ".dockerignore", "services", "contexts", "crates", "migrations"];
    parts.extend(["platform", "bench/Cargo.toml", "runbook/Cargo.toml", "xtask/Cargo.toml", "tests"]);
    let mut cp = Command::new("cp");
    cp.args(["--recursive", "--parents"]).args(&parts).arg(folder.path()).current_dir(project());
    printed(&cp.output().unwrap(), &parts);
    folder
}

#[test]
fn a_changed_source_leaves_the_compiled_dependencies_as_they_are() {
    let dependencies = ["--target=dependencies"];
    let before = build(&project(), &dependencies);
    let folder = copy();
    for source in ["platform/src/lib.rs", "contexts/identity/src/lib.rs", "migrations/20250127_create_smoke.sql"] {
        let path = folder.path().join(source);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + "\n").unwrap();
    }
    fs::write(folder.path().join("platform/src/another.rs"), "").unwrap();
    assert_eq!(build(folder.path(), &dependencies), before);
}

#[test]
fn the_three_images_share_their_layers() {
    let layers = SERVICES.map(|service| inspect(&image(service))["RootFS"]["Layers"].clone());
    assert!(!layers[0].as_array().unwrap().is_empty());
    assert!(layers.iter().all(|each| *each == layers[0]), "{layers:?}");
}
