//! The words every part of the platform shares: ids, e-mail addresses, time, randomness, permissions. Pure: no I/O.

pub mod clock;
pub mod email;
pub mod id;
pub mod permission;
pub mod rng;
pub mod timestamp;

pub use clock::Clock;
pub use email::Email;
pub use id::{
    DeliveryId, EndpointId, EventId, JobId, MembershipVersion, MessageId, OrgId, RequestId, ResourceId, ResourceTypeId,
    SessionId, SourceId, UserId,
};
pub use permission::{Permission, PermissionName, PermissionSet, Role};
pub use rng::Rng;
pub use timestamp::Timestamp;
pub use uuid::Uuid;
