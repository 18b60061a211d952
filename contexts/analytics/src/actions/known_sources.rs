//! Sources by their write keys, remembered for half a second: a key that was revoked is refused within one.

use crate::{
    model::{origin, write_key},
    store::sources::{self, WriterRow},
};
use db::{Db, DbError, Work};
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};
use tokio::sync::OnceCell;
use types::{OrgId, SourceId};

const FRESH: Duration = Duration::from_millis(500);
const CAPACITY: u64 = 10_000;

/// Why a request may not write.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriterError {
    #[error("no source has this write key")]
    UnknownKey,
    #[error("the source does not take events of this origin")]
    OtherOrigin,
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A source that may write.
#[derive(Debug)]
pub(crate) struct KnownSource {
    pub(crate) org: OrgId,
    pub(crate) id: SourceId,
    allowed_origins: Vec<String>,
}

/// Filled by the first who asks; the others wait for it instead of asking too.
type Looked = OnceCell<Option<Arc<KnownSource>>>;

/// What this process remembers; also that there is no source, so that a wrong key costs the database little.
#[derive(Clone)]
pub(crate) struct KnownSources(Cache<String, Arc<Looked>>);

impl Default for KnownSources {
    fn default() -> Self {
        // Counted from before the look-up, so that no answer is older than this.
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(FRESH).build())
    }
}

impl KnownSources {
    /// The source of a write key, for a request that comes from this origin.
    pub(crate) async fn authorize(
        &self,
        db: &Db,
        key: &str,
        from: Option<&str>,
    ) -> Result<Arc<KnownSource>, WriterError> {
        if !write_key::is_well_formed(key) {
            return Err(WriterError::UnknownKey);
        }
        let looked = self.0.get_with_by_ref(key, Arc::default);
        let source = looked.get_or_try_init(async || look_up(db, key).await).await?;
        let source = source.clone().ok_or(WriterError::UnknownKey)?;
        if origin::is_allowed(&source.allowed_origins, from) { Ok(source) } else { Err(WriterError::OtherOrigin) }
    }
}

async fn look_up(db: &Db, key: &str) -> Result<Option<Arc<KnownSource>>, DbError> {
    let tx = db.system(Work::Ingest).await?;
    let row = sources::by_write_key(&tx, key).await?;
    tx.commit().await?;
    Ok(row.map(|WriterRow { org_id: org, id, allowed_origins }| Arc::new(KnownSource { org, id, allowed_origins })))
}
