//! `PATCH /v1/analytics/sources/{id}`

use super::{AnalyticsSource, validate_name, validate_origins};
use crate::{
    Analytics,
    actions::change_source::{self, Change, ChangeError},
};
use api::{Can, Code, IfMatch, PathId, Problem, ValidJson, Validate, Violations, WithEtag};
use axum::extract::State;
use serde::Deserialize;
use types::{Permission, SourceId, permission::ManageAnalytics};
use utoipa::ToSchema;

/// What changes of a source; what is not named stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeAnalyticsSourceRequest {
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, min_length = 1, max_length = 100, example = "Website")]
    name: Option<String>,
    /// Pages that may send; none: any.
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false, max_items = 50, example = json!(["https://example.com"]))]
    allowed_origins: Option<Vec<String>>,
    /// Whether its write key is taken; a change is in force within a second.
    #[serde(default, deserialize_with = "super::given")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

impl Validate for ChangeAnalyticsSourceRequest {
    fn validate(&self, errors: &mut Violations) {
        self.name.iter().for_each(|name| validate_name(name, errors));
        self.allowed_origins.iter().for_each(|origins| validate_origins(origins, errors));
    }
}

/// Change a source of analytics events
#[utoipa::path(
    patch, path = "/v1/analytics/sources/{id}", tag = "analytics", operation_id = "change_analytics_source",
    params(("id" = SourceId, Path, description = "The source"), IfMatch),
    request_body = ChangeAnalyticsSourceRequest,
    responses(
        (status = 200, body = AnalyticsSource, description = "As it is now"),
        (status = 412, description = "`precondition_failed`"),
    ),
    security(("access_token" = [ManageAnalytics::NAME.as_str()])),
)]
pub(crate) async fn change_analytics_source(
    State(state): State<Analytics>,
    Can { caller, .. }: Can<ManageAnalytics>,
    PathId(id): PathId<SourceId>,
    IfMatch(version): IfMatch,
    ValidJson(request, _): ValidJson<ChangeAnalyticsSourceRequest>,
) -> Result<WithEtag<AnalyticsSource>, Problem> {
    let tx = state.app.db.begin(caller.org).await?;
    let change = Change {
        name: request.name.as_deref(),
        allowed_origins: request.allowed_origins.as_deref(),
        enabled: request.enabled,
    };
    let row = change_source::run(&state, &tx, &caller, (id, version), change).await?;
    tx.commit().await?;
    Ok(WithEtag { etag: row.version.into(), body: AnalyticsSource::from(row) })
}

impl From<ChangeError> for Problem {
    fn from(refusal: ChangeError) -> Self {
        match refusal {
            ChangeError::NotFound => Self::new(Code::NotFound),
            ChangeError::OtherVersion => Self::new(Code::PreconditionFailed),
            ChangeError::Database(error) => error.into(),
        }
    }
}
