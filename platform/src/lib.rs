//! What runs: the services, put together from their contexts, and the commands around them.

pub mod cli;
mod commands;
mod dev;
mod jobs;
mod logs;
mod route_table;
mod schema;
mod server;
mod services;
mod settings;
mod smoke;

pub use server::{Options, Retention, Server, StartError};
pub use services::Service;

/// Every statement of the platform's own jobs.
pub const STATEMENTS: &[&[db::Sql]] = &[jobs::statements::ALL, schema::statements::ALL];
