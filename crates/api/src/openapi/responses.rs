//! The problems that operations of one kind share, described once.

use super::is_secured;
use crate::{Code, exceptions::SegmentFailure, problem::ProblemBody};
use utoipa::{
    ToSchema,
    openapi::{
        Content, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, ParameterIn},
    },
};

const PROBLEM: &str = "application/problem+json";

/// Status, name of the component, text.
const SHARED: [(&str, &str, &str); 11] = [
    ("400", "Malformed", "The request is not what this operation takes"),
    ("401", "Unauthenticated", "A valid access token is needed"),
    ("403", "Forbidden", "The role does not allow this"),
    ("404", "NotFound", "There is no such thing in this organization"),
    ("409", "Conflict", "Another change is in the way"),
    ("412", "PreconditionFailed", "It has changed since it was read"),
    ("413", "BodyTooLarge", "The body is too large"),
    ("415", "UnsupportedMediaType", "The body is no JSON"),
    ("422", "Invalid", "Some values cannot be taken; all of them are named"),
    ("429", "Limited", "Too many requests; `Retry-After` says when to try again"),
    ("503", "Unavailable", "Overloaded, or a dependency is away; `Retry-After` says when to try again"),
];

pub(super) fn shared() -> impl Iterator<Item = (String, RefOr<Response>)> {
    SHARED.into_iter().map(|(_, name, text)| {
        let response = ResponseBuilder::new().description(text).content(PROBLEM, problem());
        (name.to_owned(), response.build().into())
    })
}

fn problem() -> Content {
    Content::new(Some(Ref::from_schema_name(ProblemBody::name())))
}

/// Adds those that an operation of this kind can answer, unless it describes them itself.
pub(super) fn add_shared(path: &str, operation: &mut Operation) {
    let takes_body = operation.request_body.is_some();
    let takes = |place: &ParameterIn| {
        let parameters = operation.parameters.iter().flatten();
        let mut parameters = parameters.filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(&parameter.parameter_in),
            RefOr::Ref(_) => None,
        });
        parameters.any(|other| other == place)
    };
    let takes_header = |name: &str| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
    };
    let (takes_query, repeats) = (takes(&ParameterIn::Query), takes_header(crate::idempotency::NAME));
    let applies = |status: &str| match status {
        "400" => takes_body || takes_query || takes(&ParameterIn::Header),
        "401" | "403" => is_secured(operation),
        "404" => path.contains('{'),
        "409" => repeats,
        "412" => takes_header("If-Match"),
        "413" | "415" => takes_body,
        "422" => takes_body || takes_query || repeats,
        _ => true,
    };
    let applying: Vec<_> = SHARED.into_iter().filter(|(status, ..)| applies(status)).collect();
    for (status, name, _) in applying {
        let described = operation.responses.responses.entry(status.to_owned());
        described.or_insert_with(|| Ref::from_response_name(name).into());
    }
}

/// Status and text of what Segment's routes refuse with.
const OF_SEGMENT: [(&str, &str); 6] = [
    ("400", "No JSON, or too large: sending it again will not help"),
    ("401", "No enabled source has this write key"),
    ("403", "The source takes no events of this page"),
    ("415", "The body is encoded as something else than gzip"),
    ("429", "Too many requests; `Retry-After` says when to try again"),
    ("503", "Nothing was stored; `Retry-After` says when to try again"),
];

/// The failures of a route that speaks Segment's protocol.
pub(super) fn add_segment(operation: &mut Operation) {
    for (status, text) in OF_SEGMENT {
        let content = Content::new(Some(Ref::from_schema_name(SegmentFailure::name())));
        let response = ResponseBuilder::new().description(text).content("application/json", content).build();
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.into());
    }
}

/// A failure that an operation describes in words alone has a problem as its body.
pub(super) fn describe_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let is_failure = status.parse::<u16>().is_ok_and(|status| status >= 400);
        let is_described = |content: &RefOr<Content>| matches!(content, RefOr::T(content) if content.schema.is_some());
        if is_failure && !response.content.values().any(is_described) {
            response.content = [(PROBLEM.to_owned(), problem().into())].into_iter().collect();
        }
        if is_failure && response.description.is_empty() {
            response.description = code_of(status).map(Code::title).unwrap_or_default().into();
        }
    }
}

/// The first code of that status.
fn code_of(status: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.status().as_str() == status)
}
