//! `POST /v1/resources`

use super::Resource;
use crate::{Resources, actions::create_resource as action};
use api::{Can, Created, Idempotency, Problem, ValidJson, Validate, Violations};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use types::{Permission, permission::WriteResources};
use utoipa::ToSchema;

/// A new resource.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateResourceRequest {
    /// The name of a resource type.
    #[serde(rename = "type")]
    #[schema(example = "ticket")]
    of: String,
    /// A JSON object that fits the type's schema.
    #[schema(value_type = Object, example = json!({"title": "Printer on fire"}))]
    document: Map<String, Value>,
}

impl Validate for CreateResourceRequest {
    /// The type says what a document must be; that is known later.
    fn validate(&self, _: &mut Violations) {}
}

/// Create a resource
#[utoipa::path(
    post, path = "/v1/resources", tag = "resources", operation_id = "create_resource",
    params(Idempotency),
    request_body = CreateResourceRequest,
    responses((status = 201, body = Resource, description = "Made"), (status = 409, description = "`conflict`")),
    security(("access_token" = [WriteResources::NAME.as_str()])),
)]
pub(crate) async fn create_resource(
    State(state): State<Resources>,
    Can { caller, .. }: Can<WriteResources>,
    idempotency: Idempotency,
    ValidJson(request, digest): ValidJson<CreateResourceRequest>,
) -> Result<Response, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    if let Some(answer) = idempotency.replay(&tx, &digest).await? {
        return Ok(answer);
    }
    let document = Value::Object(request.document);
    let (row, of) = action::run(&state, &tx, &caller, (&request.of, &document)).await?;
    let created =
        Created { location: format!("/v1/resources/{}", row.id), etag: row.version, body: Resource::new(row, &of) };
    let answer = idempotency.keep(&tx, &digest, created).await?;
    tx.commit().await?;
    Ok(answer)
}
