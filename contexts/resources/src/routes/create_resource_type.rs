//! `POST /v1/resource-types`

use super::{ResourceType, validate_definition};
use crate::{
    Resources,
    actions::create_type,
    model::{field::IndexedField, is_type_name},
};
use api::{Can, Created, Idempotency, Problem, ValidJson, Validate, Violations};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::Value;
use types::{Permission, permission::ManageResourceTypes};
use utoipa::ToSchema;

/// A new resource type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateResourceTypeRequest {
    /// What resources name it by; it never changes.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,62}$", example = "ticket")]
    name: String,
    /// A JSON Schema (2020-12) for documents: at most 64 kB and 32 levels, references within itself and in no circle,
    /// regular expressions without backreferences and look-around.
    #[schema(value_type = Object, example = json!({"type": "object", "required": ["title"]}))]
    schema: Value,
    /// Fields that lists can filter and sort by, at most 16.
    #[serde(default)]
    #[schema(max_items = 16)]
    indexed: Vec<IndexedField>,
}

impl Validate for CreateResourceTypeRequest {
    fn validate(&self, errors: &mut Violations) {
        errors.require(is_type_name(&self.name), "/name", "name", "must match ^[a-z][a-z0-9_-]{0,62}$");
        validate_definition(&self.schema, &self.indexed, errors);
    }
}

/// Create a resource type
///
/// Its resources are documents that fit the schema.
#[utoipa::path(
    post, path = "/v1/resource-types", tag = "resource types", operation_id = "create_resource_type",
    params(Idempotency),
    request_body = CreateResourceTypeRequest,
    responses((status = 201, body = ResourceType, description = "Made"), (status = 409, description = "`name_taken`")),
    security(("access_token" = [ManageResourceTypes::NAME.as_str()])),
)]
pub(crate) async fn create_resource_type(
    State(state): State<Resources>,
    Can { caller, .. }: Can<ManageResourceTypes>,
    idempotency: Idempotency,
    ValidJson(request, digest): ValidJson<CreateResourceTypeRequest>,
) -> Result<Response, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    if let Some(answer) = idempotency.replay(&tx, &digest).await? {
        return Ok(answer);
    }
    let CreateResourceTypeRequest { name, schema, indexed } = &request;
    let row = create_type::run(&state, &tx, &caller, (name, schema, indexed)).await?;
    let created = Created {
        location: format!("/v1/resource-types/{}", row.name),
        etag: row.version.into(),
        body: ResourceType::from(row),
    };
    let answer = idempotency.keep(&tx, &digest, created).await?;
    tx.commit().await?;
    // After the commit: what is read from now on is the new type.
    state.types.forget(caller.org, name);
    Ok(answer)
}
