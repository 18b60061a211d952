//! What reads and writes rows.

use super::{Along, Effect, Mode, Named, Parts, Work};
use Mode::{AccessShare, RowExclusive, RowShare};
use squawk_syntax::{
    SyntaxKind,
    ast::{AstNode, Stmt},
};

pub(super) fn effect(parts: &Parts) -> Option<Effect> {
    let written = |along| {
        let locks = parts.first(RowExclusive, AccessShare).into_iter().enumerate();
        locks.map(|(at, lock)| if at == 0 { Named { along, ..lock } } else { lock }).collect::<Vec<_>>()
    };
    let (locks, work) = match parts.statement {
        // Each new row's keys are looked up.
        Stmt::Insert(_) => (written(Along::Referenced(RowShare)), Work::Rows),
        Stmt::Update(_) | Stmt::Delete(_) | Stmt::Merge(_) => (written(Along::Children), Work::Rows),
        Stmt::Copy(_) => {
            let mode = if parts.has("from") { RowExclusive } else { AccessShare };
            (parts.first(mode, AccessShare), Work::Rows)
        }
        Stmt::CreateMaterializedView(_) | Stmt::CreateTableAs(_) | Stmt::SelectInto(_) => {
            (parts.each(AccessShare, Along::OfView), Work::Scan)
        }
        Stmt::Select(select) => {
            let locking = select.syntax().descendants().any(|node| node.kind() == SyntaxKind::LOCKING_CLAUSE);
            (parts.each(if locking { RowShare } else { AccessShare }, Along::OfView), Work::Rows)
        }
        Stmt::CompoundSelect(_) | Stmt::ParenSelect(_) | Stmt::Table(_) => {
            (parts.each(AccessShare, Along::OfView), Work::Rows)
        }
        _ => return None,
    };
    Some(Effect { locks, work })
}
