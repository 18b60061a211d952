//! Indexes, and what goes through a whole table.

use super::{Along, Effect, Mode, Parts, Work};
use Mode::{AccessExclusive, Exclusive, Share, ShareUpdateExclusive};
use squawk_syntax::ast::Stmt;

pub(super) fn effect(parts: &Parts) -> Option<Effect> {
    let concurrently = parts.has("concurrently");
    let (locks, work) = match parts.statement {
        Stmt::CreateIndex(_) => {
            let mode = if concurrently { ShareUpdateExclusive } else { Share };
            let along = if parts.has("only") { Along::Nobody } else { Along::Children };
            (parts.each(mode, along), Work::Scan)
        }
        Stmt::DropIndex(_) => {
            let mode = if concurrently { ShareUpdateExclusive } else { AccessExclusive };
            (parts.each(mode, Along::TableOfIndex(mode)), Work::Catalog)
        }
        Stmt::Reindex(_) => {
            let table = if concurrently { ShareUpdateExclusive } else { Share };
            let index = if concurrently { ShareUpdateExclusive } else { AccessExclusive };
            let of_index = parts.words.iter().take(8).any(|word| word == "index");
            let locks =
                if of_index { parts.each(index, Along::TableOfIndex(table)) } else { parts.each(table, Along::Nobody) };
            (locks, Work::Scan)
        }
        Stmt::AlterIndex(_) => {
            let light = ["rename", "statistics", "reset", "attach", "("].into_iter().any(|word| parts.has(word));
            let mode = if light { ShareUpdateExclusive } else { AccessExclusive };
            (parts.first(mode, AccessExclusive), Work::Catalog)
        }
        Stmt::Analyze(_) if parts.has("only") => (parts.each(ShareUpdateExclusive, Along::ChildrenRead), Work::Scan),
        Stmt::Analyze(_) => (parts.each(ShareUpdateExclusive, Along::Children), Work::Scan),
        Stmt::Vacuum(_) if parts.has("full") => (parts.each(AccessExclusive, Along::Nobody), Work::Rewrite),
        Stmt::Vacuum(_) => (parts.each(ShareUpdateExclusive, Along::Nobody), Work::Scan),
        Stmt::Cluster(_) => (parts.each(AccessExclusive, Along::Nobody), Work::Rewrite),
        Stmt::Refresh(_) => {
            let mode = if concurrently { Exclusive } else { AccessExclusive };
            (parts.each(mode, Along::OfView), Work::Rewrite)
        }
        _ => return None,
    };
    Some(Effect { locks, work })
}
