//! Whose rows: the types that a statement asks for, and what they may be used as.

use crate::{DbResult, Tx};
use std::ops::Deref;
use types::{OrgId, UserId};

/// One organization's rows, read only; each statement is a transaction of its own, sent in one flight.
pub struct OrgRead(pub(crate) Tx, pub(crate) OrgId);
/// One transaction of one organization.
pub struct OrgTx(pub(crate) Tx, pub(crate) OrgId);
/// One transaction of one person.
pub struct PersonTx(pub(crate) Tx, pub(crate) UserId);
/// One transaction of named work across organizations.
pub struct SystemTx(pub(crate) Tx);

/// A place where statements of scope `S` may run.
pub trait In<S>: Sync {
    /// What sends them.
    fn tx(&self) -> &Tx;
}

macro_rules! runs { ($($place:ty: $($scope:ty),+;)*) => { $($(
    impl In<$scope> for $place {
        fn tx(&self) -> &Tx {
            &self.0
        }
    }
)+)* } }

runs! {
    OrgRead: OrgRead;
    OrgTx: OrgRead, OrgTx, Tx;
    PersonTx: PersonTx, Tx;
    SystemTx: SystemTx, Tx;
}

impl In<Tx> for Tx {
    fn tx(&self) -> &Tx {
        self
    }
}

macro_rules! transactions { ($($name:ident),*) => { $(
    impl Deref for $name {
        type Target = Tx;
        fn deref(&self) -> &Tx {
            &self.0
        }
    }

    impl $name {
        /// Writes the emitted events and commits; fails if any statement before failed.
        pub async fn commit(self) -> DbResult<()> {
            self.0.commit().await
        }
    }
)* } }

transactions!(OrgTx, PersonTx, SystemTx);

impl OrgRead {
    /// Whose rows.
    pub fn org(&self) -> OrgId {
        self.1
    }
}

impl OrgTx {
    /// Whose rows.
    pub fn org(&self) -> OrgId {
        self.1
    }
}

impl PersonTx {
    /// Whose rows.
    pub fn user(&self) -> UserId {
        self.1
    }
}
