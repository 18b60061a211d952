//! What `ALTER TABLE` does with the rows.

use super::{Change, Typed, Work};
use squawk_syntax::{
    SyntaxKind, SyntaxNode,
    ast::{AlterTableAction as Action, AstNode, SetType},
};

/// Of one action, as far as its text says; what the type of a column adds is in [`typed`].
pub(super) fn of(action: &Action, words: &[String]) -> Work {
    let has = |word: &str| words.iter().any(|known| known == word);
    match action {
        Action::SetLogged(_) | Action::SetUnlogged(_) | Action::SetAccessMethod(_) | Action::SetTablespace(_) => {
            Work::Rewrite
        }
        Action::AddColumn(_) => added(action.syntax(), words),
        Action::AlterColumn(_) if has("set") && has("not") && has("null") => Work::Scan,
        Action::AddConstraint(_) if has("using") && has("unique") || has("valid") || unenforced(words) => Work::Catalog,
        Action::AlterConstraint(_) if has("enforced") && !unenforced(words) => Work::Scan,
        Action::AddConstraint(_) | Action::ValidateConstraint(_) | Action::AttachPartition(_) => Work::Scan,
        Action::DropColumn(_) | Action::DropConstraint(_) if has("cascade") => Work::Unknown,
        _ => Work::Catalog,
    }
}

fn added(action: &SyntaxNode, words: &[String]) -> Work {
    let is = |kind: SyntaxKind| action.descendants().any(|node| node.kind() == kind);
    let has = |word: &str| words.iter().any(|known| known == word);
    let default = is(SyntaxKind::DEFAULT_CONSTRAINT);
    if has("stored") || has("identity") || words.iter().any(|word| word.ends_with("serial")) {
        Work::Rewrite
    } else if is(SyntaxKind::CHECK_CONSTRAINT)
        || is(SyntaxKind::UNIQUE_CONSTRAINT)
        || is(SyntaxKind::PRIMARY_KEY_CONSTRAINT)
        // A default is not NULL, and no NULL refers to anything.
        || is(SyntaxKind::NOT_NULL_CONSTRAINT) != default && !default
        || is(SyntaxKind::REFERENCES_CONSTRAINT) && default
    {
        Work::Scan
    } else {
        Work::Catalog
    }
}

/// The type that a column has afterwards, which only the catalog can compare with what it has now.
pub(super) fn typed(table: &str, action: &Action) -> Option<Typed> {
    let syntax = action.syntax();
    let (column, ty, change) = match action {
        Action::AddColumn(add) => (add.column_name()?.syntax().text(), add.ty()?, Change::Added),
        Action::AlterColumn(_) => {
            let set = syntax.children().find_map(SetType::cast)?;
            let column = syntax.children().find(|node| node.kind() == SyntaxKind::COLUMN_NAME_REF)?;
            let change = if set.using_expr().is_some() { Change::Computed } else { Change::Retyped };
            (column.text(), set.ty()?, change)
        }
        _ => return None,
    };
    let (column, ty) = (column.to_string(), ty.syntax().text().to_string());
    Some(Typed { table: table.to_owned(), column, ty, change, calls: calls(syntax) })
}

/// Whether rows need not be as a constraint says.
pub(super) fn unenforced(words: &[String]) -> bool {
    words.windows(2).any(|pair| pair == ["not", "enforced"])
}

/// Functions whose values a new column begins with.
fn calls(action: &SyntaxNode) -> Vec<String> {
    let defaults = action.descendants().filter(|node| node.kind() == SyntaxKind::DEFAULT_CONSTRAINT);
    let calls = defaults.flat_map(|node| node.descendants()).filter(|node| node.kind() == SyntaxKind::CALL_EXPR);
    // The name without its schema is the last of its parts.
    let names = calls.filter_map(|call| call.first_child()).filter_map(|name| name.descendants().last());
    names.map(|name| name.text().to_string()).collect()
}
