//! Which context runs in which service: moving one to a service of its own is a line here.

use api::App;
use identity::Identity;
use utoipa_axum::router::OpenApiRouter;

/// A deployable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Service {
    /// Accounts, sessions, tokens.
    Auth,
    /// The directory of users.
    User,
    /// Organizations and what they own.
    Org,
}

impl Service {
    /// All of them, in one process.
    pub const ALL: [Self; 3] = [Self::Auth, Self::User, Self::Org];

    /// As in `platform serve auth`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::User => "user",
            Self::Org => "org",
        }
    }

    /// Its routes.
    pub(crate) fn routes(self, app: &App, identity: &Identity) -> OpenApiRouter {
        match self {
            Self::Auth => identity::auth_routes(identity.clone()),
            Self::User => identity::user_routes(identity.clone()),
            Self::Org => {
                let own =
                    orgs::routes(app.clone()).merge(resources::routes(app.clone())).merge(audit::routes(app.clone()));
                own.merge(api::jobs::routes(app.clone()))
            }
        }
    }
}
