//! The manual's pages do what they say: every block is run, in order, in one shell.

use crate::{
    dev::Dev,
    process::{client_libraries, folder},
};
use serde_json::{Deserializer, Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

/// The blocks of a page, as one script that stops at the first failure.
fn script(page: &str, folder: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
    // Every second part is a block, and begins with its language.
    let blocks = text.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap());
    let script: String = blocks
        .map(|(language, block)| match language {
            "sh" => block.to_owned(),
            "js" => node(block, folder),
            other => panic!("{page}: nothing here runs a block of {other:?}"),
        })
        .collect();
    // Building and starting is not what is tried here.
    let script = script.replace("cargo xtask dev\n", "");
    script.replace("cargo run -q -p platform --", env!("CARGO_BIN_EXE_platform"))
}

/// A program of a page for Node, where its clients are installed; the shell knows where the platform of the test is.
fn node(program: &str, folder: &Path) -> String {
    symlink(client_libraries("analytics").join("node_modules"), folder.join("node_modules")).unwrap();
    let there = "'http://localhost:3000'";
    assert!(program.contains(there), "{program}");
    fs::write(folder.join("block.mjs"), program.replace(there, "process.env.API_URL.replace('/v1', '')")).unwrap();
    "WRITE_KEY=\"$WRITE_KEY\" API_URL=\"$API_URL\" NO_PROXY='*' node block.mjs\n".to_owned()
}

/// What the page's commands print, beside a platform of their own, and then some more.
fn run(page: &str, more: &str) -> String {
    let folder = folder();
    let dev = Dev::start(folder.path(), ".platform");
    let mut shell = Command::new("sh");
    let script = script(page, folder.path()) + more;
    shell.args(["-eu", "-c", &script]).current_dir(folder.path()).env_remove("DATABASE_URL");
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
    let printed = run("start/first-call.md", "");
    let [whoami, users, login] = &*answers(&printed) else { panic!("{printed}") };
    assert_eq!(whoami["role"], "owner");
    assert_eq!(users["data"].as_array().unwrap().len(), 3);
    assert_eq!((&login["status"], &login["organization"]["name"]), (&json!("ok"), &json!("Acme")));
}

#[test]
fn the_first_webhook_arrives_as_its_page_says() {
    let text = run("start/first-webhook.md", "");
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
    let then =
        "curl -s \"$API_URL/analytics/events?name=Order%20Completed\" -H \"Authorization: Bearer $TEST_TOKEN\"\n";
    let printed = run("start/first-event.md", then);
    let [tracked, batch, latest, trend, then] = &*answers(&printed) else { panic!("{printed}") };
    assert_eq!(tracked, &json!({ "success": true, "rejected": [] }));
    assert_eq!((&batch["success"], &batch["rejected"][0]["index"]), (&json!(true), &json!(2)));
    assert_eq!(latest["data"].as_array().unwrap().len(), 2, "{latest}");
    assert_eq!(trend["data"][0]["value"], 2, "{trend}");
    assert_eq!(then["data"].as_array().unwrap().len(), 3, "Segment's client sent one more: {then}");
}
