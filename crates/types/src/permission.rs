//! The closed catalogue of permissions and the built-in roles that hold them.

/// A permission as a type: a handler that takes `Can<ReadUsers>` cannot be reached without it.
pub trait Permission: Send + Sync + 'static {
    /// The catalogue's entry.
    const NAME: PermissionName;
}

macro_rules! permissions { ($($marker:ident = $name:literal, $least:ident, $doc:literal;)*) => {
    /// An entry of the catalogue.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum PermissionName { $(#[doc = $doc] $marker),* }

    impl PermissionName {
        /// Every permission there is.
        pub const ALL: &[Self] = &[$(Self::$marker),*];

        /// As in tokens' scopes and in the API.
        pub const fn as_str(self) -> &'static str {
            match self { $(Self::$marker => $name),* }
        }

        /// What it allows, in one sentence.
        pub const fn meaning(self) -> &'static str {
            match self { $(Self::$marker => $doc),* }
        }

        /// The least of the built-in roles that has it.
        pub const fn least_role(self) -> Role {
            match self { $(Self::$marker => Role::$least),* }
        }
    }

    $(#[doc = $doc] #[derive(Debug)] pub struct $marker;
    impl Permission for $marker { const NAME: PermissionName = PermissionName::$marker; })*
} }

permissions! {
    ReadOrg = "org:read", Viewer, "See the organization.";
    UpdateOrg = "org:update", Admin, "Change the organization's name and settings.";
    DeleteOrg = "org:delete", Owner, "Delete the organization.";
    ReadMembers = "members:read", Viewer, "See who belongs to the organization.";
    ManageMembers = "members:manage", Admin, "Change members' roles, suspend and remove them.";
    ReadUsers = "users:read", Viewer, "See people's names, addresses and status.";
    ManageUsers = "users:manage", Admin, "Change accounts that this organization manages.";
    ManageInvitations = "invitations:manage", Admin, "Invite people.";
    ReadRoles = "roles:read", Viewer, "See roles and their permissions.";
    ManageRoles = "roles:manage", Owner, "Make and change roles.";
    ReadApiKeys = "api_keys:read", Member, "See API keys.";
    ManageApiKeys = "api_keys:manage", Admin, "Make and revoke API keys of others and of service accounts.";
    ManageServiceAccounts = "service_accounts:manage", Admin, "Make, change and delete service accounts.";
    ReadPolicy = "policy:read", Viewer, "See the security policy.";
    ManagePolicy = "policy:manage", Owner, "Change the security policy.";
    ReadResourceTypes = "resource_types:read", Viewer, "See resource types.";
    ManageResourceTypes = "resource_types:manage", Admin, "Make, change and delete resource types.";
    ReadResources = "resources:read", Viewer, "Read resources.";
    WriteResources = "resources:write", Member, "Create and change resources.";
    DeleteResources = "resources:delete", Member, "Delete resources.";
    ReadWebhooks = "webhooks:read", Member, "See webhook endpoints and deliveries.";
    ManageWebhooks = "webhooks:manage", Admin, "Make and change webhook endpoints.";
    SendWebhooks = "webhooks:send", Member, "Send messages to webhook endpoints.";
    ReadAnalytics = "analytics:read", Viewer, "Query analytics events.";
    ManageAnalytics = "analytics:manage", Admin, "Make and change analytics sources.";
    ReadAudit = "audit:read", Admin, "Read the audit log.";
}

/// The built-in roles; each has everything that the ones before it have.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees.
    Viewer,
    /// Sees and works.
    Member,
    /// Manages people and settings.
    Admin,
    /// May do everything.
    Owner,
}

impl Role {
    /// From least to most.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// As stored in `memberships.role` and in the claim `role`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it holds.
    pub fn permissions(self) -> PermissionSet {
        PermissionName::ALL
            .iter()
            .filter(|permission| permission.least_role() <= self)
            .fold(PermissionSet::default(), |set, &permission| set.with(permission))
    }
}

/// A set of permissions; a copy costs eight bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

const _: () = assert!(PermissionName::ALL.len() <= 64, "PermissionSet holds one bit a permission");

impl PermissionSet {
    /// This set and one more.
    #[must_use]
    pub const fn with(self, permission: PermissionName) -> Self {
        Self(self.0 | 1 << permission as u64)
    }

    /// Whether it is in the set.
    pub const fn contains(self, permission: PermissionName) -> bool {
        self.0 & (1 << permission as u64) != 0
    }

    /// Its names, in the catalogue's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        PermissionName::ALL
            .iter()
            .filter(move |permission| self.contains(**permission))
            .map(|permission| permission.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_every_permission_and_a_viewer_changes_nothing() {
        assert_eq!(Role::Owner.permissions().names().count(), PermissionName::ALL.len());
        assert!(Role::Viewer.permissions().names().all(|name| name.ends_with(":read")));
    }
}
