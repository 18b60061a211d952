//! What takes minutes, for everything is compiled again: `cargo xtask test --stage images --long`.

use crate::{
    docker::{SERVICES, docker, image, inspect, printed, project},
    layers::build,
};
use std::process::Command;

#[test]
fn two_builds_make_equal_layers() {
    let again = build(&project(), &["--no-cache"]);
    assert_eq!(inspect(&again)["RootFS"]["Layers"], inspect(&image("auth"))["RootFS"]["Layers"]);
    docker(&["image", "rm", &again]);
}

/// As an operator types it: the profile that is published, and the same limit.
#[test]
fn the_runbooks_lines_build_all_three_as_they_stand() {
    for service in SERVICES {
        let line =
            format!("docker build -t api-platform/{service}-service:$NEW_VERSION -f services/{service}/Dockerfile .");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).env("NEW_VERSION", "as-typed").current_dir(project());
        printed(&shell.output().unwrap(), &[&line]);
        let image = format!("api-platform/{service}-service:as-typed");
        let bytes = inspect(&image)["Size"].as_u64().unwrap();
        assert!(bytes < 30_000_000, "{image} has {bytes} bytes");
        let said: serde_json::Value =
            serde_json::from_str(&docker(&["run", "--rm", &image, "version", "--json"])).unwrap();
        let labels = inspect(&image)["Config"]["Labels"].clone();
        assert_eq!(labels["org.opencontainers.image.version"], said["version"]);
        assert_eq!(labels["schema_needs"], said["schema_needs"]);
        docker(&["image", "rm", &image]);
    }
}
