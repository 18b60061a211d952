//! The peer PocketBase, as its documentation sets it up: a collection with rules and an index, one signed-in user.

use crate::{
    target::{Server, Target},
    wire::{Call, once},
};
use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const PASSWORD: &str = "only-for-measuring";

pub(crate) async fn start(program: &Path, folder: &Path) -> Result<Target> {
    let administrator = ["superuser", "upsert", "root@example.com", PASSWORD, "--dir"];
    let made = Command::new(program).args(administrator).arg(folder).stdout(Stdio::null()).status();
    if !made.context("PocketBase does not start")?.success() {
        bail!("PocketBase takes no administrator");
    }
    let address = free_address()?;
    let serve = ["serve", "--http", &address.to_string(), "--dir"];
    let server = Server::start(Command::new(program).args(serve).arg(folder).stdout(Stdio::null()))?;
    until_open(address).await?;
    let authorization = set_up(address).await?;
    Ok(Target {
        name: "PocketBase",
        address,
        authorization,
        sign_in: None,
        records: "/api/collections/tickets/records",
        // Without the total, which the platform's lists do not have either.
        list: "/api/collections/tickets/records?perPage=20&skipTotal=1",
        body: |number| crate::ours::document(number).to_string(),
        ids: vec![],
        server,
    })
}

/// A collection and a user; the user's token.
async fn set_up(address: SocketAddr) -> Result<String> {
    let post = async |path: &str, token: &str, body: Value| {
        once(address, token, Call { method: Method::POST, path: path.to_owned(), body: body.to_string() }).await
    };
    let sign_in = async |collection: &str, identity: &str| {
        let path = format!("/api/collections/{collection}/auth-with-password");
        let answer = post(&path, "", json!({"identity": identity, "password": PASSWORD})).await?;
        Ok::<_, anyhow::Error>(answer["token"].as_str().context("no token")?.to_owned())
    };
    let root = sign_in("_superusers", "root@example.com").await?;
    let signed_in = "@request.auth.id != \"\"";
    let collection = json!({
        "name": "tickets", "type": "base", "listRule": signed_in, "viewRule": signed_in, "createRule": signed_in,
        "fields": [
            {"name": "title", "type": "text", "required": true}, {"name": "priority", "type": "number"},
            {"name": "note", "type": "text"},
        ],
        "indexes": ["CREATE INDEX tickets_by_priority ON tickets (priority)"],
    });
    post("/api/collections", &root, collection).await?;
    let user = json!({"email": "user@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
    post("/api/collections/users/records", &root, user).await?;
    sign_in("users", "user@example.com").await
}

/// A loopback port that nobody listens on just now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

pub(crate) async fn until_open(address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            bail!("nothing answers on {address}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
