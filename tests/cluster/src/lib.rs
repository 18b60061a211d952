//! The platform on a real Kubernetes, as its operators see it: the runbook's own lines, with real helm and kubectl.
//!
//! `cargo xtask test --stage cluster` builds the images, starts the cluster and names in the environment what is needed
//! here: `EAP_TEST_VERSION` and `EAP_TEST_NEXT_VERSION` (two versions whose images the node has), `EAP_TEST_PLATFORM` and
//! `EAP_TEST_NEXT_PLATFORM` (the binaries taken from them), `EAP_TEST_NEXT_SOURCE` (the sources of the next one),
//! `EAP_TEST_RUNBOOK`, `EAP_TEST_HELM3` and `EAP_TEST_HELM4` (programs).
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test may panic")]

mod certificates;
mod database;
mod gate;
mod ingress;
mod installation;
mod kubectl;
mod load;
mod operator;
mod shell;

pub use database::{Database, Session};
pub use gate::Gate;
pub use ingress::Ingress;
pub use installation::{Installation, NAMESPACE, Tool};
pub use kubectl::{Kubectl, until};
pub use load::{Count, Load};
pub use operator::{AtWork, Operator};
pub use shell::{Said, Shell};

/// What the stage that runs these tests put into the environment.
pub fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test --stage cluster`"))
}

/// The node's address, at which pods reach this machine.
pub const NODE: &str = "10.244.0.1";

/// The host of the runbook's production.
pub const HOST: &str = "api.example.com";
