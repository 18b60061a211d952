//! What is in an image, and what is not.

use crate::docker::{SERVICES, docker, file, image, inspect, printed};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, process::Command};
use tempfile::TempDir;

const LIMIT_BYTES: usize = 30_000_000;

/// A file in a layer, as `tar --list --verbose` shows it.
struct Entry {
    mode: String,
    owner: String,
    name: String,
}

fn tar(arguments: &[&str]) -> String {
    printed(&Command::new("tar").args(arguments).output().unwrap(), arguments)
}

/// Of all layers of all images in the file.
fn entries() -> Vec<Entry> {
    let folder = TempDir::new().unwrap();
    let (file, into) = (file().display().to_string(), folder.path().display().to_string());
    tar(&["--extract", "--file", &file, "--directory", &into]);
    let manifest: Value = serde_json::from_slice(&fs::read(folder.path().join("manifest.json")).unwrap()).unwrap();
    let layers: BTreeSet<_> = manifest
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|image| image["Layers"].as_array().unwrap())
        .map(|layer| folder.path().join(layer.as_str().unwrap()).canonicalize().unwrap())
        .collect();
    let list = |layer: &std::path::PathBuf| {
        tar(&["--list", "--verbose", "--numeric-owner", "--file", layer.to_str().unwrap()])
    };
    layers.iter().flat_map(|layer| list(layer).lines().map(entry).collect::<Vec<_>>()).collect()
}

/// `-rwxr-xr-x 0/0  20971520 1970-01-01 00:00 platform`
fn entry(line: &str) -> Entry {
    let words: Vec<_> = line.split_whitespace().collect();
    Entry { mode: words[0].to_owned(), owner: words[1].to_owned(), name: words[5].trim_end_matches('/').to_owned() }
}

/// As a registry keeps it. The tests' profile is larger unpacked than the published one, whose limit a long test holds.
#[test]
fn what_is_pulled_of_an_image_is_less_than_30_megabytes() {
    let mut gzip = Command::new("gzip");
    let bytes = gzip.arg("--stdout").arg(file()).output().unwrap().stdout.len();
    assert!((1_000_000..LIMIT_BYTES).contains(&bytes), "{bytes} bytes, of all three with the layer that they share");
}

#[test]
fn the_layers_hold_the_binary_the_certificates_and_the_time_zones_and_nothing_else() {
    let entries = entries();
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    assert!(has("platform") && has("etc/ssl/certs/ca-certificates.crt") && has("usr/share/zoneinfo/Europe/Berlin"));
    for Entry { mode, name, .. } in &entries {
        let folder =
            mode.starts_with('d') && ["etc", "etc/ssl", "etc/ssl/certs", "usr", "usr/share"].contains(&&**name);
        let file = ["platform", "etc/ssl/certs/ca-certificates.crt"].contains(&&**name);
        assert!(folder || file || name.starts_with("usr/share/zoneinfo"), "{mode} {name} is in a layer");
    }
}

#[test]
fn root_owns_every_file_and_only_the_binary_can_be_run() {
    for Entry { mode, owner, name } in entries() {
        assert_eq!(owner, "0/0", "{name}");
        assert!(!mode.contains(['s', 'S', 't', 'T']), "{mode} {name}: neither setuid nor setgid");
        assert_eq!(mode.starts_with('-') && mode.contains('x'), name == "platform", "{mode} {name}");
        assert!(mode.starts_with('l') || mode.as_bytes()[8] == b'-', "{mode} {name}: everybody may write");
    }
}

#[test]
fn neither_the_environment_nor_the_history_carries_a_setting() {
    for service in SERVICES {
        let environment = inspect(&image(service))["Config"]["Env"].as_array().unwrap().clone();
        for variable in &environment {
            let name = variable.as_str().unwrap().split('=').next().unwrap();
            assert!(["PATH", "PLATFORM_REVISION"].contains(&name), "{service}: {variable}");
        }
        let history = docker(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", &image(service)]);
        for word in ["DATABASE_URL", "MASTER_KEY", "SMTP", "PASSWORD", "TOKEN"] {
            assert!(!history.to_uppercase().contains(word), "{service}: {word} in {history}");
        }
    }
}

#[test]
fn an_image_runs_its_service_as_nobody_and_asks_it_for_its_health() {
    for service in SERVICES {
        let config = inspect(&image(service))["Config"].clone();
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(config["Entrypoint"], json!(["/platform"]));
        assert_eq!(config["Cmd"], json!(["serve", service]));
        assert_eq!(config["Healthcheck"]["Test"], json!(["CMD", "/platform", "healthcheck"]));
        assert_eq!(config["ExposedPorts"], json!({ "3000/tcp": {}, "9090/tcp": {} }));
    }
}

#[test]
fn the_labels_say_what_the_binary_says() {
    for service in SERVICES {
        let image = image(service);
        let labels = inspect(&image)["Config"]["Labels"].clone();
        let said: Value = serde_json::from_str(&docker(&["run", "--rm", &image, "version", "--json"])).unwrap();
        assert_eq!(labels["schema_needs"], said["schema_needs"]);
        assert_eq!(labels["org.opencontainers.image.version"], said["version"]);
        assert_eq!(labels["org.opencontainers.image.revision"], said["revision"]);
        assert_eq!(labels["org.opencontainers.image.title"], format!("{service}-service"));
        assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    }
}
