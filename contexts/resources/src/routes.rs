//! The routes of this context.

mod create_resource;
mod create_resource_type;
mod delete_resource;
mod delete_resource_type;
mod get_resource;
mod get_resource_type;
mod list_resource_types;
mod list_resources;
mod patch_resource;
mod replace_resource;
mod replace_resource_type;

use crate::{
    Resources,
    actions::Refusal,
    model::{
        Fault,
        declared::DeclaredField,
        field::{self, IndexedField},
        is_type_name, schema,
    },
    store::{resource_types::ResourceTypeRow, resources::ResourceRow},
};
use api::{App, Code, Problem, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use types::{JobId, ResourceId, ResourceTypeId, Timestamp, UserId};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The table of routes.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_resource_types::list_resource_types, create_resource_type::create_resource_type))
        .routes(routes!(
            get_resource_type::get_resource_type,
            replace_resource_type::replace_resource_type,
            delete_resource_type::delete_resource_type
        ))
        .routes(routes!(list_resources::list_resources, create_resource::create_resource))
        .routes(routes!(
            get_resource::get_resource,
            replace_resource::replace_resource,
            patch_resource::patch_resource,
            delete_resource::delete_resource
        ))
        .with_state(Resources::new(app))
}

/// The name of a type in a path; what no type can be called is not found.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TypeName(String);

impl TryFrom<String> for TypeName {
    type Error = &'static str;
    fn try_from(name: String) -> Result<Self, Self::Error> {
        if is_type_name(&name) { Ok(Self(name)) } else { Err("is not the name of a resource type") }
    }
}

/// A type of resources.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResourceType {
    id: ResourceTypeId,
    #[schema(example = "ticket")]
    name: String,
    /// The JSON Schema (2020-12) that every document fits.
    #[schema(value_type = Object)]
    schema: Value,
    indexed: Vec<DeclaredField>,
    /// The job that indexes the documents by the fields that are `building`, or that found some that do not fit those
    /// that are `failed`.
    indexing_job_id: Option<JobId>,
    version: i32,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<ResourceTypeRow> for ResourceType {
    fn from(row: ResourceTypeRow) -> Self {
        let ResourceTypeRow { id, name, schema, indexed, indexing_job_id, version, created_at, updated_at } = row;
        Self { id, name, schema, indexed: indexed.0, indexing_job_id, version, created_at, updated_at }
    }
}

/// A resource.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resource {
    id: ResourceId,
    /// The name of its type.
    #[serde(rename = "type")]
    #[schema(example = "ticket")]
    of: String,
    #[schema(value_type = Object)]
    document: Box<RawValue>,
    version: i64,
    created_by: UserId,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Resource {
    fn new(row: ResourceRow, of: &str) -> Self {
        let ResourceRow { id, document, version, created_by, created_at, updated_at, .. } = row;
        Self { id, of: of.to_owned(), document: document.0, version, created_by, created_at, updated_at }
    }
}

/// What a schema and the declared fields must be.
fn validate_definition(schema: &Value, indexed: &[IndexedField], errors: &mut Violations) {
    let faults = schema::compile(schema).err().into_iter().chain(field::check(indexed));
    faults.for_each(|Fault { pointer, code, detail }| errors.add(&pointer, code, &detail));
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchType => Self::value("/type", "unknown_type", "is not the name of a resource type"),
            Refusal::NotFound => Self::new(Code::NotFound),
            Refusal::NameTaken => Self::new(Code::NameTaken),
            Refusal::TypeInUse => Self::new(Code::StillInUse).detail("resources of this type exist; delete them first"),
            Refusal::OtherVersion => Self::new(Code::PreconditionFailed),
            Refusal::TypeChanges => Self::new(Code::Conflict).detail("the resource type changed at the same time"),
            Refusal::Faults(faults) => faults.iter().fold(Self::new(Code::Invalid), |problem, fault| {
                problem.invalid(&fault.pointer, fault.code, &fault.detail)
            }),
            Refusal::BrokenSchema(_) => Self::internal(refusal),
            Refusal::Database(error) => error.into(),
        }
    }
}
