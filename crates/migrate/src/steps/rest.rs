//! What is left to do of a statement that runs in no transaction, after a run of it that was killed.

use crate::{locks::relations, words::words};
use squawk_syntax::{
    SyntaxKind,
    ast::{AlterTableAction, AstNode, DetachPartitionOption, ReindexTarget, Stmt},
};
use tokio_postgres::{Client, Error};

/// A statement that may be half done, and by what it is found again: names as they are written.
pub(super) enum Resumable {
    CreateIndex { table: String, index: String },
    DropIndex { index: String },
    Reindex { target: Target, name: String },
    DetachPartition { table: String, partition: String },
}

#[derive(Clone, Copy)]
pub(super) enum Target {
    /// Or an index, of whose table the leftovers are.
    Table,
    Schema,
    Database,
}

/// What is left to do.
pub(super) enum Rest {
    All,
    Nothing,
    /// Another statement, which ends what this one began.
    End(String),
}

impl Resumable {
    /// None where running the statement again does all that is needed.
    pub(super) fn of(statement: &Stmt) -> Option<Self> {
        let syntax = statement.syntax();
        let mut names = relations(syntax).into_iter();
        match statement {
            Stmt::CreateIndex(create) if create.concurrently_token().is_some() => {
                let index = words(&create.index()?.syntax().to_string()).concat();
                Some(Self::CreateIndex { table: names.next()?, index })
            }
            Stmt::DropIndex(drop) if drop.concurrently_token().is_some() => {
                Some(Self::DropIndex { index: names.next()? })
            }
            Stmt::Reindex(reindex) if words(&syntax.to_string()).iter().any(|word| word == "concurrently") => {
                let target = match reindex.reindex_target()? {
                    ReindexTarget::ReindexTargetIndex(_) | ReindexTarget::ReindexTargetTable(_) => Target::Table,
                    ReindexTarget::ReindexTargetSchema(_) => Target::Schema,
                    ReindexTarget::ReindexTargetDatabase(_) | ReindexTarget::ReindexTargetSystem(_) => Target::Database,
                };
                let schema = || words(&syntax.to_string()).pop();
                Some(Self::Reindex { target, name: names.next().or_else(schema)? })
            }
            Stmt::AlterTable(alter) => {
                let action = alter.actions().next()?;
                let AlterTableAction::DetachPartition(detach) = &action else { return None };
                if !matches!(detach.detach_partition_option()?, DetachPartitionOption::DetachConcurrently(_)) {
                    return None;
                }
                let table = syntax.children().find(|node| node.kind() == SyntaxKind::TABLE_RELATION_NAME)?;
                let [table, partition] =
                    [relations(&table), relations(action.syntax())].map(|names| names.into_iter().next());
                Some(Self::DetachPartition { table: table?, partition: partition? })
            }
            _ => None,
        }
    }

    /// As the catalog shows it; `in_doubt` says that the statement was begun before.
    pub(super) async fn rest(&self, client: &Client, in_doubt: bool) -> Result<Rest, Error> {
        let done = match self {
            Self::CreateIndex { table, index } => {
                let valid = format!("SELECT EXISTS (SELECT {OF_TABLE} AND indisvalid)");
                client.query_one(&valid, &[table, index]).await?.try_get(0)?
            }
            Self::DropIndex { index } => {
                client.query_one("SELECT to_regclass($1) IS NULL", &[index]).await?.try_get(0)?
            }
            Self::Reindex { .. } => false,
            Self::DetachPartition { table, partition } => {
                let pending = "SELECT inhdetachpending FROM pg_inherits WHERE inhparent = to_regclass($1) AND inhrelid = to_regclass($2)";
                let pending = client.query_opt(pending, &[table, partition]).await?;
                match pending.map(|row| row.try_get(0)).transpose()? {
                    // Whoever began it: until it is ended no other partition of the table can be detached so.
                    Some(true) => {
                        return Ok(Rest::End(format!("ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE")));
                    }
                    pending => pending.is_none(),
                }
            }
        };
        Ok(if done && in_doubt { Rest::Nothing } else { Rest::All })
    }

    /// Drops the invalid indexes that a killed or refused run leaves. They take every write's time and answer nobody.
    pub(super) async fn remove_leftovers(&self, client: &Client) -> Result<(), Error> {
        let invalid = match self {
            Self::CreateIndex { table, index } => {
                let invalid = format!("SELECT indexrelid::regclass::text {OF_TABLE} AND NOT indisvalid");
                client.query(&invalid, &[table, index]).await?
            }
            Self::Reindex { target, name } => client.query(target.leftovers(), &[name]).await?,
            Self::DropIndex { .. } | Self::DetachPartition { .. } => return Ok(()),
        };
        for row in invalid {
            let name: String = row.try_get(0)?;
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
        }
        Ok(())
    }
}

/// An index that has no schema of its own: it is where its table is.
const OF_TABLE: &str = "FROM pg_index JOIN pg_class c ON c.oid = indexrelid
    WHERE indrelid = to_regclass($1) AND relname = (parse_ident($2))[1]";

impl Target {
    /// Indexes that were built beside the ones they were to replace, or are replaced. Those of tables' long values only a
    /// superuser may drop.
    const fn leftovers(self) -> &'static str {
        match self {
            Self::Table => {
                "WITH named AS (
                    SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = oid), oid) AS oid FROM to_regclass($1) oid
                ), tables AS (
                    SELECT oid FROM named UNION SELECT relid FROM named, pg_partition_tree(oid)
                )
                SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                WHERE NOT indisvalid AND relname ~ '_cc(new|old)[0-9]*$' AND has_schema_privilege(relnamespace, 'USAGE') AND indrelid IN (
                    SELECT oid FROM tables UNION SELECT reltoastrelid FROM tables JOIN pg_class USING (oid))"
            }
            Self::Schema => {
                "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                WHERE NOT indisvalid AND relname ~ '_cc(new|old)[0-9]*$' AND has_schema_privilege(relnamespace, 'USAGE') AND indrelid IN (
                    SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace($1)
                    UNION SELECT reltoastrelid FROM pg_class WHERE relnamespace = to_regnamespace($1))"
            }
            Self::Database => {
                "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                WHERE NOT indisvalid AND relname ~ '_cc(new|old)[0-9]*$' AND has_schema_privilege(relnamespace, 'USAGE') AND $1::text IS NOT NULL"
            }
        }
    }
}
