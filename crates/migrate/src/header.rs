//! The header lines of a file: comments at its top that say how it runs.

use semver::Version;

/// What the header says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// `-- oldest-app: X.Y.Z`
    pub(crate) oldest_app: Option<Version>,
    /// `-- no-transaction`
    pub(crate) no_transaction: bool,
    /// `-- needs-backfill: NAME`, of which there may be several
    pub(crate) needs_backfills: Vec<String>,
}

/// A line that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    /// It looks like a header and is none: what it should guard against would happen.
    #[error(
        "`-- {line}` looks like a header and is none; the nearest is `-- {nearest}`, and prose starts with more than one word"
    )]
    Unknown { line: String, nearest: &'static str },
    /// A version that is none.
    #[error("the header `-- oldest-app:` needs a version as in 1.2.3")]
    OldestApp,
    /// No name of a backfill.
    #[error("the header `-- needs-backfill:` needs the name of a file in backfills/, without .sql")]
    NeedsBackfill,
}

/// Names, and how each is written.
const KNOWN: [(&str, &str); 4] = [
    ("oldest-app", "oldest-app: X.Y.Z"),
    ("no-transaction", "no-transaction"),
    ("needs-backfill", "needs-backfill: NAME"),
    ("lint:allow", "lint:allow RULE reason"),
];

/// Reads the comments at the top. What `lint:allow` says is read by the linter, which knows its rules.
pub(crate) fn parse(sql: &str) -> Result<Header, HeaderError> {
    let mut header = Header::default();
    let comments = sql.lines().take_while(|line| line.is_empty() || line.starts_with("--"));
    for line in comments.map(|line| line.trim_start_matches('-').trim()) {
        if let Some(version) = line.strip_prefix("oldest-app:") {
            header.oldest_app = Some(version.trim().parse().map_err(|_| HeaderError::OldestApp)?);
        } else if let Some(name) = line.strip_prefix("needs-backfill:") {
            let name = Some(name.trim()).filter(|name| !name.is_empty()).ok_or(HeaderError::NeedsBackfill)?;
            header.needs_backfills.push(name.to_owned());
        } else if line == "no-transaction" {
            header.no_transaction = true;
        } else if !line.starts_with("lint:allow ")
            && let Some(nearest) = meant(line)
        {
            return Err(HeaderError::Unknown { line: line.to_owned(), nearest });
        }
    }
    Ok(header)
}

/// How the known header is written that a comment seems to mean.
fn meant(comment: &str) -> Option<&'static str> {
    let name =
        if comment.starts_with("lint:") { comment } else { comment.split_once(':').map_or(comment, |(name, _)| name) };
    let name = name.trim();
    let first = name.split_whitespace().next()?;
    let distance = |known: &str, name: &str| strsim::osa_distance(known, &name.to_lowercase().replace(['_', ' '], "-"));
    let near = |known: &str| distance(known, name).min(distance(known, first));
    let (nearest, written) = KNOWN.into_iter().min_by_key(|(known, _)| near(known))?;
    let shaped = first == name && name.contains(['-', '_']) && name.starts_with(char::is_alphabetic);
    (near(nearest) <= 3 || shaped).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_header_is_refused_with_the_nearest() {
        for (header, nearest) in [
            ("-- oldest_app: 1.2.0", "oldest-app: X.Y.Z"),
            ("-- oldest-ap: 1.2.0", "oldest-app: X.Y.Z"),
            ("-- Oldest-App: 1.2.0", "oldest-app: X.Y.Z"),
            ("-- oldest app: 1.2.0", "oldest-app: X.Y.Z"),
            ("--oldestapp:1.2.0", "oldest-app: X.Y.Z"),
            ("-- oldest-app 1.2.0", "oldest-app: X.Y.Z"),
            ("-- What it does.\n\n-- no-transactions", "no-transaction"),
            ("-- no-transaction: true", "no-transaction"),
            ("-- no_transaction", "no-transaction"),
            ("-- needs_backfill: 20250101_a", "needs-backfill: NAME"),
            ("-- needs-backfills: 20250101_a", "needs-backfill: NAME"),
            ("-- lint-allow: ban-drop-table gone", "lint:allow RULE reason"),
            ("-- lint:alow ban-drop-table gone", "lint:allow RULE reason"),
        ] {
            let refused = parse(header).unwrap_err().to_string();
            assert!(refused.contains(&format!("the nearest is `-- {nearest}`")), "{header}: {refused}");
        }
        assert!(parse("-- lock-timeout: 5s").is_err());
    }

    #[test]
    fn prose_and_comments_further_down_are_no_headers() {
        for prose in [
            "-- People. A person has one account: theirs.",
            "-- Note: row-level security is on.",
            "-- row-level security, by hand",
            "-- ----------\n--\n-- todo",
            "-- The oldest application: gone.",
            "CREATE TABLE a (id int);\n-- oldest_app: 1.2.0",
        ] {
            assert_eq!(parse(prose).unwrap(), Header::default());
        }
    }

    #[test]
    fn the_headers_are_read() {
        let header = parse(
            "-- Why.\n\n-- oldest-app: 1.2.0\n-- no-transaction\n-- needs-backfill: 20250101_a\n-- needs-backfill: 20250102_b\n-- lint:allow ban-drop-table gone\n",
        );
        let needs_backfills = vec!["20250101_a".to_owned(), "20250102_b".to_owned()];
        let expected = Header { oldest_app: Some(Version::new(1, 2, 0)), no_transaction: true, needs_backfills };
        assert_eq!(header.unwrap(), expected);
        assert!(matches!(parse("-- needs-backfill:"), Err(HeaderError::NeedsBackfill)));
    }
}
