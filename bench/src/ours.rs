//! The platform, as `platform dev` runs it: its own PostgreSQL with fsync on, the event log on, a member's token.

use crate::{
    pocketbase::{free_address, until_open},
    target::{Server, Target},
    wire::{Call, once},
};
use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) async fn start(program: &Path, folder: &Path) -> Result<Target> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command.args(["dev", "--port", &address.port().to_string(), "--data-dir"]).arg(folder).stdout(Stdio::null());
    // One person on one address makes all requests; PocketBase has no limits unless they are switched on.
    command.env("EAP_RATE_LIMIT_ADDRESS", "0").env("EAP_RATE_LIMIT_PERSON", "0");
    let server = Server::start(&mut command).context("the platform does not start")?;
    until_open(address).await?;
    let (program, folder) = (program.to_owned(), folder.to_owned());
    let sign_in = move || token(&program, &folder);
    let authorization = until_signed_in(&sign_in).await?;
    let ticket = Call { method: Method::POST, path: "/v1/resource-types".to_owned(), body: ticket().to_string() };
    once(address, &authorization, ticket).await?;
    Ok(Target {
        name: "platform",
        address,
        authorization,
        sign_in: Some(Box::new(sign_in)),
        records: "/v1/resources",
        list: "/v1/resources?type=bench_ticket&limit=20",
        body: |number| json!({"type": "bench_ticket", "document": document(number)}).to_string(),
        ids: vec![],
        server,
    })
}

/// The port is open before the demo data is there.
async fn until_signed_in(sign_in: &impl Fn() -> Result<String>) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match sign_in() {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(50)).await,
            signed_in => return signed_in,
        }
    }
}

fn token(program: &Path, folder: &Path) -> Result<String> {
    Ok(format!("Bearer {}", variable(program, folder, "TEST_TOKEN")?))
}

/// For what a bench asks PostgreSQL itself.
pub(crate) fn database_url(program: &Path, folder: &Path) -> Result<String> {
    variable(program, folder, "DATABASE_URL")
}

/// What `platform dev env` prints.
fn variable(program: &Path, folder: &Path, name: &str) -> Result<String> {
    let output = Command::new(program).args(["dev", "env", "--data-dir"]).arg(folder).output()?;
    let text = String::from_utf8(output.stdout)?;
    let value = text.lines().find_map(|line| line.trim_start_matches("export ").strip_prefix(&format!("{name}=")));
    let Some(value) = value else {
        bail!("platform dev env prints no {name}: {}", String::from_utf8_lossy(&output.stderr));
    };
    Ok(value.trim_matches(['"', '\'']).to_owned())
}

fn ticket() -> Value {
    json!({
        "name": "bench_ticket",
        "schema": {
            "type": "object", "required": ["title"], "additionalProperties": false,
            "properties": {"title": {"type": "string"}, "priority": {"type": "number"}, "note": {"type": "string"}},
        },
        "indexed": [{"field": "priority", "type": "number"}],
    })
}

/// The same for both servers: about 200 bytes.
pub(crate) fn document(number: usize) -> Value {
    json!({"title": format!("Ticket number {number}"), "priority": number % 100, "note": "x".repeat(120)})
}
