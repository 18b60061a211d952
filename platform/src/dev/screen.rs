//! The first screen: at most 25 lines of 80 columns, and only what exists.

use super::{demo::Demo, invocation::Invocation};
use std::{fmt, time::Duration};

/// Columns of the labels, of what stands beside them, and where a command goes on.
const LEFT: usize = 13;
const RIGHT: usize = 80 - LEFT;
const CONTINUED: &str = "               ";

pub(crate) struct Screen {
    pub(crate) version: &'static str,
    pub(crate) ready: Duration,
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) invocation: Invocation,
    /// None: the test user cannot sign in any more.
    pub(crate) demo: Option<Demo>,
}

impl Screen {
    /// The same facts for programs.
    pub(crate) fn plain(&self) -> String {
        let Self { url, database, ready, version, .. } = self;
        format!(
            "version={version}\napi={url}/v1\ndocs={url}/docs\nmail={url}/dev/mail\nhooks={url}/dev/hooks\ndatabase={database}\nready_ms={}\n",
            ready.as_millis()
        )
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, ready, url, database, invocation, demo } = self;
        let title = format!("Enterprise API Platform {version}  development");
        let ready = format!("ready in {:.1} s", ready.as_secs_f64());
        writeln!(f, "\n  {title:<60}{ready:>16}\n")?;
        writeln!(f, "  API        {:<36} signed in as test@example.com", format!("{url}/v1"))?;
        writeln!(f, "  Reference  {url}/docs")?;
        writeln!(f, "  Mail       {:<36} every mail ends here", format!("{url}/dev/mail"))?;
        writeln!(f, "  Webhooks   {:<36} a receiver to try them with", format!("{url}/dev/hooks"))?;
        writeln!(f, "  Database   {database}")?;
        writeln!(f, "             {}", pasted("", &invocation.words("dev psql"), ""))?;
        writeln!(f)?;
        match demo {
            Some(demo) => writeln!(f, "  Demo       {demo}")?,
            None => writeln!(f, "  Demo       test@example.com does not sign in with test123 any more")?,
        }
        writeln!(f)?;
        writeln!(f, "  Try it     {}", pasted("eval \"$(", &invocation.words("dev env"), ")\""))?;
        writeln!(f, "             curl -s \"$API_URL/users?limit=5\" \\")?;
        writeln!(f, "                  -H \"Authorization: Bearer $TEST_TOKEN\"")?;
        writeln!(f)?;
        writeln!(f, "  Listens on 127.0.0.1 only. The password test123 and the caught mail exist")?;
        writeln!(f, "  here alone: `platform serve` has no development mode.")?;
        writeln!(f)?;
        writeln!(f, "  Ctrl-C stops everything; the data stays.")?;
        writeln!(f, "  {}", "-".repeat(76))
    }
}

/// A command for the right column, on more lines where one is too short: each but the last ends in a backslash, so that
/// it can be pasted as it stands. Only a path that is longer than a line is not held to it.
fn pasted(before: &str, words: &[String], after: &str) -> String {
    let (mut text, mut width) = (before.to_owned(), before.len());
    for (i, word) in words.iter().enumerate() {
        let end = if i + 1 == words.len() { after.len() } else { " \\".len() };
        let length = word.chars().count();
        let glue = if i == 0 { "" } else { " " };
        if width + glue.len() + length + end > RIGHT && width > 0 {
            text += glue;
            text += "\\\n";
            text += CONTINUED;
            width = CONTINUED.len() - LEFT;
        } else {
            text += glue;
            width += glue.len();
        }
        text += word;
        width += length;
    }
    text + after
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn screen() -> Screen {
        Screen {
            version: "0.4.0",
            ready: Duration::from_millis(412),
            url: "http://localhost:3000".to_owned(),
            database: "PostgreSQL 17.2, private, in .platform/postgres/".to_owned(),
            invocation: Invocation::new(Path::new("target/debug/platform"), Path::new(".platform")),
            demo: Some(Demo { organization: "Acme".to_owned(), people: 3, types: 2, resources: 5 }),
        }
    }

    fn fits(text: &str) {
        assert!(text.lines().count() <= 25 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn the_first_screen_fits_and_says_what_there_is() {
        let text = screen().to_string();
        fits(&text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn commands_from_far_away_are_broken_where_a_shell_joins_them() {
        let program = "/home/ada/.cache/enterprise-api-platform/target/debug/platform";
        let invocation = Invocation::new(Path::new(program), Path::new("/var/tmp/a folder of ada's"));
        let text = Screen { invocation, ..screen() }.to_string();
        fits(&text);
        let (_, command) = text.split_once("eval \"$(").unwrap();
        let (command, _) = command.split_once(")\"").unwrap();
        let words = shlex::split(&command.replace("\\\n", "")).unwrap();
        assert_eq!(words, [program, "dev", "env", "--data-dir", "/var/tmp/a folder of ada's"]);
    }

    #[test]
    fn programs_get_the_same_facts() {
        insta::assert_snapshot!(screen().plain());
    }
}
