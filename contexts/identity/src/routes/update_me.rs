//! `PATCH /v1/users/me`

use super::get_me::Me;
use crate::{Identity, store::users};
use api::{Code, IfMatch, Problem, Session, ValidJson, Validate, Violations, WithEtag};
use axum::extract::State;
use events::{Event, Kind};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// What changes; what is not named stays, null removes (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMeRequest {
    #[expect(clippy::option_option, reason = "in a merge patch, null and absent differ")]
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, example = "Ada King")]
    name: Option<Option<String>>,
}

/// Tells null from absent.
#[expect(clippy::option_option, reason = "in a merge patch, null and absent differ")]
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Validate for UpdateMeRequest {
    fn validate(&self, errors: &mut Violations) {
        if let Some(Some(name)) = &self.name {
            errors.text("/name", name, 1..=200);
        }
    }
}

/// Change one's own account
#[utoipa::path(
    patch, path = "/v1/users/me", tag = "users", operation_id = "update_me",
    params(IfMatch),
    request_body = UpdateMeRequest,
    responses(
        (status = 200, body = Me, description = "As it is now, with its ETag"),
    ),
    security(("access_token" = [])),
)]
pub(crate) async fn update_me(
    State(identity): State<Identity>,
    Session { caller }: Session,
    if_match: IfMatch,
    ValidJson(request, _): ValidJson<UpdateMeRequest>,
) -> Result<WithEtag<Me>, Problem> {
    let app = &identity.app;
    let tx = app.db.person(caller.user).await?;
    let current = users::own_to_change(&tx).await?.ok_or(Code::NotFound)?;
    if_match.check(current.version.into())?;
    let row = match request.name.filter(|name| *name != current.name) {
        None => current,
        Some(name) => {
            let event = Event::new(Kind::UserUpdated, &caller.actor(), &app.clock, &app.rng).user(caller.user);
            tx.emit(event.target(&caller.user).request(Some(caller.request_id)).into());
            orgs::set_name(&tx, name.as_deref()).await?;
            users::rename(&tx, name.as_deref(), app.clock.now()).await?
        }
    };
    tx.commit().await?;
    Ok(WithEtag { etag: row.version.into(), body: row.into() })
}
