//! A statement as a list of words.

use rowan::NodeOrToken;
use squawk_syntax::{SourceFile, SyntaxKind, ast::AstNode};

/// Words and signs in order, unquoted words in small letters; blanks and comments are gone.
pub(crate) fn words(sql: &str) -> Vec<String> {
    let parsed = SourceFile::parse(sql);
    let tokens = parsed.tree().syntax().descendants_with_tokens().filter_map(NodeOrToken::into_token);
    let told = tokens.filter(|token| !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT));
    told.map(
        |token| {
            if token.text().starts_with(['"', '\'']) { token.text().to_owned() } else { token.text().to_lowercase() }
        },
    )
    .filter(|word| word != ";")
    .collect()
}
