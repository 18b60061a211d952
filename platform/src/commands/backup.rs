//! `platform backup`

mod restored;

use crate::settings::Settings;
use anyhow::Result;
use backup::{Backup, BackupError, Folder, How, Progress, Restored, Told, rds};
use clap::Subcommand;
use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};
use types::Clock;

#[derive(Subcommand)]
pub(crate) enum BackupCommand {
    /// Dumps the database, or has RDS take a snapshot of an instance
    Create {
        /// An instance of Amazon RDS instead of DATABASE_URL; needs the program `aws`
        #[arg(long, value_name = "INSTANCE")]
        rds: Option<String>,
    },
    /// What is there, newest first
    List {
        /// Snapshots of an instance of Amazon RDS instead
        #[arg(long, value_name = "INSTANCE")]
        rds: Option<String>,
    },
    /// Restores a backup into a scratch database, and compares every table with what was dumped
    Verify {
        /// The newest without
        id: Option<String>,
        /// A login that may create databases; without it a server of its own on this machine
        #[arg(long, value_name = "URL")]
        server: Option<String>,
    },
    /// Restores a backup into the database of DATABASE_URL, or into a new instance of RDS; nobody stays signed in
    Restore(Restore),
}

#[derive(clap::Args)]
pub(crate) struct Restore {
    /// The backup, or the snapshot
    #[arg(required_unless_present_any = ["at", "instance"])]
    id: Option<String>,
    /// Drops what is in the database first
    #[arg(long)]
    replace: bool,
    /// The database whose place this one takes, as admin_user: it is set read-only, and what it has revoked since the
    /// backup stays revoked. With --replace it is the one that is emptied
    #[arg(long, value_name = "URL")]
    old: Option<String>,
    /// An instance of Amazon RDS, of which a new one is made; DATABASE_URL is then the old database
    #[arg(long, value_name = "INSTANCE", conflicts_with_all = ["replace", "old"])]
    rds: Option<String>,
    /// As the instance was at this moment, as in 2025-01-17T14:00:00Z
    #[arg(long, value_name = "MOMENT", requires = "rds", conflicts_with = "id")]
    at: Option<jiff::Timestamp>,
    /// Goes on with a new instance that an earlier run has begun
    #[arg(long, value_name = "INSTANCE", requires = "rds", conflicts_with_all = ["id", "at"])]
    instance: Option<String>,
}

/// What all of them take.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where backups lie
    #[arg(long, default_value = "backups", global = true)]
    folder: PathBuf,
    /// Tables at a time
    #[arg(long, default_value_t = 2, global = true)]
    jobs: usize,
    /// For programs
    #[arg(long, global = true)]
    json: bool,
}

pub(crate) async fn run(command: BackupCommand, options: Options) -> Result<ExitCode> {
    let (folder, jobs, json) = (Folder::new(&options.folder), options.jobs.max(1), options.json);
    let clock = Clock::system();
    match command {
        BackupCommand::Create { rds: Some(instance) } => {
            let (id, now) = (rds::snapshot_id(&instance, &clock), clock.now());
            let snapshot = rds::create(&instance, &id, &[], |percent| show(&format!("{percent} %"))).await?;
            warn_of(folder.note_made(now));
            say(json, &snapshot, || format!("✓ {} is available", snapshot.id))
        }
        BackupCommand::Create { rds: None } => {
            let url = database_url()?;
            let made = backup::create(&url, &folder, jobs, &clock, tables("dumped")).await?;
            say(json, &made, || {
                let rows: i64 = made.tables.values().map(|table| table.rows).sum();
                let (tables, bytes) = (made.tables.len(), made.bytes);
                format!("✓ {}: {tables} tables, {rows} rows, {bytes} bytes", made.id)
            })
        }
        BackupCommand::List { rds: Some(instance) } => {
            let snapshots = rds::list(&instance).await?;
            let line = |snapshot: &rds::Snapshot| format!("{}  {}", snapshot.id, snapshot.status);
            say(json, &snapshots, || snapshots.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        BackupCommand::List { rds: None } => {
            let all = folder.list()?;
            say(json, &all, || all.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        BackupCommand::Verify { id, server } => {
            let place = folder.find(id.as_deref())?;
            let at = backup::verify(&folder, &place, server.as_deref(), jobs, &clock, tables("restored")).await?;
            let id = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let verified = serde_json::json!({ "id": id, "verified_at": at });
            say(json, &verified, || format!("✓ {id} was restored, and every table is as it was dumped"))
        }
        BackupCommand::Restore(asked) => {
            let restored = restore(asked, &folder, jobs, &clock).await?;
            say(json, &restored, || restored::text(&restored))
        }
    }
}

async fn restore(asked: Restore, folder: &Folder, jobs: usize, clock: &Clock) -> Result<Restored> {
    let Restore { id, replace, old, rds: source, at, instance } = asked;
    let (url, id) = (database_url()?, id.unwrap_or_default());
    let Some(source) = source else {
        let how = How { replace, old: old.as_deref(), jobs };
        return Ok(backup::restore(&url, &folder.find(Some(&id))?, how, tell).await?);
    };
    let origin = match (at, &instance) {
        (Some(moment), _) => rds::Origin::Moment(moment),
        (None, Some(instance)) => rds::Origin::Begun(instance),
        (None, None) => rds::Origin::Snapshot(&id),
    };
    let restored = rds::restore(&source, origin, &url, clock, tell).await?;
    warn_of(folder.note_restored(clock.now()));
    Ok(restored)
}

/// A metric that cannot be written undoes nothing of what was done at Amazon.
fn warn_of(noted: Result<(), BackupError>) {
    if let Err(error) = noted {
        eprintln!("! backup.prom is as it was: {error}");
    }
}

/// What has to be known while it works is said on standard error, and stays there whatever comes after.
fn tell(told: Told<'_>) {
    match told {
        Told::Tables(progress) => tables("restored")(progress),
        Told::Old(old) => restored::old(old).into_iter().for_each(|line| eprintln!("{line}")),
        Told::Snapshot(snapshot) => {
            let from = snapshot.created_at.as_deref().unwrap_or_default();
            eprintln!("! that moment cannot be had: restoring {}, of {from}", snapshot.id);
        }
        Told::Instance { id, status, seconds: 0 } => {
            eprintln!("{id} is {status}; should this be cut off: platform backup restore --rds … --instance {id}");
        }
        Told::Instance { id, status, seconds } => show(&format!("{id} is {status} after {seconds} s")),
        Told::Loss(loss) => eprintln!("before: {}", restored::loss(loss)),
    }
}

fn database_url() -> Result<String> {
    Ok(Settings::from_environment()?.required("DATABASE_URL")?.to_owned())
}

fn line(backup: &Backup) -> String {
    let Backup { manifest, verified_at } = backup;
    let verified = verified_at.map_or_else(|| "not verified".to_owned(), |at| format!("verified {at}"));
    format!("{}  {} bytes  {verified}", manifest.id, manifest.bytes)
}

/// The result, for programs or for people.
fn say(json: bool, value: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<ExitCode> {
    show("");
    let text = if json { serde_json::to_string(value)? } else { text() };
    if !text.is_empty() {
        println!("{text}");
    }
    Ok(ExitCode::SUCCESS)
}

fn tables(done: &'static str) -> impl FnMut(Progress) {
    move |Progress { tables, of }| show(&format!("{tables} of {of} tables {done}"))
}

/// One line that is written over, for somebody who looks on.
fn show(text: &str) {
    let mut err = io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[2K{text}");
        let _ = err.flush();
    }
}
