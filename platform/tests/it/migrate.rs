//! `platform migrate`, as an operator runs it.

use crate::{
    backup::World,
    process::{folder, platform},
};
use migrate::schema;
use std::{
    fs,
    process::{Output, Stdio},
    time::{Duration, Instant},
};
use testing::Database;

fn run(url: &str, arguments: &[&str]) -> Output {
    platform().arg("migrate").args(arguments).env("DATABASE_URL", url).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn status_tells_by_its_exit_code_when_asked_and_needs_no_more_than_readonly_user() {
    let database = Database::new().await;
    let reader = database.url("readonly_user");
    let code = |arguments: &[&str]| run(&reader, arguments).status.code();
    assert_eq!(code(&["status", "--exit-code"]), Some(0));
    let owner = database.client("admin_user").await;
    owner.batch_execute("DELETE FROM _migrations WHERE name LIKE '20250127%'").await.unwrap();
    assert_eq!((code(&["status"]), code(&["status", "--exit-code"])), (Some(0), Some(2)));
    owner.batch_execute("UPDATE _migrations SET checksum = '\\x00' WHERE name LIKE '20250101%'").await.unwrap();
    assert_eq!((code(&["status"]), code(&["status", "--exit-code"])), (Some(0), Some(3)));
    let printed = text(&run(&reader, &["status"]));
    assert!(printed.starts_with("! 20250101_create_users_table.sql (changed)\n✓ 20250105"), "{printed}");
}

#[test]
fn a_new_file_is_written_and_the_linter_sees_what_goes_into_it() {
    let folder = folder();
    let dir = folder.path().to_str().unwrap();
    let in_folder = |arguments: &[&str]| run("", &[arguments, &["--dir", dir]].concat());
    let path = text(&in_folder(&["new", "drop_people", "--down"])).lines().next().unwrap().to_owned();
    assert!(path.ends_with("_drop_people.sql"), "{path}");
    assert!(in_folder(&["lint"]).status.success());
    fs::write(&path, "DROP TABLE people;\n").unwrap();
    let found = in_folder(&["lint", "--format", "json"]);
    assert_eq!(found.status.code(), Some(1));
    assert!(text(&found).contains("\"rule\":\"ban-drop-table\",\"line\":1,\"column\":1"), "{}", text(&found));
}

#[tokio::test]
async fn up_says_what_it_did_and_who_was_in_the_way_and_verify_finds_what_was_changed_by_hand() {
    let database = Database::new().await;
    let owner = database.owner_url();
    let client = database.client("admin_user").await;
    assert!(text(&run(&owner, &["up"])).contains("nothing to do"));
    client.batch_execute("ALTER TABLE users ADD COLUMN by_hand text").await.unwrap();
    let scratch = Database::empty().await;
    assert!(run(&scratch.superuser_url(), &["roles"]).status.success());
    let verified = run(&owner, &["verify", "--scratch", &scratch.owner_url()]);
    let expected = "-- no file makes:\nALTER TABLE users ADD COLUMN by_hand text;\n";
    assert_eq!((verified.status.code(), text(&verified).as_str()), (Some(3), expected));
    let refused = text(&run(&owner, &["down", "20250127_create_smoke.sql"]));
    assert!(refused.contains("has no .down.sql"), "{refused}");
    assert!(text(&run(&owner, &["plan"])).starts_with("nothing to do"));
}

#[tokio::test]
async fn a_backup_stands_for_the_trial_of_a_down_only_when_it_was_verified_and_has_the_file() {
    let (world, newest) = (World::new().await, "20250127_create_smoke.sql");
    let owner = world.database.owner_url();
    let folder = world.folder.path().to_str().unwrap();
    let down = |id: &str| text(&run(&owner, &["down", newest, "--backup", id, "--folder", folder]));
    assert!(down("nothing").contains("there is no backup nothing"));
    let id = world.create();
    assert!(down(&id).contains("was never restored"), "{}", down(&id));
    world.run(&["verify", &id, "--server", &world.database.superuser_url()]).unwrap();
    // Nothing speaks against the backup; that file has nothing that undoes it.
    assert!(down(&id).contains("has no .down.sql"), "{}", down(&id));
    let older = text(&run(&owner, &["down", "20250126_create_analytics.sql", "--backup", &id, "--folder", folder]));
    assert!(older.contains("was taken when 20250127_create_smoke.sql was the newest migration"), "{older}");
    let elsewhere =
        text(&run(&Database::new().await.owner_url(), &["down", newest, "--backup", &id, "--folder", folder]));
    assert!(elsewhere.contains("is of another database"), "{elsewhere}");
    // Of the same name, on another server.
    let session = world.database.client("admin_user").await;
    session.batch_execute("UPDATE _migrations SET run_id = gen_random_uuid()").await.unwrap();
    assert!(down(&id).contains("is of another database"), "{}", down(&id));
    let id = world.create();
    world.run(&["verify", &id, "--server", &world.database.superuser_url()]).unwrap();
    let manifest = world.folder.path().join(&id).join("manifest.json");
    let mut old: serde_json::Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    old["taken_at"] = "2025-01-17T14:00:00.000Z".into();
    fs::write(&manifest, old.to_string()).unwrap();
    assert!(down(&id).contains("hours old, and lacks what was written since"), "{}", down(&id));
    let both = run(&owner, &["down", newest, "--backup", &id, "--scratch", &owner]);
    assert!(!both.status.success() && text(&both).contains("cannot be used with"), "{}", text(&both));
}

#[tokio::test]
async fn a_process_killed_after_any_file_leaves_what_the_next_one_completes() {
    let whole = Database::new().await;
    let expected = schema::statements(&whole.client("admin_user").await).await.unwrap();
    for files in [1, 4, 7, 10] {
        let database = Database::empty().await;
        assert!(run(&database.superuser_url(), &["roles"]).status.success());
        let owner = database.client("admin_user").await;
        let mut killed = platform();
        killed.args(["migrate", "up"]).env("DATABASE_URL", database.owner_url()).stdout(Stdio::null());
        let mut killed = killed.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        // Before the first file there is no table to look at.
        while owner.query("SELECT FROM _migrations", &[]).await.map_or(0, |rows| rows.len()) < files {
            assert!(Instant::now() < deadline);
            tokio::task::yield_now().await;
        }
        killed.kill().unwrap();
        killed.wait().unwrap();
        let again = run(&database.owner_url(), &["up"]);
        assert!(again.status.success(), "{}", text(&again));
        assert_eq!(schema::statements(&owner).await.unwrap(), expected, "killed after {files} files");
    }
}
