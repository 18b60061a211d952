//! `PATCH /v1/resources/{id}`

use super::Resource;
use crate::{
    Resources,
    actions::update_resource::{self, Change, Which},
};
use api::{Can, IfMatch, PathId, Problem, ValidJson, Validate, Violations, WithEtag};
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use types::{Permission, ResourceId, permission::WriteResources};
use utoipa::ToSchema;

/// What changes of a resource.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatchResourceRequest {
    /// A JSON Merge Patch (RFC 7396): members replace, null removes, what is not named stays.
    #[schema(value_type = Object, example = json!({"priority": 2, "assignee": null}))]
    document: Map<String, Value>,
}

impl Validate for PatchResourceRequest {
    /// The type says what the merged document must be; that is known later.
    fn validate(&self, _: &mut Violations) {}
}

/// Change members of a resource's document
#[utoipa::path(
    patch, path = "/v1/resources/{id}", tag = "resources", operation_id = "patch_resource",
    params(("id" = ResourceId, Path, description = "The resource"), IfMatch),
    request_body = PatchResourceRequest,
    responses(
        (status = 200, body = Resource, description = "As it is now"),
        (status = 409, description = "`conflict`"), (status = 412, description = "`precondition_failed`"),
    ),
    security(("access_token" = [WriteResources::NAME.as_str()])),
)]
pub(crate) async fn patch_resource(
    State(state): State<Resources>,
    Can { caller, .. }: Can<WriteResources>,
    PathId(id): PathId<ResourceId>,
    IfMatch(version): IfMatch,
    ValidJson(request, _): ValidJson<PatchResourceRequest>,
) -> Result<WithEtag<Resource>, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    let change = (Which { id, version }, Change::Merge(request.document));
    let (row, of) = update_resource::run(&state, &tx, &caller, change).await?;
    tx.commit().await?;
    Ok(WithEtag { etag: row.version, body: Resource::new(row, &of) })
}
