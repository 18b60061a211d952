//! The words of `platform migrate`.

mod backfill;

pub(crate) use backfill::{BackfillCommand, Start};

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
    /// Applies what is pending; a run that was killed is simply started again
    #[command(
        after_help = "Examples:\n  platform migrate up\n  platform migrate up --must-run 1.4.0\n  platform migrate up --cancel-blocker 4711\n\nNeeds DATABASE_URL of admin_user. A busy table is asked for half a second at a time, and who is in the way is named.\nRefused when a file changed or vanished, comes before an applied one, or would leave behind an image that runs."
    )]
    Up {
        /// An image that must be able to run afterwards, besides those seen within two minutes; may be repeated
        #[arg(long, value_name = "VERSION")]
        must_run: Vec<Version>,
        /// Ends this server process when it is in the way; may be repeated
        #[arg(long, value_name = "PID")]
        cancel_blocker: Vec<i32>,
    },
    /// Undoes the newest applied file by its .down.sql, where that is proven to lead back
    #[command(
        after_help = "Examples:\n  platform migrate down 20250110_add_mfa_columns.sql\n  platform migrate down 20250110_add_mfa_columns.sql --scratch postgresql://admin_user@localhost/scratch\n  platform migrate down 20250110_add_mfa_columns.sql --backup api_platform-20250117-140000 --lose-rows\n\nFirst up, down and up again are tried on an empty database, and the schemas compared: of --scratch, or on a server\nof its own that lasts as long, with the programs of this machine. A verified backup is as good.\nRefused when values would be lost, which it looks for before and after in the same transaction."
    )]
    Down {
        /// The file, which must be the newest applied one
        file: String,
        /// An empty database of the same version for the trial, where admin_user may make tables; it is filled
        #[arg(long, value_name = "URL", conflicts_with = "backup")]
        scratch: Option<String>,
        /// Instead of a trial: a verified backup of this database, from after the file was applied and of the last 24 hours
        #[arg(long, value_name = "ID")]
        backup: Option<String>,
        /// Where backups lie
        #[arg(long, default_value = "backups")]
        folder: PathBuf,
        /// A backup has what will be lost
        #[arg(long)]
        lose_rows: bool,
    },
    /// Compares the schema with what the applied files make of an empty database
    #[command(
        after_help = "Example:\n  createdb --owner admin_user scratch\n  platform migrate verify --scratch postgresql://admin_user@localhost/scratch\n\nPrints the difference as SQL; exit code 3 when there is one."
    )]
    Verify {
        /// An empty database of the same server version, where admin_user may make tables; it is filled
        #[arg(long, value_name = "URL")]
        scratch: String,
    },
    /// Brings the rows of a large table up to date, in short transactions that give way to others
    Backfill {
        #[command(subcommand)]
        command: BackfillCommand,
    },
    /// Accepts that an applied file changed or vanished, and records who said so and why
    #[command(
        after_help = "Example:\n  platform migrate repair --accept 20250110_add_mfa_columns.sql --reason \"only a comment\""
    )]
    Repair {
        /// The file
        #[arg(long, value_name = "FILE")]
        accept: String,
        /// Why that is right, in some words
        #[arg(long)]
        reason: String,
    },
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
