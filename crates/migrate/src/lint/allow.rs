//! `-- lint:allow RULE reason`: at a file's top for all of it, elsewhere for the statement that follows.

use super::{Parsed, Said, rules};
use rowan::NodeOrToken;
use squawk_syntax::{SyntaxKind, ast::AstNode};

pub(super) const RULES: &[&str] = &["allow-without-reason", "unused-allow"];

struct Allow {
    at: usize,
    rule: String,
    /// From where to where it holds.
    holds: std::ops::Range<usize>,
    used: bool,
}

/// Takes away what is allowed, and adds what is wrong with the exceptions themselves.
pub(super) fn apply(parsed: &Parsed, said: Vec<Said>) -> Vec<Said> {
    let (mut allows, mut kept) = read(parsed);
    for said in said {
        let mut meant = allows.iter_mut().filter(|allow| allow.rule == said.rule && allow.holds.contains(&said.at));
        match meant.next() {
            Some(allow) => allow.used = true,
            None => kept.push(said),
        }
    }
    let unused = allows.into_iter().filter(|allow| !allow.used).map(|allow| Said {
        rule: "unused-allow".to_owned(),
        at: allow.at,
        message: format!("Nothing here breaks {}.", allow.rule),
        help: Some("Remove the line.".to_owned()),
    });
    kept.extend(unused);
    kept
}

fn read(parsed: &Parsed) -> (Vec<Allow>, Vec<Said>) {
    let range = |node: &squawk_syntax::SyntaxNode| -> std::ops::Range<usize> { node.text_range().into() };
    let statements: Vec<_> = parsed.statements.iter().map(|statement| range(statement.syntax())).collect();
    let first = statements.first().map_or(usize::MAX, |first| first.start);
    let tree = parsed.tree.tree();
    let tokens = tree.syntax().descendants_with_tokens().filter_map(NodeOrToken::into_token);
    let (mut allows, mut wrong) = (Vec::new(), Vec::new());
    for comment in tokens.filter(|token| token.kind() == SyntaxKind::COMMENT) {
        let Some(text) = comment.text().trim_start_matches('-').trim_start().strip_prefix("lint:allow") else {
            continue;
        };
        let at = comment.text_range().start().into();
        let (rule, reason) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        if reason.split_whitespace().count() < 2 || !rules().iter().any(|known| known == rule) {
            wrong.push(Said {
                rule: "allow-without-reason".to_owned(),
                at,
                message: format!("`lint:allow{text}` needs the name of a rule and a reason of some words."),
                help: Some("-- lint:allow ban-drop-table nobody reads it since 1.4.0".to_owned()),
            });
            continue;
        }
        let next = statements.iter().find(|range| range.end > at).cloned().unwrap_or(at..usize::MAX);
        let holds = if at < first { 0..usize::MAX } else { next };
        allows.push(Allow { at, rule: rule.to_owned(), holds, used: false });
    }
    (allows, wrong)
}
