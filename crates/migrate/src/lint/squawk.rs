//! Squawk's rules, without those that what we do already keeps.

use super::{Parsed, Said};
use squawk_linter::{Linter, Rule};

/// The oldest PostgreSQL that the platform runs on.
const OLDEST: &str = "15";

/// Off, because something else holds it, or because it would be wrong here.
const OFF: [(Rule, &str); 8] = [
    (Rule::RequireLockTimeout, "`up` sets it for each transaction and statement"),
    (Rule::RequireStatementTimeout, "`up` sets it too"),
    (Rule::PreferBigintOverInt, "keys are uuid; a bounded count is an int"),
    (Rule::PreferBigintOverSmallint, "the same"),
    (Rule::PreferRepack, "REPACK came with PostgreSQL 19: ban-vacuum-full"),
    (Rule::PreferRobustStmts, "IF NOT EXISTS takes another table for ours; what failed is rolled back or resumed"),
    (Rule::BanUncommittedTransaction, "no file may begin one: transaction-nesting"),
    (Rule::UnusedIgnore, "an exception is `lint:allow`, and unused-allow watches those"),
];

fn linter() -> Linter {
    Linter::with_rules(&[], &OFF.map(|(rule, _)| rule))
}

pub(super) fn rules() -> Vec<String> {
    linter().rules.iter().map(ToString::to_string).collect()
}

pub(super) fn check(parsed: &Parsed) -> Vec<Said> {
    let mut linter = linter();
    linter.settings.assume_in_transaction = !parsed.file.no_transaction;
    linter.settings.pg_version = OLDEST.parse().unwrap_or_default();
    let said = linter.lint(&parsed.tree, &parsed.file.sql).into_iter().map(|violation| Said {
        rule: violation.code.to_string(),
        at: violation.text_range.start().into(),
        message: violation.message,
        help: violation.help,
    });
    said.collect()
}
