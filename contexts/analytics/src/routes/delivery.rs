//! How a client's request becomes a call: write key, origin, gzip, size.
//!
//! The media type says nothing: a page's beacon can only say `text/plain`, and RudderStack's client calls its zipped JSON
//! a form.

use crate::{
    Analytics,
    actions::{
        known_sources::{KnownSource, WriterError},
        take_events,
        write::WriteError,
    },
    model::{
        Fault,
        call::{Call, MAX_BATCH_BYTES, MAX_CALL_BYTES, Rejected},
        event::Kind,
    },
};
use api::{Code, Problem};
use axum::{
    Json,
    body::{self, Body},
    extract::Request,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::Serialize;
use std::{error::Error, io::Read, sync::Arc};
use utoipa::ToSchema;

/// What became of the events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnalyticsReceipt {
    /// The events that are not named are stored, for good.
    #[schema(example = true)]
    success: bool,
    /// The events that were not taken; sending them again will not help.
    rejected: Vec<RejectedEvent>,
}

/// An event that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedEvent {
    /// Its place in the batch, from 0.
    index: usize,
    /// Why, for programs.
    #[schema(example = "missing")]
    code: &'static str,
    /// Why, in words.
    #[schema(example = "track needs event")]
    detail: String,
}

impl From<Rejected> for RejectedEvent {
    fn from(Rejected { index, fault: Fault { code, detail } }: Rejected) -> Self {
        Self { index, code, detail }
    }
}

/// Answers when everything that can be taken is durable. `kind`: what the route says, none for a batch.
pub(super) async fn receive(
    state: &Analytics,
    kind: Option<Kind>,
    request: Request,
) -> Result<Json<AnalyticsReceipt>, Problem> {
    let (parts, body) = request.into_parts();
    let origin = parts.headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null").to_owned());
    // Before the body is read, if the credential is there already.
    let known = match basic(&parts.headers) {
        Some(key) => Some(authorize(state, &key, origin.as_deref()).await?),
        None => None,
    };
    let limit = if kind.is_some() { MAX_CALL_BYTES } else { MAX_BATCH_BYTES };
    let body = read(&parts.headers, body, limit).await?;
    let call = Call::parse(&body, kind)?;
    let source = match known {
        Some(source) => source,
        None => authorize(state, call.write_key.as_deref().unwrap_or_default(), origin.as_deref()).await?,
    };
    let (taken, rejected) = take_events::run(state, &source, call)?;
    if !taken.is_empty() {
        state.writer.write(taken).await?;
    }
    Ok(Json(AnalyticsReceipt { success: true, rejected: rejected.into_iter().map(RejectedEvent::from).collect() }))
}

async fn authorize(state: &Analytics, key: &str, origin: Option<&str>) -> Result<Arc<KnownSource>, Problem> {
    Ok(state.sources.authorize(&state.app.db, key, origin).await?)
}

/// The write key as user, whatever the password (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(token.trim()).ok()).flatten()?;
    let text = String::from_utf8(token).ok()?;
    Some(text.split_once(':').map_or(&*text, |(user, _)| user).to_owned())
}

/// The body, inflated; neither it nor what it inflates to is larger than the limit.
async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok());
    let bytes = body::to_bytes(body, limit).await.map_err(|error| unread(&error))?;
    match encoding.unwrap_or("identity").trim().to_ascii_lowercase().as_str() {
        "identity" => Ok(bytes.into()),
        "gzip" => inflate(&bytes, limit),
        _ => Err(Problem::new(Code::UnsupportedMediaType).detail("Content-Encoding is gzip, or is not there")),
    }
}

fn unread(error: &axum::Error) -> Problem {
    let is_too_large = error.source().is_some_and(<dyn Error>::is::<LengthLimitError>);
    if is_too_large {
        Code::BodyTooLarge.into()
    } else {
        Problem::new(Code::MalformedBody).detail("the body broke off")
    }
}

fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Problem> {
    let mut inflated = Vec::with_capacity(bytes.len().saturating_mul(4).min(limit));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(bytes).take(most).read_to_end(&mut inflated);
    match read {
        Ok(length) if length > limit => Err(Code::BodyTooLarge.into()),
        Ok(_) => Ok(inflated),
        Err(_) => Err(Problem::new(Code::MalformedBody).detail("the body is no gzip")),
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::new(Code::MalformedBody).detail(fault.detail)
    }
}

impl From<WriterError> for Problem {
    fn from(refusal: WriterError) -> Self {
        match refusal {
            WriterError::UnknownKey => Self::new(Code::UnknownWriteKey),
            WriterError::OtherOrigin => Self::new(Code::OriginNotAllowed),
            WriterError::Database(error) => Self::new(Code::Unavailable).caused_by(error),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(refusal: WriteError) -> Self {
        match refusal {
            WriteError::Full => Self::new(Code::Limited).retry_after(1),
            // Whatever it is: nothing is stored, and the same again may be.
            WriteError::Database(_) | WriteError::Gone => Self::new(Code::Unavailable).caused_by(refusal),
        }
    }
}
