//! `PUT /v1/resource-types/{name}`

use super::{ResourceType, TypeName, validate_definition};
use crate::{
    Resources,
    actions::update_type::{self, Update},
    model::field::IndexedField,
};
use api::{Can, IfMatch, PathId, Problem, ValidJson, Validate, Violations, WithEtag};
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use types::{Permission, permission::ManageResourceTypes};
use utoipa::ToSchema;

/// What a resource type becomes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplaceResourceTypeRequest {
    /// A JSON Schema (2020-12), with the limits of a new type's. Documents that exist have to fit at their next change.
    #[schema(value_type = Object, example = json!({"type": "object", "required": ["title"]}))]
    schema: Value,
    /// Fields that lists can filter and sort by, at most 16. Every document has to fit them.
    #[serde(default)]
    #[schema(max_items = 16)]
    indexed: Vec<IndexedField>,
}

impl Validate for ReplaceResourceTypeRequest {
    fn validate(&self, errors: &mut Violations) {
        validate_definition(&self.schema, &self.indexed, errors);
    }
}

/// Replace a resource type's schema and indexed fields
///
/// With other indexed fields, all documents of the type are indexed anew: before the answer if there are at most 1,000,
/// else by the job `indexing_job_id`. Until it has succeeded, lists cannot go by fields that are `building`; what was
/// indexed before with the same type stays usable. The fields that were to be built are `failed` if a document does not
/// fit one of them: correct the documents that the job names, and replace the type again with the same fields.
#[utoipa::path(
    put, path = "/v1/resource-types/{name}", tag = "resource types", operation_id = "replace_resource_type",
    params(("name" = String, Path, description = "The type's name"), IfMatch),
    request_body = ReplaceResourceTypeRequest,
    responses(
        (status = 200, body = ResourceType, description = "As it is now"),
        (status = 412, description = "`precondition_failed`"), (status = 428, description = "`precondition_required`"),
    ),
    security(("access_token" = [ManageResourceTypes::NAME.as_str()])),
)]
pub(crate) async fn replace_resource_type(
    State(state): State<Resources>,
    Can { caller, .. }: Can<ManageResourceTypes>,
    PathId(TypeName(name)): PathId<TypeName>,
    if_match: IfMatch,
    ValidJson(request, _): ValidJson<ReplaceResourceTypeRequest>,
) -> Result<WithEtag<ResourceType>, Problem> {
    let version = if_match.required()?;
    let tx = state.app.db.begin(caller.org).await?;
    let update = Update { name: &name, version, schema: &request.schema, indexed: &request.indexed };
    let row = update_type::run(&state, &tx, &caller, update).await?;
    tx.commit().await?;
    // After the commit: what is read from now on is the new definition.
    state.types.forget(caller.org, &name);
    if row.indexing_job_id.is_some() {
        state.app.job_waits();
    }
    Ok(WithEtag { etag: row.version.into(), body: row.into() })
}
