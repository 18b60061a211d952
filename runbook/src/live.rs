//! The real world: the document's programs, the database and the cluster.

mod backups;
mod helm;
mod kubectl;
mod logs;
mod metrics;
mod migrations;
mod rollout;
#[cfg(test)]
mod tests;
mod under_lock;
mod verify;

use crate::{
    execute::{Standing, Trouble, World},
    failure::Failure,
    journal::{Copy, Journal},
    lock::Lock,
    observe::content,
    plan::{Action, Plan, Step},
    report::Report,
    request::Request,
};
use jiff::Timestamp;
use std::path::Path;

/// Where a plan is done.
pub(crate) struct Live<'a> {
    /// The project's.
    pub(crate) folder: &'a Path,
    pub(crate) request: &'a Request<'a>,
    pub(crate) client: kube::Client,
    /// None: only questions are asked.
    pub(crate) lock: Option<Lock>,
    pub(crate) report: &'a Report<'a>,
    /// When this process began to act.
    pub(crate) began: Timestamp,
    /// The journal where colleagues see it; none: nobody resumes what only asks, or the cluster did not take it.
    pub(crate) copy: Option<Copy>,
}

impl World for Live<'_> {
    async fn boundary(&mut self, journal: &Journal, next: &Step) -> Result<(), Failure> {
        let Some(lock) = &self.lock else { return Ok(()) };
        if !lock.is_held() {
            return Err(lost(&lock.lost().await));
        }
        lock.at_step(&next.id);
        // What cannot be copied must not keep anybody from a rollback.
        if let Some(copy) = &mut self.copy
            && let Err(failure) = copy.send(journal).await
        {
            self.copy = None;
            self.report.warn(&format!("colleagues cannot see or resume this run: {failure}"));
        }
        self.note_errors_before(journal, next).await;
        Ok(())
    }

    async fn check(&mut self, step: &Step) -> Result<Standing, Trouble> {
        match &step.does {
            Action::Snapshot { id, .. } => self.has_snapshot(id).await,
            Action::Dump { folder } => self.has_dump(folder),
            Action::Migrate { pending, .. } => self.are_applied(pending).await,
            Action::HelmHeal { release, revision, .. } => self.is_healed(release, *revision).await,
            Action::HelmUpgrade { release, version, numbers, .. } => {
                self.is_released(&release.name, version, *numbers).await
            }
            Action::HelmRollback { release, to, numbers, leaves, .. } => {
                self.is_rolled_back(release, (*to, leaves.as_deref()), *numbers).await
            }
            Action::Apply { folder } => self.is_applied(&folder.path).await,
            Action::SetImage { service, image } | Action::Undo { service, image, .. } => {
                self.has_image(service, image).await
            }
            _ => Ok(Standing::Absent),
        }
    }

    async fn ready(&mut self, plan: &Plan, step: &Step) -> Result<(), Trouble> {
        if let Action::HelmUpgrade { release, version, numbers, .. } = &step.does
            && self.left_pending(&release.name, version, *numbers).await?.is_some()
        {
            // What this run left unfinished is gone on with by helm's own memory of it.
            return Ok(());
        }
        content::refuse_changed(self.folder, &step.does.made_of(), &plan.anew()).await.map_err(Trouble::from)
    }

    async fn apply(&mut self, step: &Step) -> Result<String, Trouble> {
        match &step.does {
            Action::MigrationStatus { commit } => self.migration_status(commit).await,
            Action::MigrationReview { commit, pending } => self.review(commit, pending).await,
            Action::Snapshot { instance, id } => self.snapshot(instance, id).await,
            Action::Dump { folder } => self.dump(folder).await,
            Action::Migrate { commit, pending, must_run } => self.migrate(commit, pending, must_run).await,
            Action::HelmLint { chart } => self.helm_lint(chart).await,
            Action::HelmTemplate { release, version } => self.helm_difference(release, version).await,
            Action::HelmUpgrade { release, version, numbers, force_conflicts } => {
                self.helm_upgrade(release, version, *numbers, *force_conflicts).await
            }
            Action::HelmHeal { release, to, force_conflicts, .. }
            | Action::HelmRollback { release, to, force_conflicts, .. } => {
                self.helm_rollback(release, *to, *force_conflicts).await
            }
            Action::KubectlDiff { folder } => self.kubectl_difference(&folder.path).await,
            Action::Apply { folder } => self.kubectl_apply(&folder.path).await,
            Action::SetImage { service, image } => self.set_image(service, image).await,
            Action::Undo { service, to, .. } => self.undo(service, *to).await,
            Action::Rollout { services } => self.rolled_out(services).await,
            Action::Pods { version } => self.pods(version).await,
            Action::Health { version } => self.health(version).await,
            Action::Endpoints => self.endpoints().await,
            Action::Logs => self.logs().await,
            Action::HelmHistory { release } => self.helm_history(release).await,
            Action::RolloutHistory { services } => self.rollout_history(services).await,
            Action::Metrics => self.metrics().await,
            Action::Smoke => self.smoke().await,
            Action::ReleaseCommit { .. }
            | Action::BuildImage { .. }
            | Action::PushImage { .. }
            | Action::Sbom { .. }
            | Action::Later { .. } => Err(Trouble::new("this is no step of a deployment")),
        }
    }
}

/// Somebody else may be changing the environment now.
fn lost(why: &str) -> Failure {
    Failure::failed(format!("the lock was lost: {why}"))
        .because("somebody else may be changing this now, so nothing more is done")
}
