//! A proxy that the environment names gets no delivery: it would look names up itself, past the check of addresses.

use crate::{
    kill_webhooks::receiver,
    process::{Dev, client, folder, json, platform, until},
};
use serde_json::json as object;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use testing::Database;
use tokio::net::TcpListener;

/// Counts who connects to it.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, reached) = (format!("http://{}", listener.local_addr().unwrap()), Arc::<AtomicUsize>::default());
    let counter = Arc::clone(&reached);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Relaxed);
        }
    });
    (url, reached)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_gets_no_delivery() {
    let (database, folder) = (Database::new().await, folder());
    let ((proxy, reached), (url, seen)) = (proxy().await, receiver().await);
    let mut command = platform();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy).env(name.to_lowercase(), &proxy);
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let dev = Dev::spawn(command, &database, folder.path()).await;
    let token = dev.token().await;
    // A receiver on this machine; and, by the guarded client, an address of a block that IANA has given to nobody.
    for url in [&url, "https://[2d00::1]/"] {
        let endpoint = object!({ "url": url, "event_types": ["invoice.paid"] });
        dev.post(&token, "webhooks/endpoints", endpoint).await;
    }
    dev.post(&token, "webhooks/messages", object!({ "type": "invoice.paid", "data": {} })).await;
    until(async || {
        let list = client().get(format!("{}/webhooks/deliveries", dev.api)).bearer_auth(&token);
        let page = json(list.send().await.unwrap()).await;
        let tried = page["data"].as_array().unwrap().iter().filter(|one| one["attempt_count"] != 0);
        tried.count() == 2
    })
    .await;
    assert_eq!((seen.lock().unwrap().len(), reached.load(Relaxed)), (1, 0));
}
