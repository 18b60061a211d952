//! A database, as the programs of PostgreSQL are told of it.

use crate::BackupError;
use migrate::Client;
use percent_encoding::percent_decode_str;
use tokio::process::Command;

/// Where a database is, its password apart: a command line can be read by everybody on the machine.
#[derive(Debug)]
pub(crate) struct Database {
    whole: String,
    without_password: String,
    password: Option<String>,
}

impl Database {
    /// Of `postgresql://user:password@host/database?…`. By hand: a URL of a socket has no host, which WHATWG forbids.
    pub(crate) fn parse(text: &str) -> Result<Self, BackupError> {
        let (scheme, rest) = text.split_once("://").ok_or(BackupError::NoUrl)?;
        let (authority, place) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').map_or((user, None), |(user, password)| (user, Some(password)));
        let at = if user.is_empty() { "" } else { "@" };
        let password = password.map(|password| percent_decode_str(password).decode_utf8_lossy().into_owned());
        let without_password = format!("{scheme}://{user}{at}{host}{place}");
        Ok(Self { whole: text.to_owned(), without_password, password })
    }

    /// Another database of the same server.
    pub(crate) fn sibling(&self, name: &str) -> Result<Self, BackupError> {
        let (scheme, rest) = self.whole.split_once("://").ok_or(BackupError::NoUrl)?;
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        let query = rest.find('?').map_or("", |start| &rest[start..]);
        Self::parse(&format!("{scheme}://{authority}/{name}{query}"))
    }

    /// The same database on another host.
    pub(crate) fn on(&self, host: &str, port: i64) -> Result<Self, BackupError> {
        let (scheme, rest) = self.whole.split_once("://").ok_or(BackupError::NoUrl)?;
        let (authority, place) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let user = authority.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
        Self::parse(&format!("{scheme}://{user}{host}:{port}{place}"))
    }

    /// As somebody else, `user` or `user:password`.
    pub(crate) fn of_user(&self, user: &str) -> String {
        let (scheme, rest) = self.without_password.split_once("://").unwrap_or_default();
        let (authority, place) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{user}@{host}{place}")
    }

    /// Who connects.
    pub(crate) fn user(&self) -> &str {
        let (_, rest) = self.without_password.split_once("://").unwrap_or_default();
        rest.split_once('@').map_or("", |(user, _)| user)
    }

    /// Its name, as a URL has it.
    pub(crate) fn name(&self) -> &str {
        let (_, rest) = self.without_password.split_once("://").unwrap_or_default();
        let name = rest.split_once('/').map_or("", |(_, name)| name);
        name.split_once('?').map_or(name, |(name, _)| name)
    }

    pub(crate) async fn connect(&self) -> Result<Client, BackupError> {
        Ok(migrate::connect(&self.whole).await?)
    }

    /// One of PostgreSQL's programs, connected to it.
    pub(crate) fn command(&self, program: &'static str) -> Command {
        let mut command = Command::new(place(program));
        command.arg("--dbname").arg(&self.without_password).env("PGAPPNAME", "platform backup");
        command.env("PGCONNECT_TIMEOUT", "10").arg("--no-password");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command
    }
}

/// The newest that is installed, else what `PATH` has: a machine with the client alone has no server beside it.
pub(crate) fn place(program: &'static str) -> std::path::PathBuf {
    private_postgres::Programs::find().map_or_else(|_| program.into(), |programs| programs.program(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_into_the_environment_and_never_on_the_command_line() {
        let database = Database::parse("postgresql://ada:p%40ss@db.example.com:5432/api?sslmode=require").unwrap();
        let command = database.command("pg_dump");
        let arguments: Vec<_> = command.as_std().get_args().collect();
        assert_eq!(
            arguments,
            ["--dbname", "postgresql://ada@db.example.com:5432/api?sslmode=require", "--no-password"]
        );
        let password = command.as_std().get_envs().find(|(name, _)| *name == "PGPASSWORD");
        assert_eq!(password.unwrap().1.unwrap(), "p@ss");
    }

    #[test]
    fn another_host_and_another_user_keep_what_else_the_url_says() {
        let database = Database::parse("postgresql://ada:secret@db.example.com:5432/api?sslmode=verify-full").unwrap();
        let restored = database.on("restored.example.com", 5433).unwrap();
        assert_eq!(restored.whole, "postgresql://ada:secret@restored.example.com:5433/api?sslmode=verify-full");
        let other = "postgresql://bob:x@restored.example.com:5433/api?sslmode=verify-full";
        assert_eq!((restored.of_user("bob:x").as_str(), restored.user(), restored.name()), (other, "ada", "api"));
    }

    #[test]
    fn a_sibling_is_on_the_same_server_also_behind_a_socket() {
        let database = Database::parse("postgresql://ada@/api?host=%2Ftmp%2Fx&port=5433").unwrap();
        assert_eq!(database.sibling("scratch").unwrap().whole, "postgresql://ada@/scratch?host=%2Ftmp%2Fx&port=5433");
    }
}
