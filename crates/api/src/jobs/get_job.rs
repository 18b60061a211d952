//! `GET /v1/jobs/{id}`

use super::{
    JobError,
    store::{self, JobRow},
};
use crate::{App, Code, PathId, Problem, Session};
use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::Value;
use types::{JobId, Timestamp};
use utoipa::ToSchema;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    id: JobId,
    #[schema(example = "index_resources")]
    kind: String,
    /// `queued`, `running`, `succeeded` or `failed`.
    #[schema(example = "running")]
    state: String,
    progress: JobProgress,
    /// How many things went wrong.
    #[schema(example = 0)]
    error_count: i64,
    /// The first 100 of them.
    #[schema(value_type = Vec<JobError>)]
    errors: Value,
    /// The path of what it made, once it has succeeded.
    #[schema(example = "/v1/resource-types/ticket")]
    result: Option<String>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

/// How far a job got.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobProgress {
    #[schema(example = 1_500)]
    done: i64,
    /// Null until it has been counted.
    #[schema(example = 3_000)]
    total: Option<i64>,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        let result = row.result.filter(|_| row.state == "succeeded");
        let JobRow { id, kind, state, done, total, error_count, errors, created_at, started_at, finished_at, .. } = row;
        // What came after the count is worked on too.
        let progress = JobProgress { done, total: total.map(|total| total.max(done)) };
        Self { id, kind, state, progress, error_count, errors, result, created_at, started_at, finished_at }
    }
}

/// Read a job
///
/// Who made it sees it, and whose role has the permission that making it needs; nobody else does.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", operation_id = "get_job",
    params(("id" = JobId, Path, description = "The job")),
    responses((status = 200, body = Job, description = "The job; it is kept for 30 days after it finished")),
    security(("access_token" = [])),
)]
pub(super) async fn get_job(
    State(app): State<App>,
    Session { caller }: Session,
    PathId(id): PathId<JobId>,
) -> Result<Json<Job>, Problem> {
    // Every job is an organization's.
    let org = caller.org.ok_or(Code::NotFound)?;
    let row = store::by_id(&app.db.read(org).await?, org, id).await?.ok_or(Code::NotFound)?;
    if row.created_by == caller.user || caller.permissions.names().any(|name| name == row.needs) {
        Ok(Json(row.into()))
    } else {
        Err(Code::NotFound.into())
    }
}
