//! `PUT /v1/resources/{id}`

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

/// What a resource becomes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaceResourceRequest {
    /// A JSON object that fits the type's schema.
    #[schema(value_type = Object, example = json!({"title": "Printer on fire"}))]
    document: Map<String, Value>,
}

impl Validate for ReplaceResourceRequest {
    /// The type says what a document must be; that is known later.
    fn validate(&self, _: &mut Violations) {}
}

/// Replace a resource's document
#[utoipa::path(
    put, path = "/v1/resources/{id}", tag = "resources", operation_id = "replace_resource",
    params(("id" = ResourceId, Path, description = "The resource"), IfMatch),
    request_body = ReplaceResourceRequest,
    responses(
        (status = 200, body = Resource, description = "As it is now"),
        (status = 409, description = "`conflict`"), (status = 412, description = "`precondition_failed`"),
    ),
    security(("access_token" = [WriteResources::NAME.as_str()])),
)]
pub(crate) async fn replace_resource(
    State(state): State<Resources>,
    Can { caller, .. }: Can<WriteResources>,
    PathId(id): PathId<ResourceId>,
    IfMatch(version): IfMatch,
    ValidJson(request, _): ValidJson<ReplaceResourceRequest>,
) -> Result<WithEtag<Resource>, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    let change = (Which { id, version }, Change::Replace(request.document));
    let (row, of) = update_resource::run(&state, &tx, &caller, change).await?;
    tx.commit().await?;
    Ok(WithEtag { etag: row.version, body: Resource::new(row, &of) })
}
