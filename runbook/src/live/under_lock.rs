//! Programs that change something, for as long as the lock is held.

use super::{Live, lost};
use crate::{
    execute::Trouble,
    programs::{Call, Ran},
};
use std::{convert::Infallible, future};

impl Live<'_> {
    /// Runs what changes the cluster, unless something happens first. The loss of the lock always ends it: somebody else
    /// may be changing the same now.
    pub(super) async fn under_the_lock<T>(
        &self,
        call: &Call,
        happens: impl Future<Output = T>,
    ) -> Result<Ran<T>, Trouble> {
        if self.lock.as_ref().is_some_and(|lock| !lock.is_held()) {
            return Err(lost(&self.lost_lock().await).into());
        }
        let ends = async {
            tokio::select! {
                why = self.lost_lock() => Err(why),
                happened = happens => Ok(happened),
            }
        };
        match call.run_unless(ends).await {
            Ran::Ended(ended) => Ok(Ran::Ended(ended)),
            Ran::Happened(Ok(happened)) => Ok(Ran::Happened(happened)),
            Ran::Happened(Err(why)) => Err(lost(&why).into()),
        }
    }

    /// The same where nothing else ends it; what it printed.
    pub(super) async fn changed_by(&self, call: &Call) -> Result<String, Trouble> {
        match self.under_the_lock(call, future::pending::<Infallible>()).await? {
            Ran::Ended(said) => Ok(said?.trim_end().to_owned()),
            Ran::Happened(never) => match never {},
        }
    }

    pub(super) async fn lost_lock(&self) -> String {
        match &self.lock {
            Some(lock) => lock.lost().await,
            None => future::pending().await,
        }
    }
}
