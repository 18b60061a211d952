//! Who calls, and what they must be allowed to: a handler that takes `Can<ReadUsers>` cannot be reached without it.

use crate::{App, Claims, Client, Code, Problem, client::Principal};
use axum::extract::{FromRef, FromRequestParts, MatchedPath};
use events::{Actor, Event, Kind};
use http::{header, request::Parts};
use std::{marker::PhantomData, sync::Arc};
use types::{OrgId, Permission, PermissionName, PermissionSet, RequestId, SessionId, UserId};

/// A signed-in person; `Caller<OrgId>` acts within an organization, `Caller<Option<OrgId>>` perhaps without one.
#[derive(Clone, Debug)]
pub struct Caller<O = OrgId> {
    /// The person.
    pub user: UserId,
    /// Their session.
    pub session: SessionId,
    /// The token's organization.
    pub org: O,
    /// What their role allows.
    pub permissions: PermissionSet,
    /// The request, for events.
    pub request_id: RequestId,
    /// The whole token.
    pub claims: Arc<Claims>,
}

impl<O: Copy + Into<Option<OrgId>>> Caller<O> {
    /// As events name them.
    pub fn actor(&self) -> Actor {
        Actor::user(self.user)
    }

    /// An event of what they do, in the log of their organization.
    pub fn event(&self, kind: Kind, app: &App) -> Event {
        let event = Event::new(kind, &self.actor(), &app.clock, &app.rng);
        event.request(Some(self.request_id)).act(self.claims.act.clone()).org(self.org)
    }
}

/// Any signed-in person, with or without an organization.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub caller: Caller<Option<OrgId>>,
}

/// A signed-in person whose role in the token's organization has the permission `P`.
#[derive(Debug)]
pub struct Can<P> {
    /// Who.
    pub caller: Caller,
    permission: PhantomData<P>,
}

impl<S> FromRequestParts<S> for Session
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let app = App::from_ref(state);
        let claims = authenticated(parts, &app).await?;
        Ok(Self { caller: caller(parts, &app, claims.org, claims) })
    }
}

impl<P: Permission, S> FromRequestParts<S> for Can<P>
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let app = App::from_ref(state);
        let claims = authenticated(parts, &app).await?;
        let org = claims.org.ok_or(Code::NoOrganization)?;
        let caller = caller(parts, &app, org, claims);
        if caller.permissions.contains(P::NAME) {
            Ok(Self { caller, permission: PhantomData })
        } else {
            app.denials.note(&caller.claims, org, operation(parts), P::NAME, caller.request_id);
            Err(lacks(P::NAME))
        }
    }
}

/// Method and route; the path itself may name things that are nobody else's business.
fn operation(parts: &Parts) -> String {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    format!("{} {route}", parts.method)
}

fn lacks(permission: PermissionName) -> Problem {
    Problem::new(Code::Forbidden).detail(format!("this needs the permission {}", permission.as_str()))
}

fn caller<O>(parts: &Parts, app: &App, org: O, claims: Arc<Claims>) -> Caller<O> {
    let permissions = claims.role.as_deref().map(app.authority.permissions_of).unwrap_or_default();
    let request_id = parts.extensions.get::<Client>().map(|client| client.request_id);
    Caller {
        user: claims.sub,
        session: claims.sid,
        org,
        permissions,
        request_id: request_id.unwrap_or(RequestId(uuid::Uuid::nil())),
        claims,
    }
}

/// The claims of the request's token: verified once a request, whichever extractors ask.
pub(crate) async fn authenticated(parts: &mut Parts, app: &App) -> Result<Arc<Claims>, Problem> {
    if let Some(claims) = parts.extensions.get::<Arc<Claims>>() {
        return Ok(claims.clone());
    }
    let token = bearer_token(parts).ok_or(Code::Unauthenticated)?;
    let claims = app.tokens.verify(&app.authority, app.clock.now(), token).ok_or(Code::Unauthenticated)?;
    app.revocations.check(&claims).await?;
    if let Some(client) = parts.extensions.get::<Client>() {
        // Only the first extractor of a request comes here.
        let _ = client.principal.set(Principal { user: claims.sub, org: claims.org });
    }
    app.limits.person(parts, claims.sub)?;
    parts.extensions.insert(claims.clone());
    Ok(claims)
}

/// RFC 6750, 2.1; the scheme's name is case-insensitive (RFC 9110, 11.1).
fn bearer_token(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
