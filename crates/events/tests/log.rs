//! The order of the log, on a real database, with what goes wrong in between.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use db::{Db, Work};
use events::{Actor, Event, Kind, Sequencer, read_after};
use serde_json::json;
use std::collections::HashSet;
use testing::Database;
use types::{Clock, OrgId, Rng};

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
    fn event(&self, n: usize) -> Event {
        Event::new(Kind::ResourceCreated, &Actor::SYSTEM, &self.clock, &self.rng).org(self.org).data(json!({ "n": n }))
    }

    async fn emit(&self, n: usize) {
        let tx = self.db.begin(self.org).await.unwrap();
        tx.emit(self.event(n).personal(json!({"ip": "192.0.2.1"})).into());
        tx.commit().await.unwrap();
    }

    fn sequencer(&self) -> Sequencer {
        Sequencer::new(&self.clock, &self.rng)
    }

    async fn log(&self) -> Vec<i64> {
        let postgres = self.database.client("postgres").await;
        let rows = postgres.query("SELECT (data->>'n')::bigint FROM events ORDER BY sequenced_at, position", &[]).await;
        rows.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

#[tokio::test]
async fn events_enter_the_log_in_the_order_of_their_commits_with_gapless_positions() {
    let world = world().await;
    for n in 0..5 {
        world.emit(n).await;
    }
    assert_eq!(world.sequencer().run_once(&world.db).await.unwrap(), 5);
    assert_eq!(world.log().await, [0, 1, 2, 3, 4]);
    let postgres = world.database.client("postgres").await;
    let positions = postgres.query_one("SELECT array_agg(position ORDER BY position) FROM events", &[]).await.unwrap();
    assert_eq!(positions.get::<_, Vec<i64>>(0), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_change_that_depends_on_another_comes_after_it_whatever_their_transaction_ids_say() {
    let world = world().await;
    let owner = world.database.client("admin_user").await;
    owner.batch_execute("CREATE TABLE counters (n int); INSERT INTO counters VALUES (0)").await.unwrap();
    let insert = |n: i32| {
        format!(
            "INSERT INTO outbox (event_id, kind, org_id, actor, data, at)
             VALUES (gen_random_uuid(), 'resource.updated', gen_random_uuid(), '{{}}', '{{\"n\": {n}}}', now())"
        )
    };
    // The later change takes its transaction id first, waits for the row, and commits last.
    let later = world.database.client("admin_user").await;
    owner.batch_execute("BEGIN; UPDATE counters SET n = 1").await.unwrap();
    later.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    let waits = async {
        later.batch_execute("UPDATE counters SET n = 2").await.unwrap();
        later.batch_execute(&format!("{}; COMMIT", insert(2))).await.unwrap();
    };
    let first = async { owner.batch_execute(&format!("{}; COMMIT", insert(1))).await.unwrap() };
    tokio::join!(waits, first);
    world.sequencer().run_once(&world.db).await.unwrap();
    assert_eq!(world.log().await, [1, 2]);
}

#[tokio::test]
async fn a_late_commit_is_not_lost() {
    let world = world().await;
    let late = world.db.begin(world.org).await.unwrap();
    let early_id = world.database.client("admin_user").await;
    early_id
        .batch_execute(
            "BEGIN; INSERT INTO outbox (event_id, kind, actor, data, at)
             VALUES (gen_random_uuid(), 'resource.created', '{}', '{\"n\": 0}', now())",
        )
        .await
        .unwrap();
    world.emit(1).await;
    let mut sequencer = world.sequencer();
    assert_eq!(sequencer.run_once(&world.db).await.unwrap(), 1);
    early_id.batch_execute("COMMIT").await.unwrap();
    assert_eq!(sequencer.run_once(&world.db).await.unwrap(), 1);
    assert_eq!(world.log().await, [1, 0]);
    drop(late);
}

#[tokio::test]
async fn three_sequencers_move_each_row_once() {
    let world = world().await;
    for n in 0..60 {
        world.emit(n).await;
    }
    let run = async |mut sequencer: Sequencer| {
        let db = world.database.pool();
        let mut moved = 0;
        for _ in 0..20 {
            moved += sequencer.run_once(&db).await.unwrap();
        }
        moved
    };
    let (a, b, c) = tokio::join!(run(world.sequencer()), run(world.sequencer()), run(world.sequencer()));
    assert_eq!(a + b + c, 60);
    assert_eq!(world.log().await.into_iter().collect::<HashSet<_>>().len(), 60);
}

#[tokio::test]
async fn a_sequencer_without_the_lease_moves_nothing_and_another_takes_over_after_it() {
    let world = world().await;
    let (mut first, mut second) = (world.sequencer(), world.sequencer());
    world.emit(0).await;
    assert_eq!(first.run_once(&world.db).await.unwrap(), 1);
    world.emit(1).await;
    assert_eq!(second.run_once(&world.db).await.unwrap(), 0);
    let postgres = world.database.client("postgres").await;
    postgres.batch_execute("UPDATE _fence SET until = clock_timestamp() - interval '1 s'").await.unwrap();
    assert_eq!(second.run_once(&world.db).await.unwrap(), 1);
    world.emit(2).await;
    assert_eq!(first.run_once(&world.db).await.unwrap(), 0, "the first one lost its lease");
}

#[tokio::test]
async fn a_consumer_that_dies_before_its_commit_sees_the_same_events_again() {
    let world = world().await;
    world.emit(7).await;
    world.sequencer().run_once(&world.db).await.unwrap();
    let read = async |commit: bool| {
        let tx = world.db.system(Work::Consumer).await.unwrap();
        let seen = read_after(&tx, "test", 10).await.unwrap().len();
        if commit {
            tx.commit().await.unwrap();
        }
        seen
    };
    assert_eq!([read(false).await, read(true).await, read(true).await], [1, 1, 0]);
}

#[tokio::test]
async fn the_log_is_append_only_and_personal_values_can_be_erased_without_touching_it() {
    let world = world().await;
    world.emit(0).await;
    world.sequencer().run_once(&world.db).await.unwrap();
    let app = world.database.client("api_platform_app").await;
    for change in ["UPDATE events SET kind = 'x'", "DELETE FROM events"] {
        app.batch_execute("SET ROLE eap_system").await.unwrap();
        assert!(app.batch_execute(change).await.is_err(), "{change}");
    }
    let owner = world.database.client("admin_user").await;
    assert!(owner.batch_execute("DELETE FROM events").await.is_err());
    let hash = "SELECT personal_hash = sha256(p.salt || convert_to(p.data::text, 'UTF8')) FROM events e JOIN event_personal p ON p.event_id = e.id";
    assert!(owner.query_one(hash, &[]).await.unwrap().get::<_, bool>(0));
    app.batch_execute("DELETE FROM event_personal").await.unwrap();
    assert_eq!(world.log().await, [0]);
}
