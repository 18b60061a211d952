//! The platform on a real Kubernetes. One cluster, one namespace: the tests run one after the other.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and tells its figures")]

mod deploy;
mod faults;
mod long;
mod outage;
mod runbook;
mod skew;
mod tools;
mod upgrade;
