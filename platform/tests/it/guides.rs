//! The manual's pages do what they say: every shell block is run, in order, in one shell.

use crate::{dev::Dev, process::folder};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// The shell blocks of a page, as one script that stops at the first failure.
fn script(page: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
    let blocks: Vec<_> = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "{page} has no shell block");
    // Building is not what is tried here.
    blocks.concat().replace("cargo run -q -p platform --", env!("CARGO_BIN_EXE_platform"))
}

#[test]
fn the_first_webhook_arrives_as_its_page_says() {
    let folder = folder();
    let dev = Dev::start(folder.path(), ".platform");
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", &script("start/first-webhook.md")]).current_dir(folder.path()).env_remove("DATABASE_URL");
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for told in [
        "whsec_",
        "\"webhook-signature\":\"v1,",
        "\"type\":\"resource.created\"",
        "\"type\":\"invoice.paid\"",
        "\"status\":\"delivered\"",
    ] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
    assert!(dev.screen.contains("/dev/hooks"), "{}", dev.screen);
    assert!(dev.process.terminate().success());
}
