//! Whether a login may serve: one that could get around row level security may not.

use tokio_postgres::{Client, Error};

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginProblem {
    /// It is a superuser.
    Superuser(String),
    /// It has BYPASSRLS.
    BypassesRowSecurity(String),
    /// It owns tables.
    Owner(String),
    /// It cannot become one of the scopes' roles.
    NotAMember(String),
}

impl std::fmt::Display for LoginProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (login, why) = match self {
            Self::Superuser(login) => (login, "is a superuser"),
            Self::BypassesRowSecurity(login) => (login, "has BYPASSRLS"),
            Self::Owner(login) => (login, "owns the tables"),
            Self::NotAMember(login) => (login, "is not a member of eap_tenant, eap_person and eap_system"),
        };
        writeln!(f, "the database login {login} {why}: organizations would not be kept apart.")?;
        write!(
            f,
            "Make the right one with `platform migrate roles` (as a login that may create roles), give it a password \
             with \\password api_platform_app, and set DATABASE_URL=postgresql://api_platform_app:…@host/database"
        )
    }
}

/// What is wrong with the login of this session, if anything.
pub async fn login_problem(client: &Client) -> Result<Option<LoginProblem>, Error> {
    let row = client
        .query_one(
            "SELECT session_user::text, r.rolsuper, r.rolbypassrls,
                EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relowner = r.oid),
                (SELECT count(*) FROM pg_roles m WHERE m.rolname IN ('eap_tenant', 'eap_person', 'eap_system')
                        AND pg_has_role(r.oid, m.oid, 'MEMBER')) = 3
             FROM pg_roles r WHERE r.rolname = session_user",
            &[],
        )
        .await?;
    let login: String = row.try_get(0)?;
    Ok(match (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?) {
        (true, ..) => Some(LoginProblem::Superuser(login)),
        (_, true, ..) => Some(LoginProblem::BypassesRowSecurity(login)),
        (_, _, true, _) => Some(LoginProblem::Owner(login)),
        (_, _, _, false) => Some(LoginProblem::NotAMember(login)),
        _ => None,
    })
}
