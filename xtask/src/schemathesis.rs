//! The stage `api`: a platform of its own, and generated requests for every operation of its document.

use crate::{
    stages::{Outcome, Wanted, passed_if},
    tools,
};
use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A `platform dev` in a folder of its own; when dropped it is stopped, and the folder goes.
struct Platform {
    child: Child,
    folder: PathBuf,
}

impl Drop for Platform {
    fn drop(&mut self) {
        // SIGINT: it stops its PostgreSQL too.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Operations that may end the session whose token asks: each runs alone, with a token of its own.
const END_THE_SESSION: [&str; 3] = ["logout", "revoke_session", "change_member"];

/// A job and an entry of the audit log with the ids that the document gives as examples: no request of the document's
/// alone makes them.
const EXAMPLES: &str = "INSERT INTO jobs (org_id, id, kind, state, input, result, needs, created_by, created_at, finished_at)
    SELECT id, '0194723a-9588-7dcf-a16d-3c274de47d4b', 'index_resources', 'succeeded', '{}', '/v1/resource-types/note', 'resource_types:manage', id, now(), now()
    FROM organizations;
    INSERT INTO events (sequenced_at, position, id, kind, org_id, actor, data, at)
    SELECT now(), -1, '0194723a-9588-7dcf-a16d-3c274de47d4b', 'organization.updated', id, '{\"kind\":\"system\"}', '{}', now()
    FROM organizations";

/// Operations whose credential is an analytics source's write key.
const BY_WRITE_KEY: [&str; 7] = ["track", "identify", "page", "screen", "group", "alias", "batch"];

/// Runs schemathesis with all its checks: 10 examples an operation, 50 in the long run.
pub(crate) fn run(wanted: &Wanted) -> Result<Outcome> {
    if let Err(error) = tools::SCHEMATHESIS.path() {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    let folder = env::temp_dir().join(format!("xtask-platform-{}", std::process::id()));
    let binary = build()?;
    let (_platform, api) = start(&binary, folder.clone())?;
    write(&binary, &folder, EXAMPLES)?;
    let examples = if wanted.long { "50" } else { "10" };
    let others = END_THE_SESSION.iter().chain(&BY_WRITE_KEY);
    let all_others: Vec<_> = others.flat_map(|one| ["--exclude-operation-id", one]).collect();
    let alone = END_THE_SESSION.iter().map(|one| vec!["--include-operation-id", one]);
    let check = |credential: &str, operations: &[&str]| {
        let mut schemathesis = tools::SCHEMATHESIS.command()?;
        schemathesis.args(["--config-file", "tests/schemathesis.toml", "run"]).arg(format!("{api}/openapi.json"));
        schemathesis.args(["--header", &format!("Authorization: {credential}"), "--seed", "1", "--no-color"]);
        anyhow::Ok(schemathesis.args(["--max-examples", examples]).args(operations).status()?.success())
    };
    // First: the operations of the others may delete the source.
    let by_write_key: Vec<_> = BY_WRITE_KEY.iter().flat_map(|one| ["--include-operation-id", one]).collect();
    let mut good = check(&write_key(&api, &token(&binary, &folder)?)?, &by_write_key)?;
    for operations in std::iter::once(all_others).chain(alone) {
        good &= check(&format!("Bearer {}", token(&binary, &folder)?), &operations)?;
    }
    Ok(passed_if(good))
}

/// The credential of a new analytics source.
fn write_key(api: &str, token: &str) -> Result<String> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail-with-body", "--header", &format!("Authorization: Bearer {token}")]);
    curl.args(["--json", r#"{"name":"schemathesis"}"#]).arg(format!("{api}/analytics/sources"));
    let output = curl.output().context("curl cannot be started")?;
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).context("no source was made")?;
    let key = made["write_key"].as_str().with_context(|| format!("no source was made: {made}"))?;
    Ok(format!("Basic {}", BASE64.encode(format!("{key}:"))))
}

/// A fresh one.
fn token(binary: &Path, folder: &Path) -> Result<String> {
    let mut environment = environment(binary, folder)?;
    environment.remove("TEST_TOKEN").context("`platform dev env` printed no TEST_TOKEN")
}

fn build() -> Result<PathBuf> {
    if !Command::new("cargo").args(["build", "--quiet", "--package", "platform"]).status()?.success() {
        bail!("the platform does not build");
    }
    Ok(tools::target_folder()?.join("debug/platform"))
}

/// Starts it on any free port and waits until it says where it is.
fn start(binary: &Path, folder: PathBuf) -> Result<(Platform, String)> {
    let mut dev = Command::new(binary);
    dev.args(["dev", "--port", "0", "--data-dir"]).arg(&folder);
    // Generated requests come faster than any person's.
    dev.envs([("EAP_RATE_LIMIT_ADDRESS", "0"), ("EAP_RATE_LIMIT_PERSON", "0")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let child = dev.spawn().context("platform dev cannot be started")?;
    let mut platform = Platform { child, folder };
    let mut lines = BufReader::new(platform.child.stdout.take().context("no output")?).lines();
    let api = lines.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix("api=").map(str::to_owned));
    // What it prints from now on is drained, or it would block.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((platform, api.context("platform dev ended before it was ready")?))
}

/// Runs a statement as the owner of the tables.
fn write(binary: &Path, folder: &Path, sql: &str) -> Result<()> {
    let mut psql = Command::new(binary);
    psql.args(["dev", "psql", "--data-dir"]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut psql = psql.spawn().context("platform dev psql cannot be started")?;
    psql.stdin.take().context("no input")?.write_all(format!("\\set ON_ERROR_STOP on\n{sql};\n").as_bytes())?;
    if !psql.wait()?.success() {
        bail!("psql refused: {sql}");
    }
    Ok(())
}

/// What `platform dev env` prints.
fn environment(binary: &Path, folder: &Path) -> Result<BTreeMap<String, String>> {
    let output = Command::new(binary).args(["dev", "env", "--data-dir"]).arg(folder).output()?;
    let text = String::from_utf8(output.stdout)?;
    let pairs = text.lines().filter_map(|line| line.trim_start_matches("export ").split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A platform that makes its folder, closes its output without a word about where it is, and would stay.
    #[test]
    fn a_platform_that_does_not_become_ready_leaves_no_process_and_no_folder() {
        let place = env::temp_dir().join(format!("xtask-not-ready-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let binary = place.join("platform");
        fs::write(&binary, "#!/bin/sh\nmkdir \"$5\"; echo $$ >\"$5.pid\"; exec >&-; exec sleep 600\n").unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = place.join("data");
        let error = start(&binary, folder.clone()).err().unwrap().to_string();
        let pid = fs::read_to_string(place.join("data.pid")).unwrap();
        let lives = Command::new("kill").args(["-0", pid.trim()]).output().unwrap().status.success();
        assert_eq!((&*error, lives, folder.exists()), ("platform dev ended before it was ready", false, false));
        fs::remove_dir_all(place).unwrap();
    }
}
