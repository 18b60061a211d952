//! The binary as whoever runs it sees it: what it prints, and what a kill leaves behind.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod analytics;
mod backfill;
mod backup;
mod backup_rds;
mod backup_rights;
mod dev;
mod guides;
mod kill;
mod kill_webhooks;
mod migrate;
mod newest_postgres;
mod process;
mod runbook_step_3;
mod serve;
mod smoke;
mod webhooks_proxy;
mod webhooks_tls;
