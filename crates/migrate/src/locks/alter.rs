//! Statements whose lock depends on what they change: `AlterTableGetLockLevel` of PostgreSQL, in our words.

use super::{Along, Effect, Mode, Named, Parts, Triggers, Work, named, relations, work};
use crate::words::words;
use Mode::{AccessExclusive, AccessShare, ShareRowExclusive, ShareUpdateExclusive};
use squawk_syntax::{
    SyntaxKind, SyntaxNode,
    ast::{AlterMaterializedView, AlterMaterializedViewAction, AlterTableAction as Action, AstNode},
};

/// The strongest of its actions, on the table and its children; and who else is in it.
pub(super) fn table(alter: &SyntaxNode, actions: impl Iterator<Item = Action>) -> Effect {
    let named_by = alter.children().find(|node| node.kind() == SyntaxKind::TABLE_RELATION_NAME);
    let Some((node, table)) = named_by.and_then(|node| relations(&node).pop().map(|table| (node, table))) else {
        return Effect::of(Vec::new(), Work::Unknown);
    };
    let only = words(&node.text().to_string()).first().is_some_and(|word| word == "only");
    let mut effect = Effect::of(Vec::new(), Work::Catalog);
    for action in actions {
        let words = words(&action.syntax().to_string());
        let along = along(&action, &words, only);
        effect.locks.push(Named { along, ..named(table.clone(), mode(&action, &words)) });
        if matches!(action, Action::AddConstraint(_)) && !only {
            let heirs = Named { along: Along::Children, ..named(table.clone(), mode(&action, &words)) };
            effect.locks.push(Named { since: 18, ..heirs });
        }
        effect.locks.extend(others(&action));
        if matches!(action, Action::AttachPartition(_)) {
            effect.locks.push(Named { along: Along::Ancestors, ..named(table.clone(), AccessShare) });
        }
        effect.work = effect.work.max(work::of(&action, &words));
        effect.typed.extend(work::typed(&table, &action));
    }
    effect
}

fn along(action: &Action, words: &[String], only: bool) -> Along {
    let has = |word: &str| words.iter().any(|known| known == word);
    match action {
        Action::DropConstraint(_) => Along::Referenced(AccessExclusive),
        // The triggers of a foreign key come and go with it, on both its tables.
        Action::AlterConstraint(_) if work::unenforced(words) => Along::Referenced(AccessExclusive),
        Action::AlterConstraint(_) if has("enforced") => Along::Referenced(ShareRowExclusive),
        Action::ValidateConstraint(_) => Along::Referenced(Mode::RowShare),
        Action::RenameConstraint(_) => Along::Renamed(first(action, SyntaxKind::CONSTRAINT_NAME_REF)),
        Action::AddConstraint(_) if only || has("inherit") => Along::Nobody,
        Action::AddConstraint(_) if has("foreign") => Along::Partitions,
        Action::AddConstraint(_) if has("unique") || has("exclude") => Along::PartitionsIn(Mode::Share),
        // Options of a column are its table's own.
        Action::AlterColumn(_) if of_planner(words) => Along::Nobody,
        Action::AlterColumn(_) if has("type") => of_column(action),
        Action::DropColumn(_) => of_column(action),
        Action::EnableTrigger(_)
        | Action::EnableReplicaTrigger(_)
        | Action::EnableAlwaysTrigger(_)
        | Action::DisableTrigger(_)
            if !only =>
        {
            Along::TriggerCopies(triggers(action))
        }
        Action::AttachPartition(_) => Along::Attached,
        Action::DetachPartition(_) => Along::Detached,
        _ if only || !recurses(action) => Along::Nobody,
        _ => Along::Children,
    }
}

fn of_column(action: &Action) -> Along {
    Along::OfColumn(first(action, SyntaxKind::COLUMN_NAME_REF))
}

/// The first name of a kind.
fn first(action: &Action, kind: SyntaxKind) -> String {
    action
        .syntax()
        .descendants()
        .find(|node| node.kind() == kind)
        .map(|node| node.text().to_string())
        .unwrap_or_default()
}

fn triggers(action: &Action) -> Triggers {
    let target = action.syntax().children().last();
    match target.as_ref().map(|node| (node.kind(), node.text().to_string())) {
        Some((SyntaxKind::TRIGGER_REF, name)) => Triggers::One(name),
        Some((SyntaxKind::USER, _)) => Triggers::OfUsers,
        _ => Triggers::All,
    }
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
            if has("statistics") || of_planner(words) { ShareUpdateExclusive } else { AccessExclusive }
        }
        _ => AccessExclusive,
    }
}

/// Whether options of a column are changed.
fn of_planner(words: &[String]) -> bool {
    matches!(words.iter().rposition(|word| word == "("), Some(at) if ["set", "reset"].contains(&words[at - 1].as_str()))
}

/// Whether the action goes on to partitions and heirs.
fn recurses(action: &Action) -> bool {
    !matches!(
        action,
        Action::ClusterOn(_)
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
    let (mode, along) = match action {
        Action::InheritTable(_) => (ShareUpdateExclusive, Along::Nobody),
        Action::NoInheritTable(_) => (AccessShare, Along::Nobody),
        Action::AttachPartition(_) | Action::DetachPartition(_) => (AccessExclusive, Along::Children),
        _ => return referenced(action.syntax()),
    };
    let names = relations(action.syntax()).into_iter();
    names.map(|relation| Named { along: along.clone(), ..named(relation, mode) }).collect()
}

/// The strongest of its actions, which are in part those of a table.
pub(super) fn materialized_view(parts: &Parts, alter: &AlterMaterializedView) -> Vec<Named> {
    let mode = |action| match action {
        AlterMaterializedViewAction::AlterTableAction(action) => mode(&action, &words(&action.syntax().to_string())),
        _ => AccessExclusive,
    };
    let mut locks = parts.first(alter.action().map(mode).max().unwrap_or(AccessExclusive), AccessShare);
    locks.truncate(1);
    locks
}

fn referenced(node: &SyntaxNode) -> Vec<Named> {
    let keys = |node: &SyntaxNode| {
        matches!(node.kind(), SyntaxKind::FOREIGN_KEY_CONSTRAINT | SyntaxKind::REFERENCES_CONSTRAINT)
    };
    let keys = node.descendants().filter(keys).flat_map(|key| relations(&key));
    keys.map(|relation| Named { along: Along::Partitions, ..named(relation, ShareRowExclusive) }).collect()
}

/// What a new table needs of those that are there.
pub(super) fn created(create: &SyntaxNode) -> Vec<Named> {
    let of = |kind, mode, along: Along| {
        let nodes = create.descendants().filter(move |node| node.kind() == kind);
        let names = nodes.flat_map(|node| relations(&node));
        names.map(move |relation| Named { along: along.clone(), ..named(relation, mode) })
    };
    let mut locks = referenced(create);
    locks.extend(of(SyntaxKind::LIKE_CLAUSE, AccessShare, Along::Nobody));
    locks.extend(of(SyntaxKind::PARTITION_OF, AccessExclusive, Along::Attached));
    locks.extend(of(SyntaxKind::INHERITS, ShareUpdateExclusive, Along::Nobody));
    locks
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
