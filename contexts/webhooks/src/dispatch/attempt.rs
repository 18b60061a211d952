//! One attempt: signed, sent, and what follows from its end.

use super::{
    Dispatcher,
    sender::{Failure, Reply, is_gone},
};
use crate::{
    model::{
        headers,
        schedule::{self, CIRCUIT_OPENS_AFTER},
        secret::{SigningSecret, signatures},
    },
    sealed::{open_headers, open_secret},
    store::delivery_queue::ClaimRow,
};
use db::secrets::SecretError;
use http::{HeaderMap, HeaderValue, header};
use std::time::Instant;
use types::{DeliveryId, EndpointId, EventId, MessageId, OrgId, Timestamp, Uuid};

/// An attempt that ended.
pub(super) struct Attempt {
    pub(super) org: OrgId,
    pub(super) delivery: DeliveryId,
    pub(super) endpoint: EndpointId,
    pub(super) claims: i32,
    /// When the delivery is tried again; none: it is finished.
    pub(super) next: Option<Timestamp>,
    pub(super) at: Timestamp,
    pub(super) duration_ms: i32,
    pub(super) reply: Reply,
    pub(super) circuit: &'static str,
    /// Until when the endpoint asked for nothing to be sent.
    pub(super) quiet_until: Option<Timestamp>,
    pub(super) gone: bool,
    /// Whether attempts before it had failed.
    pub(super) was_failing: bool,
}

pub(super) async fn run(dispatcher: &Dispatcher, claim: ClaimRow) -> Attempt {
    let app = &dispatcher.app;
    let (at, started) = (app.clock.now(), Instant::now());
    let reply = match request_headers(dispatcher, &claim, at) {
        Ok(headers) => dispatcher.sender.send(&claim.url, headers, claim.body, at).await,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, endpoint = %claim.endpoint_id, "secrets of an endpoint");
            Reply::failed(Failure::Sealed)
        }
    };
    let duration_ms = i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX);
    let (now, gone) = (app.clock.now(), is_gone(reply.status));
    let again = schedule::wait(claim.attempts + 1, reply.retry_after, &app.rng);
    Attempt {
        org: claim.org_id,
        delivery: claim.id,
        endpoint: claim.endpoint_id,
        claims: claim.claims,
        next: again.filter(|_| reply.failure.is_some() && !gone).map(|wait| now.plus(wait)),
        at,
        duration_ms,
        circuit: if claim.failures >= CIRCUIT_OPENS_AFTER { "half_open" } else { "closed" },
        quiet_until: schedule::slow_down(reply.status, reply.retry_after).map(|quiet| now.plus(quiet)),
        gone,
        was_failing: claim.failures > 0,
        reply,
    }
}

/// The identity of a message in `webhook-id`: the same at each attempt, for each endpoint.
pub(crate) fn webhook_id(id: Uuid, of_event: bool) -> String {
    if of_event { EventId(id).to_string() } else { MessageId(id).to_string() }
}

fn request_headers(dispatcher: &Dispatcher, claim: &ClaimRow, at: Timestamp) -> Result<HeaderMap, SecretError> {
    let app = &dispatcher.app;
    let mut request = headers::map(&open_headers(app, claim.endpoint_id, claim.sealed_headers.as_deref())?);
    let secrets = secrets(dispatcher, claim, at)?;
    let id = webhook_id(claim.message_id.0, claim.of_event);
    let signed = signatures(&secrets, &id, at, &claim.body);
    request.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let ours = [("webhook-id", id), ("webhook-timestamp", at.as_secs().to_string()), ("webhook-signature", signed)];
    for (name, value) in ours {
        request.extend(HeaderValue::try_from(value).ok().map(|value| (http::HeaderName::from_static(name), value)));
    }
    Ok(request)
}

/// The current one, and the one before while it still counts.
fn secrets(dispatcher: &Dispatcher, claim: &ClaimRow, at: Timestamp) -> Result<Vec<SigningSecret>, SecretError> {
    let overlaps = claim.previous_secret_until.is_some_and(|until| at < until);
    let previous = claim.sealed_previous_secret.as_deref().filter(|_| overlaps);
    let sealed = std::iter::once(&*claim.sealed_secret).chain(previous);
    sealed.map(|sealed| open_secret(&dispatcher.app, claim.endpoint_id, sealed)).collect()
}
