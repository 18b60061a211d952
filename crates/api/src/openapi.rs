//! The OpenAPI document: contexts describe their operations, this adds what is the same for all of them.

mod docs;
mod responses;

pub use docs::routes;

use crate::{
    IfMatch, Problem,
    exceptions::{self, SegmentFailure},
    idempotency,
    idempotency::Idempotency,
    problem::ProblemBody,
};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Components, Info, License, OpenApi, RefOr, Required, Schema, Server, Tag,
        extensions::Extensions,
        path::{Operation, Parameter, ParameterIn, PathItem},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

/// The name of the security scheme: `security(("access_token" = [ReadUsers::NAME.as_str()]))` on an operation.
const ACCESS_TOKEN: &str = "access_token";
/// The scheme of who sends analytics events: `security(("write_key" = []))`.
const WRITE_KEY: &str = "write_key";

/// Completes a document: information, servers, the security scheme, and for each operation the problems that any of
/// its kind can answer, its callers and its limits.
pub fn finish(mut document: OpenApi) -> OpenApi {
    document.info = information();
    document.servers = Some(vec![Server::new("/")]);
    let components = document.components.get_or_insert_with(Components::new);
    add_problem_schemas(components);
    components.add_security_scheme(ACCESS_TOKEN, bearer());
    components.add_security_scheme(WRITE_KEY, basic());
    components.responses.extend(responses::shared());
    let mut tags = Vec::new();
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            complete(path, operation);
            tags.extend(operation.tags.clone().unwrap_or_default());
        }
    }
    tags.sort_unstable();
    tags.dedup();
    document.tags = Some(tags.iter().map(Tag::new).collect());
    document
}

fn information() -> Info {
    let mut license = License::new("Apache License 2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let mut info = Info::new("Enterprise API Platform", env!("CARGO_PKG_VERSION"));
    info.description =
        Some("Accounts, organizations, typed resources, analytics. Failures are problem details (RFC 9457).".into());
    info.license = Some(license);
    info
}

fn bearer() -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
    let text =
        "An access token of `POST /v1/auth/login`; the scopes named by an operation are permissions of the role.";
    SecurityScheme::Http(scheme.description(Some(text)).build())
}

fn basic() -> SecurityScheme {
    let text = "The write key of an analytics source as user, without a password. It is public; clients that cannot send \
                the header put it into the body as `writeKey`.";
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(text)).build())
}

fn add_problem_schemas(components: &mut Components) {
    let mut schemas = vec![
        (ProblemBody::name().into_owned(), ProblemBody::schema()),
        (SegmentFailure::name().into_owned(), SegmentFailure::schema()),
    ];
    ProblemBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn complete(path: &str, operation: &mut Operation) {
    let is_probe = operation.tags.as_deref() == Some(&["health".to_owned()]);
    let is_segment = exceptions::is_segment(path);
    match (is_probe, is_segment) {
        (true, _) => {}
        (_, true) => responses::add_segment(operation),
        _ => responses::add_shared(path, operation),
    }
    responses::describe_problems(operation);
    let callers: &[&str] = match (is_segment, is_secured(operation)) {
        (true, _) => &["write_key"],
        (_, true) => &["session"],
        _ => &["none"],
    };
    let limits: &[&str] = match (is_probe, is_secured(operation) && !is_segment) {
        (true, _) => &[],
        (false, true) => &["address", "person"],
        (false, false) => &["address"],
    };
    let ours: Extensions = [("x-callers", callers), ("x-limits", limits)].into_iter().collect();
    operation.extensions.get_or_insert_default().merge(ours);
}

fn is_secured(operation: &Operation) -> bool {
    // An empty requirement among them means that a credential is not needed (OpenAPI 3.1, 4.8.2).
    let needs_nothing =
        |one: &SecurityRequirement| serde_json::to_value(one).is_ok_and(|one| one == serde_json::json!({}));
    operation.security.as_ref().is_some_and(|all| !all.is_empty() && !all.iter().any(needs_nothing))
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemBody::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> std::borrow::Cow<'static, str> {
        ProblemBody::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ProblemBody::schemas(schemas);
    }
}

/// `params(Idempotency)` describes the header on operations that take it.
impl IntoParams for Idempotency {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = "Makes a repetition of this request answer as the first one did, for 24 hours.";
        vec![header(
            idempotency::NAME,
            text,
            ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255)),
        )]
    }
}

/// `params(IfMatch)` describes the header on operations that take it.
impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = "The `ETag` of the version that this change is meant for.";
        vec![header("If-Match", text, ObjectBuilder::new().schema_type(Type::String).examples(["\"1\""]))]
    }
}

fn header(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    let mut parameter = Parameter::new(name);
    parameter.parameter_in = ParameterIn::Header;
    parameter.required = Required::False;
    parameter.description = Some(description.to_owned());
    parameter.schema = Some(schema.into());
    parameter
}

#[cfg(test)]
mod tests;
