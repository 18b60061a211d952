//! What is in a database, by which a restored one is compared.

use crate::{BackupError, manifest::Table};
use migrate::Client;
use std::collections::BTreeMap;

/// Text of values must not depend on who asks.
pub(crate) const SETTINGS: &str = "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601';
    SET bytea_output = 'hex'; SET extra_float_digits = 1; SET statement_timeout = 0";

const TABLES: &str = "SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname";

/// Every table, by its count alone.
pub(crate) async fn counts(client: &Client) -> Result<BTreeMap<String, i64>, BackupError> {
    let mut counts = BTreeMap::new();
    for row in client.query(TABLES, &[]).await? {
        let name: String = row.get(0);
        let count = format!("SELECT count(*) FROM ONLY public.\"{}\"", name.replace('"', "\"\""));
        counts.insert(name, client.query_one(&count, &[]).await?.get(0));
    }
    Ok(counts)
}

/// Count and checksum of each table, partitions by themselves. The checksum is a sum over the rows, whose order is not
/// kept by a restore; MD5 because its result is the same in every version of PostgreSQL.
pub(crate) async fn of(
    client: &Client,
    mut tell: impl FnMut(usize, usize),
) -> Result<BTreeMap<String, Table>, BackupError> {
    let names: Vec<String> = client.query(TABLES, &[]).await?.iter().map(|row| row.get(0)).collect();
    let mut tables = BTreeMap::new();
    for (number, name) in names.iter().enumerate() {
        tell(number + 1, names.len());
        let quoted = name.replace('"', "\"\"");
        let row = client
            .query_one(
                &format!(
                    "SELECT count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 16))::bit(64)::int8::numeric), 0)::text
                     FROM ONLY public.\"{quoted}\" t"
                ),
                &[],
            )
            .await?;
        tables.insert(name.clone(), Table { rows: row.get(0), checksum: row.get(1) });
    }
    Ok(tables)
}

/// What is not the same, for people; none: all is.
pub(crate) fn difference(expected: &BTreeMap<String, Table>, found: &BTreeMap<String, Table>) -> Option<String> {
    let absent = expected.keys().filter(|name| !found.contains_key(*name)).map(|name| format!("{name} is absent"));
    let other = found.iter().filter_map(|(name, table)| match expected.get(name) {
        None => Some(format!("{name} is new")),
        Some(was) if was.rows != table.rows => Some(format!("{name} had {} rows and has {}", was.rows, table.rows)),
        Some(was) if was != table => Some(format!("{name} has other rows")),
        Some(_) => None,
    });
    let all: Vec<_> = absent.chain(other).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_named() {
        let tables = |of: &[(&str, i64, &str)]| {
            let table = |(name, rows, sum): &(&str, i64, &str)| {
                ((*name).to_owned(), Table { rows: *rows, checksum: (*sum).to_owned() })
            };
            of.iter().map(table).collect::<BTreeMap<_, _>>()
        };
        let was = tables(&[("a", 1, "1"), ("b", 2, "2"), ("c", 3, "3")]);
        assert_eq!(difference(&was, &was), None);
        let is = tables(&[("b", 1, "2"), ("c", 3, "4"), ("d", 0, "0")]);
        let all = "a is absent; b had 2 rows and has 1; c has other rows; d is new";
        assert_eq!(difference(&was, &is).as_deref(), Some(all));
    }
}
