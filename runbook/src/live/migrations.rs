//! Step 3, except for its backup.

use super::Live;
use crate::{
    execute::{Standing, Trouble},
    observe::{schema, source},
    redact::redact,
    secret,
};
use migrate::{Client, Event, Fence, Options, Running};

impl Live<'_> {
    async fn reader(&self) -> Result<Client, Trouble> {
        let client = schema::connect(self.request.environment).await?;
        client.ok_or_else(|| Trouble::new("runbook.toml does not say where the database's URL is"))
    }

    pub(super) async fn owner_url(&self) -> Result<String, Trouble> {
        let database = self.request.environment.database.as_ref();
        let owner = database.and_then(|database| database.owner_url.as_ref());
        let owner =
            owner.ok_or_else(|| Trouble::new("runbook.toml does not say where the URL of the database's owner is"))?;
        let example = "postgresql://admin_user:$DB_PASSWORD@HOST:5432/api_platform";
        Ok(secret::value(owner, self.request.environment, example).await?)
    }

    /// The lines of the document's `migrate:status`.
    pub(super) async fn migration_status(&self, commit: &str) -> Result<String, Trouble> {
        let files = source::migrations(self.folder, commit).await?;
        let entries = migrate::status(&self.reader().await?, &files).await.map_err(|error| failed(&error))?;
        Ok(entries.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    /// What the pending files would do to this database now.
    pub(super) async fn review(&self, commit: &str, pending: &[String]) -> Result<String, Trouble> {
        let files = source::migrations(self.folder, commit).await?;
        let known = files.in_order().iter().filter(|file| pending.contains(&file.name)).count();
        if known < pending.len() {
            return Err(Trouble::new(format!("{commit} has not all of {}", pending.join(", "))));
        }
        let plan = migrate::plan::plan(&self.reader().await?, &files).await.map_err(|error| failed(&error))?;
        Ok(migrate::plan::human(&plan).trim_end().to_owned())
    }

    pub(super) async fn are_applied(&self, pending: &[String]) -> Result<Standing, Trouble> {
        let schema = schema::read(&self.reader().await?, &migrate::Files::default()).await?;
        let is_there = pending.iter().all(|name| schema.applied.contains(name));
        Ok(if is_there { Standing::Present(format!("{} applied", pending.len())) } else { Standing::Absent })
    }

    /// Only what was planned: a file that came to the commit's folder otherwise is not in it.
    pub(super) async fn migrate(
        &self,
        commit: &str,
        pending: &[String],
        must_run: &[String],
    ) -> Result<String, Trouble> {
        let files = source::migrations(self.folder, commit).await?;
        let url = self.owner_url().await?;
        let connect = async || {
            let connected = migrate::connect(&url).await;
            connected.map_err(|error| Trouble::new(redact(&error.to_string(), std::slice::from_ref(&url))))
        };
        let (client, watcher) = (connect().await?, connect().await?);
        let named = |line: &String| {
            let (service, version) = line.split_once(' ')?;
            Some(Running { service: service.to_owned(), version: version.to_owned() })
        };
        let fence = self
            .lock
            .as_ref()
            .map(|lock| Fence { environment: self.request.name.to_owned(), token: lock.token().into() });
        let must_run = must_run.iter().filter_map(named).collect();
        let options = Options { must_run, cancel: vec![], watcher: Some(watcher), fence };
        let done = migrate::up(&client, &files, &options, |event| self.tell(event)).await;
        let done = done.map_err(|error| Trouble::new(redact(&error.to_string(), std::slice::from_ref(&url))))?;
        let unplanned = done.iter().find(|applied| !pending.contains(&applied.name));
        if let Some(unplanned) = unplanned {
            return Err(Trouble::new(format!(
                "{} was applied as well: somebody undid it since the plan",
                unplanned.name
            )));
        }
        Ok(done.iter().map(|file| format!("✓ {} ({:.1?})", file.name, file.took)).collect::<Vec<_>>().join("\n"))
    }

    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Applied(applied) => self.report.now(&[format!("✓ {}", applied.name)]),
            Event::Waiting { file, blockers } => {
                let blockers = blockers.iter().map(|blocker| format!("in the way: {blocker}"));
                let waits = format!("{file} waits for a busy table, and lets others pass meanwhile");
                self.report.now(&std::iter::once(waits).chain(blockers).collect::<Vec<_>>());
            }
            Event::Behind { file, behind } => {
                self.report.now(&[format!("{file} writes a table anew, and waits: {behind}")]);
            }
            Event::Ended(blocker) => self.report.note(&format!("ended process {}", blocker.pid)),
        }
    }
}

fn failed(error: &migrate::PostgresError) -> Trouble {
    Trouble::new(format!("the database: {error}"))
}
