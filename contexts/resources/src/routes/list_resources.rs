//! `GET /v1/resources`

use super::Resource;
use crate::{
    Resources,
    actions::{Refusal as ActionRefusal, known_types::KnownType},
    model::{
        declared::FieldState,
        field::Value,
        list::{self, Refusal},
    },
    store::{
        resource_values,
        resources::{self, ResourceRow},
    },
};
use api::{Can, Code, Cursor, Limit, Page, Problem, ValidQuery, Validate, Violations};
use axum::extract::State;
use db::OrgRead;
use serde::Deserialize;
use types::{JobId, Permission, ResourceId, permission::ReadResources};
use utoipa::IntoParams;

/// Which resources, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListResourcesQuery {
    /// The name of a resource type; `filter` and any `sort` but by id need it
    #[serde(rename = "type")]
    #[param(example = "ticket")]
    of: Option<String>,
    /// `field:eq:value`, or one or two of `field:gt:value`, `gte`, `lt`, `lte`, joined by a comma; the field is one that
    /// the type declares in `indexed` and that is `ready`
    #[param(example = "priority:gte:2,priority:lt:5")]
    filter: Option<String>,
    /// `id`, the filtered field or, without a filter, any declared one; `-` before it turns the order around. Without
    /// it: the filtered field, else `id`. A range sorted by `id` reads the whole range
    #[param(example = "-priority")]
    sort: Option<String>,
    /// Resources a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListResourcesQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// A row's place in the list: its id, and its value when the list is ordered by one.
type Place = (ResourceId, Option<String>);
type Found = (ResourceRow, Option<Value>);

/// List resources
///
/// Only what an index answers in order; anything else is `not_indexed`.
#[utoipa::path(
    get, path = "/v1/resources", tag = "resources", operation_id = "list_resources",
    params(ListResourcesQuery),
    responses(
        (status = 200, body = Page<Resource>, description = "A page"),
        (status = 422, description = "`not_indexed`, or `invalid`"),
    ),
    security(("access_token" = [ReadResources::NAME.as_str()])),
)]
pub(crate) async fn list_resources(
    State(state): State<Resources>,
    Can { caller, .. }: Can<ReadResources>,
    ValidQuery(query): ValidQuery<ListResourcesQuery>,
) -> Result<Page<Resource>, Problem> {
    let db = state.app.db.read(caller.org).await?;
    let cursor = Cursor::of("list_resources", &(&query.of, &query.filter, &query.sort));
    let rows = find(&state, &db, &query, &cursor).await?;
    let named = name(&state, &db, rows).await?;
    let place = |(resource, value): &(Resource, Option<Value>)| {
        cursor.encode(&(resource.id, value.as_ref().map(ToString::to_string)))
    };
    Ok(Page::new(named, query.limit, place, |(resource, _)| resource))
}

/// The rows of a page. What is remembered of the type may be out of date: what finds nothing or would be refused is looked
/// at again, until the type is known to be as it was for the last look.
async fn find(
    state: &Resources,
    db: &OrgRead,
    query: &ListResourcesQuery,
    cursor: &Cursor,
) -> Result<Vec<Found>, Problem> {
    let Some(of) = &query.of else { return read(db, None, query, cursor).await };
    let mut known = state.types.by_name(db, db.org(), of).await?;
    loop {
        let found = read(db, Some(&known), query, cursor).await;
        if found.as_ref().is_ok_and(|rows| !rows.is_empty()) {
            return found;
        }
        state.types.forget(db.org(), of);
        let current = state.types.by_name(db, db.org(), of).await?;
        if current.is_as(&known) {
            return found;
        }
        known = current;
    }
}

async fn read(
    db: &OrgRead,
    of: Option<&KnownType>,
    query: &ListResourcesQuery,
    cursor: &Cursor,
) -> Result<Vec<Found>, Problem> {
    let indexed = of.map(|of| &*of.indexed).unwrap_or_default();
    let list = list::parse(indexed, query.filter.as_deref(), query.sort.as_deref());
    let mut list = list.map_err(|refusal| refused(refusal, of.and_then(|of| of.indexing_job_id)))?;
    if let Some((id, value)) = cursor.decode::<Place>(query.cursor.as_deref())? {
        list.continue_after(id, value.as_deref()).ok_or(Code::InvalidCursor)?;
    }
    let limit = query.limit.and_one();
    let rows = match of {
        Some(of) => return Ok(resource_values::list(db, (of.id, of.version), &list, limit).await?),
        None if list.descending => resources::of_org_descending(db, db.org(), list.before, limit).await?,
        None => resources::of_org(db, db.org(), list.after, limit).await?,
    };
    Ok(rows.into_iter().map(|row| (row, None)).collect())
}

/// Each with the name of its type; a page seldom has more types than are remembered.
async fn name(
    state: &Resources,
    db: &OrgRead,
    rows: Vec<Found>,
) -> Result<Vec<(Resource, Option<Value>)>, ActionRefusal> {
    let mut named = Vec::with_capacity(rows.len());
    for (row, value) in rows {
        let of = state.types.name(db, db.org(), row.type_id).await?;
        named.push((Resource::new(row, &of), value));
    }
    Ok(named)
}

fn refused(refusal: Refusal, job: Option<JobId>) -> Problem {
    let job = job.map(|job| job.to_string()).unwrap_or_default();
    match refusal {
        Refusal::Malformed(detail) => Problem::value("/filter", "filter", &detail),
        Refusal::NotIndexed(detail) => Problem::new(Code::NotIndexed).detail(detail),
        Refusal::NotReady(field, FieldState::Failed) => {
            let detail = format!("some documents do not fit {field}: job {job} names them");
            Problem::new(Code::NotIndexed).detail(detail)
        }
        Refusal::NotReady(field, _) => {
            let detail = format!("{field} is being built: wait until job {job} has succeeded");
            Problem::new(Code::NotIndexed).detail(detail)
        }
    }
}
