//! Statements whose lock depends on what they change: `AlterTableGetLockLevel` of PostgreSQL, in our words.

use super::{Along, Effect, Mode, Named, Parts, Work, named, relations};
use crate::words::words;
use Mode::{AccessExclusive, AccessShare, ShareRowExclusive, ShareUpdateExclusive};
use squawk_syntax::{
    SyntaxKind, SyntaxNode,
    ast::{AlterTable, AlterTableAction as Action, AstNode},
};

/// The strongest of its actions, on the table and its children; and who else is in it.
pub(super) fn table(alter: &AlterTable) -> Effect {
    let Some(table) = alter.syntax().children().find(|node| node.kind() == SyntaxKind::TABLE_RELATION_NAME) else {
        return Effect { locks: Vec::new(), work: Work::Unknown };
    };
    let only = words(&table.text().to_string()).first().is_some_and(|word| word == "only");
    let (mut locks, mut work) = (Vec::new(), Work::Catalog);
    for action in alter.actions() {
        let words = words(&action.syntax().to_string());
        let has = |word: &str| words.iter().any(|known| known == word);
        let mode = mode(&action, &words);
        let along = match action {
            Action::DropConstraint(_) => Along::Referenced(AccessExclusive),
            // The triggers of a foreign key come and go with it, on both its tables.
            Action::AlterConstraint(_) if unenforced(&words) => Along::Referenced(AccessExclusive),
            Action::AlterConstraint(_) if has("enforced") => Along::Referenced(ShareRowExclusive),
            Action::ValidateConstraint(_) => Along::Referenced(Mode::RowShare),
            _ if only || !recurses(&action) => Along::Nobody,
            _ => Along::Children,
        };
        locks.extend(relations(&table).into_iter().map(|relation| Named { along, ..named(relation, mode) }));
        locks.extend(others(&action));
        work = work.max(self::work(&action, &words));
    }
    Effect { locks, work }
}

fn mode(action: &Action, words: &[String]) -> Mode {
    let has = |word: &str| words.iter().any(|known| known == word);
    match action {
        Action::ValidateConstraint(_)
        | Action::ClusterOn(_)
        | Action::SetWithoutCluster(_)
        | Action::AttachPartition(_) => ShareUpdateExclusive,
        Action::DetachPartition(_) if has("concurrently") || has("finalize") => ShareUpdateExclusive,
        Action::EnableTrigger(_)
        | Action::EnableReplicaTrigger(_)
        | Action::EnableAlwaysTrigger(_)
        | Action::DisableTrigger(_) => ShareRowExclusive,
        Action::AddConstraint(_) if has("foreign") => ShareRowExclusive,
        Action::SetOptions(_) | Action::ResetOptions(_) => {
            if has("user_catalog_table") {
                AccessExclusive
            } else {
                ShareUpdateExclusive
            }
        }
        Action::AlterColumn(_) => {
            // Statistics and options of a column are the planner's; SET STORAGE and the rest are not.
            let of_planner = has("statistics")
                || matches!(words.iter().rposition(|word| word == "("), Some(at) if ["set", "reset"].contains(&words[at - 1].as_str()));
            if of_planner { ShareUpdateExclusive } else { AccessExclusive }
        }
        _ => AccessExclusive,
    }
}

/// Whether the action goes on to partitions and heirs.
fn recurses(action: &Action) -> bool {
    !matches!(
        action,
        Action::AttachPartition(_)
            | Action::DetachPartition(_)
            | Action::ClusterOn(_)
            | Action::SetWithoutCluster(_)
            | Action::EnableRls(_)
            | Action::DisableRls(_)
            | Action::ForceRls(_)
            | Action::NoForceRls(_)
            | Action::OwnerTo(_)
            | Action::ReplicaIdentity(_)
            | Action::SetSchema(_)
            | Action::SetTablespace(_)
            | Action::SetLogged(_)
            | Action::SetUnlogged(_)
            | Action::SetOptions(_)
            | Action::ResetOptions(_)
            | Action::TableRenameTo(_)
            | Action::InheritTable(_)
            | Action::NoInheritTable(_)
            | Action::EnableRule(_)
            | Action::DisableRule(_)
    )
}

/// The tables that the action names besides.
fn others(action: &Action) -> Vec<Named> {
    let mode = match action {
        Action::InheritTable(_) => ShareUpdateExclusive,
        Action::NoInheritTable(_) => AccessShare,
        Action::AttachPartition(_) | Action::DetachPartition(_) => AccessExclusive,
        _ => return referenced(action.syntax()),
    };
    relations(action.syntax()).into_iter().map(|relation| named(relation, mode)).collect()
}

fn referenced(node: &SyntaxNode) -> Vec<Named> {
    let keys = |node: &SyntaxNode| {
        matches!(node.kind(), SyntaxKind::FOREIGN_KEY_CONSTRAINT | SyntaxKind::REFERENCES_CONSTRAINT)
    };
    let keys = node.descendants().filter(keys);
    keys.flat_map(|key| relations(&key)).map(|relation| named(relation, ShareRowExclusive)).collect()
}

/// What a new table needs of those that are there.
pub(super) fn created(create: &SyntaxNode) -> Vec<Named> {
    let of = |kind, mode| {
        let nodes = create.descendants().filter(move |node| node.kind() == kind);
        nodes.flat_map(|node| relations(&node)).map(move |relation| named(relation, mode))
    };
    let mut locks = referenced(create);
    locks.extend(of(SyntaxKind::LIKE_CLAUSE, AccessShare));
    locks.extend(of(SyntaxKind::PARTITION_OF, AccessExclusive));
    locks.extend(of(SyntaxKind::INHERITS, ShareUpdateExclusive));
    locks
}

fn work(action: &Action, words: &[String]) -> Work {
    let has = |word: &str| words.iter().any(|known| known == word);
    match action {
        Action::SetLogged(_) | Action::SetUnlogged(_) | Action::SetAccessMethod(_) | Action::SetTablespace(_) => {
            Work::Rewrite
        }
        Action::AddColumn(_) if has("stored") || has("identity") || volatile(action.syntax(), words) => Work::Rewrite,
        Action::AddColumn(_) if ["check", "unique", "primary", "references"].into_iter().any(has) || has("not") => {
            Work::Scan
        }
        Action::AlterColumn(_) if has("type") => Work::Rewrite,
        Action::AlterColumn(_) if has("set") && has("not") && has("null") => Work::Scan,
        Action::AddConstraint(_) if has("using") && has("unique") || has("valid") || unenforced(words) => Work::Catalog,
        Action::AlterConstraint(_) if has("enforced") && !unenforced(words) => Work::Scan,
        Action::AddConstraint(_) | Action::ValidateConstraint(_) | Action::AttachPartition(_) => Work::Scan,
        _ => Work::Catalog,
    }
}

/// Whether rows need not be as a constraint says.
fn unenforced(words: &[String]) -> bool {
    words.windows(2).any(|pair| pair == ["not", "enforced"])
}

/// Functions that give one value to all rows.
const STABLE: [&str; 5] =
    ["now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "current_setting"];

/// Whether each row gets another default.
fn volatile(action: &SyntaxNode, words: &[String]) -> bool {
    if words.iter().any(|word| word.ends_with("serial")) {
        return true;
    }
    let defaults = action.descendants().filter(|node| node.kind() == SyntaxKind::DEFAULT_CONSTRAINT);
    let calls = defaults.flat_map(|node| node.descendants()).filter(|node| node.kind() == SyntaxKind::CALL_EXPR);
    calls.into_iter().any(|call| {
        let name = crate::words::words(&call.text().to_string());
        name.first().is_none_or(|name| !STABLE.contains(&name.as_str()))
    })
}

pub(super) fn sequence(parts: &Parts) -> Vec<Named> {
    let whole = ["owner", "rename", "schema"].into_iter().any(|word| parts.has(word));
    parts.first(if whole { AccessExclusive } else { ShareRowExclusive }, AccessShare)
}

/// The mode that `LOCK TABLE … IN … MODE` names.
pub(super) fn locked(words: &[String]) -> Mode {
    let text = words.join(" ");
    let Some((_, named)) = text.rsplit_once(" in ") else { return AccessExclusive };
    let known = super::NAMES.into_iter().find(|(_, name)| named.starts_with(&format!("{} mode", name.to_lowercase())));
    known.map_or(AccessExclusive, |(mode, _)| mode)
}
