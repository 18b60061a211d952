//! What holds the Dockerfiles to each other and to the code; no Docker is needed.

use super::*;
use std::collections::BTreeSet;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn dockerfile(service: &str) -> String {
    fs::read_to_string(project().join(format!("services/{service}/Dockerfile"))).unwrap()
}

/// All but the last stage, and the last.
fn stages(service: &str) -> (String, String) {
    let text = dockerfile(service);
    let (builder, last) = text.rsplit_once("FROM ").unwrap();
    (builder.to_owned(), last.to_owned())
}

#[test]
fn the_three_builders_are_the_same_text_so_that_the_code_compiles_once() {
    let (builder, _) = stages("auth");
    assert!(builder.contains("AS builder"));
    for service in SERVICES {
        assert_eq!(stages(service).0, builder, "{service}");
    }
}

#[test]
fn the_last_stages_differ_in_the_name_of_the_service_alone() {
    let (_, auth) = stages("auth");
    assert!(auth.starts_with("scratch\n"));
    for service in SERVICES {
        let named = auth.replace("\"auth\"", &format!("\"{service}\"")).replace("auth-", &format!("{service}-"));
        assert_eq!(stages(service).1, named, "{service}");
    }
}

#[test]
fn a_plain_docker_build_labels_the_image_with_this_version_and_its_newest_migration() {
    let release = Release::of(&project(), None).unwrap();
    for service in SERVICES {
        let text = dockerfile(service);
        for line in [format!("ARG VERSION={}", release.version), format!("ARG SCHEMA_NEEDS={}", release.schema_needs)] {
            assert!(text.lines().any(|there| there == line), "services/{service}/Dockerfile must say `{line}`");
        }
    }
}

/// What `.dockerignore` lets into the build: whole folders, or one file.
#[test]
fn every_manifest_of_the_workspace_gets_into_the_build() {
    let ignore = fs::read_to_string(project().join(".dockerignore")).unwrap();
    let let_in: BTreeSet<_> = ignore.lines().filter_map(|line| line.strip_prefix('!')).map(Path::new).collect();
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(project());
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.output().unwrap().stdout).unwrap();
    let root = Path::new(metadata["workspace_root"].as_str().unwrap());
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 10);
    for package in packages {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap()).strip_prefix(root).unwrap();
        assert!(
            manifest.ancestors().any(|path| let_in.contains(path)),
            "add `!{}` to .dockerignore: cargo needs the manifest of every member",
            manifest.display()
        );
    }
}

#[test]
fn the_base_image_is_the_official_one_of_the_rust_that_the_workspace_asks_for() {
    let manifest = fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert_eq!(base(&project()).unwrap(), format!("docker.io/library/rust:{rust}-bookworm"));
}

#[test]
fn the_build_arguments_carry_what_the_labels_say() {
    let release = Release { version: "1.2.3".into(), schema_needs: "a.sql".into(), revision: "abc".into() };
    assert_eq!(release.image("org"), "api-platform/org-service:1.2.3");
    let said = release.arguments(&Wanted { profile: "release".to_owned(), ..Wanted::of_tests(project()) });
    for pair in ["PROFILE=release", "VERSION=1.2.3", "SCHEMA_NEEDS=a.sql", "REVISION=abc"] {
        assert!(said.contains(&format!("--build-arg={pair}")), "{said:?}");
    }
}
