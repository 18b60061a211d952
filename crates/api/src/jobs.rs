//! Work of an organization that goes on after its request was answered: a row in `jobs`, a worker that does it in
//! steps, and `GET /v1/jobs/{id}`.
//!
//! A context makes a job with [`start`] in the transaction of what asked for it and hands over, for each [`Kind`], the
//! function that does one step. A step is a transaction of that organization: it locks the job ([`Held::lock`]), does
//! a batch, and saves where to go on in the same transaction ([`Held::save`]), so a process that dies loses nothing and
//! does nothing twice. Whoever replaces a running job ends it with [`supersede`].

mod get_job;
mod store;
mod worker;

pub(crate) use store::statements;
pub use store::{ClaimedRow, SavedRow};
pub use worker::run;

use crate::{App, Caller};
use db::{DbResult, OrgTx};
use serde::Serialize;
use serde_json::{Value, json};
use std::pin::Pin;
use types::{JobId, OrgId, PermissionName};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Errors that a job tells one by one; more are counted only.
const MAX_ERRORS: usize = 100;

/// A kind of job and what does it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// As in the column `kind`.
    pub name: &'static str,
    /// Does the next step.
    pub step: for<'a> fn(&'a App, &'a Held) -> Step<'a>,
}

/// A step on its way.
pub type Step<'a> = Pin<Box<dyn Future<Output = Result<Next, StepError>> + Send + 'a>>;

/// Why a step came to nothing; it is tried again later.
pub type StepError = Box<dyn std::error::Error + Send + Sync>;

/// What follows a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another one.
    More,
    /// Nothing: the job has ended, or is another worker's.
    Ended,
}

/// A job to be made.
#[derive(Debug)]
pub struct NewJob {
    /// The name of a [`Kind`].
    pub kind: &'static str,
    /// What its steps need to know.
    pub input: Value,
    /// The path of what it makes.
    pub result: Option<String>,
    /// Whose role has this sees the job, as does who made it.
    pub needs: PermissionName,
}

/// What went wrong with one of the things that a job works on, or with the job as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct JobError {
    /// The id of the thing; none: the whole job.
    #[schema(example = "res_01jhs3n5c8fq7t2v9w4x6y8zab")]
    pub item: Option<String>,
    /// Where in it: a JSON pointer (RFC 6901).
    #[schema(example = "/document/priority")]
    pub pointer: Option<String>,
    /// What kind of fault, for programs.
    #[schema(example = "indexed")]
    pub code: &'static str,
    /// The same in words.
    #[schema(example = "is indexed as number")]
    pub detail: String,
}

/// What a step got done.
#[derive(Debug)]
pub struct Progress {
    /// Where the next step goes on.
    pub position: Value,
    /// How many things there are in all, once that is known.
    pub total: Option<i64>,
    /// How many of them were worked on by this step.
    pub done: usize,
    /// What went wrong with some.
    pub errors: Vec<JobError>,
}

/// The route.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(get_job::get_job)).with_state(app)
}

/// Makes a job; [`App::job_waits`] after the commit.
pub async fn start(app: &App, tx: &OrgTx, caller: &Caller, job: &NewJob) -> DbResult<JobId> {
    let now = app.clock.now();
    let id = JobId::new(&app.rng, now);
    let (result, needs) = (job.result.as_deref(), job.needs.as_str());
    store::insert(tx, caller.org, id, job.kind, &job.input, result, needs, caller.user, now).await?;
    Ok(id)
}

/// Ends a job, unless it has ended, because something else takes its place.
pub async fn supersede(app: &App, tx: &OrgTx, job: JobId, why: &str) -> DbResult<()> {
    let error = JobError { item: None, pointer: None, code: "superseded", detail: why.to_owned() };
    store::supersede(tx, tx.org(), job, &json!([error]), app.clock.now()).await
}

/// A job that this worker has taken.
#[derive(Debug)]
pub struct Held {
    /// Whose it is.
    pub org: OrgId,
    /// Which.
    pub id: JobId,
    /// What was given to [`start`].
    pub input: Value,
    holder: Uuid,
}

impl Held {
    /// Locks the job until the transaction ends. None: it has ended or is another worker's, and nothing must be done.
    pub async fn lock(&self, tx: &OrgTx) -> DbResult<Option<SavedRow>> {
        store::lock(tx, self.org, self.id, self.holder).await
    }

    /// Saves what a step got done, and keeps the job for longer.
    pub async fn save(&self, tx: &OrgTx, saved: &SavedRow, progress: &Progress) -> DbResult<()> {
        let Progress { position, total, done, errors } = progress;
        let known = usize::try_from(saved.error_count).unwrap_or(MAX_ERRORS);
        let told: Vec<_> = errors.iter().take(MAX_ERRORS.saturating_sub(known)).collect();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (done, found) = (count(*done), count(errors.len()));
        store::save(tx, self.org, self.id, position, *total, done, &json!(told), found).await
    }

    /// The job has ended: well, if nothing went wrong.
    pub async fn finish(&self, app: &App, tx: &OrgTx, saved: &SavedRow) -> DbResult<()> {
        let state = if saved.error_count == 0 { "succeeded" } else { "failed" };
        store::finish(tx, self.org, self.id, state, app.clock.now()).await
    }
}
