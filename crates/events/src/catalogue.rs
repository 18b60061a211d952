//! The closed catalogue of events: a name, whose log it enters, what it says.

use std::fmt::Write;

/// Whose log an event enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The organization's.
    Organization,
    /// The person's own.
    Person,
    /// Nobody's: it only starts work, and no log shows it.
    Hidden,
}

macro_rules! catalogue { ($($kind:ident = $name:literal, $audience:ident, $meaning:literal;)*) => {
    /// What happened, in the form noun and past verb.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind { $(#[doc = $meaning] $kind),* }

    impl Kind {
        /// Every kind there is.
        pub const ALL: &[Self] = &[$(Self::$kind),*];

        /// As in the log.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$kind => $name),* }
        }

        /// What it says, in one sentence.
        pub const fn meaning(self) -> &'static str {
            match self { $(Self::$kind => $meaning),* }
        }

        /// Whose log it enters.
        pub const fn audience(self) -> Audience {
            match self { $(Self::$kind => Audience::$audience),* }
        }
    }
} }

catalogue! {
    UserRegistered = "user.registered", Person, "An address was proven and an account made.";
    SessionCreated = "session.created", Organization, "Somebody signed in.";
    SessionFailed = "session.failed", Organization, "A sign-in with a wrong password, in the organization that the right one would have led to.";
    SessionRevoked = "session.revoked", Person, "A session was ended.";
    SessionReuseDetected = "session.reuse_detected", Person, "A refresh token was used again; its session was ended.";
    AccessDenied = "access.denied", Organization, "Somebody was kept from what they lack a permission for; at most once a minute each, with a count.";
    SmokeUsed = "smoke.used", Person, "The smoke key read the mail of a synthetic account.";
    SmokeErased = "smoke.erased", Organization, "A synthetic organization was erased with everything in it.";
    OrganizationCreated = "organization.created", Organization, "An organization was made.";
    OrganizationUpdated = "organization.updated", Organization, "An organization's name changed.";
    MemberJoined = "member.joined", Organization, "A person became a member.";
    MemberRoleChanged = "member.role_changed", Organization, "A member has another role.";
    UserUpdated = "user.updated", Person, "A person changed their profile.";
    ResourceTypeCreated = "resource_type.created", Organization, "A resource type was made.";
    ResourceTypeUpdated = "resource_type.updated", Organization, "A resource type has another schema or other indexed fields.";
    ResourceTypeDeleted = "resource_type.deleted", Organization, "A resource type was deleted.";
    ResourceCreated = "resource.created", Organization, "A resource was made.";
    ResourceUpdated = "resource.updated", Organization, "A resource has another document.";
    ResourceDeleted = "resource.deleted", Organization, "A resource was deleted.";
    AnalyticsSourceCreated = "analytics_source.created", Organization, "A source of analytics events was made.";
    AnalyticsSourceUpdated = "analytics_source.updated", Organization, "A source of analytics events has another name, other origins, or was switched on or off.";
    AnalyticsSourceDeleted = "analytics_source.deleted", Organization, "A source of analytics events was deleted; its write key is refused.";
    EndpointCreated = "endpoint.created", Organization, "A webhook endpoint was made.";
    EndpointUpdated = "endpoint.updated", Organization, "A webhook endpoint changed.";
    EndpointDeleted = "endpoint.deleted", Organization, "A webhook endpoint was deleted.";
    EndpointSecretRotated = "endpoint.secret_rotated", Organization, "A webhook endpoint has another signing secret.";
    EndpointDisabled = "endpoint.disabled", Organization, "A webhook endpoint failed for too long, or said that it is gone, and gets no more deliveries.";
    MessageCreated = "message.created", Hidden, "A message waits to be told to webhook endpoints.";
}

impl Kind {
    /// The generated page `docs/reference/events.md`.
    pub fn page() -> String {
        let mut page = String::from("# Events\n\n| type | enters the log of | says |\n|---|---|---|\n");
        for kind in Self::ALL {
            let whose = match kind.audience() {
                Audience::Organization => "the organization",
                Audience::Person => "the person",
                Audience::Hidden => "nobody",
            };
            let _ = writeln!(page, "| `{}` | {whose} | {} |", kind.as_str(), kind.meaning());
        }
        page
    }
}
