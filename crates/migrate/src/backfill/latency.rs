//! The platform's p95, from the histogram on its metrics port.

/// `http_server_request_duration_seconds` of one look, all its series together: bounds in order, with how many requests
/// took at most so long.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram(Vec<(f64, f64)>);

const NAME: &str = "http_server_request_duration_seconds";
const BUCKET: &str = "http_server_request_duration_seconds_bucket{";

impl Histogram {
    /// Adds what a page in Prometheus' text form says; false when it is not the platform's. One that was asked nothing
    /// yet has the name alone.
    pub(crate) fn add(&mut self, page: &str) -> bool {
        for (bound, count) in page.lines().filter_map(bucket) {
            match self.0.binary_search_by(|(known, _)| known.total_cmp(&bound)) {
                Ok(at) => self.0[at].1 += count,
                Err(at) => self.0.insert(at, (bound, count)),
            }
        }
        page.contains(NAME)
    }

    /// What came since. A process that was started anew counts from 0 again: what it had is no longer counted.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let count =
            |bound: f64| before.0.iter().find(|(known, _)| known.total_cmp(&bound).is_eq()).map_or(0.0, |it| it.1);
        Self(self.0.iter().map(|(bound, now)| (*bound, (now - count(*bound)).max(0.0))).collect())
    }

    /// How many requests.
    pub(crate) fn requests(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// The time in seconds that 95 % stayed within, even inside a bucket; the highest bound when it was longer.
    pub(crate) fn p95(&self) -> f64 {
        let rank = self.requests() * 0.95;
        let (mut low, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= rank && bound.is_finite() {
                let inside = if *count > below { (rank - below) / (count - below) } else { 1.0 };
                return low + (bound - low) * inside;
            }
            if bound.is_finite() {
                (low, below) = (*bound, *count);
            }
        }
        low
    }
}

/// Bound and count of a line; an exemplar may follow, and a route has braces of its own.
fn bucket(line: &str) -> Option<(f64, f64)> {
    let line = line.strip_prefix(BUCKET)?;
    let (labels, value) = line.split(" # ").next()?.rsplit_once('}')?;
    let labels = format!(",{labels}");
    let bound = labels.split(",le=\"").nth(1)?.split('"').next()?;
    Some((bound.parse().ok()?, value.split_whitespace().next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(counts: [(&str, u32); 4]) -> String {
        let line = |(bound, count)| {
            format!(
                "{BUCKET}le=\"{bound}\",http_request_method=\"GET\",http_route=\"/v1/users/{{id}}\"}} {count} # {{trace_id=\"a\"}} 0.1\n"
            )
        };
        "# TYPE http_server_request_duration_seconds histogram\n".to_owned() + &counts.map(line).concat()
    }

    fn histogram(counts: [(&str, u32); 4]) -> Histogram {
        let mut histogram = Histogram::default();
        assert!(histogram.add(&page(counts)));
        histogram
    }

    #[test]
    fn series_are_added_up_and_the_p95_lies_in_its_bucket() {
        let mut all = histogram([("0.1", 80), ("0.5", 90), ("1.0", 100), ("+Inf", 100)]);
        assert!((all.p95() - 0.75).abs() < 1e-9, "{}", all.p95());
        assert!(all.add(&page([("0.1", 900), ("0.5", 900), ("1.0", 900), ("+Inf", 900)])));
        assert!((all.requests() - 1000.0).abs() < 1e-9 && all.p95() < 0.1);
        assert!(!all.add("http_server_active_requests 3\n# EOF\n"));
        assert!(all.add("# TYPE http_server_request_duration_seconds histogram\n# EOF\n"));
    }

    #[test]
    fn only_what_came_since_counts_also_after_a_restart() {
        let before = histogram([("0.1", 100), ("0.5", 100), ("1.0", 100), ("+Inf", 100)]);
        let now = histogram([("0.1", 100), ("0.5", 100), ("1.0", 140), ("+Inf", 140)]);
        assert!(now.p95() < 0.95 && now.since(&before).p95() > 0.95);
        assert!(before.since(&now).requests().abs() < 1e-9);
    }

    #[test]
    fn what_took_longer_than_every_bound_is_said_to_take_the_highest() {
        let beyond = histogram([("0.1", 0), ("0.5", 0), ("1.0", 0), ("+Inf", 50)]);
        assert!((beyond.p95() - 1.0).abs() < 1e-9);
    }
}
