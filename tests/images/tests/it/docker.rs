//! The engine and the images that `cargo xtask test --stage images` hands over.

use serde_json::Value;
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub(crate) const SERVICES: [&str; 3] = ["auth", "user", "org"];

fn handed_over(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run these by `cargo xtask test --stage images`"))
}

/// The image of a service.
pub(crate) fn image(service: &str) -> String {
    format!("api-platform/{service}-service:{}", handed_over("EAP_TEST_IMAGES_VERSION"))
}

/// How the images were compiled.
pub(crate) fn profile() -> String {
    handed_over("EAP_TEST_IMAGES_PROFILE")
}

/// Of `docker save`.
pub(crate) fn file() -> PathBuf {
    handed_over("EAP_TEST_IMAGES_FILE").into()
}

/// The project's folder.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What a command printed, which must succeed.
pub(crate) fn docker(arguments: &[&str]) -> String {
    printed(&Command::new("docker").args(arguments).output().unwrap(), arguments)
}

/// The same, of any program.
pub(crate) fn printed(output: &Output, what: &[&str]) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What docker knows of an image.
pub(crate) fn inspect(image: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&["image", "inspect", image])).unwrap();
    all[0].clone()
}

/// A container, removed with its test.
pub(crate) struct Container(pub(crate) String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.0]).output();
    }
}

/// A network, removed with its test.
pub(crate) struct Network(pub(crate) String);

impl Network {
    /// Of this process.
    pub(crate) fn new() -> Self {
        let name = format!("image-tests-{}", std::process::id());
        docker(&["network", "create", &name]);
        Self(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["network", "rm", &self.0]).output();
    }
}
