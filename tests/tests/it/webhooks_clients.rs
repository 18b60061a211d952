//! The libraries that receivers use, unmodified, verify what we send.

use serde_json::{Value, json};
use std::{
    io::Write,
    process::{Command, Stdio},
};
use tests::{Receiver, TestApp, client_libraries};

/// What a program says to what was received.
fn verified_by(mut program: Command, told: &Value) -> String {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_libraries_of_node_and_python_verify_with_either_secret_of_a_rotation() {
    let clients = client_libraries("webhooks");
    let (app, receiver) = (TestApp::new().await, Receiver::new().await);
    let ada = app.owner("ada").await;
    let body = json!({ "url": receiver.url(), "event_types": ["invoice.paid"] });
    let made = ada.post("/v1/webhooks/endpoints", body).await.body;
    let rotate = format!("/v1/webhooks/endpoints/{}/rotate", made["id"].as_str().unwrap());
    let rotated = ada.post(&rotate, json!({})).await.body;
    let data = json!({ "text": "Grüße, 世界 \u{1f600} \"quoted\" \\ \n" });
    assert_eq!(ada.post("/v1/webhooks/messages", json!({ "type": "invoice.paid", "data": data })).await.status, 202);
    let arrived = receiver.until(1).await.remove(0);
    let headers: serde_json::Map<_, _> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .into_iter()
        .map(|name| (name.to_owned(), json!(arrived.headers[name].to_str().unwrap())))
        .collect();
    for secret in [&made["secret"], &rotated["secret"]] {
        let told = json!({ "secret": secret, "headers": headers, "body": arrived.text });
        let (mut node, mut python) = (Command::new("node"), Command::new("python3"));
        node.arg(clients.join("verify.mjs"));
        python.arg(clients.join("verify.py")).env("PYTHONPATH", clients.join("python"));
        assert_eq!([verified_by(node, &told), verified_by(python, &told)], ["invoice.paid", "invoice.paid"]);
    }
}
