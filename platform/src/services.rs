//! Which context runs in which service: moving one to a service of its own is a line here.

use api::App;
use axum::Router;
use identity::Identity;
use utoipa_axum::router::OpenApiRouter;
use webhooks::Webhooks;

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

    /// Its routes for the smoke test.
    pub(crate) fn smoke_routes(self, app: &App) -> Router {
        match self {
            Self::Auth => api::smoke::mail_routes(app.clone()),
            Self::User => Router::new(),
            Self::Org => api::smoke::hook_routes(app.clone()),
        }
    }

    /// Its routes.
    pub(crate) fn routes(self, app: &App, identity: &Identity, webhooks: &Webhooks) -> OpenApiRouter {
        match self {
            Self::Auth => identity::auth_routes(identity.clone()),
            Self::User => identity::user_routes(identity.clone()),
            Self::Org => {
                let contexts = [orgs::routes, resources::routes, audit::routes, analytics::routes, api::jobs::routes];
                let webhooks = webhooks::routes(webhooks.clone());
                contexts.iter().fold(webhooks, |all, routes| all.merge(routes(app.clone())))
            }
        }
    }
}
