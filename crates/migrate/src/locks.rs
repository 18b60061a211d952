//! Which locks a statement takes, and what it does with the rows, from its text alone. The table-driven test
//! `tests/plan` compares it with `pg_locks` of a real run.

mod alter;
mod harmless;
mod index;
mod rows;
mod work;

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
    /// As it is written in statements.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        NAMES.into_iter().find(|(_, known)| *known == name).map(|it| it.0)
    }

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
    /// Rows that have to be found: every one, at most.
    Found,
    /// Every row is read.
    Scan,
    /// Every row is written anew.
    Rewrite,
    /// More than can be read from it: a body, what depends on it, another statement by its name.
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

/// Who is locked too, which only the catalog can tell; in the same mode, where none is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Along {
    Nobody,
    /// The table of an index.
    TableOfIndex(Mode),
    /// Its partitions too, and the tables of all of them.
    IndexTree(Mode),
    /// Partitions and heirs.
    Children,
    /// Partitions and heirs, of which some rows are read.
    Sampled,
    /// The same, and partitions are analyzed too.
    Analyzed,
    /// Partitions without heirs.
    Partitions,
    PartitionsIn(Mode),
    /// Partitions that have a copy of these triggers.
    TriggerCopies(Triggers),
    /// Partitions and heirs, and the tables that foreign keys lead to.
    Referenced(Mode),
    /// Partitions and heirs that have the constraint of this name from it.
    Renamed(String),
    /// Partitions and heirs, and the tables at the other ends of foreign keys that this column is of.
    OfColumn(String),
    /// What is behind a view, partitions to which rows may go, and the tables in which their keys are looked up.
    Inserted,
    /// Partitions and heirs, and the tables that foreign keys come from.
    Referencing,
    /// Whose a dropped table is, and its siblings: a partitioned table and its default partition.
    Dropped,
    /// What has to do with a new partition: the default one, and the tables that foreign keys lead to and come from.
    Attached,
    /// What has to do with one that goes.
    Detached,
    /// Whose a partition's table is itself, all the way up, and not it.
    Ancestors,
    /// What it reads, through views, with partitions and heirs.
    Read(Mode),
    /// What a materialized view reads.
    Refreshed,
    /// What a view reads.
    Views,
    /// Partitions and heirs, and what a view reads.
    Locked,
    /// Not the relation, but the tables with a column of the domain of this name.
    OfDomain,
    /// Not the relation, but the tables in the publication of this name.
    Published,
    /// Not the relation, but the table of the statistics of this name.
    OfStatistics,
}

/// Those that a statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Triggers {
    One(String),
    /// Without those of foreign keys and the like.
    OfUsers,
    All,
}

/// A column that has this type afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) table: String,
    pub(crate) column: String,
    pub(crate) ty: String,
    pub(crate) change: Change,
    /// Functions whose values it begins with.
    pub(crate) calls: Vec<String>,
}

/// How a column comes to its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Retyped,
    /// By an expression.
    Computed,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) locks: Vec<Named>,
    /// Without what the types of columns add.
    pub(crate) work: Work,
    pub(crate) typed: Vec<Typed>,
}

impl Effect {
    fn of(locks: Vec<Named>, work: Work) -> Self {
        Self { locks, work, typed: Vec::new() }
    }
}

fn named(relation: String, mode: Mode) -> Named {
    Named { relation, mode, along: Along::Nobody, since: 0 }
}

/// The relations that a part of a statement names, in order.
pub(crate) fn relations(node: &SyntaxNode) -> Vec<String> {
    use SyntaxKind::{INDEX_REF, QUALIFIED_COLUMN_NAME_REF, RELATION_NAME_REF, SEQUENCE_REF, TABLE_NAME_REF, VIEW_REF};
    let kinds = [INDEX_REF, RELATION_NAME_REF, SEQUENCE_REF, TABLE_NAME_REF, VIEW_REF];
    let name = |node: SyntaxNode| {
        let text = || words(&node.text().to_string()).concat();
        match node.kind() {
            QUALIFIED_COLUMN_NAME_REF => text().rsplit_once('.').map(|(table, _)| table.to_owned()),
            kind => kinds.contains(&kind).then(text),
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
    fn each(&self, mode: Mode, along: &Along) -> Vec<Named> {
        self.all.iter().map(|relation| Named { along: along.clone(), ..named(relation.clone(), mode) }).collect()
    }

    /// What it names of another kind than relations.
    fn of_kind(&self, kind: SyntaxKind, mode: Mode, along: &Along) -> Vec<Named> {
        let nodes = self.statement.syntax().descendants().filter(|node| node.kind() == kind);
        let names = nodes.map(|node| words(&node.text().to_string()).concat());
        names.map(|name| Named { along: along.clone(), ..named(name, mode) }).collect()
    }

    fn without_data(&self) -> bool {
        self.words.ends_with(&["with", "no", "data"].map(str::to_owned))
    }

    fn unless_only(&self, along: Along) -> Along {
        if self.has("only") { Along::Nobody } else { along }
    }

    /// What is named first is changed, the rest read.
    fn first(&self, mode: Mode, others: Mode) -> Vec<Named> {
        let modes = std::iter::once(mode).chain(std::iter::repeat(others));
        self.all.iter().cloned().zip(modes).map(|(relation, mode)| named(relation, mode)).collect()
    }
}

/// What the statement does.
pub(crate) fn effect(statement: &Stmt) -> Effect {
    let words = words(&statement.syntax().to_string());
    let parts = Parts { statement, words, all: relations(statement.syntax()) };
    match statement {
        Stmt::AlterTable(alter) => return alter::table(statement.syntax(), alter.actions()),
        Stmt::AlterForeignTable(alter) => return alter::table(statement.syntax(), alter.actions()),
        _ => {}
    }
    let known = definition(&parts).map(|locks| Effect::of(locks, Work::Catalog));
    let known = known.or_else(|| index::effect(&parts)).or_else(|| rows::effect(&parts));
    let mut effect = known
        .unwrap_or_else(|| Effect::of(Vec::new(), if harmless::is(&parts) { Work::Catalog } else { Work::Unknown }));
    if parts.has("cascade") && parts.words.first().is_some_and(|word| word == "drop") {
        effect.work = Work::Unknown;
    }
    effect
}

/// The locks of a statement that changes definitions only.
fn definition(parts: &Parts) -> Option<Vec<Named>> {
    use Mode::{AccessExclusive, AccessShare, ShareRowExclusive, ShareUpdateExclusive};
    Some(match parts.statement {
        Stmt::CreateTable(_) | Stmt::CreateForeignTable(_) => alter::created(parts.statement.syntax()),
        Stmt::DropTable(_) => {
            let mut locks = parts.each(AccessExclusive, &Along::Referenced(AccessExclusive));
            locks.extend(parts.each(AccessExclusive, &Along::Dropped));
            locks
        }
        Stmt::Truncate(_) => {
            let along = if parts.has("cascade") { Along::Referencing } else { parts.unless_only(Along::Children) };
            parts.each(AccessExclusive, &along)
        }
        Stmt::DropTrigger(_) | Stmt::AlterTrigger(_) => {
            let trigger = parts.of_kind(SyntaxKind::TRIGGER_REF, AccessExclusive, &Along::Nobody).pop();
            parts.each(AccessExclusive, &Along::TriggerCopies(Triggers::One(trigger?.relation)))
        }
        Stmt::DropView(_)
        | Stmt::DropMaterializedView(_)
        | Stmt::DropSequence(_)
        | Stmt::DropForeignTable(_)
        | Stmt::DropPolicy(_)
        | Stmt::DropRule(_)
        | Stmt::AlterRule(_) => parts.each(AccessExclusive, &Along::Nobody),
        Stmt::AlterMaterializedView(alter) => alter::materialized_view(parts, alter),
        Stmt::AlterView(_) | Stmt::CreatePolicy(_) | Stmt::AlterPolicy(_) => parts.first(AccessExclusive, AccessShare),
        Stmt::CreateRule(_) => rows::rule(parts),
        Stmt::CreateSequence(_) => parts.each(AccessShare, &Along::Nobody),
        Stmt::AlterSequence(_) => alter::sequence(parts),
        Stmt::CreateTrigger(_) => {
            let mut locks = parts.first(ShareRowExclusive, AccessShare);
            let of_rows = parts.has("row");
            locks.iter_mut().take(1).filter(|_| of_rows).for_each(|lock| lock.along = Along::Partitions);
            locks
        }
        // What belongs to a table is locked itself, the table only looked up.
        Stmt::CommentOn(_) if ["constraint", "trigger", "policy", "rule"].contains(&parts.words[2].as_str()) => {
            parts.each(AccessShare, &Along::Nobody)
        }
        Stmt::CommentOn(_) | Stmt::SecurityLabel(_) | Stmt::CreateStatistics(_) | Stmt::CreatePublication(_) => {
            parts.each(ShareUpdateExclusive, &Along::Nobody)
        }
        Stmt::DropStatistics(_) => {
            parts.of_kind(SyntaxKind::STATISTICS_REF, ShareUpdateExclusive, &Along::OfStatistics)
        }
        Stmt::AlterPublication(_) => {
            let mut locks = parts.each(ShareUpdateExclusive, &Along::Nobody);
            if parts.has("set") {
                locks.extend(parts.of_kind(SyntaxKind::PUBLICATION_REF, ShareUpdateExclusive, &Along::Published));
            }
            locks
        }
        Stmt::Grant(_) | Stmt::Revoke(_) => {
            let locks = parts.each(AccessShare, &Along::Nobody).into_iter();
            locks.map(|lock| Named { since: 18, ..lock }).collect()
        }
        Stmt::CreateView(_) => rows::view(parts),
        Stmt::Lock(_) => parts.each(alter::locked(&parts.words), &parts.unless_only(Along::Locked)),
        _ => return None,
    })
}
