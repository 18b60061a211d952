//! Which locks a statement takes, and what it does with the rows, from its text alone. The table-driven test
//! `tests/plan` compares it with `pg_locks` of a real run.

mod alter;
mod index;
mod rows;

use crate::words::words;
use squawk_syntax::{
    SyntaxKind, SyntaxNode,
    ast::{AstNode, Stmt},
};
use std::fmt;

/// PostgreSQL's lock modes of tables, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are PostgreSQL's")]
pub enum Mode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

const NAMES: [(Mode, &str); 8] = [
    (Mode::AccessShare, "ACCESS SHARE"),
    (Mode::RowShare, "ROW SHARE"),
    (Mode::RowExclusive, "ROW EXCLUSIVE"),
    (Mode::ShareUpdateExclusive, "SHARE UPDATE EXCLUSIVE"),
    (Mode::Share, "SHARE"),
    (Mode::ShareRowExclusive, "SHARE ROW EXCLUSIVE"),
    (Mode::Exclusive, "EXCLUSIVE"),
    (Mode::AccessExclusive, "ACCESS EXCLUSIVE"),
];

impl Mode {
    /// As `pg_locks` writes it.
    pub fn of_pg_locks(name: &str) -> Option<Self> {
        NAMES
            .into_iter()
            .find(|(_, words)| format!("{}Lock", words.replace(' ', "")).eq_ignore_ascii_case(name))
            .map(|it| it.0)
    }

    /// Whether one waits for the other.
    pub fn conflicts(self, other: Self) -> bool {
        // The weakest mode that each is in conflict with; two of them tolerate themselves.
        match self {
            Self::AccessShare => other == Self::AccessExclusive,
            Self::RowShare => other >= Self::Exclusive,
            Self::RowExclusive => other >= Self::Share,
            Self::ShareUpdateExclusive => other >= Self::ShareUpdateExclusive,
            Self::Share => other >= Self::RowExclusive && other != Self::Share,
            Self::ShareRowExclusive => other >= Self::RowExclusive,
            Self::Exclusive => other >= Self::RowShare,
            Self::AccessExclusive => true,
        }
    }

    /// Who waits meanwhile.
    pub fn keeps_out(self) -> &'static str {
        match self {
            Self::AccessShare | Self::RowShare | Self::RowExclusive | Self::ShareUpdateExclusive => {
                "nobody who reads or writes rows"
            }
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => "whoever writes",
            Self::AccessExclusive => "whoever reads or writes",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES[*self as usize].1)
    }
}

/// What happens to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Only the catalog changes.
    Catalog,
    /// As many rows as the statement names.
    Rows,
    /// Every row is read.
    Scan,
    /// Every row is written anew.
    Rewrite,
    /// A body whose statements are not looked at.
    Unknown,
}

/// A lock, and on what: the name as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) relation: String,
    pub(crate) mode: Mode,
    /// What else of the catalog it takes along.
    pub(crate) along: Along,
    /// The first major version of the server that takes it; 0: each.
    pub(crate) since: i32,
}

/// Who is locked too, which only the catalog can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Along {
    Nobody,
    /// The table of an index, and not the index.
    TableOfIndex(Mode),
    /// Partitions and heirs.
    Children,
    /// Partitions and heirs, which are only read.
    ChildrenRead,
    /// Partitions and heirs, and the tables that foreign keys lead to.
    Referenced(Mode),
    /// Partitions and heirs, the tables that foreign keys come from, when it says so.
    Referencing,
    /// What a view reads.
    OfView,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) locks: Vec<Named>,
    pub(crate) work: Work,
}

fn named(relation: String, mode: Mode) -> Named {
    Named { relation, mode, along: Along::Nobody, since: 0 }
}

/// The relations that a part of a statement names, in order.
pub(crate) fn relations(node: &SyntaxNode) -> Vec<String> {
    use SyntaxKind::{INDEX_REF, QUALIFIED_COLUMN_NAME_REF, RELATION_NAME_REF, SEQUENCE_REF, TABLE_NAME_REF, VIEW_REF};
    let kinds = [INDEX_REF, RELATION_NAME_REF, SEQUENCE_REF, TABLE_NAME_REF, VIEW_REF];
    let name = |node: SyntaxNode| {
        let text: String = words(&node.text().to_string()).concat();
        match node.kind() {
            QUALIFIED_COLUMN_NAME_REF => text.rsplit_once('.').map(|(table, _)| table.to_owned()),
            kind => kinds.contains(&kind).then_some(text),
        }
    };
    node.descendants().filter_map(name).collect()
}

/// A statement taken apart.
struct Parts<'a> {
    statement: &'a Stmt,
    words: Vec<String>,
    all: Vec<String>,
}

impl Parts<'_> {
    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }

    /// Everything that is named, in one mode.
    fn each(&self, mode: Mode, along: Along) -> Vec<Named> {
        self.all.iter().map(|relation| Named { along, ..named(relation.clone(), mode) }).collect()
    }

    /// What is named first is changed, the rest read.
    fn first(&self, mode: Mode, others: Mode) -> Vec<Named> {
        let modes = std::iter::once(mode).chain(std::iter::repeat(others));
        self.all.iter().cloned().zip(modes).map(|(relation, mode)| named(relation, mode)).collect()
    }
}

/// What the statement does.
pub(crate) fn effect(statement: &Stmt) -> Effect {
    use Mode::{AccessExclusive, AccessShare, ShareRowExclusive, ShareUpdateExclusive};
    let words = words(&statement.syntax().to_string());
    let parts = Parts { statement, words, all: relations(statement.syntax()) };
    let locks = match statement {
        Stmt::AlterTable(alter) => return alter::table(alter),
        Stmt::CreateTable(_) => alter::created(statement.syntax()),
        Stmt::DropTable(_) => parts.each(AccessExclusive, Along::Referenced(AccessExclusive)),
        Stmt::Truncate(_) => {
            let along = if parts.has("cascade") { Along::Referencing } else { Along::Children };
            parts.each(AccessExclusive, along)
        }
        Stmt::DropView(_)
        | Stmt::DropMaterializedView(_)
        | Stmt::DropSequence(_)
        | Stmt::DropForeignTable(_)
        | Stmt::DropPolicy(_)
        | Stmt::DropTrigger(_)
        | Stmt::DropRule(_)
        | Stmt::AlterTrigger(_)
        | Stmt::AlterRule(_) => parts.each(AccessExclusive, Along::Nobody),
        Stmt::AlterView(_)
        | Stmt::AlterMaterializedView(_)
        | Stmt::AlterForeignTable(_)
        | Stmt::CreatePolicy(_)
        | Stmt::AlterPolicy(_)
        | Stmt::CreateRule(_) => parts.first(AccessExclusive, AccessShare),
        Stmt::AlterSequence(_) => alter::sequence(&parts),
        Stmt::CreateTrigger(_) => parts.first(ShareRowExclusive, AccessShare),
        // What belongs to a table is locked itself, the table only looked up.
        Stmt::CommentOn(_) if ["constraint", "trigger", "policy", "rule"].contains(&parts.words[2].as_str()) => {
            parts.each(AccessShare, Along::Nobody)
        }
        Stmt::CommentOn(_)
        | Stmt::SecurityLabel(_)
        | Stmt::CreateStatistics(_)
        | Stmt::CreatePublication(_)
        | Stmt::AlterPublication(_) => parts.each(ShareUpdateExclusive, Along::Nobody),
        Stmt::Grant(_) | Stmt::Revoke(_) => {
            let locks = parts.each(AccessShare, Along::Nobody).into_iter();
            locks.map(|lock| Named { since: 18, ..lock }).collect()
        }
        Stmt::CreateView(_) => parts.each(AccessShare, Along::Nobody),
        Stmt::Lock(_) => {
            let along = if parts.has("only") { Along::Nobody } else { Along::Children };
            parts.each(alter::locked(&parts.words), along)
        }
        Stmt::Do(_) | Stmt::Call(_) | Stmt::Execute(_) => return Effect { locks: Vec::new(), work: Work::Unknown },
        _ => return index::effect(&parts).or_else(|| rows::effect(&parts)).unwrap_or_else(|| other(&parts)),
    };
    Effect { locks, work: Work::Catalog }
}

/// What locks no table, unless it takes others down with it.
fn other(parts: &Parts) -> Effect {
    let cascades = parts.has("cascade") && parts.words.first().is_some_and(|word| word == "drop");
    Effect { locks: Vec::new(), work: if cascades { Work::Unknown } else { Work::Catalog } }
}
