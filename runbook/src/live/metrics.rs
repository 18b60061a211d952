//! Step 5.5: what the new pods count themselves. A dashboard shows the same numbers.

use super::Live;
use crate::execute::Trouble;
use futures_util::future::join_all;
use std::fmt;

/// The document's "error rate > 5%".
const MOST_ERRORS: f64 = 0.05;
/// Fewer answers than that say nothing about a rate.
const ENOUGH: f64 = 100.0;
/// Of the platform, a histogram by route and status.
const COUNT: &str = "http_server_request_duration_seconds_count{";
const SUM: &str = "http_server_request_duration_seconds_sum{";

/// Answers since the pods started.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Answers {
    all: f64,
    errors: f64,
    seconds: f64,
}

impl Answers {
    fn read(text: &str) -> Self {
        let mut answers = Self::default();
        for line in text.lines() {
            let Some(value) = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()) else { continue };
            if line.starts_with(SUM) {
                answers.seconds += value;
            } else if line.starts_with(COUNT) {
                answers.all += value;
                if line.contains("status_code=\"5") {
                    answers.errors += value;
                }
            }
        }
        answers
    }

    fn and(self, other: Self) -> Self {
        let Self { all, errors, seconds } = other;
        Self { all: self.all + all, errors: self.errors + errors, seconds: self.seconds + seconds }
    }

    fn are_too_bad(self) -> bool {
        self.all >= ENOUGH && self.errors / self.all > MOST_ERRORS
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { all, errors, seconds } = self;
        let mean = if *all > 0.0 { seconds / all * 1000.0 } else { 0.0 };
        write!(f, "{errors} of {all} answers were errors; mean {mean:.1} ms")?;
        if *all < ENOUGH { f.write_str(" (too few to judge)") } else { Ok(()) }
    }
}

impl Live<'_> {
    /// By way of the API server, from every pod.
    pub(super) async fn metrics(&self) -> Result<String, Trouble> {
        let pods = self.all_pods().await?;
        let names: Vec<_> = pods.iter().filter_map(|(_, pod)| pod.metadata.name.as_deref()).collect();
        let answers = join_all(names.iter().map(|name| self.answers(name))).await;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let all = answers.into_iter().fold(Answers::default(), Answers::and);
        if all.are_too_bad() { Err(Trouble::new(format!("error rate > 5 %: {all}"))) } else { Ok(all.to_string()) }
    }

    async fn answers(&self, pod: &str) -> Result<Answers, Trouble> {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:9090/proxy/metrics", self.request.cluster.namespace);
        Ok(Answers::read(&self.kubectl().call(["get", "--raw", &path]).run().await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(good: u32, bad: u32) -> String {
        format!(
            "# TYPE http_server_request_duration_seconds histogram\n\
             http_server_request_duration_seconds_sum{{http_response_status_code=\"200\"}} 1.5\n\
             http_server_request_duration_seconds_count{{http_response_status_code=\"200\"}} {good}\n\
             http_server_request_duration_seconds_bucket{{http_response_status_code=\"200\",le=\"0.1\"}} {good}\n\
             http_server_request_duration_seconds_count{{http_response_status_code=\"503\"}} {bad}\n"
        )
    }

    #[test]
    fn more_than_five_in_a_hundred_are_too_many_and_few_answers_say_nothing() {
        assert_eq!(Answers::read(&page(285, 15)), Answers { all: 300.0, errors: 15.0, seconds: 1.5 });
        for (good, bad, expected) in [(285, 15, false), (284, 16, true), (0, 99, false), (0, 100, true), (0, 0, false)]
        {
            assert_eq!(Answers::read(&page(good, bad)).are_too_bad(), expected, "{good} good, {bad} bad");
        }
        insta::assert_snapshot!(Answers::read(&page(20, 1)), @"1 of 21 answers were errors; mean 71.4 ms (too few to judge)");
    }
}
