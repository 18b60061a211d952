//! The numbers of names, remembered: most groups of events need no look-up.

use super::take_events::Taken;
use crate::{model::event::Kind, store::names};
use db::{DbError, DbResult, SystemTx};
use moka::sync::Cache;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use types::OrgId;

const CAPACITY: u64 = 100_000;

type Name = (OrgId, Kind, Arc<str>);

/// What this process remembers; a name keeps its number for ever.
pub(crate) struct KnownNames(Cache<Name, i32>);

/// The numbers of a group's names. Those that are new are remembered after the commit: before it, they may never be.
pub(crate) struct Numbers {
    all: HashMap<Name, i32>,
    new: Vec<Name>,
}

impl Default for KnownNames {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl Numbers {
    /// Of an event of the group.
    pub(crate) fn of(&self, taken: &Taken) -> i32 {
        self.all.get(&name_of(taken)).copied().unwrap_or_default()
    }
}

fn name_of(taken: &Taken) -> Name {
    (taken.org, taken.event.kind, taken.event.name.clone())
}

impl KnownNames {
    /// Of all events; made where there are none.
    pub(crate) async fn numbers(&self, tx: &SystemTx, group: &[&Taken]) -> DbResult<Numbers> {
        let (mut all, mut unknown) = (HashMap::new(), BTreeSet::new());
        for taken in group {
            let name = name_of(taken);
            if all.contains_key(&name) {
                continue;
            }
            match self.0.get(&name) {
                Some(number) => drop(all.insert(name, number)),
                None => drop(unknown.insert(name)),
            }
        }
        let new: Vec<Name> = unknown.into_iter().collect();
        if !new.is_empty() {
            find(tx, &new, &mut all).await?;
            let missing: Vec<Name> = new.iter().filter(|name| !all.contains_key(name)).cloned().collect();
            if !missing.is_empty() {
                make(tx, &missing, &mut all).await?;
            }
        }
        Ok(Numbers { all, new })
    }

    /// They are there for good.
    pub(crate) fn remember(&self, numbers: Numbers) {
        for name in numbers.new {
            if let Some(number) = numbers.all.get(&name) {
                self.0.insert(name, *number);
            }
        }
    }
}

async fn find(tx: &SystemTx, wanted: &[Name], all: &mut HashMap<Name, i32>) -> DbResult<()> {
    let orgs: Vec<_> = wanted.iter().map(|name| name.0).collect();
    let kinds: Vec<_> = wanted.iter().map(|name| name.1.as_str()).collect();
    let texts: Vec<_> = wanted.iter().map(|name| &*name.2).collect();
    let found = names::find(tx, &orgs, &kinds, &texts).await?;
    let mut found: HashMap<_, _> = found.into_iter().map(|row| ((row.org_id, row.kind, row.name), row.id)).collect();
    for name in wanted {
        let key = (name.0, name.1.as_str().to_owned(), name.2.to_string());
        if let Some(number) = found.remove(&key) {
            all.insert(name.clone(), number);
        }
    }
    Ok(())
}

/// Whoever made them first: afterwards they are there.
async fn make(tx: &SystemTx, missing: &[Name], all: &mut HashMap<Name, i32>) -> DbResult<()> {
    let orgs: Vec<_> = missing.iter().map(|name| name.0).collect();
    let kinds: Vec<_> = missing.iter().map(|name| name.1.as_str()).collect();
    let texts: Vec<_> = missing.iter().map(|name| &*name.2).collect();
    names::insert(tx, &orgs, &kinds, &texts).await?;
    find(tx, missing, all).await?;
    let is_there = missing.iter().all(|name| all.contains_key(name));
    if is_there { Ok(()) } else { Err(DbError::NoRow("analytics_names")) }
}
