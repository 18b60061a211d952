//! Contracting: what takes something away ships in a later release than the code that stopped needing it.

use super::{Parsed, Said};
use crate::words::words;
use semver::Version;
use squawk_syntax::ast::{AlterTableAction, AstNode, Stmt};

pub(super) const RULES: &[&str] = &["contract-before-its-release", "contract-without-oldest-app"];

/// Step 3 migrates while the release before still runs.
pub(super) fn check(parsed: &Parsed, release: &Version) -> Vec<Said> {
    let mut said = Vec::new();
    if let (Some(oldest), Some(first)) = (&parsed.file.oldest_app, parsed.statements.first())
        && oldest >= release
    {
        let message = format!("Ships in {release}, needs images of {oldest}: it could not run before the rollout.");
        let help = "Ship it in the release after the one that stopped needing what goes.";
        said.push(Said::new("contract-before-its-release", first, message, help));
    }
    if parsed.file.oldest_app.is_none() {
        let taking = parsed.statements.iter().filter(|statement| takes_away(parsed, statement));
        let message = "Takes away what an older image may need, and no header says which images can run after it.";
        let help = "Name the release that stopped needing it: `-- oldest-app: X.Y.Z`.";
        said.extend(taking.map(|statement| Said::new("contract-without-oldest-app", statement, message, help)));
    }
    said
}

/// Whether something goes that was there before the file.
fn takes_away(parsed: &Parsed, statement: &Stmt) -> bool {
    match statement {
        Stmt::AlterTable(alter) => alter.actions().any(|action| {
            use AlterTableAction as Action;
            matches!(action, Action::DropColumn(_) | Action::RenameColumn(_) | Action::TableRenameTo(_))
        }),
        Stmt::DropTable(_) | Stmt::DropView(_) | Stmt::DropFunction(_) | Stmt::DropType(_) | Stmt::DropSchema(_) => {
            let name = words(&statement.syntax().to_string());
            let name = name.iter().skip(2).find(|word| !["if", "exists"].contains(&word.as_str())).cloned();
            let makes = |other: &Stmt| {
                let words = words(&other.syntax().to_string());
                words.first().is_some_and(|word| word == "create")
                    && name.as_ref().is_some_and(|name| words.contains(name))
            };
            !parsed.statements.iter().any(makes)
        }
        _ => false,
    }
}
