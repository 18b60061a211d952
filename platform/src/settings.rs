//! Every setting there is: one table, from which reading, `platform settings` and the manual's page come.

use anyhow::{Context, Result, bail};
use std::{collections::BTreeMap, fmt::Write, io, path::Path};

/// What a setting is.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) default: &'static str,
    pub(crate) meaning: &'static str,
    /// Never printed; may stand in a file named by `<name>_FILE`.
    pub(crate) secret: bool,
}

macro_rules! settings { ($($name:ident: $kind:literal, $default:literal, $secret:literal, $meaning:literal;)*) => {
    /// The table.
    pub(crate) const ALL: &[Setting] = &[$(Setting {
        name: stringify!($name), kind: $kind, default: $default, meaning: $meaning, secret: $secret,
    }),*];
} }

settings! {
    DATABASE_URL: "URL", "", true, "PostgreSQL, as api_platform_app; ?sslmode=verify-full checks its certificate";
    EAP_MASTER_KEY: "32 bytes in base64", "", true, "root of all secrets at rest; make one with `platform secrets init`";
    EAP_PUBLIC_URL: "URL", "", false, "how the world reaches the platform: issuer of tokens, base of links";
    EAP_SMTP_URL: "URL", "", true, "mail server, as in smtps://user:password@host; without it nobody can register";
    EAP_MAIL_FROM: "address", "", false, "sender of mails; needed beside EAP_SMTP_URL";
    EAP_DATABASE_POOL: "number", "5", false, "connections of a process";
    EAP_CORS_ORIGINS: "list of origins", "", false, "pages that browsers may call from";
    EAP_TRUSTED_PROXIES: "list of networks", "", false, "hops whose X-Forwarded-For is believed, as in 10.0.0.0/8";
    EAP_RATE_LIMIT_ADDRESS: "number", "3000", false, "requests a minute from an address; 0: unlimited";
    EAP_RATE_LIMIT_PERSON: "number", "1500", false, "requests a minute of a person; 0: unlimited";
    EAP_EVENTS_RETENTION_DAYS: "number", "0", false, "how long the event log, which is the audit log, is kept; 0: for good";
    EAP_ANALYTICS_RETENTION_DAYS: "number", "0", false, "how long analytics events are kept, but for their hourly counts; 0: for good";
    EAP_SMOKE_KEY: "text", "", true, "lets `platform smoke` in; without it nobody";
    EAP_SMOKE_DOMAIN: "domain", "smoke.invalid", false, "of the smoke test's addresses; mail to them is never sent";
    LOG_LEVEL: "error, warn, info, debug, trace", "info", false, "what is logged";
    EAP_LOG_FORMAT: "human or json", "json", false, "how it is logged";
    NODE_ENV: "text", "", false, "accepted as the runbook sets it; `serve` is always production";
}

/// The settings of this process, from its environment.
#[derive(Debug, Default)]
pub(crate) struct Settings(BTreeMap<&'static str, Given>);

/// A value, and the name of the variable that it came by.
#[derive(Debug)]
struct Given {
    value: String,
    by: String,
}

impl Settings {
    /// Reads the environment; unknown names of ours, and a secret given twice, are errors.
    pub(crate) fn from_environment() -> Result<Self> {
        Self::read(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    fn read(environment: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut given = BTreeMap::new();
        for (name, value) in environment {
            let (base, from_file) = name.strip_suffix("_FILE").map_or((&*name, false), |base| (base, true));
            let Some(setting) = ALL.iter().find(|setting| setting.name == base) else {
                refuse_unknown(&name)?;
                continue;
            };
            if from_file && !setting.secret {
                bail!("{name}: only secrets can be read from a file; set {base}");
            }
            let one = if from_file { from_secret(&name, &value)? } else { Given { value, by: name.clone() } };
            if given.insert(setting.name, one).is_some() {
                bail!("both {base} and {base}_FILE are set: unset one");
            }
        }
        Ok(Self(given))
    }

    /// What was given, unless it is empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|given| &*given.value).filter(|value| !value.is_empty())
    }

    /// What was given, or an error that says what it is for.
    pub(crate) fn required(&self, name: &str) -> Result<&str> {
        let meaning = ALL.iter().find(|setting| setting.name == name).map_or("", |setting| setting.meaning);
        let empty = self.0.get(name).map(|given| format!(" ({} is empty)", given.by)).unwrap_or_default();
        self.given(name).with_context(|| format!("{name} is not set{empty}: {meaning}"))
    }

    /// What was given, or the default.
    pub(crate) fn value(&self, name: &str) -> &str {
        let default = ALL.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default);
        self.given(name).unwrap_or(default)
    }

    /// A number, given or by default.
    pub(crate) fn number(&self, name: &str) -> Result<u32> {
        let text = self.value(name);
        text.parse().with_context(|| format!("{name} is `{text}`, which is no number"))
    }

    /// A list, separated by commas.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let items = self.given(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// The page of `platform settings`: what each is, its value, and where that comes from.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for setting in ALL {
            let (value, source) = match self.given(setting.name) {
                Some(_) if setting.secret => ("(secret)", &*self.0[setting.name].by),
                Some(value) => (value, &*self.0[setting.name].by),
                None if setting.default.is_empty() => ("-", "not set"),
                None => (setting.default, "default"),
            };
            let source = if source == setting.name { "environment" } else { source };
            let _ = writeln!(table, "{:<23} {value:<30} {source}", setting.name);
            let _ = writeln!(table, "    {} ({})", setting.meaning, setting.kind);
        }
        table + "\nA change needs a restart. A secret may stand in a file that <NAME>_FILE names.\n"
    }
}

/// A secret from its file. Where the folder is there and the file is not, as in a mounted Kubernetes secret that lacks an
/// optional key, it was not given; a folder that is not there is a mistake in the path.
fn from_secret(name: &str, path: &str) -> Result<Given> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Given { value: text.trim().to_owned(), by: name.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && Path::new(path).parent().is_some_and(Path::is_dir) => {
            Ok(Given { value: String::new(), by: format!("{name}: {path}, which is not there,") })
        }
        Err(error) => Err(error).with_context(|| format!("{name}: {path} cannot be read")),
    }
}

/// A name of ours that is none is a mistake, and the setting that was meant is not in force.
fn refuse_unknown(name: &str) -> Result<()> {
    if !name.starts_with("EAP_") || name.starts_with("EAP_TEST_") {
        return Ok(());
    }
    let nearest = ALL.iter().min_by_key(|setting| strsim::levenshtein(setting.name, name));
    bail!(
        "there is no setting {name}; did you mean {}? `platform settings` lists them",
        nearest.map_or("", |setting| setting.name)
    )
}

/// The page `docs/reference/settings.md`.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Settings\n\nAll come from the environment, and a change needs a restart. A secret can stand in a file named by `<NAME>_FILE`; when its folder is there and the file is not, the secret is not set.\n\n| name | type | default | secret | meaning |\n|---|---|---|---|---|\n",
    );
    for Setting { name, kind, default, meaning, secret } in ALL {
        let secret = if *secret { "yes" } else { "" };
        let _ = writeln!(page, "| `{name}` | {kind} | {default} | {secret} | {meaning} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings> {
        Settings::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_the_nearest() {
        let error = read(&[("EAP_PUBLIC_ULR", "x")]).unwrap_err().to_string();
        assert!(error.contains("did you mean EAP_PUBLIC_URL?"), "{error}");
        assert!(read(&[("PATH", "x"), ("NODE_ENV", "production")]).is_ok());
    }

    #[test]
    fn a_secret_given_twice_is_refused_and_one_in_a_file_is_read() {
        let file = std::env::temp_dir().join(format!("settings-test-{}", std::process::id()));
        std::fs::write(&file, "postgresql://x\n").unwrap();
        let path = file.to_str().unwrap();
        assert_eq!(read(&[("DATABASE_URL_FILE", path)]).unwrap().given("DATABASE_URL"), Some("postgresql://x"));
        assert!(read(&[("DATABASE_URL", "y"), ("DATABASE_URL_FILE", path)]).is_err());
        assert!(read(&[("LOG_LEVEL_FILE", path)]).is_err());
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_secret_whose_file_is_not_there_was_not_given_but_its_folder_must_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("smoke-key");
        let settings = read(&[("EAP_SMOKE_KEY_FILE", path.to_str().unwrap())]).unwrap();
        assert_eq!(settings.given("EAP_SMOKE_KEY"), None);
        let error = settings.required("EAP_SMOKE_KEY").unwrap_err().to_string();
        assert!(error.contains("smoke-key, which is not there"), "{error}");
        let both = read(&[("EAP_SMOKE_KEY_FILE", path.to_str().unwrap()), ("EAP_SMOKE_KEY", "x")]);
        assert!(both.unwrap_err().to_string().contains("unset one"));
        assert!(read(&[("EAP_SMOKE_KEY_FILE", "/nowhere/at/all/smoke-key")]).is_err());
    }

    #[test]
    fn a_page_tells_where_a_value_comes_from() {
        let table = read(&[("LOG_LEVEL", "debug")]).unwrap().table();
        assert!(table.contains("LOG_LEVEL               debug                          environment"), "{table}");
        assert!(table.contains("EAP_DATABASE_POOL       5                              default"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    }

    #[test]
    fn a_secret_is_never_printed() {
        let table = read(&[("DATABASE_URL", "postgresql://user:hidden@host")]).unwrap().table();
        assert!(!table.contains("hidden") && table.contains("(secret)"));
    }

    #[test]
    fn there_are_at_most_forty() {
        assert!(ALL.len() <= 40);
    }
}
