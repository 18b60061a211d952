//! An organization comes to be, with its first owner.

use crate::store::{memberships, organizations};
use api::App;
use db::{DbResult, SystemTx};
use events::{Actor, Event, Kind};
use organizations::OrganizationRow;
use serde_json::json;
use types::{OrgId, RequestId, Role, UserId};

/// Who becomes the owner, with what the directory shows of them.
#[derive(Debug, Clone)]
pub struct Founder {
    /// The person.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// Its key.
    pub email_key: String,
    /// Their name.
    pub name: Option<String>,
    /// The request that asked for it.
    pub request: Option<RequestId>,
}

/// Makes it, in the transaction of whatever led to it.
pub async fn found(app: &App, tx: &SystemTx, name: &str, founder: &Founder) -> DbResult<OrganizationRow> {
    let now = app.clock.now();
    let synthetic = app.config.smoke.as_ref().is_some_and(|smoke| smoke.is_synthetic(&founder.email));
    let organization = organizations::insert(tx, OrgId::new(&app.rng, now), name, synthetic, now).await?;
    let (org, role) = (organization.id, Role::Owner.as_str());
    let (email, key, display) = (&founder.email, &founder.email_key, founder.name.as_deref());
    memberships::insert(tx, org, founder.user, role, email, key, display, now).await?;
    let event =
        |kind| Event::new(kind, &Actor::user(founder.user), &app.clock, &app.rng).org(org).request(founder.request);
    tx.emit(event(Kind::OrganizationCreated).target(&org).data(json!({ "name": name })).into());
    tx.emit(event(Kind::MemberJoined).target(&founder.user).data(json!({ "role": role })).into());
    Ok(organization)
}
