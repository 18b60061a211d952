//! A member gets another role.

use crate::store::memberships;
use api::{App, Caller, Code, Problem, revocation};
use db::OrgTx;
use events::Kind;
use serde_json::json;
use types::{Role, UserId};

/// Nobody grants what they lack, nobody touches who stands above them, and the last owner stays.
pub(crate) async fn run(app: &App, tx: &OrgTx, caller: &Caller, member: UserId, role: Role) -> Result<(), Problem> {
    let owners = memberships::lock_owners(tx).await?.count;
    let before = memberships::lock(tx, member).await?.ok_or(Code::NotFound)?;
    let before_role = Role::parse(&before.role).unwrap_or(Role::Viewer);
    let own = caller.claims.role.as_deref().and_then(Role::parse).unwrap_or(Role::Viewer);
    if own < role.max(before_role) {
        return Err(Problem::new(Code::Forbidden).detail("nobody grants or takes a role above their own"));
    }
    if before_role == Role::Owner && role != Role::Owner && before.status == "active" && owners <= 1 {
        return Err(Code::LastOwner.into());
    }
    if before_role == role {
        return Ok(());
    }
    let changed = memberships::set_role(tx, member, role.as_str()).await?.ok_or(Code::NotFound)?;
    revocation::invalidate_membership(tx, tx.org(), member.0, changed.version).await?;
    let data = json!({ "before": before.role, "after": role });
    tx.emit(caller.event(Kind::MemberRoleChanged, app).target(&member).data(data).into());
    Ok(())
}
