//! The manual's pages do what they say: every shell block is run, in order, in one shell.

use crate::{dev::Dev, process::folder};
use serde_json::{Deserializer, Value, json};
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
    // Building and starting is not what is tried here.
    let blocks = blocks.concat().replace("cargo xtask dev\n", "");
    blocks.replace("cargo run -q -p platform --", env!("CARGO_BIN_EXE_platform"))
}

/// What the page's commands print, beside a platform of their own.
fn run(page: &str) -> String {
    let folder = folder();
    let dev = Dev::start(folder.path(), ".platform");
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", &script(page)]).current_dir(folder.path()).env_remove("DATABASE_URL");
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(dev.process.terminate().success());
    text
}

/// The JSON documents in what was printed.
fn answers(printed: &str) -> Vec<Value> {
    let values = Deserializer::from_str(printed).into_iter::<Value>();
    values.collect::<Result<_, _>>().unwrap_or_else(|_| panic!("{printed}"))
}

#[test]
fn the_first_call_is_answered_as_its_page_says() {
    let printed = run("start/first-call.md");
    let [whoami, users, login] = &*answers(&printed) else { panic!("{printed}") };
    assert_eq!(whoami["role"], "owner");
    assert_eq!(users["data"].as_array().unwrap().len(), 3);
    assert_eq!((&login["status"], &login["organization"]["name"]), (&json!("ok"), &json!("Acme")));
}

#[test]
fn the_first_webhook_arrives_as_its_page_says() {
    let text = run("start/first-webhook.md");
    for told in [
        "whsec_",
        "\"webhook-signature\":\"v1,",
        "\"type\":\"resource.created\"",
        "\"type\":\"invoice.paid\"",
        "\"status\":\"delivered\"",
    ] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
}

#[test]
fn the_first_analytics_event_is_counted_as_its_page_says() {
    let printed = run("start/first-event.md");
    let [tracked, batch, latest, trend] = &*answers(&printed) else { panic!("{printed}") };
    assert_eq!(tracked, &json!({ "success": true, "rejected": [] }));
    assert_eq!((&batch["success"], &batch["rejected"][0]["index"]), (&json!(true), &json!(2)));
    assert_eq!(latest["data"].as_array().unwrap().len(), 2, "{latest}");
    assert_eq!(trend["data"][0]["value"], 2, "{trend}");
}
