//! Who is locked with a relation, as the catalog knows it.

use crate::locks::{Along, Triggers};

/// Sets that the queries below choose from. `$1` is a name, `$2` the oldest version that locks it, `$3` a mode, `$4` a part.
pub(super) const WITH: &str = "
    WITH RECURSIVE given (name, since, mode, part) AS (
        VALUES ($1::text, $2::int, $3::text, $4::text)
    ), named AS (
        SELECT to_regclass(name)::oid AS rel FROM given
        WHERE to_regclass(name) IS NOT NULL AND current_setting('server_version_num')::int / 10000 >= since
    ), children AS (
        SELECT rel, 0 AS depth FROM named
        UNION ALL
        SELECT inhrelid, depth + 1 FROM pg_inherits JOIN children ON inhparent = rel
    ), partitions AS (
        SELECT relid::oid AS rel FROM named, pg_partition_tree(rel) WHERE relid <> rel
    ), referenced AS (
        SELECT confrelid AS rel FROM pg_constraint WHERE contype = 'f' AND conrelid IN (SELECT rel FROM named)
    ), referencing AS (
        SELECT rel FROM children
        UNION
        SELECT conrelid FROM pg_constraint JOIN referencing ON confrelid = rel AND contype = 'f'
    ), parents AS (
        SELECT inhparent AS rel FROM pg_inherits JOIN named ON inhrelid = rel JOIN pg_partitioned_table ON partrelid = inhparent
    ), defined (rel, what) AS (
        SELECT ev_class, refobjid FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass
            AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass AND rulename = '_RETURN' AND refobjid <> ev_class
    ), reads (rel, what) AS (
        SELECT rel, what FROM defined JOIN pg_class c ON c.oid = rel AND relkind = 'v'
    ), viewed AS (
        SELECT rel FROM named
        UNION
        SELECT what FROM viewed JOIN reads USING (rel)
    ), read AS (
        SELECT rel FROM named
        UNION
        SELECT next.rel FROM read, LATERAL (
            SELECT what AS rel FROM reads WHERE reads.rel = read.rel
            UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = read.rel
        ) next
    ), refreshed AS (
        SELECT what AS rel FROM named JOIN defined USING (rel)
        UNION
        SELECT next.rel FROM refreshed, LATERAL (
            SELECT what AS rel FROM reads WHERE reads.rel = refreshed.rel
            UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = refreshed.rel
        ) next
    ), copies AS (
        SELECT t.oid, tgrelid AS rel FROM given, named, pg_trigger t WHERE tgrelid = rel
            AND CASE mode WHEN 'all' THEN true WHEN 'user' THEN NOT tgisinternal ELSE tgname = (parse_ident(part))[1] END
        UNION ALL
        SELECT t.oid, t.tgrelid FROM pg_trigger t JOIN copies ON tgparentid = copies.oid
    ), domains AS (
        SELECT to_regtype(name)::oid AS domain FROM given
        UNION
        SELECT oid FROM pg_type JOIN domains ON typbasetype = domain AND typtype = 'd'
    ), meant (rel, mode, scanned) AS (";

/// The relation, its mode (none: the relation's own), and whether its rows are read although nothing of the statement says so.
pub(super) fn meant(along: &Along) -> &'static str {
    match along {
        Along::TableOfIndex(_) => {
            "SELECT rel, NULL, false FROM named
            UNION ALL SELECT indrelid, mode, false FROM given, pg_index JOIN named ON indexrelid = rel"
        }
        Along::IndexTree(_) => {
            "SELECT rel, NULL, false FROM children
            UNION ALL SELECT indrelid, mode, false FROM given, pg_index JOIN named ON indexrelid = rel
            UNION ALL SELECT relid, mode, false FROM given, pg_index JOIN named ON indexrelid = rel, pg_partition_tree(indrelid)"
        }
        Along::Children => "SELECT rel, NULL, false FROM children",
        Along::Sampled => "SELECT rel, CASE WHEN depth > 0 THEN 'ACCESS SHARE' END, false FROM children",
        Along::Analyzed => {
            "SELECT rel, CASE WHEN depth > 0 THEN 'ACCESS SHARE' END, false FROM children
            UNION ALL SELECT rel, NULL, false FROM partitions"
        }
        Along::Partitions => "SELECT rel, NULL, false FROM named UNION ALL SELECT rel, NULL, false FROM partitions",
        Along::PartitionsIn(_) => {
            "SELECT rel, NULL, false FROM named UNION ALL SELECT rel, mode, false FROM given, partitions"
        }
        Along::TriggerCopies(_) => {
            "SELECT rel, NULL, false FROM named UNION ALL SELECT rel, NULL, false FROM copies"
        }
        Along::Referenced(_) => {
            "SELECT rel, NULL, false FROM children UNION ALL SELECT rel, mode, false FROM given, referenced"
        }
        Along::Renamed(_) => {
            "SELECT children.rel, NULL, false FROM children, given WHERE depth = 0 OR EXISTS (
                SELECT FROM pg_constraint JOIN named ON conrelid = named.rel WHERE contype IN ('c', 'n') AND NOT connoinherit
                AND conname = (parse_ident(part))[1])"
        }
        Along::OfColumn(_) => {
            "SELECT rel, NULL, false FROM children
            UNION ALL SELECT CASE rel WHEN conrelid THEN confrelid ELSE conrelid END, 'ACCESS EXCLUSIVE', false
            FROM given, named JOIN pg_attribute ON attrelid = rel JOIN pg_constraint ON contype = 'f'
                AND (conrelid = rel AND attnum = ANY(conkey) OR confrelid = rel AND attnum = ANY(confkey))
            WHERE attname = (parse_ident(part))[1]"
        }
        Along::Referencing => "SELECT rel, NULL, false FROM referencing",
        Along::Dropped => {
            "SELECT rel, NULL, false FROM parents
            UNION ALL SELECT partdefid, NULL, false FROM pg_partitioned_table JOIN parents ON partrelid = rel"
        }
        Along::Attached => {
            "SELECT rel, NULL, false FROM named
            UNION ALL SELECT partdefid, 'ACCESS EXCLUSIVE', true FROM pg_partitioned_table JOIN named ON partrelid = rel
            UNION ALL SELECT rel, 'SHARE ROW EXCLUSIVE', false FROM referenced
            UNION ALL SELECT conrelid, 'SHARE ROW EXCLUSIVE', false FROM pg_constraint JOIN named ON confrelid = rel"
        }
        Along::Detached => {
            "SELECT rel, NULL, false FROM named
            UNION ALL SELECT partdefid, 'ACCESS EXCLUSIVE', false FROM pg_partitioned_table JOIN named ON partrelid = rel
            UNION ALL SELECT rel, 'SHARE ROW EXCLUSIVE', false FROM referenced
            UNION ALL SELECT conrelid, 'ACCESS EXCLUSIVE', true FROM pg_constraint JOIN named ON confrelid = rel"
        }
        Along::Ancestors => {
            "SELECT relid, NULL, false FROM named, pg_partition_ancestors(rel) WHERE relid <> rel"
        }
        along => of_rows(along).unwrap_or_else(|| of_name(along)),
    }
}

/// The same, of what reads and writes rows.
fn of_rows(along: &Along) -> Option<&'static str> {
    Some(match along {
        Along::Inserted => {
            "SELECT rel, NULL, false FROM viewed
            UNION ALL SELECT relid, NULL, false FROM viewed, pg_partition_tree(rel)
            UNION ALL SELECT confrelid, 'ROW SHARE', false FROM pg_constraint JOIN viewed ON conrelid = rel AND contype = 'f'"
        }
        Along::Refreshed => {
            "SELECT rel, NULL, false FROM named UNION ALL SELECT rel, 'ACCESS SHARE', false FROM refreshed"
        }
        Along::Read(_) => {
            "SELECT rel, NULL, false FROM named UNION ALL SELECT rel, mode, false FROM given, read"
        }
        Along::Views => "SELECT rel, NULL, false FROM viewed",
        Along::Locked => "SELECT rel, NULL, false FROM read",
        _ => return None,
    })
}

/// The same, where the name is no relation's.
fn of_name(along: &Along) -> &'static str {
    match along {
        Along::OfDomain => {
            "SELECT attrelid, NULL, false FROM pg_attribute JOIN domains ON atttypid = domain WHERE NOT attisdropped"
        }
        Along::Published => {
            "SELECT prrelid, NULL, false FROM given JOIN pg_publication p ON pubname = (parse_ident(name))[1]
            JOIN pg_publication_rel ON prpubid = p.oid"
        }
        Along::OfStatistics => {
            "SELECT stxrelid, NULL, false FROM given, pg_statistic_ext
            WHERE stxname = (parse_ident(name))[array_length(parse_ident(name), 1)] AND pg_statistics_obj_is_visible(oid)"
        }
        _ => "SELECT rel, NULL, false FROM named",
    }
}

/// `$3` and `$4` of [`WITH`].
pub(super) fn arguments(along: &Along) -> (String, &str) {
    match along {
        Along::TableOfIndex(mode)
        | Along::IndexTree(mode)
        | Along::PartitionsIn(mode)
        | Along::Referenced(mode)
        | Along::Read(mode) => (mode.to_string(), ""),
        Along::TriggerCopies(Triggers::All) => ("all".to_owned(), ""),
        Along::TriggerCopies(Triggers::OfUsers) => ("user".to_owned(), ""),
        Along::TriggerCopies(Triggers::One(part)) | Along::Renamed(part) | Along::OfColumn(part) => {
            (String::new(), part)
        }
        _ => (String::new(), ""),
    }
}
