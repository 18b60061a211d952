//! Typed resources of organizations: types with a JSON Schema, documents that fit them, lists that an index answers.

mod actions;
mod model;
mod routes;
mod store;

pub use routes::routes;

use actions::{index_documents, known_types::KnownTypes};
use api::{App, jobs::Kind};
use axum::extract::FromRef;

/// Every statement of this context.
pub const STATEMENTS: &[&[db::Sql]] = store::STATEMENTS;

/// The jobs of this context.
pub const JOBS: &[Kind] =
    &[Kind { name: index_documents::KIND, step: |app, held| Box::pin(index_documents::step(app, held)) }];

/// What the handlers share; a clone is the same one.
#[derive(Clone)]
struct Resources {
    app: App,
    types: KnownTypes,
}

impl Resources {
    fn new(app: App) -> Self {
        Self { app, types: KnownTypes::default() }
    }
}

impl FromRef<Resources> for App {
    fn from_ref(resources: &Resources) -> Self {
        resources.app.clone()
    }
}
