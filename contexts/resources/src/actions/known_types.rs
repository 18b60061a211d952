//! Resource types ready for use, remembered, so that most requests need no read of their own for them.
//!
//! A write names the version it was checked against and comes to nothing when another is current, so memory can never let
//! a wrong document in. A list by a field names it too and finds nothing when another is current; whoever finds nothing, or
//! would refuse, looks again. A field that is ready stays so while the version is the same.

use super::Refusal;
use crate::{
    model::{declared::DeclaredField, is_type_name, schema},
    store::resource_types::{self, ResourceTypeRow},
};
use db::{In, OrgRead};
use jsonschema::Validator;
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};
use types::{JobId, OrgId, ResourceTypeId};

/// How long anything may go by what was read before.
const FRESH: Duration = Duration::from_secs(2);
/// A compiled schema may take megabytes.
const SCHEMAS: u64 = 1_000;
const NAMES: u64 = 100_000;

/// A type with its schema compiled.
pub(crate) struct KnownType {
    pub(crate) id: ResourceTypeId,
    pub(crate) name: Arc<str>,
    pub(crate) version: i32,
    pub(crate) indexed: Vec<DeclaredField>,
    pub(crate) indexing_job_id: Option<JobId>,
    pub(crate) schema: Arc<Validator>,
}

impl KnownType {
    /// Whether lists go by both in the same way.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        (self.id, self.version, &self.indexed) == (other.id, other.version, &other.indexed)
    }
}

/// What this process remembers of all organizations' types.
#[derive(Clone)]
pub(crate) struct KnownTypes {
    by_name: Cache<(OrgId, String), Arc<KnownType>>,
    /// A type never gets another name.
    names: Cache<(OrgId, ResourceTypeId), Arc<str>>,
    schemas: Cache<(OrgId, ResourceTypeId, i32), Arc<Validator>>,
}

impl Default for KnownTypes {
    fn default() -> Self {
        Self {
            by_name: Cache::builder().max_capacity(SCHEMAS).time_to_live(FRESH).build(),
            names: Cache::new(NAMES),
            schemas: Cache::new(SCHEMAS),
        }
    }
}

impl KnownTypes {
    /// The type of that name.
    pub(crate) async fn by_name(
        &self,
        db: &impl In<OrgRead>,
        org: OrgId,
        name: &str,
    ) -> Result<Arc<KnownType>, Refusal> {
        if let Some(known) = self.by_name.get(&(org, name.to_owned())) {
            return Ok(known);
        }
        if !is_type_name(name) {
            return Err(Refusal::NoSuchType);
        }
        let row = resource_types::by_name(db, org, name).await?.ok_or(Refusal::NoSuchType)?;
        self.remember(org, row)
    }

    /// The type of that id.
    pub(crate) async fn by_id(
        &self,
        db: &impl In<OrgRead>,
        org: OrgId,
        id: ResourceTypeId,
    ) -> Result<Arc<KnownType>, Refusal> {
        let name = self.name(db, org, id).await?;
        self.by_name(db, org, &name).await
    }

    /// The name of the type of that id.
    pub(crate) async fn name(
        &self,
        db: &impl In<OrgRead>,
        org: OrgId,
        id: ResourceTypeId,
    ) -> Result<Arc<str>, Refusal> {
        if let Some(name) = self.names.get(&(org, id)) {
            return Ok(name);
        }
        let row = resource_types::by_id(db, org, id).await?.ok_or(Refusal::NoSuchType)?;
        let name: Arc<str> = row.name.into();
        self.names.insert((org, id), name.clone());
        Ok(name)
    }

    /// What is remembered of it is out of date.
    pub(crate) fn forget(&self, org: OrgId, name: &str) {
        self.by_name.invalidate(&(org, name.to_owned()));
    }

    fn remember(&self, org: OrgId, row: ResourceTypeRow) -> Result<Arc<KnownType>, Refusal> {
        let key = (org, row.id, row.version);
        let schema = match self.schemas.get(&key) {
            Some(schema) => schema,
            None => Arc::new(schema::compile(&row.schema).map_err(Refusal::BrokenSchema)?),
        };
        self.schemas.insert(key, schema.clone());
        let name: Arc<str> = row.name.into();
        self.names.insert((org, row.id), name.clone());
        let ResourceTypeRow { id, version, indexed, indexing_job_id, .. } = row;
        let known = Arc::new(KnownType { id, name, version, indexed: indexed.0, indexing_job_id, schema });
        self.by_name.insert((org, known.name.to_string()), known.clone());
        Ok(known)
    }
}
