//! Step 4 and rollback option 1 by helm.

use super::Live;
use crate::{
    execute::{Standing, Trouble},
    plan::{Numbers, Release},
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
    pub(super) async fn is_released(
        &self,
        release: &str,
        version: &str,
        numbers: Numbers,
    ) -> Result<Standing, Trouble> {
        let newest = self.newest(release).await?.filter(|newest| newest.revision >= numbers.from);
        let Some(newest) = newest.filter(|newest| newest.status == "deployed") else { return Ok(Standing::Absent) };
        released(&newest, &self.tag(release, newest.revision).await?, version, numbers)
    }

    /// The newest revision is rolled out, came after the plan, and is that older one once more: helm says which. `leaves`
    /// is the version that this run deployed itself, if it did: what else came after the plan is somebody else's.
    pub(super) async fn is_rolled_back(
        &self,
        release: &str,
        (to, leaves): (u32, Option<&str>),
        numbers: Numbers,
    ) -> Result<Standing, Trouble> {
        let newest = self.newest(release).await?.filter(|newest| newest.revision >= numbers.from);
        let Some(newest) = newest.filter(|newest| newest.status == "deployed") else { return Ok(Standing::Absent) };
        rolled_back(&newest, &self.tag(release, newest.revision).await?, (to, leaves), numbers)
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

    /// The revision that has no end and is this run's, begun before it was interrupted: the newest, or, where that is an
    /// older one once more, the older one. Somebody else's is refused: they may be at it.
    pub(super) async fn left_pending(
        &self,
        release: &str,
        version: &str,
        numbers: Numbers,
    ) -> Result<Option<u32>, Trouble> {
        let Some(pending) = self.newest(release).await?.filter(Listed::is_pending) else { return Ok(None) };
        let own = own(&pending, &self.tag(release, pending.revision).await?, version, numbers);
        own.map(Some).ok_or_else(|| {
            Trouble::new(format!("revision {} is {}, and is not this run's", pending.revision, pending.status))
        })
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
        numbers: Numbers,
        force_conflicts: bool,
    ) -> Result<String, Trouble> {
        if let Some(left) = self.left_pending(&release.name, version, numbers).await? {
            // Its own manifests are applied once more, and helm's memory gets its end.
            self.report.note(&format!("revision {left} has no end yet: it is gone on with"));
            return self.helm_rollback(&release.name, left, force_conflicts).await;
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

/// How an upgrade stands by a revision that is deployed with this tag, and came after the plan.
fn released(newest: &Listed, tag: &str, version: &str, numbers: Numbers) -> Result<Standing, Trouble> {
    let revision = newest.revision;
    if tag == version {
        return Ok(Standing::Present(format!("revision {revision} is deployed: {version}")));
    }
    if heals(newest, numbers) { Ok(Standing::Absent) } else { Err(anothers(revision, tag)) }
}

/// How a way back stands by a revision that is deployed with this tag, and came after the plan.
fn rolled_back(
    newest: &Listed,
    tag: &str,
    (to, leaves): (u32, Option<&str>),
    numbers: Numbers,
) -> Result<Standing, Trouble> {
    let revision = newest.revision;
    if again(newest) == Some(to) {
        return Ok(Standing::Present(format!("revision {revision} is {to} again")));
    }
    if leaves == Some(tag) || heals(newest, numbers) { Ok(Standing::Absent) } else { Err(anothers(revision, tag)) }
}

/// Which one it is once more, in helm's own words.
fn again(listed: &Listed) -> Option<u32> {
    listed.description.strip_prefix("Rollback to ")?.parse().ok()
}

/// Whether a run made it to heal helm, before the step that has these numbers.
fn heals(listed: &Listed, numbers: Numbers) -> bool {
    numbers.healed_to.is_some() && again(listed) == numbers.healed_to
}

/// Which revision an upgrade with these numbers made, if it is this one, which has this tag and no end: itself, or,
/// gone on with once before, the older one that it is again.
fn own(pending: &Listed, tag: &str, version: &str, numbers: Numbers) -> Option<u32> {
    let number = again(pending).unwrap_or(pending.revision);
    let has_its_number = number == numbers.from || (numbers.healed_to.is_some() && number > numbers.from);
    (has_its_number && tag == version).then_some(number)
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

    const NUMBERS: Numbers = Numbers { from: 5, healed_to: None };

    #[test]
    fn a_way_back_takes_back_what_its_run_deployed_and_nothing_of_anybody_elses() {
        let back = |newest, tag, leaves| rolled_back(&newest, tag, (2, leaves), NUMBERS);
        let upgraded = || listed(5, "Upgrade complete");
        assert!(matches!(back(listed(6, "Rollback to 2"), "1.2.3", Some("1.2.4")), Ok(Standing::Present(_))));
        assert_eq!(back(upgraded(), "1.2.4", Some("1.2.4")).unwrap(), Standing::Absent);
        for leaves in [Some("1.2.4"), None] {
            let why = back(upgraded(), "1.2.5", leaves).unwrap_err().why;
            assert_eq!(why, "somebody else made revision 5 meanwhile: 1.2.5");
        }
        assert!(back(listed(6, "Rollback to 1"), "1.2.2", None).is_err());
    }

    #[test]
    fn what_has_no_end_is_gone_on_with_by_the_run_that_began_it_alone() {
        let typed = "Preparing upgrade";
        for (pending, tag, expected) in [
            (listed(5, typed), "1.2.4", Some(5)),
            (listed(6, "Rollback to 5"), "1.2.4", Some(5)),
            (listed(5, typed), "1.2.5", None),
            (listed(6, typed), "1.2.4", None),
            (listed(6, "Rollback to 2"), "1.2.3", None),
        ] {
            assert_eq!(own(&pending, tag, "1.2.4", NUMBERS), expected, "{pending:?} {tag}");
        }
    }

    /// Revision 3 was left without an end; it was to be healed by 4, and that was killed: 5 healed it.
    #[test]
    fn a_heal_that_took_two_revisions_is_this_runs_and_so_is_what_comes_after_it() {
        let healed = listed(5, "Rollback to 2");
        let numbers = Numbers { healed_to: Some(2), ..NUMBERS };
        assert_eq!(released(&healed, "1.2.3", "1.2.4", numbers).unwrap(), Standing::Absent);
        assert!(released(&healed, "1.2.3", "1.2.4", NUMBERS).is_err());
        assert_eq!(rolled_back(&healed, "1.2.3", (1, None), numbers).unwrap(), Standing::Absent);
        assert!(rolled_back(&healed, "1.2.3", (1, None), NUMBERS).is_err());
        for (pending, tag, expected) in [
            (listed(6, "Preparing upgrade"), "1.2.4", Some(6)),
            (listed(7, "Rollback to 6"), "1.2.4", Some(6)),
            (listed(6, "Preparing upgrade"), "1.2.5", None),
        ] {
            assert_eq!(own(&pending, tag, "1.2.4", numbers), expected, "{pending:?} {tag}");
        }
    }
}
