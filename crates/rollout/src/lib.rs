//! How a rollout stands, told from what the cluster's API shows, and why it will never be done.
//!
//! [`Watch`] looks and [`standing`] judges: [`Observed`] in, [`Standing`] out, the time passed in, nothing asked and
//! nothing changed. What `kubectl rollout status` answers after ten minutes is named here in seconds: a [`Doom`] has a
//! cause, its evidence, the moment that the cluster itself gives for it, and a cure.

mod clock;
mod doom;
mod evidence;
mod observed;
mod standing;
mod status;
mod tree;
mod watch;

pub use doom::{Cause, Doom, Fact};
pub use evidence::{EventLine, Evidence, Log, PodEvidence, ServiceEvidence, evidence};
pub use observed::{Observed, revision};
pub use standing::{Mark, PodLine, Revision, Service, Standing, State, standing};
pub use tree::{Canvas, tree};
pub use watch::{Blind, View, Watch};
