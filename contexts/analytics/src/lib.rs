//! What happens in organizations' products: sources with public write keys, ingestion as Segment's clients speak it,
//! the latest events, trends.

mod actions;
mod model;
mod routes;
mod store;

pub use actions::forget_messages::run as forget_messages;
pub use routes::routes;

use actions::{known_sources::KnownSources, write::Writer};
use api::App;
use axum::extract::FromRef;
use std::sync::Arc;

/// Every statement of this context.
pub const STATEMENTS: &[&[db::Sql]] = store::STATEMENTS;

/// What the handlers share; a clone is the same one.
#[derive(Clone)]
struct Analytics {
    app: App,
    sources: KnownSources,
    writer: Arc<Writer>,
}

impl Analytics {
    fn new(app: App) -> Self {
        let writer = Arc::new(Writer::new(app.db.clone()));
        Self { app, sources: KnownSources::default(), writer }
    }
}

impl FromRef<Analytics> for App {
    fn from_ref(analytics: &Analytics) -> Self {
        analytics.app.clone()
    }
}
