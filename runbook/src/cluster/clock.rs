//! What time it is in a cluster: whatever it dates is compared with that, and not with the clock of this machine.

use super::{AskError, ask};
use crate::time;
use http::{Request, header::DATE};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use kube::{Client, client::Body};
use tokio::time::Instant;

/// A cluster's clock, asked once: two clocks go equally fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    at: Timestamp,
    since: Instant,
}

impl Clock {
    /// As the API server dates its answers (RFC 9110, 6.6.1): in whole seconds, so at most a second late.
    pub(crate) async fn of(client: &Client) -> Result<Self, AskError> {
        let unreadable = || AskError::Failed("it does not say what time it is".to_owned());
        let asked =
            Request::get("/version").body(Body::empty()).map_err(|error| AskError::Failed(error.to_string()))?;
        let answer = ask(client.send(asked)).await?;
        let date = answer.headers().get(DATE).ok_or_else(unreadable)?;
        let at = DateTimeParser::new().parse_timestamp(date.as_bytes()).map_err(|_| unreadable())?;
        Ok(Self { at, since: Instant::now() })
    }

    /// This machine's, for a cluster that does not say.
    pub(crate) fn of_this_machine() -> Self {
        Self { at: time::now(), since: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at.checked_add(self.since.elapsed()).unwrap_or(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::stand_in::StandIn, *};
    use jiff::SignedDuration;

    #[tokio::test]
    async fn the_cluster_says_what_time_it_is_there() {
        let cluster = StandIn::start();
        let client = cluster.client("ada").await;
        for minutes in [0, -90, 90] {
            let ahead = SignedDuration::from_mins(minutes);
            cluster.is_ahead(ahead);
            let found = Clock::of(&client).await.unwrap().now().duration_since(time::now());
            assert!((found - ahead).abs() < SignedDuration::from_secs(20), "{found} is not {ahead}");
        }
    }
}
