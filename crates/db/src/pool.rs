//! The pool, and the four doors out of it.

use crate::{DbError, DbResult, OrgRead, OrgTx, PersonTx, SystemTx, Tx, tls};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use tokio_postgres::config::Host;
use types::{OrgId, UserId};

/// How long a request waits for one of the pool's connections, and a connection for PostgreSQL.
const WAIT: Duration = Duration::from_secs(2);

/// What every session starts with: nobody's rows in sight, and one plan a statement, made once. Row level security makes
/// planning dear, a custom plan pays it at each execution, and no statement of an organization or a person needs another
/// plan for other values: lists ask for what lies between two keys, which an index answers whatever they are. Work across
/// organizations leaves the choice to PostgreSQL: how much lies after a time is for it to estimate.
const SESSION: &str = "-c role=eap_tenant -c plan_cache_mode=force_generic_plan";

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgresql://…`, or a libpq key-value string.
    pub url: String,
    /// The pool's size.
    pub max_connections: usize,
}

impl Options {
    /// Whether every host is this machine.
    pub fn is_local(&self) -> DbResult<bool> {
        let (config, _) = tls::parse(&self.url)?;
        Ok(config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        }))
    }
}

/// The database. A clone is the same pool.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    committed: Committed,
    log_grew: watch::Sender<()>,
}

/// Wakes whoever waits for new outbox rows in this process.
#[derive(Clone, Default)]
pub(crate) struct Committed(Arc<Notify>);

impl Committed {
    pub(crate) fn notify(&self) {
        self.0.notify_one();
    }
}

/// Named work across organizations; each has its policies in the migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// An address is registered and verified: account, organization and session come to be together.
    Registration,
    /// Account, credential and membership are looked up by address.
    Login,
    /// A session is found by its refresh token.
    Refresh,
    /// Mail jobs are claimed and sent.
    Mail,
    /// Jobs of organizations are claimed; each is done as its organization.
    Jobs,
    /// Outbox rows move into the event log.
    Sequencer,
    /// A consumer reads the event log.
    Consumer,
    /// Webhook deliveries are made of events, claimed, sent and recorded.
    Dispatch,
    /// Rows past their time are erased.
    Retention,
    /// Revocations of all organizations are read.
    Revocation,
    /// Signing keys are read and made.
    Keys,
    /// This process says that it runs.
    Instances,
    /// The smoke test reads its mail and hooks, and what it made is erased.
    Smoke,
    /// An operator makes an organization by hand.
    Administration,
    /// Analytics events of all organizations are written, by their write keys.
    Ingest,
}

impl Work {
    /// Whether a commit waits until the disk has it. What a crash of the server takes back of a dispatcher's last moments
    /// is done again in the same way: events are read again, leases taken again, deliveries sent again under their ids.
    const fn waits_for_the_disk(self) -> bool {
        !matches!(self, Self::Dispatch)
    }

    /// As it appears in `app.work`, which PostgreSQL's logs can show.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Mail => "mail",
            Self::Jobs => "jobs",
            Self::Sequencer => "sequencer",
            Self::Consumer => "consumer",
            Self::Dispatch => "dispatch",
            Self::Retention => "retention",
            Self::Revocation => "revocation",
            Self::Keys => "keys",
            Self::Instances => "instances",
            Self::Smoke => "smoke",
            Self::Administration => "administration",
            Self::Ingest => "ingest",
        }
    }
}

impl Db {
    /// Connects when first used. The pool's connections start as `eap_tenant`, so that a bare statement sees nothing.
    pub fn new(options: &Options) -> DbResult<Self> {
        let (mut config, tls) = tls::parse(&options.url)?;
        let startup = format!("{} {SESSION}", config.get_options().unwrap_or_default());
        config.options(startup.trim()).connect_timeout(WAIT).application_name("platform");
        // Fast recycling: nothing is reset, because nothing but SET LOCAL is ever set.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls, recycling);
        let pool = Pool::builder(manager).max_size(options.max_connections).runtime(Runtime::Tokio1);
        let pool = pool.wait_timeout(Some(WAIT)).create_timeout(Some(WAIT)).build();
        let pool = pool.map_err(|error| DbError::Settings(error.to_string()))?;
        Ok(Self { pool, committed: Committed::default(), log_grew: watch::Sender::default() })
    }

    /// One organization's rows, read only.
    pub async fn read(&self, org: OrgId) -> DbResult<OrgRead> {
        let opening = format!("BEGIN READ ONLY; SET LOCAL app.org_id = '{}'", org.0);
        Ok(OrgRead(Tx::single_reads(self.connection().await?, opening, self.committed.clone()), org))
    }

    /// A transaction of one organization.
    pub async fn begin(&self, org: OrgId) -> DbResult<OrgTx> {
        Ok(OrgTx(self.open(format!("BEGIN; SET LOCAL app.org_id = '{}'", org.0)).await?, org))
    }

    /// A transaction of one person.
    pub async fn person(&self, user: UserId) -> DbResult<PersonTx> {
        let opening = format!("BEGIN; SET LOCAL ROLE eap_person; SET LOCAL app.user_id = '{}'", user.0);
        Ok(PersonTx(self.open(opening).await?, user))
    }

    /// A transaction of named work across organizations.
    pub async fn system(&self, work: Work) -> DbResult<SystemTx> {
        let mut opening = format!(
            "BEGIN; SET LOCAL ROLE eap_system; SET LOCAL plan_cache_mode = auto; SET LOCAL app.work = '{}'",
            work.as_str()
        );
        if !work.waits_for_the_disk() {
            opening += "; SET LOCAL synchronous_commit = off";
        }
        Ok(SystemTx(self.open(opening).await?))
    }

    /// Waits until a commit of this process wrote outbox rows.
    pub async fn committed(&self) {
        self.committed.0.notified().await;
    }

    /// Tells the consumers of this process that the event log has new entries.
    pub fn notify_log_grew(&self) {
        self.log_grew.send_replace(());
    }

    /// Changes whenever this process wrote to the event log; another one's entries are found by looking now and then.
    pub fn log_grows(&self) -> watch::Receiver<()> {
        self.log_grew.subscribe()
    }

    /// The time of one round trip.
    pub async fn ping(&self) -> DbResult<Duration> {
        let start = Instant::now();
        self.connection().await?.batch_execute("").await?;
        Ok(start.elapsed())
    }

    /// Connections open, and how many may be.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.max_size)
    }

    /// Closes the pool: who waits gets an error, connections in use finish.
    pub fn close(&self) {
        self.pool.close();
    }

    async fn open(&self, opening: String) -> DbResult<Tx> {
        Ok(Tx::new(self.connection().await?, opening, self.committed.clone()))
    }

    async fn connection(&self) -> DbResult<Object> {
        Ok(self.pool.get().await?)
    }
}
