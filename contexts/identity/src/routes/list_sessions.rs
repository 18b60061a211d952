//! `GET /v1/auth/sessions`

use crate::{Identity, store::sessions};
use api::{Cursor, Limit, Page, Problem, Session, ValidQuery, Validate, Violations};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use types::{OrgId, SessionId, Timestamp};
use utoipa::{IntoParams, ToSchema};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListSessionsQuery {
    /// Sessions a page
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before
    cursor: Option<String>,
}

impl Validate for ListSessionsQuery {
    fn validate(&self, errors: &mut Violations) {
        self.limit.validate(errors);
    }
}

/// A place where one is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedInSession {
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    organization_id: Option<OrgId>,
    #[schema(example = "Mozilla/5.0 …")]
    user_agent: Option<String>,
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
}

/// List where one is signed in
#[utoipa::path(
    get, path = "/v1/auth/sessions", tag = "sign-in", operation_id = "list_sessions",
    params(ListSessionsQuery),
    responses((status = 200, body = Page<SignedInSession>, description = "A page")),
    security(("access_token" = [])),
)]
pub(crate) async fn list_sessions(
    State(identity): State<Identity>,
    Session { caller }: Session,
    ValidQuery(query): ValidQuery<ListSessionsQuery>,
) -> Result<Page<SignedInSession>, Problem> {
    let cursor = Cursor::of("list_sessions", &());
    let after = cursor.decode(query.cursor.as_deref())?;
    let tx = identity.app.db.person(caller.user).await?;
    let rows = sessions::own(&tx, after, identity.app.clock.now(), query.limit.and_one()).await?;
    tx.commit().await?;
    let show = |row: sessions::OwnSessionRow| SignedInSession {
        current: row.id == caller.session,
        id: row.id,
        organization_id: row.org_id,
        user_agent: row.user_agent,
        address: row.address,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
    };
    Ok(Page::new(rows, query.limit, |row| cursor.encode(&row.id), show))
}
