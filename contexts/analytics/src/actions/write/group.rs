//! The one transaction of a group: messages are taken, then events and roll-ups written.
//!
//! Rows go in the order of their keys, table after table, so that processes that write the same keys wait for each
//! other in one direction.

use super::{
    super::{forget_messages, known_names::Numbers, take_events::Taken},
    Writer,
};
use crate::{
    model::moment,
    store::{events, hourly, messages},
};
use db::{DbResult, SystemTx, Work};
use futures_util::future::join3;
use postgres_types::Json;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use types::{OrgId, Timestamp, Uuid};

impl Writer {
    /// All of them, or none.
    pub(super) async fn commit(&self, mut group: Vec<&Taken>) -> DbResult<()> {
        // Stable: of a message that comes twice in a group, the first stays.
        group.sort_by_key(|taken| (taken.org, taken.message));
        group.dedup_by_key(|taken| (taken.org, taken.message));
        let Some(last) = group.iter().map(|taken| taken.received_at).max() else { return Ok(()) };
        let tx = self.db.system(Work::Ingest).await?;
        let numbers = self.names.numbers(&tx, &group).await?;
        let orgs: Vec<_> = group.iter().map(|taken| taken.org).collect();
        let keys: Vec<_> = group.iter().map(|taken| taken.message).collect();
        let received: Vec<_> = group.iter().map(|taken| taken.received_at).collect();
        let fresh = messages::take(&tx, &orgs, &keys, &received, last.minus(forget_messages::REMEMBERED)).await?;
        let fresh: HashSet<Uuid> = fresh.into_iter().map(|row| row.message).collect();
        group.retain(|taken| fresh.contains(&taken.message));
        if !group.is_empty() {
            let (counts, people) = roll_up(&group, &numbers);
            let (written, counted, seen) =
                join3(insert(&tx, &group, &numbers), add(&tx, &counts), add_people(&tx, &people)).await;
            written.and(counted).and(seen)?;
        }
        tx.commit().await?;
        self.names.remember(numbers);
        Ok(())
    }
}

async fn insert(tx: &SystemTx, group: &[&Taken], numbers: &Numbers) -> DbResult<()> {
    let received: Vec<_> = group.iter().map(|taken| taken.received_at).collect();
    let orgs: Vec<_> = group.iter().map(|taken| taken.org).collect();
    let ids: Vec<_> = group.iter().map(|taken| taken.id).collect();
    let sources: Vec<_> = group.iter().map(|taken| taken.source).collect();
    let names: Vec<_> = group.iter().map(|taken| numbers.of(taken)).collect();
    let happened: Vec<_> = group.iter().map(|taken| taken.event.happened_at).collect();
    let messages: Vec<_> = group.iter().map(|taken| &*taken.message_id).collect();
    let users: Vec<_> = group.iter().map(|taken| taken.event.user_id.as_deref()).collect();
    let anonymous: Vec<_> = group.iter().map(|taken| taken.event.anonymous_id.as_deref()).collect();
    let subjects: Vec<_> = group.iter().map(|taken| taken.event.subject_id.as_deref()).collect();
    let properties: Vec<_> = group.iter().map(|taken| Json(&*taken.event.properties)).collect();
    let contexts: Vec<_> = group.iter().map(|taken| Json(&*taken.event.context)).collect();
    events::insert(
        tx,
        &received,
        &orgs,
        &ids,
        &sources,
        &names,
        &happened,
        &messages,
        &users,
        &anonymous,
        &subjects,
        &properties,
        &contexts,
    )
    .await
}

type Hour = (OrgId, i32, Timestamp);

/// How often in each hour, and who.
fn roll_up(group: &[&Taken], numbers: &Numbers) -> (BTreeMap<Hour, i64>, BTreeSet<(Hour, Uuid)>) {
    let (mut counts, mut people) = (BTreeMap::new(), BTreeSet::new());
    for taken in group {
        let hour = (taken.org, numbers.of(taken), moment::hour(taken.event.happened_at));
        *counts.entry(hour).or_default() += 1;
        people.insert((hour, taken.person));
    }
    (counts, people)
}

async fn add(tx: &SystemTx, counts: &BTreeMap<Hour, i64>) -> DbResult<()> {
    let orgs: Vec<_> = counts.keys().map(|hour| hour.0).collect();
    let names: Vec<_> = counts.keys().map(|hour| hour.1).collect();
    let hours: Vec<_> = counts.keys().map(|hour| hour.2).collect();
    let events: Vec<_> = counts.values().copied().collect();
    hourly::add(tx, &orgs, &names, &hours, &events).await
}

async fn add_people(tx: &SystemTx, people: &BTreeSet<(Hour, Uuid)>) -> DbResult<()> {
    let orgs: Vec<_> = people.iter().map(|(hour, _)| hour.0).collect();
    let names: Vec<_> = people.iter().map(|(hour, _)| hour.1).collect();
    let hours: Vec<_> = people.iter().map(|(hour, _)| hour.2).collect();
    let persons: Vec<_> = people.iter().map(|(_, person)| *person).collect();
    hourly::add_people(tx, &orgs, &names, &hours, &persons).await
}
