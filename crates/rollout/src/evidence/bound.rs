//! Evidence that a journal can take.

use super::{Evidence, Log};

/// Of the JSON.
const BYTES: usize = 256 << 10;

/// Halves the longest log until all has room: its older lines go. Without logs that are left, pods go, the last first.
pub(super) fn fit(evidence: &mut Evidence) {
    while size(evidence) > BYTES {
        if !(halve_the_longest(evidence) || drop_a_pod(evidence) || drop_events(evidence)) {
            return;
        }
    }
}

fn size(evidence: &Evidence) -> usize {
    serde_json::to_vec(evidence).map_or(0, |json| json.len())
}

fn bytes(log: &Log) -> usize {
    log.lines.iter().map(String::len).sum()
}

fn halve_the_longest(evidence: &mut Evidence) -> bool {
    let pods = evidence.services.iter_mut().flat_map(|service| &mut service.pods);
    let logs = pods.flat_map(|pod| pod.logs.iter_mut().map(|log| (&pod.name, log)));
    let Some((pod, log)) = logs.filter(|(_, log)| !log.lines.is_empty()).max_by_key(|(_, log)| bytes(log)) else {
        return false;
    };
    let gone = log.lines.len().div_ceil(2);
    log.lines.drain(..gone);
    let run = if log.is_previous { "previous log" } else { "log" };
    let what = format!("{gone} older lines of the {run} of {pod}/{}", log.container);
    evidence.left_out.push(what);
    true
}

fn drop_a_pod(evidence: &mut Evidence) -> bool {
    let most = evidence.services.iter_mut().max_by_key(|service| service.pods.len());
    let Some(pod) = most.and_then(|service| service.pods.pop()) else { return false };
    evidence.left_out.push(format!("pod {}", pod.name));
    true
}

fn drop_events(evidence: &mut Evidence) -> bool {
    let most = evidence.services.iter_mut().filter(|service| !service.events.is_empty());
    let Some(service) = most.max_by_key(|service| service.events.len()) else { return false };
    evidence.left_out.push(format!("{} events of {} and its ReplicaSets", service.events.len(), service.service));
    service.events.clear();
    true
}
