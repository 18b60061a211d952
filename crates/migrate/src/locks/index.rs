//! Indexes, and what goes through a whole table.

use super::{Along, Effect, Mode, Named, Parts, Work};
use Mode::{AccessExclusive, AccessShare, Exclusive, Share, ShareUpdateExclusive};
use squawk_syntax::{SyntaxKind, ast::Stmt};

pub(super) fn effect(parts: &Parts) -> Option<Effect> {
    let concurrently = parts.has("concurrently");
    let (locks, work) = match parts.statement {
        Stmt::CreateIndex(_) => {
            let mode = if concurrently { ShareUpdateExclusive } else { Share };
            (parts.each(mode, &parts.unless_only(Along::Partitions)), Work::Scan)
        }
        Stmt::DropIndex(_) => {
            // The last of its locks is the strongest, when nobody can see the index any more.
            let mode = if concurrently { ShareUpdateExclusive } else { AccessExclusive };
            (parts.each(mode, &Along::IndexTree(mode)), Work::Catalog)
        }
        Stmt::Reindex(_) => return Some(reindex(parts, concurrently)),
        Stmt::AlterIndex(_) => {
            let light = ["rename", "statistics", "reset", "attach", "("].into_iter().any(|word| parts.has(word));
            let mut locks = parts.first(if light { ShareUpdateExclusive } else { AccessExclusive }, AccessExclusive);
            if parts.has("attach") {
                for lock in &mut locks {
                    lock.along = Along::TableOfIndex(AccessShare);
                }
            }
            (locks, Work::Catalog)
        }
        Stmt::AlterDomain(_) if checks(parts) => {
            (parts.of_kind(SyntaxKind::DOMAIN_REF, Share, &Along::OfDomain), Work::Scan)
        }
        Stmt::Analyze(_) if parts.has("only") => (parts.each(ShareUpdateExclusive, &Along::Sampled), Work::Scan),
        Stmt::Analyze(_) if !parts.all.is_empty() => {
            let mut locks = parts.each(ShareUpdateExclusive, &Along::Analyzed);
            locks.extend(parts.with_heirs_since_18(ShareUpdateExclusive));
            (locks, Work::Scan)
        }
        Stmt::Vacuum(_) if !parts.all.is_empty() => {
            let full = parts.has("full");
            let mode = if full { AccessExclusive } else { ShareUpdateExclusive };
            let work = if full { Work::Rewrite } else { Work::Scan };
            let mut locks = parts.each(mode, &parts.unless_only(Along::Partitions));
            locks.extend(parts.with_heirs_since_18(mode));
            (locks, work)
        }
        Stmt::Cluster(_) if !parts.all.is_empty() => {
            let order = parts.of_kind(SyntaxKind::INDEX_REF, AccessExclusive, &Along::Partitions);
            let mut locks = parts.each(AccessExclusive, &Along::Partitions);
            locks.retain(|lock| !order.contains(lock));
            (locks, Work::Rewrite)
        }
        Stmt::Refresh(_) if parts.without_data() => (parts.each(AccessExclusive, &Along::Nobody), Work::Catalog),
        Stmt::Refresh(_) => {
            let mode = if concurrently { Exclusive } else { AccessExclusive };
            (parts.each(mode, &Along::Refreshed), Work::Rewrite)
        }
        _ => return None,
    };
    Some(Effect::of(locks, work))
}

impl Parts<'_> {
    /// Since then `VACUUM` and `ANALYZE` go on to heirs too.
    fn with_heirs_since_18(&self, mode: Mode) -> Vec<Named> {
        let mut locks = self.each(mode, &self.unless_only(Along::Children));
        for lock in &mut locks {
            lock.since = 18;
        }
        locks
    }
}

/// Of an index or a table; whoever names a schema or the database names more than can be looked at.
fn reindex(parts: &Parts, concurrently: bool) -> Effect {
    let (table, index) =
        if concurrently { (ShareUpdateExclusive, ShareUpdateExclusive) } else { (Share, AccessExclusive) };
    let of_index = parts.words.iter().take(8).any(|word| word == "index");
    let locks = if of_index {
        parts.each(index, &Along::IndexTree(table))
    } else {
        // So that none of them goes while they are counted.
        parts.each(table, &Along::PartitionsIn(Share))
    };
    let work = if locks.is_empty() { Work::Unknown } else { Work::Scan };
    Effect::of(locks, work)
}

/// Whether the values of a domain are looked through.
fn checks(parts: &Parts) -> bool {
    let added = parts.has("add") && !parts.words.ends_with(&["not".to_owned(), "valid".to_owned()]);
    added || parts.has("validate") || parts.has("set") && parts.has("not") && parts.has("null")
}
