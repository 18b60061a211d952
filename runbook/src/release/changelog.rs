//! The entry of a version in `CHANGELOG.md`, in the format of Keep a Changelog: what people wrote under "Unreleased",
//! then the commits that nobody wrote about.

use jiff::civil::Date;
use semver::Version;

/// The headings that there are, in their order.
const HEADINGS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
/// Conventional commits of these kinds change nothing for whoever uses the product.
const INNER: [&str; 6] = ["build", "chore", "ci", "docs", "style", "test"];

/// The file with the entry on top: below an emptied "Unreleased" where there is one.
pub(crate) fn with_entry(text: &str, version: &Version, date: Date, subjects: &[String]) -> String {
    let start = text.lines().position(is_unreleased);
    let lines: Vec<_> = text.lines().collect();
    let (before, pending, after) = if let Some(start) = start {
        let length = lines[start + 1..].iter().position(|line| is_next(line)).unwrap_or(lines.len() - start - 1);
        (&lines[..=start], &lines[start + 1..start + 1 + length], &lines[start + 1 + length..])
    } else {
        let first = lines.iter().position(|line| is_next(line)).unwrap_or(lines.len());
        (&lines[..first], &lines[..0], &lines[first..])
    };
    let entry = entry(version, date, &join(pending), subjects);
    let parts = [join(before).trim_end().to_owned(), entry, join(after).trim_end().to_owned()];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// Whether people wrote something for the next version.
pub(crate) fn has_unreleased(text: &str) -> bool {
    let after = text.lines().skip_while(|line| !is_unreleased(line)).skip(1);
    after.take_while(|line| !is_next(line)).any(|line| line.trim_start().starts_with('-'))
}

fn is_unreleased(line: &str) -> bool {
    line.trim().eq_ignore_ascii_case("## [unreleased]")
}

/// Of another version, or of the links at the end.
fn is_next(line: &str) -> bool {
    line.starts_with("## ") || (line.starts_with('[') && line.contains("]: "))
}

fn join(lines: &[&str]) -> String {
    lines.join("\n")
}

fn entry(version: &Version, date: Date, pending: &str, subjects: &[String]) -> String {
    let mut groups = groups(pending);
    for (heading, item) in subjects.iter().filter_map(|subject| item(subject)) {
        add(&mut groups, heading, &format!("- {item}"));
    }
    groups.sort_by_key(|(heading, _)| HEADINGS.iter().position(|known| known == heading));
    let mut text = format!("## [{version}] - {date}");
    for (heading, body) in groups {
        text.push_str("\n\n");
        if !heading.is_empty() {
            text.extend(["### ", &heading, "\n"]);
        }
        text.push_str(&body);
    }
    text
}

/// By heading; what stands before the first one has none.
fn groups(pending: &str) -> Vec<(String, String)> {
    let (mut groups, mut heading) = (vec![], String::new());
    for line in pending.lines() {
        match line.strip_prefix("### ") {
            Some(title) => title.trim().clone_into(&mut heading),
            None if !line.trim().is_empty() => add(&mut groups, &heading, line),
            None => {}
        }
    }
    groups
}

fn add(groups: &mut Vec<(String, String)>, heading: &str, line: &str) {
    match groups.iter_mut().find(|(known, _)| known == heading) {
        Some((_, body)) => body.extend(["\n", line]),
        None => groups.push((heading.to_owned(), line.to_owned())),
    }
}

/// What a commit's subject says, and under which heading.
fn item(subject: &str) -> Option<(&'static str, &str)> {
    let (kind, said) = match subject.split_once(": ") {
        Some((kind, said)) => (kind, said),
        None => ("", subject),
    };
    // `feat(auth)!` is a kind, and `runbook/doom` is a place.
    let word = kind.split(['(', '!']).next().unwrap_or_default().to_ascii_lowercase();
    let heading = match word.as_str() {
        "feat" | "add" => "Added",
        "fix" => "Fixed",
        "deprecate" => "Deprecated",
        "remove" | "revert" => "Removed",
        "security" | "sec" => "Security",
        "change" | "perf" | "refactor" => "Changed",
        inner if INNER.contains(&inner) => return None,
        _ => return Some(("Changed", subject)),
    };
    Some((heading, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn written(text: &str, subjects: &[&str]) -> String {
        let subjects: Vec<_> = subjects.iter().map(|subject| (*subject).to_owned()).collect();
        with_entry(text, &Version::new(1, 2, 4), date(2026, 11, 26), &subjects)
    }

    #[test]
    fn what_was_unreleased_is_the_version_s_and_the_commits_join_it() {
        let text = "# Changelog\n\nNewest first.\n\n## [Unreleased]\n\n### Fixed\n- A login that hung.\n\n### Added\n- Keys.\n  Of two lines.\n\n## [1.2.3] - 2026-11-19\n\n### Added\n- Users.\n";
        let subjects = ["feat(orgs)!: teams", "fix: a typo", "docs: a page", "runbook/doom: names a missing secret"];
        insta::assert_snapshot!(written(text, &subjects), @"
        # Changelog

        Newest first.

        ## [Unreleased]

        ## [1.2.4] - 2026-11-26

        ### Added
        - Keys.
          Of two lines.
        - teams

        ### Changed
        - runbook/doom: names a missing secret

        ### Fixed
        - A login that hung.
        - a typo

        ## [1.2.3] - 2026-11-19

        ### Added
        - Users.
        ");
    }

    #[test]
    fn without_unreleased_the_entry_is_the_first_one() {
        insta::assert_snapshot!(written("# Changelog\n\n## [1.2.3]\n- Users.\n\n[1.2.3]: https://example.com\n", &["feat: teams"]), @"
        # Changelog

        ## [1.2.4] - 2026-11-26

        ### Added
        - teams

        ## [1.2.3]
        - Users.

        [1.2.3]: https://example.com
        ");
        insta::assert_snapshot!(written("# Changelog\n", &[]), @"
        # Changelog

        ## [1.2.4] - 2026-11-26
        ");
    }

    #[test]
    fn links_at_the_end_stay_there() {
        let text = "## [Unreleased]\n\n- Keys.\n\n[Unreleased]: https://example.com\n";
        insta::assert_snapshot!(written(text, &[]), @"
        ## [Unreleased]

        ## [1.2.4] - 2026-11-26

        - Keys.

        [Unreleased]: https://example.com
        ");
    }
}
