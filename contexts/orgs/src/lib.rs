//! Organizations, who belongs to them, and what their roles allow (org-service).
//!
//! Front door: [`routes`] for `platform`; for `identity`, which builds on this context, [`found`], the memberships that
//! a sign-in needs, and the directory of members.

mod actions;
mod routes;
mod store;

pub use actions::found_organization::{Founder, found};
pub use routes::routes;
pub use store::{
    STATEMENTS,
    memberships::{
        END, MemberRow, Membership, by_user, insert as join, list as list_members, of_user, set_name, start, touch,
        used_last,
    },
    organizations::OrganizationRow,
};
