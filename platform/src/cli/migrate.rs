//! The words of `platform migrate`.

use clap::{Subcommand, ValueEnum};
use semver::Version;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum MigrateCommand {
    /// What is applied and what is pending; writes nothing
    #[command(
        after_help = "Examples:\n  platform migrate status\n  platform migrate status --exit-code || platform migrate up\n  platform migrate status --json | jq '.[] | select(.state == \"pending\")'\n\nNeeds DATABASE_URL; readonly_user will do."
    )]
    Status {
        /// For programs: also checksum, duration, by whom and in which run
        #[arg(long)]
        json: bool,
        /// Exit code 2 when something is pending, 3 when something changed or is missing
        #[arg(long)]
        exit_code: bool,
    },
    /// What `up` would do: locks, cost on this database, who is in the way, what undoes it; writes nothing
    #[command(
        after_help = "Examples:\n  platform migrate plan\n  platform migrate plan --json | jq '.files[].statements[] | {sql, lock, work, duration}'\n\nNeeds DATABASE_URL of admin_user. The same files on the same state have the same hash."
    )]
    Plan {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Applies what is pending
    #[command(after_help = "Example:\n  platform migrate up\n\nNeeds DATABASE_URL of admin_user.")]
    Up,
    /// Writes a new, empty file behind all others
    #[command(
        after_help = "Examples:\n  platform migrate new add_mfa_columns\n  platform migrate new add_mfa_columns --down"
    )]
    New {
        /// Small letters, digits and underscores
        name: String,
        /// Also a file that undoes it
        #[arg(long)]
        down: bool,
        /// Where the files are
        #[arg(long, default_value = "migrations")]
        dir: PathBuf,
    },
    /// What is dangerous in the files; needs no database
    #[command(
        after_help = "Examples:\n  platform migrate lint\n  platform migrate lint --format sarif > migrations.sarif\n  platform migrate lint --release 1.5.0\n\nExit code 1 when something was found. An exception, with its reason, stands in the file:\n  -- lint:allow ban-drop-table nobody reads it since 1.4.0"
    )]
    Lint {
        /// How findings are printed
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        /// The release that the files ship in [default: this program's version]
        #[arg(long)]
        release: Option<Version>,
        /// Where the files are
        #[arg(long, default_value = "migrations")]
        dir: PathBuf,
    },
    /// Makes the database roles; needs a login that may create roles
    #[command(after_help = "Examples:\n  platform migrate roles\n  platform migrate roles --print")]
    Roles {
        /// Prints the SQL for a DBA instead
        #[arg(long)]
        print: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
    Sarif,
}
