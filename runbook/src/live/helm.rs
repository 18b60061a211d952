//! Step 4 and rollback option 1 by helm.

use super::Live;
use crate::{
    execute::{Standing, Trouble},
    plan::Release,
    programs::{
        helm,
        helm::{Helm, Listed},
    },
};
use similar::TextDiff;
use std::path::Path;

impl Live<'_> {
    fn helm(&self) -> Helm<'_> {
        Helm(self.request.cluster)
    }

    /// The newest; none: no such release.
    async fn newest(&self, release: &str) -> Result<Option<Listed>, Trouble> {
        Ok(self.helm().revisions(release).await?.pop())
    }

    /// As helm prints it for people.
    pub(super) async fn helm_history(&self, release: &str) -> Result<String, Trouble> {
        let said = self.helm().call(["history", release, "-n", &self.request.cluster.namespace]).run().await?;
        Ok(said.trim_end().to_owned())
    }

    pub(super) async fn is_healed(&self, release: &str, revision: u32) -> Result<Standing, Trouble> {
        let newest = self.newest(release).await?;
        let healed = newest.filter(|newest| newest.revision > revision && !newest.is_pending());
        Ok(healed.map_or(Standing::Absent, |newest| Standing::Present(format!("revision {}", newest.revision))))
    }

    /// The newest revision is rolled out, is this version, and is not older than what was planned. One that failed is
    /// followed by another.
    pub(super) async fn is_released(&self, release: &str, version: &str, planned: u32) -> Result<Standing, Trouble> {
        let Some(newest) = self.newest(release).await? else { return Ok(Standing::Absent) };
        let Listed { revision, status, .. } = newest;
        if revision < planned || status != "deployed" {
            return Ok(Standing::Absent);
        }
        let tag = self.tag(release, revision).await?;
        if tag == version {
            return Ok(Standing::Present(format!("revision {revision} is deployed: {version}")));
        }
        Err(anothers(revision, &tag))
    }

    /// The newest revision is rolled out, came after the plan, and is that older one once more: helm says which. `leaves`
    /// is the version that this run deployed itself, if it did: what else came after the plan is somebody else's.
    pub(super) async fn is_rolled_back(
        &self,
        release: &str,
        (to, leaves): (u32, Option<&str>),
        planned: u32,
    ) -> Result<Standing, Trouble> {
        let newest = self.newest(release).await?.filter(|newest| newest.revision >= planned);
        let Some(newest) = newest.filter(|newest| newest.status == "deployed") else { return Ok(Standing::Absent) };
        rolled_back(&newest, &self.tag(release, newest.revision).await?, to, leaves)
    }

    pub(super) async fn helm_lint(&self, chart: &Path) -> Result<String, Trouble> {
        let said = helm::lint(&chart.display().to_string()).within(self.folder).run().await?;
        Ok(said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned())
    }

    /// Rendered, and compared with what the newest revision rendered.
    pub(super) async fn helm_difference(&self, release: &Release, version: &str) -> Result<String, Trouble> {
        let rendered = self.helm().template(release, &self.set(version)).within(self.folder).run().await?;
        let deployed = match self.newest(&release.name).await? {
            Some(newest) => self.helm().manifest(&release.name, newest.revision).run().await?,
            None => String::new(),
        };
        let [old, new] = [deployed, rendered].map(|text| without_tests(&text));
        let diff = TextDiff::from_lines(&old, &new);
        let changed = diff.unified_diff().context_radius(1).to_string();
        Ok(if changed.is_empty() { "nothing differs".to_owned() } else { changed.trim_end().to_owned() })
    }

    fn set(&self, version: &str) -> Vec<String> {
        helm::set(version, self.request.repository().as_deref())
    }

    /// Whether the newest revision has no end and is this run's, begun before it was interrupted: of this number or that
    /// one once more, and with its version. Somebody else's is refused: they may be at it.
    pub(super) async fn is_left_pending(&self, release: &str, version: &str, planned: u32) -> Result<bool, Trouble> {
        let Some(pending) = self.newest(release).await?.filter(Listed::is_pending) else { return Ok(false) };
        if is_own(&pending, &self.tag(release, pending.revision).await?, version, planned) {
            return Ok(true);
        }
        Err(Trouble::new(format!("revision {} is {}, and is not this run's", pending.revision, pending.status)))
    }

    /// Which version a revision is.
    async fn tag(&self, release: &str, revision: u32) -> Result<String, Trouble> {
        let values = self.helm().values(release, revision).run().await?;
        let values: serde_json::Value = serde_json::from_str(&values).unwrap_or_default();
        Ok(values["image"]["tag"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) async fn helm_upgrade(
        &self,
        release: &Release,
        version: &str,
        planned: u32,
        force_conflicts: bool,
    ) -> Result<String, Trouble> {
        if self.is_left_pending(&release.name, version, planned).await? {
            // Its own manifests are applied once more, and helm's memory gets its end.
            self.report.note(&format!("revision {planned} has no end yet: it is gone on with"));
            return self.helm_rollback(&release.name, planned, force_conflicts).await;
        }
        let call = self.helm().upgrade(release, &self.set(version), force_conflicts).within(self.folder);
        self.beside_the_rollout(&call).await
    }

    pub(super) async fn helm_rollback(&self, release: &str, to: u32, force_conflicts: bool) -> Result<String, Trouble> {
        self.beside_the_rollout(&self.helm().rollback(release, to, force_conflicts)).await
    }
}

fn anothers(revision: u32, tag: &str) -> Trouble {
    Trouble::new(format!("somebody else made revision {revision} meanwhile: {tag}"))
}

/// How a way back stands by a revision that is deployed with this tag, and came after the plan.
fn rolled_back(newest: &Listed, tag: &str, to: u32, leaves: Option<&str>) -> Result<Standing, Trouble> {
    let revision = newest.revision;
    if newest.description == format!("Rollback to {to}") {
        return Ok(Standing::Present(format!("revision {revision} is {to} again")));
    }
    if leaves == Some(tag) { Ok(Standing::Absent) } else { Err(anothers(revision, tag)) }
}

/// Whether a revision without an end, with this tag, is the planned one or, gone on with once before, that one again.
fn is_own(pending: &Listed, tag: &str, version: &str, planned: u32) -> bool {
    let has_its_number = pending.revision == planned || pending.description == format!("Rollback to {planned}");
    has_its_number && tag == version
}

/// helm's manifests of a release have no hooks, and no comment that only says where a part came from.
fn without_tests(manifests: &str) -> String {
    let parts = manifests.split("\n---").filter(|part| !part.contains("helm.sh/hook"));
    let lines = parts.flat_map(str::lines).map(str::trim_end);
    let lines = lines.filter(|line| !line.is_empty() && *line != "---" && !line.starts_with("# Source:"));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(revision: u32, description: &str) -> Listed {
        let (status, description) = ("pending-upgrade".to_owned(), description.to_owned());
        Listed { revision, status, updated: jiff::Timestamp::UNIX_EPOCH, description }
    }

    #[test]
    fn a_way_back_takes_back_what_its_run_deployed_and_nothing_of_anybody_elses() {
        let (back, upgraded) = (listed(6, "Rollback to 2"), listed(5, "Upgrade complete"));
        assert!(matches!(rolled_back(&back, "1.2.3", 2, Some("1.2.4")), Ok(Standing::Present(_))));
        assert_eq!(rolled_back(&upgraded, "1.2.4", 2, Some("1.2.4")).unwrap(), Standing::Absent);
        let why = |leaves| rolled_back(&upgraded, "1.2.5", 2, leaves).unwrap_err().why;
        for leaves in [Some("1.2.4"), None] {
            assert_eq!(why(leaves), "somebody else made revision 5 meanwhile: 1.2.5");
        }
        assert!(rolled_back(&listed(6, "Rollback to 1"), "1.2.2", 2, None).is_err());
    }

    #[test]
    fn what_has_no_end_is_gone_on_with_by_the_run_that_began_it_alone() {
        let typed = "Preparing upgrade";
        for (pending, tag, expected) in [
            (listed(5, typed), "1.2.4", true),
            (listed(6, "Rollback to 5"), "1.2.4", true),
            (listed(5, typed), "1.2.5", false),
            (listed(6, typed), "1.2.4", false),
            (listed(6, "Rollback to 2"), "1.2.3", false),
        ] {
            assert_eq!(is_own(&pending, tag, "1.2.4", 5), expected, "{pending:?} {tag}");
        }
    }
}
