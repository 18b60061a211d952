//! What a restore did, for people.

use backup::{Loss, Old, Restored, Swap};

/// All of it, a line each.
pub(super) fn text(restored: &Restored) -> String {
    let Restored { id, sessions_ended, signing_keys_retired, .. } = restored;
    let mut lines = vec![format!(
        "✓ {id} is restored; {sessions_ended} sessions ended, {signing_keys_retired} signing keys retired"
    )];
    let mut again: Vec<_> = restored.revoked.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
    if again.is_empty() {
        again.push("none".to_owned());
    }
    if restored.loss.is_some() {
        lines.push(format!("  revoked again, because they were since the backup: {}", again.join(", ")));
    }
    for (table, rows) in &restored.left {
        lines.push(format!(
            "! the old database lacks {rows} rows of {table}: too many to be revoked, so they are as in the backup"
        ));
    }
    for organization in &restored.without_owner {
        lines.push(format!("! organization {organization} has no owner any more: its owners were removed since"));
    }
    lines.extend(old(&restored.old));
    lines.extend(restored.loss.iter().map(|lost| format!("after: {}", loss(lost))));
    match &restored.swap {
        None => lines.push("Start the services".to_owned()),
        Some(Swap { steps, undo }) => {
            lines.push("To use it:".to_owned());
            lines.extend(steps.iter().map(|step| format!("  {step}")));
            lines.push("To go back to the old one:".to_owned());
            lines.extend(undo.iter().map(|step| format!("  {step}")));
        }
    }
    lines.join("\n")
}

/// What whoever restores must know of the old database.
pub(super) fn old(old: &Old) -> Option<String> {
    match old {
        Old::Kept { writable: None } => Some("  the old database takes no writes any more, and is kept".to_owned()),
        Old::Kept { writable: Some(why) } => {
            Some(format!("! the old database could not be set read-only ({why}): keep services away from it"))
        }
        Old::Replaced => None,
        Old::Unreadable { why } => Some(format!(
            "! the old database could not be read ({why}): WHAT WAS REVOKED SINCE THE BACKUP IS VALID AGAIN"
        )),
        Old::NotNamed => Some(
            "! no old database was named: WHAT WAS REVOKED SINCE THE BACKUP IS VALID AGAIN (--old URL names it)"
                .to_owned(),
        ),
    }
}

/// What is lost.
pub(super) fn loss(loss: &Loss) -> String {
    let mut parts: Vec<_> = loss.events.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if parts.is_empty() {
        parts.push("none".to_owned());
    }
    let mut lines = vec![format!("events that are lost: {}", parts.join(", "))];
    for (table, rows) in &loss.tables {
        lines.push(format!("  {table}: {} rows, the old database has {}", rows.restored, rows.old));
    }
    lines.join("\n")
}
