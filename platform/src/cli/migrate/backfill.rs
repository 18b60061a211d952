//! The words of `platform migrate backfill`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum BackfillCommand {
    /// Runs a backfill to its end; one that was killed goes on where it was
    #[command(
        after_help = "Examples:\n  platform migrate backfill start 20250301_fill_email\n  platform migrate backfill start 20250301_fill_email --metrics http://10.0.0.7:9090/metrics --max-p95 200\n\nNeeds DATABASE_URL of admin_user, and no pooler between. Works half of the time; halves its rate every second\nthat a standby is too far behind or the p95 too high, and takes it back when they recover.\nExit code 2 when it was paused."
    )]
    Start(Start),
    /// How far each backfill is; writes nothing
    #[command(
        after_help = "Examples:\n  platform migrate backfill status\n  platform migrate backfill status --json | jq '.[] | {name, state, walked, total, rows_per_second, slowed_by}'\n\nNeeds DATABASE_URL; readonly_user will do."
    )]
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Its runner ends after the batch that it is at; nobody starts it before `resume`
    #[command(after_help = "Example:\n  platform migrate backfill pause 20250301_fill_email")]
    Pause {
        /// Its name
        name: String,
    },
    /// Ends a pause and runs it, as `start` does
    #[command(after_help = "Example:\n  platform migrate backfill resume 20250301_fill_email")]
    Resume(Start),
}

#[derive(Args)]
pub(crate) struct Start {
    /// The file's name in migrations/backfills, without .sql
    pub(crate) name: String,
    /// How many seconds a standby may be behind
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) max_lag: u32,
    /// How many milliseconds 95 % of the requests may take
    #[arg(long, value_name = "MS", default_value_t = 250, requires = "metrics")]
    pub(crate) max_p95: u32,
    /// Where a process of the platform has its metrics; may be repeated, and without it nobody looks at the p95
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Vec<String>,
    /// A folder of migrations to take it from [default: this program's own]
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}
