//! `aws`

use super::Call;
use runbook_file::Aws as Account;

/// An account, as the document's `AWS_PROFILE` and `AWS_REGION` choose it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aws<'a>(pub(crate) &'a Account);

impl Aws<'_> {
    /// Any of its commands.
    pub(crate) fn call<'a>(self, arguments: impl IntoIterator<Item = &'a str>) -> Call {
        let call = Call::new("aws").args(arguments);
        call.env("AWS_PROFILE", &self.0.profile).env("AWS_REGION", &self.0.region)
    }

    /// Step 3.4.
    pub(crate) fn create_snapshot(self, instance: &str, id: &str) -> Call {
        let words = ["rds", "create-db-snapshot", "--db-instance-identifier", instance];
        self.call(words).args(["--db-snapshot-identifier", id])
    }
}
