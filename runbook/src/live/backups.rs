//! Step 3.4: a snapshot or a dump that is young enough to go back to.

use super::Live;
use crate::{
    execute::{FRESH, Standing, Trouble},
    redact::redact,
};
use backup::{
    BackupError, Folder,
    rds::{self, Snapshot},
};
use jiff::Timestamp;
use std::path::Path;
use types::Clock;

const JOBS: usize = 2;

impl Live<'_> {
    /// What was made before that is none of this run's, or so old that it is made again.
    fn oldest(&self) -> Timestamp {
        self.began - FRESH
    }

    fn account(&self) -> Vec<&str> {
        let account = self.request.environment.aws.iter();
        account.flat_map(|aws| ["--profile", aws.profile.as_str(), "--region", aws.region.as_str()]).collect()
    }

    async fn own_snapshot(&self, id: &str) -> Result<(String, Option<Snapshot>), Trouble> {
        let account = self.account();
        let found = own(id, self.oldest(), async |id| rds::find(id, &account).await).await;
        found.map_err(|error| Trouble::new(error.to_string()))
    }

    pub(super) async fn has_snapshot(&self, id: &str) -> Result<Standing, Trouble> {
        let (id, found) = self.own_snapshot(id).await?;
        // One on its way is waited for by doing it once more: its id is its own.
        let available = found.filter(|snapshot| snapshot.status == "available");
        Ok(available.map_or(Standing::Absent, |_| Standing::Present(format!("{id} is available"))))
    }

    pub(super) async fn snapshot(&self, instance: &str, id: &str) -> Result<String, Trouble> {
        let (id, _) = self.own_snapshot(id).await?;
        let tell = |percent| self.report.now(&[format!("{id}: {percent} %")]);
        let made = rds::create(instance, &id, &self.account(), tell).await;
        made.map(|snapshot| format!("{} is available", snapshot.id)).map_err(|error| Trouble::new(error.to_string()))
    }

    pub(super) fn has_dump(&self, folder: &Path) -> Result<Standing, Trouble> {
        let all = Folder::new(self.folder.join(folder)).list().map_err(|error| Trouble::new(error.to_string()))?;
        let newest = all.first().map(|backup| &backup.manifest);
        let own = newest.filter(|newest| newest.taken_at.as_millis() >= self.oldest().as_millisecond());
        Ok(own.map_or(Standing::Absent, |own| Standing::Present(own.id.clone())))
    }

    pub(super) async fn dump(&self, folder: &Path) -> Result<String, Trouble> {
        let url = self.owner_url().await?;
        let tell = |progress: backup::Progress| {
            self.report.now(&[format!("{} of {} tables", progress.tables, progress.of)]);
        };
        let made = backup::create(&url, &Folder::new(self.folder.join(folder)), JOBS, &Clock::system(), tell).await;
        let made = made.map_err(|error| Trouble::new(redact(&error.to_string(), &[url])))?;
        Ok(format!("{} in {}", made.id, folder.display()))
    }
}

/// The name of a plan's snapshot, and it when it is there: the plan's id, or with a number behind it where one of that
/// name is older than it may be. A snapshot is never made anew under its name.
async fn own(
    id: &str,
    oldest: Timestamp,
    find: impl AsyncFn(&str) -> Result<Option<Snapshot>, BackupError>,
) -> Result<(String, Option<Snapshot>), BackupError> {
    let is_too_old = |snapshot: &Snapshot| {
        let created = snapshot.created_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
        created.is_some_and(|created| created < oldest)
    };
    let (mut name, mut number) = (id.to_owned(), 1);
    loop {
        let found = find(&name).await?;
        if !found.as_ref().is_some_and(is_too_old) {
            return Ok((name, found));
        }
        number += 1;
        name = format!("{id}-{number}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "prod-db-snapshot-20250117-140000";

    /// Of one of these snapshots, each with when it was begun, what counts at 18:00.
    async fn own_of(snapshots: &[(&str, &str)]) -> (String, Option<Snapshot>) {
        let find = async |id: &str| {
            let found = snapshots.iter().find(|(known, _)| *known == id);
            let snapshot = |&(id, at): &(&str, &str)| Snapshot {
                id: id.to_owned(),
                status: "available".to_owned(),
                percent: 100,
                created_at: Some(format!("2025-01-17T{at}:00.123000+00:00")),
            };
            Ok(found.map(snapshot))
        };
        own(ID, "2025-01-17T17:00:00Z".parse().unwrap(), find).await.unwrap()
    }

    #[tokio::test]
    async fn a_snapshot_of_hours_ago_is_followed_by_another_under_a_name_of_its_own() {
        let second = format!("{ID}-2");
        assert_eq!(own_of(&[]).await, (ID.to_owned(), None));
        let (name, found) = own_of(&[(ID, "17:30")]).await;
        assert!(name == ID && found.is_some());
        assert_eq!(own_of(&[(ID, "14:01")]).await, (second.clone(), None));
        let (name, found) = own_of(&[(ID, "14:01"), (&second, "17:59")]).await;
        assert!(name == second && found.is_some(), "it is there already when the run is resumed once more");
    }
}
