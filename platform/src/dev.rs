//! `platform dev`: everything on this machine, for whoever tries or builds.
#![allow(clippy::print_stdout, reason = "its screen is what it is for")]

mod demo;
pub(crate) mod environment;
mod hooks;
pub(crate) mod invocation;
mod live;
mod mail;
mod obstacle;
mod page;
mod screen;

use crate::{Options, Server, StartError, commands::serve::quotas, schema, settings::Settings};
use anyhow::{Context, Result, bail};
use api::Smoke;
use db::{Db, secrets::MasterKey};
use environment::Running;
use identity::Mailer;
use invocation::Invocation;
use obstacle::Obstacle;
use private_postgres::{Cluster, ClusterError, Programs, Purpose};
use screen::Screen;
use std::{
    fs,
    io::{self, IsTerminal},
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use types::Rng;
use webhooks::{Delivery, Rules};

const DATABASE: &str = "api_platform";
/// A machine that is busy compiling needs a few seconds.
const READY: Duration = Duration::from_secs(30);
/// Marks the URL of a private database: in a terminal that `dev env` gave it to, `dev` starts its own all the same.
const OURS: &str = "&application_name=platform-dev";

/// Where the database is, and what keeps it running.
struct Database {
    app_url: String,
    described: String,
    /// Ours; stops when dropped.
    _cluster: Option<Cluster>,
}

/// Runs until Ctrl-C.
pub(crate) async fn run(folder: &Path, port: u16) -> Result<ExitCode> {
    let start = Instant::now();
    let settings = Settings::from_environment()?;
    match prepare(folder, port, &settings).await? {
        Err(obstacle) => {
            eprint!("{}", obstacle.screen(&Invocation::of_this_process(folder)));
            Ok(ExitCode::FAILURE)
        }
        Ok((server, database)) => {
            stay(folder, start, server, database).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn prepare(folder: &Path, port: u16, settings: &Settings) -> Result<Result<(Server, Database), Obstacle>> {
    live::to_terminal(settings.given("LOG_LEVEL").unwrap_or("warn"))?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let found = match settings.given("DATABASE_URL") {
        Some(url) if !url.ends_with(OURS) => given(url).await?,
        _ => private(&folder.join("postgres")).await?,
    };
    let database = match found {
        Ok(database) => database,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let mailer = Mailer::catching();
    let options = Options {
        listen: (Ipv4Addr::LOCALHOST, port).into(),
        mailer: mailer.clone(),
        quotas: quotas(settings)?,
        smoke: Some(Smoke::new(&smoke_key(folder)?, settings.value("EAP_SMOKE_DOMAIN"))?),
        // What is built on this machine receives here too; nothing else that is private is reached.
        delivery: Delivery { rules: Rules { loopback: true, allow_http_to: None }, ..Delivery::default() },
        extra: mail::routes(mailer).merge(hooks::routes()),
        drain: Duration::ZERO,
        ..Options::new(database.app_url.clone(), master_key(folder)?)
    };
    match Server::start(options) {
        Ok(server) => Ok(Ok((server, database))),
        Err(StartError::Listen(_, error)) if error.kind() == io::ErrorKind::AddrInUse => Ok(Err(Obstacle::port(port))),
        Err(error) => Err(error.into()),
    }
}

async fn stay(folder: &Path, start: Instant, server: Server, database: Database) -> Result<()> {
    if timeout(READY, server.ready()).await.is_err() {
        bail!("not ready after {} seconds: {}", READY.as_secs(), server.reason());
    }
    let demo = demo::seed(&server).await?;
    let running = Running { api: format!("{}/v1", server.url()), database: database.app_url.clone() };
    running.write(folder)?;
    let screen = Screen {
        version: env!("CARGO_PKG_VERSION"),
        ready: start.elapsed(),
        url: server.url(),
        database: database.described.clone(),
        invocation: Invocation::of_this_process(folder),
        demo,
    };
    if io::stdout().is_terminal() {
        print!("{screen}");
    } else {
        print!("{}", screen.plain());
    }
    live::show();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Running::remove(folder);
    server.stop().await;
    drop(database);
    Ok(())
}

/// The database that DATABASE_URL names, looked at before anything waits for it.
async fn given(url: &str) -> Result<Result<Database, Obstacle>> {
    let options = db::Options { url: url.to_owned(), max_connections: 1 };
    if !options.is_local().context("DATABASE_URL")? {
        return Ok(Err(Obstacle::Remote));
    }
    let client = match migrate::connect(url).await {
        Ok(client) => client,
        Err(error) => return Ok(Err(Obstacle::Unreachable(error.to_string()))),
    };
    if let Some(problem) = migrate::login_problem(&client).await? {
        return Ok(Err(Obstacle::Unfit(problem.to_string())));
    }
    if let Some(problem) = schema::problem(&Db::new(&options)?).await? {
        return Ok(Err(Obstacle::Unfit(problem)));
    }
    Ok(Ok(Database { app_url: url.to_owned(), described: "the one of DATABASE_URL".to_owned(), _cluster: None }))
}

/// A PostgreSQL of our own, with roles, and migrations if there are new ones.
async fn private(folder: &Path) -> Result<Result<Database, Obstacle>> {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(absent) => return Ok(Err(Obstacle::NoPrograms(absent.to_string()))),
    };
    let cluster = match Cluster::start(&programs, folder, Purpose::Development) {
        Ok(cluster) => cluster,
        Err(ClusterError::Running { pid }) => return Ok(Err(Obstacle::Second { pid })),
        Err(ClusterError::Closed(folder)) => return Ok(Err(Obstacle::Closed(folder))),
        Err(error) => return Err(error).context("the private PostgreSQL"),
    };
    if let Some(obstacle) = migrated(&cluster).await? {
        return Ok(Err(obstacle));
    }
    Ok(Ok(Database {
        app_url: cluster.url("api_platform_app", DATABASE) + OURS,
        described: format!("PostgreSQL {}, private, in {}/", programs.version, invocation::quoted(folder)),
        _cluster: Some(cluster),
    }))
}

async fn migrated(cluster: &Cluster) -> Result<Option<Obstacle>> {
    let files = schema::files()?;
    if let Ok(owner) = migrate::connect(&cluster.url("admin_user", DATABASE)).await {
        let entries = migrate::status(&owner, &files).await?;
        let of = |state| entries.iter().find(|entry| entry.state == state).map(|entry| entry.name.clone());
        if let Some(file) = of(migrate::State::Missing).or_else(|| of(migrate::State::Changed)) {
            return Ok(Some(Obstacle::OtherSchema(file)));
        }
        if of(migrate::State::Pending).is_some() {
            migrate::up(&owner, &files, &migrate::Options::default(), |_| {}).await?;
        }
        return Ok(None);
    }
    let superuser = migrate::connect(&cluster.url("postgres", "postgres")).await?;
    // A first start that was killed may have left the database without its roles.
    let known = superuser.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&DATABASE]).await?;
    if known.is_none() {
        superuser.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
    }
    let superuser = migrate::connect(&cluster.url("postgres", DATABASE)).await?;
    migrate::roles::ensure(&superuser).await?;
    let owner = migrate::connect(&cluster.url("admin_user", DATABASE)).await?;
    migrate::up(&owner, &files, &migrate::Options::default(), |_| {}).await?;
    Ok(None)
}

fn master_key(folder: &Path) -> Result<MasterKey> {
    MasterKey::parse(&secret(folder, "master-key")?).context("master-key")
}

/// The key of the smoke test.
pub(crate) fn smoke_key(folder: &Path) -> Result<String> {
    secret(folder, "smoke-key")
}

/// A secret of this installation: made once, readable by its owner alone.
fn secret(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    if !path.exists() {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        io::Write::write_all(&mut file?, MasterKey::generate(&Rng::system()).as_bytes())?;
    }
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}
