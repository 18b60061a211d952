//! The one table of error codes: what a machine compares, what a person reads, what to do about it.
//! `docs/reference/errors/` is generated from it.

use http::StatusCode;

macro_rules! codes { ($($variant:ident = $code:literal, $status:ident, $title:literal, $cure:literal;)*) => {
    /// Why a request failed; stable, so that programs can compare it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Code { $(#[doc = $title] $variant),* }

    impl Code {
        /// Every code there is.
        pub const ALL: &[Self] = &[$(Self::$variant),*];

        /// As in the member `code`.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$variant => $code),* }
        }

        /// The response's status.
        pub const fn status(self) -> StatusCode {
            match self { $(Self::$variant => StatusCode::$status),* }
        }

        /// The same text for each occurrence (RFC 9457, 3.1.3).
        pub const fn title(self) -> &'static str {
            match self { $(Self::$variant => $title),* }
        }

        /// What the caller can do about it.
        pub const fn cure(self) -> &'static str {
            match self { $(Self::$variant => $cure),* }
        }
    }
} }

codes! {
    MalformedBody = "malformed_body", BAD_REQUEST, "The body is not what this operation takes",
        "Send one JSON object with the members that the reference names; `errors` points at the first that does not fit.";
    MalformedQuery = "malformed_query", BAD_REQUEST, "The query is not what this operation takes",
        "Compare the parameters' names and types with the reference.";
    MalformedHeader = "malformed_header", BAD_REQUEST, "A header has no value that this operation takes",
        "Correct the header that `detail` names.";
    InvalidCursor = "invalid_cursor", BAD_REQUEST, "The cursor does not belong to this list",
        "Start again without `cursor`; a cursor serves only the list, filter and order that returned it.";
    InvalidToken = "invalid_token", BAD_REQUEST, "The token was used, has expired or never existed",
        "Ask for a new one, for example by another mail.";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A valid access token is needed",
        "Send `Authorization: Bearer <access token>`; when the token has expired, refresh it.";
    TokenOutdated = "token_outdated", UNAUTHORIZED, "The access token was overtaken by a change",
        "Refresh the token: the session or the membership has changed since it was issued.";
    BadCredentials = "bad_credentials", UNAUTHORIZED, "Address and password do not fit",
        "Check both. The answer is the same for an address without an account.";
    UnknownWriteKey = "unknown_write_key", UNAUTHORIZED, "No source has this write key",
        "Send the `write_key` of an enabled analytics source as the user of HTTP Basic, or as `writeKey` in the body.";
    SessionEnded = "session_ended", UNAUTHORIZED, "The session has ended",
        "Sign in again.";
    Forbidden = "forbidden", FORBIDDEN, "Your role does not allow this",
        "Ask an owner of the organization for a role that has the permission `detail` names.";
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, "The source takes no events of this page",
        "Add the page's origin to the `allowed_origins` of the analytics source.";
    NoOrganization = "no_organization", FORBIDDEN, "This needs an organization",
        "Create an organization or accept an invitation, then refresh the token with its `organization_id`.";
    NotFound = "not_found", NOT_FOUND, "There is no such thing here",
        "Check the path and the id. What belongs to another organization does not exist for this token.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path does not take this method",
        "Use one of the methods in the header `Allow`.";
    Conflict = "conflict", CONFLICT, "Another change came first",
        "Read the current state and try again.";
    NameTaken = "name_taken", CONFLICT, "The name is taken",
        "Choose another name.";
    StillInUse = "still_in_use", CONFLICT, "Something still depends on it",
        "Remove what `detail` names first.";
    LastOwner = "last_owner", CONFLICT, "An organization needs an owner",
        "Make another member an owner first.";
    InProgress = "in_progress", CONFLICT, "The first request with this idempotency key is still running",
        "Repeat the request in a moment; it will then answer as the first one did.";
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "It has changed since you read it",
        "Read it again, apply the change to what you got, and send its `ETag` in `If-Match`.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "Send at most 1 MiB, or what the reference says for this operation.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body has a type that is not taken",
        "Send `Content-Type: application/json`.";
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "Some values cannot be taken",
        "Correct every value that `errors` points at.";
    NotIndexed = "not_indexed", UNPROCESSABLE_ENTITY, "The list cannot be filtered or sorted like this",
        "Filter and sort by one field that the resource type declares in `indexed` and that is `ready`, or sort by id.";
    IdempotencyMismatch = "idempotency_mismatch", UNPROCESSABLE_ENTITY, "The idempotency key was used for another request",
        "Use a new key for each new operation and body.";
    PreconditionRequired = "precondition_required", PRECONDITION_REQUIRED, "A condition is needed for this change",
        "Read the object and send its `ETag` in `If-Match`, so that nobody's change is lost.";
    Limited = "limited", TOO_MANY_REQUESTS, "Too many requests",
        "Wait for the seconds in `Retry-After`; `RateLimit` says what is left.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side",
        "Try again; if it stays, report the `request_id`, under which the log has the cause.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much is going on at the moment",
        "Try again after the seconds in `Retry-After`.";
    MailNotSetUp = "mail_not_set_up", FORBIDDEN, "This installation sends no mail",
        "Ask who runs it to set EAP_SMTP_URL and EAP_MAIL_FROM; until then nobody can register.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Something that this needs cannot be reached at the moment",
        "Try again after the seconds in `Retry-After`.";
    TimedOut = "timed_out", SERVICE_UNAVAILABLE, "The request took too long",
        "Try again after the seconds in `Retry-After`; ask for less at once.";
}

impl Code {
    /// The generated page of this code, to which a problem's `type` points.
    pub fn page(self) -> String {
        let (code, status, title, cure) = (self.as_str(), self.status().as_u16(), self.title(), self.cure());
        format!("# {code}\n\n**{title}.** Status {status}.\n\n{cure}\n")
    }

    /// The generated page that lists them all.
    pub fn index() -> String {
        let row = |code: &Self| {
            let (name, status) = (code.as_str(), code.status().as_u16());
            format!("| [`{name}`]({name}.md) | {status} | {} |\n", code.title())
        };
        let rows: String = Self::ALL.iter().map(row).collect();
        format!(
            "# Errors\n\nEvery failure is `application/problem+json` (RFC 9457).\n\n| code | status | means |\n|---|---|---|\n{rows}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn a_page_says_what_happened_and_the_cure() {
        let page = Code::LastOwner.page();
        assert!(page.contains("An organization needs an owner") && page.contains("Make another member an owner"));
        assert!(Code::index().contains("| [`last_owner`](last_owner.md) | 409 |"));
    }
}
