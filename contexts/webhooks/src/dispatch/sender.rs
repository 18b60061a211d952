//! One request: guarded, with one deadline for all of it.

use super::resolver::{Guarded, NotPublic};
use crate::{
    Delivery,
    model::target::{Route, Rules},
};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, ClientBuilder, Response, redirect};
use rustls::CertificateError;
use std::{error::Error, io, sync::Arc, time::Duration};
use tokio::time::timeout;
use types::Timestamp;

/// Of a response's body; more is not read.
const MAX_BODY: usize = 16 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
/// Shorter than most receivers keep an idle connection.
const IDLE: Duration = Duration::from_secs(20);

/// Why an attempt failed, as the delivery log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The endpoint's URL or address is none that deliveries may go to.
    NotAllowed,
    /// Its name has no address.
    Dns,
    /// No connection, or one over which TLS could not be agreed.
    Connect,
    /// Nobody who is trusted here signed its certificate, or the certificate is faulty.
    UntrustedCertificate,
    /// Its certificate is past its time, or before it.
    ExpiredCertificate,
    /// Its certificate is of another host.
    WrongCertificate,
    /// Not finished in time.
    Timeout,
    /// The connection broke, or what came is not HTTP.
    Broken,
    /// A status other than 2xx.
    Status,
    /// The endpoint's secrets cannot be opened with the master key that this process has.
    Sealed,
}

impl Failure {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::UntrustedCertificate => "certificate_untrusted",
            Self::ExpiredCertificate => "certificate_expired",
            Self::WrongCertificate => "certificate_of_another_host",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Status => "status",
            Self::Sealed => "internal",
        }
    }
}

/// What came of a request.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) status: Option<u16>,
    pub(super) failure: Option<Failure>,
    /// The beginning of the body.
    pub(super) text: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Reply {
    pub(super) fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// The HTTP clients; a clone shares their connections.
#[derive(Clone)]
pub(super) struct Sender {
    rules: Rules,
    deadline: Duration,
    guarded: Option<Client>,
    excepted: Option<Client>,
}

impl Sender {
    pub(super) fn new(delivery: Delivery) -> Self {
        let Delivery { rules, lookup, deadline } = delivery;
        let guarded = client().https_only(true).dns_resolver(Arc::new(Guarded(lookup)));
        Self { rules, deadline, guarded: built(guarded), excepted: built(client()) }
    }

    /// POSTs a message; `now` is for a `Retry-After` that names a date.
    pub(super) async fn send(&self, url: &str, headers: HeaderMap, body: String, now: Timestamp) -> Reply {
        let Ok((url, route)) = self.rules.check(url) else { return Reply::failed(Failure::NotAllowed) };
        let client = match route {
            Route::Guarded => &self.guarded,
            Route::Loopback | Route::Smoke => &self.excepted,
        };
        let Some(client) = client else { return Reply::failed(Failure::Connect) };
        let mut reply = Reply::default();
        let exchange = async {
            let response =
                client.post(url).headers(headers).body(body).send().await.map_err(|error| failure(&error))?;
            reply.status = Some(response.status().as_u16());
            reply.retry_after = retry_after(response.headers(), now);
            read(response, &mut reply.text).await
        };
        let ended = timeout(self.deadline, exchange).await.unwrap_or(Err(Failure::Timeout));
        let is_success = reply.status.is_some_and(|status| (200..300).contains(&status));
        reply.failure = match ended {
            Err(failure) => Some(failure),
            Ok(()) if is_success => None,
            Ok(()) => Some(Failure::Status),
        };
        reply
    }
}

fn client() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(32)
        .tcp_nodelay(true)
        .user_agent(concat!("enterprise-api-platform/", env!("CARGO_PKG_VERSION")))
}

/// A machine without certificate roots delivers nothing, and serves all the same.
fn built(builder: ClientBuilder) -> Option<Client> {
    let client = builder.build();
    if let Err(error) = &client {
        tracing::error!(error = error as &dyn Error, "no HTTP client: webhooks are not delivered");
    }
    client.ok()
}

/// The body's beginning. What was read stays in `text` when the deadline ends it.
async fn read(mut response: Response, text: &mut Option<String>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_BODY - bytes.len())]);
        // PostgreSQL's texts cannot hold U+0000.
        *text = Some(String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}"));
        if bytes.len() == MAX_BODY {
            // The rest is not read: the connection ends with the response.
            break;
        }
    }
    Ok(())
}

fn failure(error: &reqwest::Error) -> Failure {
    let causes: Vec<_> = std::iter::successors(Some(error as &dyn Error), |error| cause(*error)).collect();
    let is_dns = || causes.iter().any(|cause| cause.to_string() == "dns error");
    match causes.iter().find_map(|cause| known(*cause)) {
        Some(failure) => failure,
        // hyper-util's word for what its resolver said; it has no type for it.
        None if is_dns() => Failure::Dns,
        None if error.is_connect() => Failure::Connect,
        None if error.is_timeout() => Failure::Timeout,
        None => Failure::Broken,
    }
}

/// What an error comes from; an I/O error does not name as its source what it was made of.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let made_of = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    made_of.map(|inner| inner as _).or_else(|| error.source())
}

/// What one error in a chain of causes says, if it says enough.
fn known(cause: &(dyn Error + 'static)) -> Option<Failure> {
    if cause.is::<NotPublic>() {
        return Some(Failure::NotAllowed);
    }
    let rustls::Error::InvalidCertificate(why) = cause.downcast_ref()? else { return None };
    Some(match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Failure::ExpiredCertificate,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Failure::WrongCertificate
        }
        _ => Failure::UntrustedCertificate,
    })
}

/// RFC 9110, 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(date.as_millis()).ok()?).since(now))
}

/// Whether a status says that the endpoint will never be there again.
pub(super) fn is_gone(status: Option<u16>) -> bool {
    status == Some(StatusCode::GONE.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_to_retry_after_is_counted_from_now() {
        let now = Timestamp::from_millis(1_445_412_450_000);
        let after =
            |text: &str| retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]), now);
        assert_eq!(after("120"), Some(Duration::from_mins(2)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!([after("soon"), after("-1")], [None, None]);
    }
}
