//! Members of an endpoint change; what is not named stays.

use super::{Refusal, Settings};
use crate::{
    Webhooks,
    model::headers,
    sealed::{open_headers, seal_headers},
    store::endpoints::{self, EndpointRow},
};
use api::Caller;
use db::OrgTx;
use events::Kind;
use serde::{Deserialize, Deserializer};
use serde_json::json;
use std::collections::BTreeMap;
use types::EndpointId;

/// A member of a merge patch (RFC 7396) that null removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Removable<T> {
    /// Not named.
    #[default]
    Stays,
    /// A value, or null.
    Becomes(Option<T>),
}

impl<T> Removable<T> {
    fn over(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Stays => current,
            Self::Becomes(value) => value,
        }
    }

    /// The value, if one is named.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Becomes(Some(value)) => Some(value),
            Self::Becomes(None) | Self::Stays => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Removable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Becomes)
    }
}

/// What is named. Headers: a value sets, none removes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) url: Option<String>,
    pub(crate) event_types: Option<Vec<String>>,
    pub(crate) channels: Option<Vec<String>>,
    pub(crate) description: Removable<String>,
    pub(crate) headers: BTreeMap<String, Option<String>>,
    pub(crate) rate_limit: Removable<i32>,
    pub(crate) max_concurrency: Option<i32>,
    pub(crate) enabled: Option<bool>,
}

pub(crate) async fn run(
    state: &Webhooks,
    tx: &OrgTx,
    caller: &Caller,
    (id, version): (EndpointId, Option<i64>),
    changes: Changes,
) -> Result<EndpointRow, Refusal> {
    let current = endpoints::lock(tx, caller.org, id).await?.ok_or(Refusal::NotFound)?;
    if version.is_some_and(|version| version != i64::from(current.version)) {
        return Err(Refusal::OtherVersion);
    }
    let settings = merged(state, current, changes)?;
    let (app, headers) = (&state.app, seal_headers(&state.app, id, &settings.headers));
    let Settings { url, event_types, channels, description, rate_limit, max_concurrency, enabled, .. } = &settings;
    let row = endpoints::update(
        tx,
        caller.org,
        id,
        url,
        event_types,
        channels,
        description.as_deref(),
        headers.as_deref(),
        *rate_limit,
        *max_concurrency,
        *enabled,
        app.clock.now(),
    );
    let row = row.await?;
    tx.emit(caller.event(Kind::EndpointUpdated, app).target(&id).data(json!({ "version": row.version })).into());
    Ok(row)
}

fn merged(state: &Webhooks, current: EndpointRow, changes: Changes) -> Result<Settings, Refusal> {
    let mut kept = open_headers(&state.app, current.id, current.sealed_headers.as_deref())?;
    for (name, value) in changes.headers {
        match value {
            Some(value) => kept.insert(name, value),
            None => kept.remove(&name),
        };
    }
    if !headers::fit(kept.len()) {
        return Err(Refusal::TooManyHeaders);
    }
    Ok(Settings {
        url: changes.url.unwrap_or(current.url),
        event_types: changes.event_types.unwrap_or(current.event_types),
        channels: changes.channels.unwrap_or(current.channels),
        description: changes.description.over(current.description),
        headers: kept,
        rate_limit: changes.rate_limit.over(current.rate_limit),
        max_concurrency: changes.max_concurrency.unwrap_or(current.max_concurrency),
        enabled: changes.enabled.unwrap_or(current.enabled),
    })
}
