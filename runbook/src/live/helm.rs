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
        let values = self.helm().values(release, revision).run().await?;
        let values: serde_json::Value = serde_json::from_str(&values).unwrap_or_default();
        if values["image"]["tag"] == version {
            return Ok(Standing::Present(format!("revision {revision} is deployed: {version}")));
        }
        Err(Trouble::new(format!("somebody else made revision {revision} meanwhile: {}", values["image"]["tag"])))
    }

    /// The newest revision is rolled out, came after the plan, and is that older one once more: helm says which.
    pub(super) async fn is_rolled_back(&self, release: &str, to: u32, planned: u32) -> Result<Standing, Trouble> {
        let newest = self.newest(release).await?.filter(|newest| newest.revision >= planned);
        let done =
            newest.filter(|newest| newest.status == "deployed" && newest.description == format!("Rollback to {to}"));
        Ok(done.map_or(Standing::Absent, |done| Standing::Present(format!("revision {} is {to} again", done.revision))))
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

    /// Whether the newest revision is this one, and has no end.
    pub(super) async fn is_left_pending(&self, release: &str, revision: u32) -> Result<bool, Trouble> {
        let newest = self.newest(release).await?;
        Ok(newest.is_some_and(|newest| newest.is_pending() && newest.revision == revision))
    }

    pub(super) async fn helm_upgrade(
        &self,
        release: &Release,
        version: &str,
        planned: u32,
        force_conflicts: bool,
    ) -> Result<String, Trouble> {
        let newest = self.newest(&release.name).await?;
        let pending = newest.filter(Listed::is_pending);
        if let Some(pending) = pending {
            // Begun by this run before it was interrupted: its own manifests are applied once more, and helm's memory
            // gets its end. Somebody else's would have another number.
            if pending.revision != planned {
                let why = format!("revision {} is {}, and is not this run's", pending.revision, pending.status);
                return Err(Trouble::new(why));
            }
            self.report.note(&format!("revision {planned} was left {}: it is gone on with", pending.status));
            return self.helm_rollback(&release.name, planned, force_conflicts).await;
        }
        let call = self.helm().upgrade(release, &self.set(version), force_conflicts).within(self.folder);
        self.beside_the_rollout(&call).await
    }

    pub(super) async fn helm_rollback(&self, release: &str, to: u32, force_conflicts: bool) -> Result<String, Trouble> {
        self.beside_the_rollout(&self.helm().rollback(release, to, force_conflicts)).await
    }
}

/// helm's manifests of a release have no hooks, and no comment that only says where a part came from.
fn without_tests(manifests: &str) -> String {
    let parts = manifests.split("\n---").filter(|part| !part.contains("helm.sh/hook"));
    let lines = parts.flat_map(str::lines).map(str::trim_end);
    let lines = lines.filter(|line| !line.is_empty() && *line != "---" && !line.starts_with("# Source:"));
    lines.fold(String::new(), |text, line| text + line + "\n")
}
