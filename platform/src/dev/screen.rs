//! The first screen: at most 25 lines of 80 columns, and only what exists.

use super::demo::Demo;
use std::{fmt, time::Duration};

pub(crate) struct Screen {
    pub(crate) version: &'static str,
    pub(crate) ready: Duration,
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) folder: String,
    /// With which this was started, so that what is printed can be pasted.
    pub(crate) command: String,
    pub(crate) demo: Demo,
}

impl Screen {
    /// The same facts for programs.
    pub(crate) fn plain(&self) -> String {
        let Self { url, database, ready, version, .. } = self;
        format!(
            "version={version}\napi={url}/v1\ndocs={url}/docs\nmail={url}/dev/mail\ndatabase={database}\nready_ms={}\n",
            ready.as_millis()
        )
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, ready, url, database, folder, command, demo } = self;
        let title = format!("Enterprise API Platform {version}  development");
        let ready = format!("ready in {:.1} s", ready.as_secs_f64());
        writeln!(f, "\n  {title:<60}{ready:>16}\n")?;
        writeln!(f, "  API        {:<36} signed in as test@example.com", format!("{url}/v1"))?;
        writeln!(f, "  Reference  {url}/docs")?;
        writeln!(f, "  Mail       {:<36} every mail ends here", format!("{url}/dev/mail"))?;
        writeln!(f, "  Database   {:<40} {command} dev psql", format!("{database}, in {folder}/"))?;
        writeln!(f)?;
        writeln!(f, "  Demo       {demo}")?;
        writeln!(f)?;
        writeln!(f, "  Try it     eval \"$({command} dev env)\"")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        Screen {
            version: "0.4.0",
            ready: Duration::from_millis(412),
            url: "http://localhost:3000".to_owned(),
            database: "PostgreSQL 17.2, private".to_owned(),
            folder: ".platform".to_owned(),
            command: "platform".to_owned(),
            demo: Demo { organization: "Acme".to_owned(), people: 3, types: 2, resources: 5 },
        }
    }

    #[test]
    fn the_first_screen_fits_and_says_what_there_is() {
        let text = screen().to_string();
        assert!(text.lines().count() <= 25 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn programs_get_the_same_facts() {
        insta::assert_snapshot!(screen().plain());
    }
}
