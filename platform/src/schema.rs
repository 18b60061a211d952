//! The migrations in this binary, and whether a database has what it needs.

use db::{Db, DbError, Work, row, sql};
use migrate::{FileError, Files};

const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

row! {
    /// The newest applied file.
    pub(crate) struct Newest { name: Option<String> }
}

sql! {
    /// The name of the newest applied migration.
    pub fn newest(tx: db::SystemTx) -> one Newest = "SELECT max(name) AS name FROM _migrations";
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

/// Why the database's schema will not do; a newer one will.
pub(crate) async fn problem(db: &Db) -> Result<Option<String>, DbError> {
    let tx = db.system(Work::Instances).await?;
    let newest = match newest(&tx).await {
        Ok(newest) => newest.name,
        // The table is not there: nothing was ever applied.
        Err(error) if error.is_missing_table() => None,
        Err(error) => return Err(error),
    };
    let needs = needs();
    if newest.as_deref() >= Some(needs) {
        return Ok(None);
    }
    let newest = newest.unwrap_or_else(|| "none".to_owned());
    Ok(Some(format!(
        "the database's newest migration is {newest}, this version needs {needs}: run `platform migrate up`"
    )))
}
