//! The platform on a real Kubernetes. One cluster, one namespace: the tests run one after the other.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod faults;
mod outage;
mod runbook;
mod tools;
mod upgrade;
