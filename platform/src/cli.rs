//! The commands and their words.

pub(crate) mod migrate;

use crate::{Service, commands, dev};
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(name = "platform", version, about = "The Enterprise API Platform", propagate_version = false)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API, as in production
    #[command(
        after_help = "Examples:\n  platform serve\n  platform serve auth --port 3000 --metrics-port 9090\n\nNeeds DATABASE_URL, EAP_MASTER_KEY (or EAP_MASTER_KEY_FILE) and EAP_PUBLIC_URL; `platform settings` lists all."
    )]
    Serve {
        /// Which service; without it all of them in one process
        service: Option<Service>,
        #[arg(long, default_value_t = 3000)]
        port: u16,
        /// Where Prometheus reads; never public
        #[arg(long, default_value_t = 9090)]
        metrics_port: u16,
    },
    /// Runs everything on this machine, with a PostgreSQL and demo data of its own
    #[command(after_help = "Examples:\n  platform dev\n  platform dev --port 4000\n  eval \"$(platform dev env)\"")]
    Dev {
        #[command(subcommand)]
        command: Option<DevCommand>,
        /// 0 takes any free port
        #[arg(long, default_value_t = 3000)]
        port: u16,
        /// Where its database and secrets live
        #[arg(long, default_value = dev::invocation::DATA_DIR, global = true)]
        data_dir: PathBuf,
    },
    /// Migrations of the database named by DATABASE_URL
    #[command(
        after_help = "Examples:\n  platform migrate status\n  platform migrate lint\n  platform migrate up\n  platform migrate roles --print\n\nEach command has examples of its own: platform migrate up --help"
    )]
    Migrate {
        #[command(subcommand)]
        command: migrate::MigrateCommand,
    },
    /// Backups of the database named by DATABASE_URL: made, listed, verified, restored
    #[command(
        after_help = "Examples:\n  platform backup create --folder /var/backups\n  platform backup verify\n  platform backup restore api_platform-20250117-140000\n  platform backup restore api_platform-20250117-140000 --old postgresql://admin_user@db/api_platform\n  platform backup create --rds prod-db\n  platform backup restore --rds prod-db --at 2025-01-17T14:00:00Z\n\nNeeds the login admin_user, and pg_dump and pg_restore as new as the server."
    )]
    Backup {
        #[command(subcommand)]
        command: commands::backup::BackupCommand,
        #[command(flatten)]
        options: commands::backup::Options,
    },
    /// Every setting, with its value and where that comes from
    #[command(after_help = "Examples:\n  platform settings\n  LOG_LEVEL=debug platform settings | grep -A1 LOG_LEVEL")]
    Settings,
    /// The keys that sign access tokens
    #[command(
        after_help = "Examples:\n  platform keys list\n  platform keys rotate\n  platform keys retire 5f0e8c21a9d34b7766c0e1f2\n\nNeeds DATABASE_URL and EAP_MASTER_KEY."
    )]
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Secrets of an installation
    #[command(after_help = "Example:\n  platform secrets init > master-key && chmod 600 master-key")]
    Secrets {
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// What an operator makes by hand
    #[command(
        after_help = "Example:\n  platform admin create-organization --name Acme --owner ada@example.com < password.txt"
    )]
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Prints the OpenAPI document of a service, or of all
    #[command(after_help = "Examples:\n  platform openapi\n  platform openapi auth > auth.json")]
    Openapi { service: Option<Service> },
    /// Writes what is generated: the reference and the OpenAPI documents
    #[command(after_help = "Examples, in the project's folder:\n  platform generate\n  platform generate --check")]
    Generate {
        /// Only says what is out of date
        #[arg(long)]
        check: bool,
    },
    /// The runbook's eight smoke tests against a running installation
    #[command(
        after_help = "Examples:\n  platform smoke --env development\n  EAP_SMOKE_KEY=… platform smoke --env production\n  EAP_SMOKE_KEY=… platform smoke --url https://api.example.com --json\n\nErases what it made. Exit code 0: all passed, 1: one did not, 130: interrupted."
    )]
    Smoke {
        #[command(flatten)]
        which: crate::smoke::Which,
        /// One JSON document instead of lines
        #[arg(long)]
        json: bool,
        /// Of the running `platform dev`
        #[arg(long, default_value = dev::invocation::DATA_DIR)]
        data_dir: PathBuf,
    },
    /// Asks a running service whether it is ready; for health checks of containers
    #[command(after_help = "Examples:\n  platform healthcheck\n  platform healthcheck --port 4000")]
    Healthcheck {
        #[arg(long, default_value_t = 3000)]
        port: u16,
    },
    /// Waits until proxies know that a container ends; for preStop below Kubernetes 1.30
    #[command(after_help = "Example:\n  platform prestop 5")]
    Prestop {
        #[arg(value_parser = clap::value_parser!(u16).range(..=300))]
        seconds: u16,
    },
    /// The version, and the schema that it needs
    #[command(after_help = "Examples:\n  platform version\n  platform version --json")]
    Version {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum DevCommand {
    /// Prints KEY=value of the running platform, with a fresh token, for `eval`
    Env,
    /// Opens psql on its database
    Psql,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// All keys
    List,
    /// Makes a key that signs in two minutes, when every process knows it
    Rotate,
    /// Forgets a key: every process refuses its tokens within ten seconds
    Retire { id: String },
}

#[derive(Subcommand)]
enum SecretsCommand {
    /// Prints a new master key, to be kept in a secret store
    Init,
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Makes an organization and its first owner; the password is read from standard input
    #[command(
        after_help = "Example:\n  platform admin create-organization --name Acme --owner ada@example.com < password.txt"
    )]
    CreateOrganization {
        #[arg(long)]
        name: String,
        /// The owner's e-mail address
        #[arg(long)]
        owner: String,
    },
}

/// Parses, runs, and says what went wrong.
pub fn main() -> ExitCode {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve { service, port, metrics_port } => commands::serve::run(service, port, metrics_port).await,
        Command::Dev { command: None, port, data_dir } => dev::run(&data_dir, port).await,
        Command::Dev { command: Some(DevCommand::Env), data_dir, .. } => dev::environment::print(&data_dir).await,
        Command::Dev { command: Some(DevCommand::Psql), data_dir, .. } => dev::environment::psql(&data_dir),
        Command::Migrate { command } => commands::migrate::run(command).await,
        Command::Backup { command, options } => commands::backup::run(command, options).await,
        Command::Settings => Ok(commands::print(&crate::settings::Settings::from_environment()?.table())),
        Command::Keys { command } => commands::keys::run(command).await,
        Command::Secrets { command: SecretsCommand::Init } => Ok(commands::secrets_init()),
        Command::Admin { command: AdminCommand::CreateOrganization { name, owner } } => {
            commands::admin::create_organization(&name, &owner).await
        }
        Command::Openapi { service } => commands::generate::print_document(service),
        Command::Generate { check } => commands::generate::run(check),
        Command::Smoke { which, json, data_dir } => crate::smoke::run(&which, &data_dir, json).await,
        Command::Healthcheck { port } => commands::healthcheck(port).await,
        Command::Prestop { seconds } => Ok(commands::prestop(seconds).await),
        Command::Version { json } => Ok(commands::version(json)),
    }
}
