//! What keeps the log whole: its time, its partitions, its lease, its readers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use db::{Db, OrgRead, PersonTx, SystemTx, Work, row, sql};
use events::{Actor, Event, Kind, STATEMENTS, Sequencer, partitions};
use std::time::{Duration, Instant};
use testing::Database;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use types::{Clock, OrgId, Rng, Timestamp, UserId};

row! {
    #[derive(Debug)]
    struct Entry { sequenced_at: Timestamp, org_id: Option<OrgId>, user_id: Option<UserId> }
}
sql! {
    /// What an organization sees.
    pub fn of_org(db: OrgRead) -> all Entry = "SELECT sequenced_at, org_id, user_id FROM events";
    /// What a person sees.
    pub fn of_person(tx: PersonTx) -> all Entry = "SELECT sequenced_at, org_id, user_id FROM events";
    /// What there is.
    pub fn of_all(tx: SystemTx) -> all Entry = "SELECT sequenced_at, org_id, user_id FROM events";
}

struct World {
    database: Database,
    db: Db,
    clock: Clock,
    rng: Rng,
    org: OrgId,
}

async fn world() -> World {
    let database = Database::new().await;
    let (clock, rng) = (Clock::system(), Rng::system());
    World { db: database.pool(), database, org: OrgId::new(&rng, clock.now()), clock, rng }
}

impl World {
    fn event(&self) -> Event {
        Event::new(Kind::ResourceCreated, &Actor::SYSTEM, &self.clock, &self.rng)
    }

    async fn emit(&self) {
        let tx = self.db.begin(self.org).await.unwrap();
        tx.emit(self.event().org(self.org).into());
        tx.commit().await.unwrap();
    }

    fn sequencer(&self) -> Sequencer {
        Sequencer::new(&self.clock, &self.rng)
    }

    async fn log(&self) -> Vec<Entry> {
        of_all(&self.db.system(Work::Consumer).await.unwrap()).await.unwrap()
    }

    async fn as_superuser(&self, statement: &str) {
        self.database.client("postgres").await.batch_execute(statement).await.unwrap();
    }
}

#[tokio::test]
async fn a_running_sequencer_moves_what_is_committed_and_stops_when_told() {
    let world = world().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(world.sequencer().run(world.db.clone(), stop.clone()));
    for n in 1..=3 {
        world.emit().await;
        let deadline = Instant::now() + Duration::from_secs(10);
        while world.log().await.len() < n {
            assert!(Instant::now() < deadline, "event {n} did not arrive");
            sleep(Duration::from_millis(2)).await;
        }
    }
    stop.cancel();
    timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_logs_time_does_not_go_back_when_the_servers_clock_does() {
    let world = world().await;
    world.emit().await;
    world.as_superuser("UPDATE _fence SET last_at = clock_timestamp() + interval '1 hour'").await;
    world.sequencer().run_once(&world.db).await.unwrap();
    let in_half_an_hour = world.clock.now().plus(Duration::from_mins(30));
    assert!(world.log().await[0].sequenced_at > in_half_an_hour);
}

#[tokio::test]
async fn a_missing_partition_stops_the_log_and_loses_nothing() {
    let world = world().await;
    world.emit().await;
    world.as_superuser("UPDATE _fence SET last_at = clock_timestamp() + interval '20 days'").await;
    let mut sequencer = world.sequencer();
    assert!(sequencer.run_once(&world.db).await.is_err());
    assert!(world.log().await.is_empty());
    let tx = world.db.system(Work::Sequencer).await.unwrap();
    assert!(partitions::ensure(&tx, "events", 31).await.unwrap().made > 0);
    tx.commit().await.unwrap();
    assert_eq!(sequencer.run_once(&world.db).await.unwrap(), 1);
}

#[tokio::test]
async fn partitions_are_made_once_and_only_for_the_log() {
    let world = world().await;
    let ensure = async |parent: &str| {
        let tx = world.db.system(Work::Sequencer).await.unwrap();
        let made = partitions::ensure(&tx, parent, 9).await;
        tx.commit().await.and(made).map(|made| made.made)
    };
    assert_eq!(ensure("events").await.unwrap(), 2);
    assert_eq!(ensure("events").await.unwrap(), 0);
    assert!(ensure("users").await.is_err());
}

/// The lock alone is no fence: a process that sent both together would move a batch whatever the lock answered.
#[tokio::test]
async fn the_statement_that_moves_refuses_by_itself_whoever_does_not_hold_the_lease() {
    let world = world().await;
    world.emit().await;
    world.sequencer().run_once(&world.db).await.unwrap();
    world.emit().await;
    let mover = STATEMENTS.iter().copied().flatten().find(|sql| sql.name.ends_with("::move_rows")).unwrap();
    let owner = world.database.client("admin_user").await;
    let stranger = world.rng.uuid(world.clock.now());
    assert!(owner.query_opt(mover.text, &[&stranger, &0_i64, &10_i64]).await.unwrap().is_none());
    let waiting = owner.query_one("SELECT count(*) FROM outbox", &[]).await.unwrap();
    assert_eq!(waiting.get::<_, i64>(0), 1);
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn organizations_and_persons_read_their_own_entries_only() {
    let world = world().await;
    let now = world.clock.now();
    let (other, person) = (OrgId::new(&world.rng, now), UserId::new(&world.rng, now));
    world.emit().await;
    let tx = world.db.begin(other).await.unwrap();
    tx.emit(world.event().org(other).into());
    tx.commit().await.unwrap();
    let tx = world.db.person(person).await.unwrap();
    tx.emit(world.event().user(person).into());
    tx.commit().await.unwrap();
    assert_eq!(world.sequencer().run_once(&world.db).await.unwrap(), 3);

    let seen = of_org(&world.db.read(world.org).await.unwrap()).await.unwrap();
    assert_eq!(seen.iter().map(|entry| entry.org_id).collect::<Vec<_>>(), [Some(world.org)]);
    let seen = of_person(&world.db.person(person).await.unwrap()).await.unwrap();
    assert_eq!(seen.iter().map(|entry| entry.user_id).collect::<Vec<_>>(), [Some(person)]);
}

#[tokio::test]
async fn nobody_writes_into_anothers_log() {
    let world = world().await;
    let now = world.clock.now();
    let (other, person) = (OrgId::new(&world.rng, now), UserId::new(&world.rng, now));
    let tx = world.db.begin(world.org).await.unwrap();
    tx.emit(world.event().org(other).into());
    assert!(tx.commit().await.is_err());
    let tx = world.db.person(person).await.unwrap();
    tx.emit(world.event().user(person).org(world.org).into());
    assert!(tx.commit().await.is_err());
    assert_eq!(world.sequencer().run_once(&world.db).await.unwrap(), 0);
}
