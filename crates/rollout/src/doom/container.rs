//! Containers that end, or never begin.

use super::{Cause, Fact, Seen, Sign, image};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus};

/// Why a pod has failed through no fault of its own: the node gave it up, and another takes its place.
const BY_THE_NODE: [&str; 6] = ["Evicted", "Preempting", "NodeShutdown", "Terminated", "NodeLost", "OutOf"];

/// After which the kubelet forgets how often a container that runs has ended before.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(10);

/// Messages of `CreateContainerConfigError` that pass: the kubelet's caches are not filled yet.
const NOT_YET: [(&str, &str); 2] = [("failed to sync ", " cache"), ("services have not yet been read", "")];

/// The first container, init containers before others, that will never run.
pub(super) fn of(seen: &Seen<'_>) -> Option<Sign> {
    let status = seen.pod.status.as_ref()?;
    let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    all.into_iter().find_map(|container| waits(seen, container).or_else(|| ended(seen, container)))
}

/// A pod that is over. With `restartPolicy: Always`, which a Deployment has, no container does that.
pub(super) fn failed(seen: &Seen<'_>) -> Option<Sign> {
    let status = seen.pod.status.as_ref()?;
    let reason = status.reason.as_deref().unwrap_or("Failed");
    if seen.phase() != "Failed" || BY_THE_NODE.iter().any(|node| reason.starts_with(node)) {
        return None;
    }
    let message = status.message.as_deref().unwrap_or_default();
    let changed = seen.condition("Ready").and_then(|ready| ready.last_transition_time.as_ref());
    Some(Sign {
        cause: Cause::PodFailed,
        evidence: format!("the pod failed: {}", joined(reason, message)),
        since: changed.map_or_else(
            || seen.seen("status.phase, seen"),
            |time| Fact::new(time.0, "conditions[Ready].lastTransitionTime"),
        ),
        patience: SignedDuration::ZERO,
        cure: format!("read {}", seen.describe()),
    })
}

/// What the kubelet says that it waits for.
fn waits(seen: &Seen<'_>, status: &ContainerStatus) -> Option<Sign> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.as_deref().unwrap_or_default();
    match waiting.reason.as_deref()? {
        "CrashLoopBackOff" => Some(crashed(seen, status, last_end(status))),
        "CreateContainerConfigError" if !NOT_YET.iter().any(|(from, to)| passes(message, from, to)) => Some(Sign {
            cause: Cause::MissingVariable,
            evidence: format!("container {} cannot be configured: {message}", status.name),
            since: seen.seen("containerStatuses[].state.waiting, seen"),
            patience: SignedDuration::ZERO,
            cure: format!("make what is missing in namespace {}, or take it out of the values", seen.namespace),
        }),
        reason => image::of(seen, status, reason, message),
    }
}

fn passes(message: &str, from: &str, to: &str) -> bool {
    message.split_once(from).is_some_and(|(_, rest)| rest.contains(to))
}

/// What a container's end says, the last one.
fn ended(seen: &Seen<'_>, status: &ContainerStatus) -> Option<Sign> {
    let end = last_end(status)?;
    if status.ready || end.exit_code == 0 || runs_for(seen, status) >= FORGOTTEN {
        return None;
    }
    match end.reason.as_deref() {
        Some("OOMKilled") => Some(crashed(seen, status, Some(end))),
        // 128 is the node's trouble: the next try may find it gone.
        Some("ContainerCannotRun") if end.exit_code != 128 => Some(Sign {
            cause: Cause::CannotRun,
            evidence: format!(
                "container {} cannot be started: exit code {}: {}",
                status.name,
                end.exit_code,
                end.message.as_deref().unwrap_or("no message")
            ),
            since: ended_at(seen, status, end),
            patience: SignedDuration::ZERO,
            cure: "correct the command of the container, or its image".to_owned(),
        }),
        _ if crashes(status) >= 2 => Some(crashed(seen, status, Some(end))),
        _ => None,
    }
}

/// How long it runs now; nothing where it does not.
fn runs_for(seen: &Seen<'_>, status: &ContainerStatus) -> SignedDuration {
    let running = status.state.as_ref().and_then(|state| state.running.as_ref());
    let started = running.and_then(|running| running.started_at.as_ref());
    started.map(|started| seen.now.duration_since(started.0)).unwrap_or_default()
}

/// How often it ended: each restart had an end, and so has a container that does not run now.
fn crashes(status: &ContainerStatus) -> i32 {
    let runs = status.state.as_ref().is_some_and(|state| state.running.is_some());
    status.restart_count + i32::from(!runs)
}

fn last_end<'a>(status: &'a ContainerStatus) -> Option<&'a ContainerStateTerminated> {
    let end = |state: Option<&'a ContainerState>| state.and_then(|state| state.terminated.as_ref());
    end(status.state.as_ref()).or_else(|| end(status.last_state.as_ref()))
}

fn ended_at(seen: &Seen<'_>, status: &ContainerStatus, end: &ContainerStateTerminated) -> Fact {
    let is_now = status.state.as_ref().is_some_and(|state| state.terminated.is_some());
    let field = if is_now {
        "containerStatuses[].state.terminated.finishedAt"
    } else {
        "containerStatuses[].lastState.terminated.finishedAt"
    };
    end.finished_at
        .as_ref()
        .map_or_else(|| seen.seen("containerStatuses[].state, seen"), |time| Fact::new(time.0, field))
}

fn crashed(seen: &Seen<'_>, status: &ContainerStatus, end: Option<&ContainerStateTerminated>) -> Sign {
    let times = match crashes(status) {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    let logs = format!("`kubectl -n {} logs {} -c {} --previous`", seen.namespace, seen.name(), status.name);
    let since =
        end.map_or_else(|| seen.seen("containerStatuses[].state.waiting, seen"), |end| ended_at(seen, status, end));
    if end.and_then(|end| end.reason.as_deref()) == Some("OOMKilled") {
        let limit = memory_limit(seen, &status.name).unwrap_or_else(|| "its node's memory".to_owned());
        let evidence =
            format!("container {} was killed {times} for using more memory than {limit} (OOMKilled)", status.name);
        let cure = "raise resources.limits.memory, or find what needs so much".to_owned();
        return Sign { cause: Cause::OutOfMemory, evidence, since, patience: SignedDuration::ZERO, cure };
    }
    let how = end.map(exit).unwrap_or_default();
    let probe = failed_probe(seen).map(|said| format!("; {said}")).unwrap_or_default();
    Sign {
        cause: Cause::CrashLoop,
        evidence: format!("container {} ended {times}{how}{probe}", status.name),
        since,
        patience: SignedDuration::ZERO,
        cure: format!("read why: {logs}"),
    }
}

/// `, last with exit code 137 (Error, signal 9)`, and what the program left for the kubelet.
fn exit(end: &ContainerStateTerminated) -> String {
    let reason = end.reason.as_deref().unwrap_or("no reason");
    let signal =
        if (129..=159).contains(&end.exit_code) { format!(", signal {}", end.exit_code - 128) } else { String::new() };
    let message = end.message.as_deref().map(|message| format!(": {}", message.trim())).unwrap_or_default();
    format!(", last with exit code {} ({reason}{signal}){message}", end.exit_code)
}

fn memory_limit(seen: &Seen<'_>, container: &str) -> Option<String> {
    let limits = seen.container(container)?.resources.as_ref()?.limits.as_ref()?;
    limits.get("memory").map(|limit| format!("its limit of {}", limit.0))
}

/// The kubelet kills what its liveness or startup probe gives up; the exit code alone would not tell.
fn failed_probe<'a>(seen: &Seen<'a>) -> Option<&'a str> {
    let kills = |said: &&str| said.starts_with("Liveness probe failed") || said.starts_with("Startup probe failed");
    seen.told("Unhealthy").map(|(_, said)| said).find(kills)
}

/// A reason with its message, where there is one.
fn joined(reason: &str, message: &str) -> String {
    if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
}
