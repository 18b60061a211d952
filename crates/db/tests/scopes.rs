//! The traps of scoped access, each as a test on a real database.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic, and its statements speak for themselves")]

use db::{Constraints, Db, DbError, Done, OrgRead, OrgTx, Outgoing, SystemTx, Work, row, sql};
use futures_util::{FutureExt, future::join};
use serde_json::json;
use testing::Database;
use types::{Clock, EventId, OrgId, Rng, Timestamp};

row! { struct Scope { org: String, role: String } }
row! { #[derive(Debug)] struct Name { name: String } }

sql! {
    pub fn scope(db: OrgRead) -> one Scope = "SELECT coalesce(current_setting('app.org_id', true), '') AS org, current_user::text AS role";
    pub fn divide(db: OrgRead, by: i32) -> all Done = "SELECT 1 / $1";
    pub fn names(db: OrgRead) -> all Name = "SELECT name FROM organizations";
    pub fn write_in_a_read(db: OrgRead) -> exec Done = "UPDATE organizations SET name = 'x'";
    pub fn rename(tx: OrgTx, name: &str) -> all Name = "UPDATE organizations SET name = $1 RETURNING name";
    pub fn add_type(tx: OrgTx, org: OrgId, name: &str, now: Timestamp) -> exec Done =
        "INSERT INTO resource_types (org_id, id, name, schema, indexed, created_at, updated_at)
         VALUES ($1, gen_random_uuid(), $2, '{}', '[]', $3, $3)";
    pub fn commit_waits(tx: SystemTx) -> one Name = "SELECT current_setting('synchronous_commit') AS name";
    pub fn add_org(tx: SystemTx, id: OrgId, name: &str, now: Timestamp) -> exec Done =
        "INSERT INTO organizations (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)";
}

struct World {
    database: Database,
    db: Db,
    ours: OrgId,
    theirs: OrgId,
}

fn now() -> Timestamp {
    Clock::system().now()
}

async fn world() -> World {
    let database = Database::new().await;
    let options = db::Options { url: database.app_url(), max_connections: 1 };
    let db = Db::new(&options).unwrap();
    let rng = Rng::system();
    let [ours, theirs] = [(); 2].map(|()| OrgId::new(&rng, now()));
    let tx = db.system(Work::Registration).await.unwrap();
    add_org(&tx, ours, "ours", now()).await.unwrap();
    add_org(&tx, theirs, "theirs", now()).await.unwrap();
    tx.commit().await.unwrap();
    World { database, db, ours, theirs }
}

fn event(org: OrgId) -> Outgoing {
    Outgoing {
        id: EventId::new(&Rng::system(), now()),
        kind: "organization.created",
        org: Some(org),
        user: None,
        actor: json!({"kind": "system"}),
        act: None,
        target: None,
        request_id: None,
        data: json!({}),
        personal: None,
        at: now(),
    }
}

#[tokio::test]
async fn an_organization_sees_and_changes_its_own_rows_only() {
    let World { db, ours, theirs, .. } = world().await;
    let read = db.read(ours).await.unwrap();
    assert_eq!(names(&read).await.unwrap().iter().map(|row| &*row.name).collect::<Vec<_>>(), ["ours"]);
    drop(read);
    let tx = db.begin(ours).await.unwrap();
    assert_eq!(rename(&tx, "renamed").await.unwrap().len(), 1);
    let refused = add_type(&tx, theirs, "note", now()).await.unwrap_err();
    assert!(format!("{refused:?}").contains("row-level security"), "{refused:?}");
}

#[tokio::test]
async fn no_scope_leaks_to_the_next_user_of_a_connection() {
    let World { database, db, ours, theirs } = world().await;
    for org in [ours, theirs, ours] {
        let read = db.read(org).await.unwrap();
        let seen = scope(&read).await.unwrap();
        assert_eq!((seen.org, &*seen.role), (org.0.to_string(), "eap_tenant"));
        drop(read);
        let tx = db.system(Work::Login).await.unwrap();
        tx.commit().await.unwrap();
    }
    let bare = database.client("api_platform_app").await;
    assert!(bare.query("SELECT FROM organizations", &[]).await.is_err(), "the login itself may read nothing");
}

#[tokio::test]
async fn a_transaction_with_a_failed_statement_cannot_be_committed() {
    let World { db, ours, .. } = world().await;
    let tx = db.begin(ours).await.unwrap();
    rename(&tx, "lost").await.unwrap();
    divide(&tx, 0).await.unwrap_err();
    assert!(matches!(tx.commit().await, Err(DbError::Failed)));
    assert_eq!(names(&db.read(ours).await.unwrap()).await.unwrap()[0].name, "ours");
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back() {
    let World { db, ours, .. } = world().await;
    let tx = db.begin(ours).await.unwrap();
    rename(&tx, "lost").await.unwrap();
    drop(tx);
    assert_eq!(names(&db.read(ours).await.unwrap()).await.unwrap()[0].name, "ours");
}

#[tokio::test]
async fn cancelled_statements_leave_no_transaction_open() {
    let World { database, db, ours, .. } = world().await;
    divide(&db.read(ours).await.unwrap(), 1).await.unwrap();
    for _ in 0..50 {
        let read = db.read(ours).await.unwrap();
        assert!(divide(&read, 1).now_or_never().is_none());
        drop(read);
        let tx = db.begin(ours).await.unwrap();
        assert!(divide(&tx, 1).now_or_never().is_none());
    }
    db.ping().await.unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'api_platform_app' AND state <> 'idle'";
    let postgres = database.client("postgres").await;
    assert_eq!(postgres.query_one(open, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_read_cannot_write_and_survives_an_error() {
    let World { db, ours, .. } = world().await;
    for _ in 0..3 {
        let read = db.read(ours).await.unwrap();
        divide(&read, 0).await.unwrap_err();
        let (a, b) = join(divide(&read, 1), divide(&read, 2)).await;
        assert!(a.is_ok() && b.is_ok());
        let refused = write_in_a_read(&read).await.unwrap_err();
        assert!(format!("{refused:?}").contains("read-only transaction"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_taken_name_is_a_named_refusal() {
    #[derive(Debug)]
    enum Refusal {
        Taken,
        Other,
    }
    impl From<DbError> for Refusal {
        fn from(_: DbError) -> Self {
            Self::Other
        }
    }
    let World { db, ours, .. } = world().await;
    let tx = db.begin(ours).await.unwrap();
    add_type(&tx, ours, "note", now()).await.unwrap();
    let again = add_type(&tx, ours, "note", now()).await.on_constraint("resource_types_name_key", Refusal::Taken);
    assert!(matches!(again, Err(Refusal::Taken)));
    drop(tx);
    let tx = db.begin(ours).await.unwrap();
    let other = divide(&tx, 0).await.on_constraint("resource_types_name_key", Refusal::Taken);
    assert!(matches!(other, Err(Refusal::Other)));
}

#[tokio::test]
async fn what_a_change_emits_is_written_with_it_or_not_at_all() {
    let World { database, db, ours, theirs } = world().await;
    let rows = async || {
        let postgres = database.client("postgres").await;
        postgres.query_one("SELECT count(*) FROM outbox", &[]).await.unwrap().get::<_, i64>(0)
    };
    let tx = db.begin(ours).await.unwrap();
    tx.emit(event(ours));
    drop(tx);
    assert_eq!(rows().await, 0);
    let tx = db.begin(ours).await.unwrap();
    rename(&tx, "renamed").await.unwrap();
    (0..3).for_each(|_| tx.emit(event(ours)));
    tx.commit().await.unwrap();
    assert_eq!(rows().await, 3);
    // An event of somebody else's fails, and the change with it.
    let tx = db.begin(ours).await.unwrap();
    rename(&tx, "lost").await.unwrap();
    tx.emit(event(theirs));
    tx.commit().await.unwrap_err();
    assert_eq!(rows().await, 3);
    assert_eq!(names(&db.read(ours).await.unwrap()).await.unwrap()[0].name, "renamed");
}

#[tokio::test]
async fn a_database_that_went_away_is_unavailable_and_comes_back() {
    let World { database, db, ours, .. } = world().await;
    names(&db.read(ours).await.unwrap()).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'api_platform_app'";
    let tx = db.begin(ours).await.unwrap();
    rename(&tx, "lost").await.unwrap();
    database.client("postgres").await.execute(kill, &[]).await.unwrap();
    let gone = rename(&tx, "lost").await.unwrap_err();
    assert!(matches!(gone, DbError::Unavailable(_)), "{gone:?}");
    drop(tx);
    // The pool learns of a broken connection when it is next used: within two seconds all is well.
    let start = std::time::Instant::now();
    loop {
        let read = db.read(ours).await.unwrap();
        match names(&read).await {
            Ok(rows) => break assert_eq!(rows[0].name, "ours"),
            Err(error) => {
                assert!(matches!(error, DbError::Unavailable(_)) && start.elapsed().as_secs() < 2, "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn only_the_dispatcher_commits_without_waiting_for_the_disk_and_the_next_user_of_its_connection_waits_again() {
    let World { database, .. } = world().await;
    let owner = database.client("postgres").await;
    // The server of tests never waits; this database does as in production.
    let name: String = owner.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    owner.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = on")).await.unwrap();
    let db = Db::new(&db::Options { url: database.app_url(), max_connections: 1 }).unwrap();
    for (work, expected) in [(Work::Dispatch, "off"), (Work::Sequencer, "on"), (Work::Consumer, "on")] {
        let tx = db.system(work).await.unwrap();
        assert_eq!(commit_waits(&tx).await.unwrap().name, expected, "{work:?}");
        tx.commit().await.unwrap();
    }
}
