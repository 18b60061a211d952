//! Whoever adds something that can be revoked decides what a restore does about it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use testing::Database;

/// Columns by which a right is given or taken.
const TELLTALE: &str = "SELECT DISTINCT table_name::text FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name ~ '^(enabled|status|role)$|(hash|digest|secret)$|(revoked|deleted|retired|disabled|removed)_at$'
    AND table_name !~ '_[0-9]{8}$'";

/// Tables that have such a column and need no rule, each with its reason.
const WITHOUT_RULE: [(&str, &str); 8] = [
    ("sessions", "a restore ends all of them"),
    ("signing_keys", "a restore retires all of them"),
    ("deliveries", "how a delivery ended"),
    ("events", "the digest of an entry's personal values"),
    ("idempotency_keys", "answers of one's own, for a day"),
    ("pending_registrations", "a link that was mailed, for a day: whoever has it proved the address"),
    ("resource_types", "contents, which a restore brings back"),
    ("resources", "contents, which a restore brings back"),
];

#[tokio::test]
async fn everything_that_can_be_revoked_has_a_rule_or_a_reason() {
    let owner = Database::new().await.client("admin_user").await;
    let rows = owner.query(TELLTALE, &[]).await.unwrap();
    let found: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let decided: BTreeSet<String> =
        backup::revocations::tables().chain(WITHOUT_RULE.map(|(table, _)| table)).map(str::to_owned).collect();
    assert_eq!(found, decided, "a rule in crates/backup/src/revocations.rs, or a reason here");
}
