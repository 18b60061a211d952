//! Rights that were taken away after the backup was taken, and stay taken away.
//!
//! The database that is given up says who may no more do what. It is copied out, table by table, before anything is
//! dropped, and brought to what was restored. What was granted since is not brought along; only where an organization
//! would be left without an owner, whoever took it over owns it.

use crate::{BackupError, fingerprint};
use futures_util::{SinkExt as _, TryStreamExt as _};
use migrate::Client;
use std::{
    collections::BTreeMap,
    io::Cursor,
    path::{Path, PathBuf},
    pin::pin,
};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};
use uuid::Uuid;

/// What is done about a table; `was` is the table as it was in the database that is given up.
struct Rule {
    table: &'static str,
    /// Of `was`.
    columns: &'static str,
    /// What has to come first, and is no revocation.
    first: &'static [&'static str],
    /// Each row that these change is a right that was taken away.
    revoke: &'static [&'static str],
    /// What the rows of the backup become that `was` lacks; the last of these says how many they are.
    absent: &'static [&'static str],
}

/// A table lacks at most so many rows, or a tenth of them, because somebody took them away. More is what the backup is
/// restored for.
const TAKEN_AWAY: u64 = 10;

const RULES: [Rule; 6] = [
    Rule {
        table: "users",
        columns: "id, status",
        first: &[],
        revoke: &["UPDATE users u SET status = w.status, version = u.version + 1, updated_at = clock_timestamp()
            FROM was w WHERE u.id = w.id AND w.status <> 'active'
                AND (u.status = 'active' OR (w.status = 'deleted' AND u.status <> 'deleted'))"],
        absent: &["UPDATE users u SET status = 'deleted', version = version + 1, updated_at = clock_timestamp()
            WHERE status <> 'deleted' AND NOT EXISTS (SELECT FROM was w WHERE w.id = u.id)"],
    },
    Rule {
        table: "credentials",
        columns: "user_id, password_hash, updated_at",
        first: &[],
        revoke: &["UPDATE credentials c SET password_hash = w.password_hash, updated_at = w.updated_at
            FROM was w WHERE w.user_id = c.user_id AND w.updated_at > c.updated_at"],
        absent: &[],
    },
    Rule {
        table: "organizations",
        columns: "id, deleted_at",
        first: &[],
        revoke: &["UPDATE organizations o SET deleted_at = w.deleted_at, version = o.version + 1,
                updated_at = clock_timestamp()
            FROM was w WHERE w.id = o.id AND w.deleted_at IS NOT NULL AND o.deleted_at IS NULL"],
        absent: &[],
    },
    Rule {
        table: "memberships",
        columns: "org_id, user_id, role, status",
        first: &[
            // Whoever took over an organization whose owners all left.
            "UPDATE memberships m SET role = 'owner', version = m.version + 1 FROM was w
            WHERE w.org_id = m.org_id AND w.user_id = m.user_id AND w.role = 'owner' AND w.status = 'active'
                AND m.role <> 'owner' AND m.status = 'active' AND NOT EXISTS (
                    SELECT FROM memberships o JOIN was k ON k.org_id = o.org_id AND k.user_id = o.user_id
                    WHERE o.org_id = m.org_id AND o.role = 'owner' AND o.status = 'active'
                        AND k.role = 'owner' AND k.status = 'active')",
        ],
        revoke: &[
            "UPDATE memberships m SET role = w.role, version = m.version + 1 FROM was w
            WHERE w.org_id = m.org_id AND w.user_id = m.user_id
                AND coalesce(array_position(ARRAY['viewer', 'member', 'admin', 'owner'], w.role), 1)
                    < coalesce(array_position(ARRAY['viewer', 'member', 'admin', 'owner'], m.role), 1)",
            "UPDATE memberships m SET status = w.status, version = m.version + 1 FROM was w
            WHERE w.org_id = m.org_id AND w.user_id = m.user_id AND w.status <> 'active' AND m.status = 'active'",
        ],
        absent: &[
            "UPDATE sessions s SET org_id = NULL WHERE org_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM was w WHERE w.org_id = s.org_id AND w.user_id = s.user_id)",
            "DELETE FROM memberships m WHERE NOT EXISTS (
                SELECT FROM was w WHERE w.org_id = m.org_id AND w.user_id = m.user_id)",
        ],
    },
    Rule {
        table: "analytics_sources",
        columns: "org_id, id, enabled",
        first: &[],
        revoke: &["UPDATE analytics_sources a SET enabled = false, version = a.version + 1,
                updated_at = clock_timestamp()
            FROM was w WHERE w.org_id = a.org_id AND w.id = a.id AND NOT w.enabled AND a.enabled"],
        absent: &["DELETE FROM analytics_sources a WHERE NOT EXISTS (
            SELECT FROM was w WHERE w.org_id = a.org_id AND w.id = a.id)"],
    },
    Rule {
        table: "endpoints",
        columns: "org_id, id, enabled, disabled_reason, sealed_secret, sealed_previous_secret, previous_secret_until, deleted_at",
        first: &[],
        revoke: &[
            "UPDATE endpoints e SET deleted_at = w.deleted_at, updated_at = clock_timestamp(), version = e.version + 1,
                enabled = false, sealed_secret = '', sealed_previous_secret = NULL, sealed_headers = NULL
            FROM was w WHERE w.org_id = e.org_id AND w.id = e.id AND w.deleted_at IS NOT NULL AND e.deleted_at IS NULL",
            "UPDATE endpoints e SET enabled = false, disabled_reason = w.disabled_reason,
                updated_at = clock_timestamp(), version = e.version + 1
            FROM was w WHERE w.org_id = e.org_id AND w.id = e.id AND NOT w.enabled AND e.enabled",
            // A secret that leaked and was exchanged must not sign again.
            "UPDATE endpoints e SET sealed_secret = w.sealed_secret, sealed_previous_secret = w.sealed_previous_secret,
                previous_secret_until = w.previous_secret_until, updated_at = clock_timestamp(), version = e.version + 1
            FROM was w WHERE w.org_id = e.org_id AND w.id = e.id AND w.deleted_at IS NULL
                AND w.sealed_secret <> e.sealed_secret",
        ],
        absent: &[],
    },
];

/// The tables that have a rule.
pub fn tables() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.table)
}

/// Copies what the rules need out of the database that is given up, into a folder.
pub(crate) async fn keep(old: &Client, folder: &Path) -> Result<(), BackupError> {
    for rule in &RULES {
        if !is_there(old, rule.table).await? {
            continue;
        }
        let path = path(folder, rule);
        let copy = format!("COPY (SELECT {} FROM {}) TO STDOUT", rule.columns, rule.table);
        let mut rows = pin!(old.copy_out(&copy).await?);
        let mut file = File::create(&path).await.map_err(BackupError::file(&path))?;
        while let Some(some) = rows.try_next().await? {
            file.write_all(&some).await.map_err(BackupError::file(&path))?;
        }
        file.sync_all().await.map_err(BackupError::file(&path))?;
    }
    Ok(())
}

/// What was done again.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    /// Rows by table.
    pub(crate) rows: BTreeMap<&'static str, u64>,
    /// Rows that the database that was given up lacks, by table, and that were left as the backup has them: too many.
    pub(crate) left: BTreeMap<&'static str, u64>,
    /// Organizations in which nobody is left who may do everything.
    pub(crate) without_owner: Vec<Uuid>,
}

/// Brings what was kept in the folder to what was restored; in the caller's transaction.
pub(crate) async fn apply(client: &Client, folder: &Path) -> Result<Revoked, BackupError> {
    client.batch_execute(fingerprint::SETTINGS).await?;
    let mut revoked = Revoked::default();
    for rule in &RULES {
        let path = path(folder, rule);
        if !path.exists() || !is_there(client, rule.table).await? {
            continue;
        }
        let was = format!("CREATE TEMP TABLE was AS SELECT {} FROM {} WITH NO DATA", rule.columns, rule.table);
        client.batch_execute(&was).await?;
        load(client, &path).await?;
        client.batch_execute("ANALYZE was").await?;
        for statement in rule.first {
            client.execute(*statement, &[]).await?;
        }
        let mut rows = 0;
        for statement in rule.revoke {
            rows += client.execute(*statement, &[]).await?;
        }
        match take_absent(client, rule).await? {
            Absent::Taken(absent) => rows += absent,
            Absent::TooMany(absent) => drop(revoked.left.insert(rule.table, absent)),
        }
        client.batch_execute("DROP TABLE was").await?;
        revoked.rows.extend((rows > 0).then_some((rule.table, rows)));
    }
    let orphans = "SELECT id FROM organizations o WHERE deleted_at IS NULL
        AND EXISTS (SELECT FROM memberships m WHERE m.org_id = o.id)
        AND NOT EXISTS (SELECT FROM memberships m WHERE m.org_id = o.id AND role = 'owner' AND status = 'active')";
    revoked.without_owner = client.query(orphans, &[]).await?.iter().map(|row| row.get(0)).collect();
    Ok(revoked)
}

enum Absent {
    Taken(u64),
    TooMany(u64),
}

async fn take_absent(client: &Client, rule: &Rule) -> Result<Absent, BackupError> {
    let all: i64 = client.query_one(&format!("SELECT count(*) FROM {}", rule.table), &[]).await?.get(0);
    client.batch_execute("SAVEPOINT absent").await?;
    let mut absent = 0;
    for statement in rule.absent {
        absent = client.execute(*statement, &[]).await?;
    }
    if absent <= TAKEN_AWAY.max(all.unsigned_abs() / 10) {
        return Ok(Absent::Taken(absent));
    }
    client.batch_execute("ROLLBACK TO absent").await?;
    Ok(Absent::TooMany(absent))
}

async fn load(client: &Client, path: &Path) -> Result<(), BackupError> {
    let mut file = File::open(path).await.map_err(BackupError::file(path))?;
    let mut rows = pin!(client.copy_in::<_, Cursor<Vec<u8>>>("COPY was FROM STDIN").await?);
    loop {
        let mut some = vec![0; 1 << 16];
        let length = file.read(&mut some).await.map_err(BackupError::file(path))?;
        if length == 0 {
            break;
        }
        some.truncate(length);
        rows.send(Cursor::new(some)).await?;
    }
    rows.as_mut().finish().await?;
    Ok(())
}

async fn is_there(client: &Client, table: &str) -> Result<bool, BackupError> {
    Ok(client.query_one("SELECT to_regclass('public.' || $1) IS NOT NULL", &[&table]).await?.get(0))
}

fn path(folder: &Path, rule: &Rule) -> PathBuf {
    folder.join(rule.table)
}

/// An empty folder that only its owner may read: what is kept has digests of passwords.
pub(crate) async fn make_folder(folder: &Path) -> Result<(), BackupError> {
    let _ = fs::remove_dir_all(folder).await;
    fs::DirBuilder::new().mode(0o700).create(folder).await.map_err(BackupError::file(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Role;

    #[test]
    fn the_rule_of_memberships_knows_every_role_in_its_order() {
        let roles = Role::ALL.map(|role| format!("'{}'", role.as_str())).join(", ");
        let lowers = RULES.iter().flat_map(|rule| rule.revoke).filter(|sql| sql.contains("array_position"));
        assert_eq!(lowers.map(|sql| sql.matches(&format!("ARRAY[{roles}]")).count()).sum::<usize>(), 2);
    }
}
