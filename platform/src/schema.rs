//! The migrations in this binary, and whether a database has what it needs.

use db::{Db, DbError, Work, row, sql};
use migrate::{FileError, Files};
use semver::Version;

const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

row! {
    /// The newest applied file, and every version that one of them says is the oldest that can run after it.
    pub(crate) struct Applied { newest: Option<String>, oldest_apps: Option<String> }
}

sql! {
    /// What the applied migrations ask of who runs.
    pub fn applied(tx: db::SystemTx) -> one Applied =
        "SELECT max(name) AS newest, string_agg(DISTINCT oldest_app, ' ') AS oldest_apps FROM _migrations";
}

/// The migrations.
pub(crate) fn files() -> Result<Files, FileError> {
    Files::embedded(EMBEDDED)
}

/// The newest migration that this binary requires.
pub(crate) fn needs() -> &'static str {
    // What undoes a file is none, and neither is a backfill, whose name has a folder.
    let is_file = |name: &&str| !name.ends_with(".down.sql") && !name.contains('/');
    let ups = EMBEDDED.iter().map(|(name, _)| *name).filter(is_file);
    ups.max().unwrap_or_default()
}

/// Why the database's schema will not do; a newer one will, until it says that it has left this version behind.
pub(crate) async fn problem(db: &Db) -> Result<Option<String>, DbError> {
    let tx = db.system(Work::Instances).await?;
    let Applied { newest, oldest_apps } = match applied(&tx).await {
        Ok(applied) => applied,
        // The table is not there: nothing was ever applied.
        Err(error) if error.is_missing_table() => Applied { newest: None, oldest_apps: None },
        Err(error) => return Err(error),
    };
    let needs = needs();
    if newest.as_deref() < Some(needs) {
        let newest = newest.unwrap_or_else(|| "none".to_owned());
        return Ok(Some(format!(
            "the database's newest migration is {newest}, this version needs {needs}: run `platform migrate up`"
        )));
    }
    Ok(left_behind(&oldest_apps.unwrap_or_default(), env!("CARGO_PKG_VERSION")))
}

/// Why a version cannot run any more; `oldest_apps` are versions with blanks between.
fn left_behind(oldest_apps: &str, version: &str) -> Option<String> {
    let oldest = oldest_apps.split(' ').filter_map(|oldest| oldest.parse::<Version>().ok()).max()?;
    // A version that cannot be read says nothing of what it can stand.
    let is_older = version.parse::<Version>().is_ok_and(|version| version < oldest);
    is_older.then(|| {
        format!("the database's schema is for {oldest} and newer, and this is {version}: deploy a newer version")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_runs_until_an_applied_migration_has_left_it_behind() {
        for (oldest_apps, version, runs) in [
            ("", "0.1.0", true),
            ("0.1.0", "0.1.0", true),
            ("0.9.0 0.10.0", "0.9.5", false),
            ("0.9.0 0.10.0", "0.10.0", true),
            ("1.0.0", "1.0.0-rc.1", false),
        ] {
            assert_eq!(left_behind(oldest_apps, version).is_none(), runs, "{version} after {oldest_apps}");
        }
    }
}
