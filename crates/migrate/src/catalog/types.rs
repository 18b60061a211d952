//! What a column's new type means for the rows.

use crate::locks::{Change, Typed, Work};
use tokio_postgres::{Client, Error};

/// Of the new type: its name without and with what is in brackets, and whether it is a domain that says no to some values.
/// Of the column as it is: its type likewise, and whether some check looks at it.
const TYPES: &str = "
    SELECT format_type(new.oid, NULL), new.typtype = 'd' AND (
            new.typnotnull OR EXISTS (SELECT FROM pg_constraint WHERE contypid = new.oid)
        ), format_type(atttypid, NULL), format_type(atttypid, atttypmod), EXISTS (
            SELECT FROM pg_constraint WHERE contype = 'c' AND conrelid = attrelid AND attnum = ANY(conkey)
        ), current_setting('TimeZone') IN ('UTC', 'Etc/UTC', 'GMT')
    FROM pg_type new LEFT JOIN pg_attribute ON attrelid = to_regclass($2) AND attname = (parse_ident($3))[1] AND NOT attisdropped
    WHERE new.oid = to_regtype($1)";

/// `ATColumnChangeRequiresRewrite` of PostgreSQL, in our words, for the types whose lengths are widened every day. Whatever
/// is not known is written anew.
pub(super) async fn work(client: &Client, typed: &Typed) -> Result<Work, Error> {
    let unknown = if typed.change == Change::Added { Work::Catalog } else { Work::Rewrite };
    // Of another column, with `%TYPE`, which this is not asked for.
    if typed.ty.contains('%') {
        return Ok(unknown);
    }
    for call in &typed.calls {
        let volatile =
            "SELECT coalesce(bool_or(provolatile = 'v'), true) FROM pg_proc WHERE proname = (parse_ident($1))[1]";
        if client.query_one(volatile, &[call]).await?.try_get(0)? {
            return Ok(Work::Rewrite);
        }
    }
    let Some(row) = client.query_opt(TYPES, &[&typed.ty, &typed.table, &typed.column]).await? else {
        return Ok(unknown);
    };
    let (new, strict): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
    if typed.change == Change::Added {
        return Ok(if strict { Work::Rewrite } else { Work::Catalog });
    }
    let (Some(old), Some(whole)): (Option<String>, Option<String>) = (row.try_get(2)?, row.try_get(3)?) else {
        return Ok(unknown);
    };
    let utc: bool = row.try_get(5)?;
    let kept = keeps_rows((&old, &lengths(&whole)), (&new, &lengths(&typed.ty)), utc);
    Ok(match (typed.change, kept) {
        (Change::Retyped, true) if row.try_get(4)? => Work::Scan,
        (Change::Retyped, true) => Work::Catalog,
        _ => Work::Rewrite,
    })
}

/// The numbers in brackets.
fn lengths(ty: &str) -> Vec<u32> {
    let within = ty.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(within, _)| within);
    within.split(',').filter_map(|number| number.trim().parse().ok()).collect()
}

fn keeps_rows(old: (&str, &[u32]), new: (&str, &[u32]), utc: bool) -> bool {
    const WIDENED: [&str; 6] = [
        "character varying",
        "bit varying",
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "time with time zone",
    ];
    let text = |ty: &str| ["text", "character varying"].contains(&ty);
    // Where one is as good as the other.
    let moment = |ty: &str| ty.starts_with("timestamp ");
    match (old, new) {
        ((old, _), (new, [])) if text(old) && text(new) || utc && moment(old) && moment(new) => true,
        (("numeric", [old, scale]), ("numeric", [new, kept])) => new >= old && kept == scale,
        ((old, was), (new, [])) => old == new && (was.is_empty() || WIDENED.contains(&new) || new == "numeric"),
        ((old, [length]), (new, [wider])) => {
            old == new && (length == wider || WIDENED.contains(&new) && wider > length)
        }
        _ => false,
    }
}
