//! What reads and writes rows, also within other statements.

use super::{Along, Effect, Mode, Named, Parts, Work, named};
use crate::words::words;
use Mode::{AccessExclusive, AccessShare, RowExclusive, RowShare};
use squawk_syntax::{
    SourceFile, SyntaxKind, SyntaxNode,
    ast::{AstNode, Stmt},
};

/// How far the server goes with a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is only understood, as that of a view or rule.
    Analyzed,
    /// Views and rules are put in, as for the body of a routine.
    Rewritten,
    /// It is run.
    Planned,
}

pub(super) fn effect(parts: &Parts) -> Option<Effect> {
    let syntax = parts.statement.syntax();
    let (locks, work) = match parts.statement {
        Stmt::Insert(insert) => {
            let given = insert.syntax().children().any(|node| node.kind() == SyntaxKind::VALUES);
            (touched(syntax, Stage::Planned), if given { Work::Rows } else { Work::Found })
        }
        Stmt::Update(_)
        | Stmt::Delete(_)
        | Stmt::Merge(_)
        | Stmt::Select(_)
        | Stmt::CompoundSelect(_)
        | Stmt::ParenSelect(_)
        | Stmt::Table(_)
        | Stmt::Values(_)
        | Stmt::Declare(_)
        | Stmt::Explain(_) => (touched(syntax, Stage::Planned), Work::Found),
        Stmt::Copy(_) => (copied(syntax, parts.has("from")), Work::Found),
        Stmt::CreateMaterializedView(_) | Stmt::CreateTableAs(_) | Stmt::SelectInto(_) if parts.without_data() => {
            (touched(syntax, Stage::Analyzed), Work::Catalog)
        }
        Stmt::CreateMaterializedView(_) | Stmt::CreateTableAs(_) | Stmt::SelectInto(_) => {
            let locks = touched(syntax, Stage::Planned);
            let work = if locks.is_empty() { Work::Rows } else { Work::Scan };
            (locks, work)
        }
        Stmt::Prepare(_) => (touched(syntax, Stage::Rewritten), Work::Catalog),
        Stmt::CreateFunction(_) | Stmt::CreateProcedure(_) => (routine(syntax), Work::Catalog),
        _ => return None,
    };
    Some(Effect::of(locks, work))
}

/// What the statement locks that stands here, and those within it.
fn touched(node: &SyntaxNode, stage: Stage) -> Vec<Named> {
    let text = |node: SyntaxNode| words(&node.text().to_string()).concat();
    let with: Vec<_> = node.descendants().filter(|it| it.kind() == SyntaxKind::CTE_NAME).map(text).collect();
    let is_relation =
        |node: &SyntaxNode| [SyntaxKind::RELATION_NAME_REF, SyntaxKind::TABLE_NAME_REF].contains(&node.kind());
    let references = node.descendants().filter(is_relation);
    let locks = references.map(|reference| {
        let (mode, along) = if let Some(change) = change(&reference) {
            let along = if change == SyntaxKind::INSERT { Along::Inserted } else { Along::Locked };
            (RowExclusive, if stage == Stage::Planned { along } else { Along::Nobody })
        } else {
            let mode = if locks_rows(&reference) { RowShare } else { AccessShare };
            let along = match stage {
                Stage::Analyzed => Along::Nobody,
                Stage::Rewritten => Along::Views,
                Stage::Planned => Along::Read(mode),
            };
            (mode, along)
        };
        let parent = reference.parent();
        let only = parent.is_some_and(|it| it.children_with_tokens().any(|it| it.kind() == SyntaxKind::ONLY_KW));
        let along = if only { Along::Nobody } else { along };
        Named { along, ..named(text(reference), mode) }
    });
    locks.filter(|lock| !with.contains(&lock.relation)).collect()
}

/// The kind of statement that changes rows of this relation, when it is its target.
fn change(reference: &SyntaxNode) -> Option<SyntaxKind> {
    use SyntaxKind::{DELETE, INSERT, MERGE, RELATION_NAME, TABLE_RELATION_NAME, UPDATE};
    let parent = reference.parent()?;
    let holder = if [RELATION_NAME, TABLE_RELATION_NAME].contains(&parent.kind()) { parent.parent()? } else { parent };
    [INSERT, UPDATE, DELETE, MERGE].contains(&holder.kind()).then_some(holder.kind())
}

/// Whether it is read with `FOR UPDATE` or the like, which may name some of what is read.
fn locks_rows(reference: &SyntaxNode) -> bool {
    let select = reference.ancestors().find(|node| node.kind() == SyntaxKind::SELECT);
    let clauses = select.iter().flat_map(SyntaxNode::children).filter(|node| node.kind() == SyntaxKind::LOCKING_CLAUSE);
    let item = reference.parent().map(|item| words(&item.text().to_string())).unwrap_or_default();
    clauses.into_iter().any(|clause| {
        let of = clause.children().find(|node| node.kind() == SyntaxKind::LOCKING_OF);
        let named = |of: SyntaxNode| of.children().any(|name| item.contains(&words(&name.text().to_string()).concat()));
        of.is_none_or(named)
    })
}

fn copied(copy: &SyntaxNode, from: bool) -> Vec<Named> {
    let mut locks = touched(copy, Stage::Planned);
    if copy.children().any(|node| node.kind() == SyntaxKind::COPY_TABLE) {
        for lock in &mut locks {
            (lock.mode, lock.along) = if from { (RowExclusive, Along::Inserted) } else { (AccessShare, Along::Nobody) };
        }
    }
    locks
}

/// The body in SQL is read when the routine is made.
fn routine(create: &SyntaxNode) -> Vec<Named> {
    let mut locks = touched(create, Stage::Rewritten);
    let literal = |kind| create.descendants().find(|node| node.kind() == kind).map(|node| node.text().to_string());
    let is_sql = literal(SyntaxKind::LANGUAGE_REF).is_some_and(|it| it.trim_matches('\'').eq_ignore_ascii_case("sql"));
    if let (true, Some(body)) = (is_sql, literal(SyntaxKind::AS_DEFINITION)) {
        locks.extend(touched(SourceFile::parse(&unquoted(&body)).tree().syntax(), Stage::Rewritten));
    }
    locks
}

fn unquoted(literal: &str) -> String {
    let tag = literal.split_inclusive('$').take(2).collect::<String>();
    match literal.strip_prefix(&tag).and_then(|rest| rest.strip_suffix(&tag)) {
        Some(body) if tag.starts_with('$') => body.to_owned(),
        _ => literal.trim_start_matches(['e', 'E']).trim_matches('\'').replace("''", "'"),
    }
}

/// The view that is there already goes, another one comes.
pub(super) fn view(parts: &Parts) -> Vec<Named> {
    let mut locks = touched(parts.statement.syntax(), Stage::Analyzed);
    locks.extend(parts.of_kind(SyntaxKind::VIEW, AccessExclusive, &Along::Nobody));
    locks
}

pub(super) fn rule(parts: &Parts) -> Vec<Named> {
    let syntax = parts.statement.syntax();
    let mut locks = parts.first(AccessExclusive, AccessShare);
    locks.truncate(1);
    let bodies = syntax.children().filter(|node| node.kind() != SyntaxKind::RULE_ON);
    locks.extend(bodies.flat_map(|body| touched(&body, Stage::Analyzed)));
    locks
}
