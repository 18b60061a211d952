//! A database's schema as statements, so that two can be compared.

use std::collections::BTreeSet;
use tokio_postgres::{Client, Error};

/// What belongs to `public` and to no extension, without what `up` keeps for itself. Expressions are as the server
/// writes them back, so that two ways to write the same do not differ.
///
/// `dated` is the table of whose days a partition is one, as `events` of `events_20250121`. Those come and go while the
/// platform runs: all days are one day here.
const THINGS: &str = "
    WITH migrator AS (
        SELECT coalesce((SELECT relowner FROM pg_class WHERE oid = to_regclass('_migrations')), current_user::regrole::oid) AS oid
    ), tables AS (
        SELECT c.oid::regclass::text AS name, c.*, (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid
            AND relispartition AND c.oid::regclass::text ~ ('^' || inhparent::regclass::text || '_[0-9]{8}$')) AS dated
        FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_migration%'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ), columns AS (
        SELECT name, relkind, a.*, typcollation, typstorage FROM tables JOIN pg_attribute a ON attrelid = tables.oid
        JOIN pg_type t ON t.oid = atttypid WHERE attnum > 0 AND NOT attisdropped
    ), routines AS (
        SELECT p.* FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
    ), types AS (
        SELECT t.oid::regtype::text AS name, t.* FROM pg_type t WHERE typnamespace = 'public'::regnamespace
        AND (typtype IN ('d', 'e', 'r') OR typtype = 'c' AND (SELECT relkind = 'c' FROM pg_class WHERE oid = typrelid))
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
    ), things (what, kind, owner, acl) AS (
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END || name, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner, relacl
            FROM tables WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
        UNION ALL SELECT 'ROUTINE ' || oid::regprocedure, 'f', proowner, proacl FROM routines
        UNION ALL SELECT 'TYPE ' || name, 'T', typowner, typacl FROM types
        UNION ALL SELECT 'SCHEMA public', 'n', nspowner, nspacl FROM pg_namespace WHERE nspname = 'public'
    ), statements (statement) AS (";

const PARTS: [&str; 4] = [
    include_str!("schema/relations.sql"),
    include_str!("schema/columns.sql"),
    include_str!("schema/types.sql"),
    include_str!("schema/rights.sql"),
];

/// A statement of one day stands for all, unless some of the table's days do without it.
const FOLDED: &str = "
    ), dated AS (
        SELECT dated AS parent, count(*) AS days, '\\m' || dated || '_[0-9]{8}' AS day FROM tables WHERE dated IS NOT NULL GROUP BY dated
    )
    SELECT folded || CASE WHEN count(*) < days THEN ' -- not of every day' ELSE '' END FROM (
        SELECT days, CASE WHEN parent IS NULL THEN statement ELSE regexp_replace(statement, day, parent || '_YYYYMMDD', 'g') END AS folded
        FROM statements LEFT JOIN dated ON statement ~ day
    ) AS all_days GROUP BY folded, days";

/// The statements that would make the schema, in no useful order.
pub async fn statements(client: &Client) -> Result<BTreeSet<String>, Error> {
    let all = format!("{THINGS}{}{FOLDED}", PARTS.join(" UNION ALL "));
    client.query(&all, &[]).await?.iter().map(|row| row.try_get(0)).collect()
}

/// Something that is there, in a line; none in a database that nobody has used.
pub(crate) async fn first(client: &Client) -> Result<Option<String>, Error> {
    // Rights are there from the start.
    let made = statements(client).await?.into_iter().find(|statement| statement.starts_with("CREATE "));
    Ok(made.map(|statement| statement.lines().next().unwrap_or_default().to_owned()))
}

/// What one schema lacks of the other, a line each; none: they are the same.
pub(crate) fn differs(should: &BTreeSet<String>, is: &BTreeSet<String>) -> Option<String> {
    let missing = should.difference(is).map(|statement| format!("missing: {statement}"));
    let left = is.difference(should).map(|statement| format!("left over: {statement}"));
    let all: Vec<_> = missing.chain(left).collect();
    (!all.is_empty()).then(|| all.join("\n"))
}
