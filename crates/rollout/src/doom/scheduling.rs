//! Pods that no node takes.

use super::{Cause, Fact, Seen, Sign};
use jiff::SignedDuration;

/// As kstatus waits: an old pod may end in this time and leave its room.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

pub(super) fn of(seen: &Seen<'_>) -> Option<Sign> {
    let scheduled = seen.condition("PodScheduled")?;
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    // A node is on its way (Kubernetes' autoscaler, Karpenter), or others are made to leave one.
    if seen.told("TriggeredScaleUp").chain(seen.told("Nominated")).next().is_some() || seen.is_nominated() {
        return None;
    }
    let since = scheduled.last_transition_time.as_ref()?.0;
    if seen.now.duration_since(since) < PATIENCE {
        return None;
    }
    let said = scheduled.message.as_deref().unwrap_or_default();
    let lacks = lacks(said);
    let what: Vec<_> = lacks.iter().map(|lack| lack.words(seen)).collect();
    let what = if what.is_empty() { said.to_owned() } else { what.join(", ") };
    Some(Sign {
        cause: Cause::Unschedulable,
        evidence: format!("no node takes the pod: {what}"),
        since: Fact::new(since, "conditions[PodScheduled].lastTransitionTime"),
        patience: PATIENCE,
        cure: lacks.first().map_or_else(|| format!("read {}", seen.describe()), |lack| lack.of.cure().to_owned()),
    })
}

/// What nodes lack, and how many of them.
#[derive(Debug, PartialEq, Eq)]
struct Lack<'a> {
    nodes: u32,
    of: Need,
    /// The scheduler's words.
    said: &'a str,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Need {
    Cpu,
    Memory,
    Taint,
    Affinity,
    Volume,
    Other,
}

/// Reads `0/3 nodes are available: 1 node(s) had untolerated taint {gpu: yes}, 2 Insufficient cpu. preemption: …`, the
/// need of the most nodes first.
fn lacks(said: &str) -> Vec<Lack<'_>> {
    let reasons = said.split_once("available: ").map_or("", |(_, reasons)| reasons);
    // The reasons are its first sentence; claims and preemption come after.
    let reasons = reasons.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let mut lacks: Vec<_> = reasons.split(", ").filter_map(lack).collect();
    lacks.sort_by_key(|lack| std::cmp::Reverse(lack.nodes));
    lacks
}

fn lack(reason: &str) -> Option<Lack<'_>> {
    // A reason without a number is one of the pod, for all nodes: an unbound claim.
    let (nodes, said) = reason.split_once(' ')?;
    let (nodes, said) = nodes.parse().map_or((0, reason), |nodes| (nodes, said));
    let of = match said.trim_start_matches("node(s) ") {
        "Insufficient cpu" => Need::Cpu,
        "Insufficient memory" => Need::Memory,
        words if words.contains("taint") || words.contains("unschedulable") => Need::Taint,
        words if words.to_lowercase().contains("volume") => Need::Volume,
        words if words.contains("affinity") || words.contains("topology spread") => Need::Affinity,
        _ => Need::Other,
    };
    Some(Lack { nodes, of, said })
}

impl Lack<'_> {
    fn words(&self, seen: &Seen<'_>) -> String {
        let nodes = match self.nodes {
            0 => return self.said.to_owned(),
            1 => "1 node".to_owned(),
            nodes => format!("{nodes} nodes"),
        };
        match self.of {
            Need::Cpu => format!("too little cpu on {nodes}{}", asks(seen, "cpu")),
            Need::Memory => format!("too little memory on {nodes}{}", asks(seen, "memory")),
            _ => format!("{nodes}: {}", self.said.trim_start_matches("node(s) ")),
        }
    }
}

/// What the pod's containers ask for.
fn asks(seen: &Seen<'_>, resource: &str) -> String {
    let containers = seen.pod.spec.iter().flat_map(|spec| &spec.containers);
    let requests = containers.filter_map(|container| {
        let requests = container.resources.as_ref()?.requests.as_ref()?;
        requests.get(resource).map(|quantity| quantity.0.as_str())
    });
    let requests: Vec<_> = requests.collect();
    if requests.is_empty() { String::new() } else { format!(" (the pod asks for {})", requests.join(" + ")) }
}

impl Need {
    fn cure(self) -> &'static str {
        match self {
            Self::Cpu | Self::Memory => "lower resources.requests, or add nodes",
            Self::Taint => "uncordon a node, or tolerate its taint: `kubectl describe nodes`",
            Self::Affinity => "loosen the affinity or spread, or add a node that fits",
            Self::Volume => "give the volume to a node that can have it: `kubectl get pvc`",
            Self::Other => "read the scheduler's words, and `kubectl describe nodes`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheduler_s_message_is_read_need_by_need() {
        let said = "0/6 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, \
                    2 Insufficient cpu, 1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector, \
                    1 node(s) had volume node affinity conflict. preemption: 0/6 nodes are available: 2 No preemption \
                    victims found for incoming pod, 4 Preemption is not helpful for scheduling.";
        let needs: Vec<_> = lacks(said).iter().map(|lack| (lack.nodes, lack.of)).collect();
        let wanted = [(2, Need::Cpu), (1, Need::Taint), (1, Need::Memory), (1, Need::Affinity), (1, Need::Volume)];
        assert_eq!(needs, wanted);
    }

    #[test]
    fn what_kubernetes_1_35_says_of_claims_is_no_need() {
        let said = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are \
                    available: 1 No preemption victims found for incoming pod.";
        let needs: Vec<_> = lacks(said).iter().map(|lack| (lack.nodes, lack.of)).collect();
        assert_eq!(needs, [(1, Need::Cpu)]);
    }

    #[test]
    fn an_unbound_claim_is_a_need_of_all_nodes() {
        let said = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: no.";
        let needs: Vec<_> = lacks(said).iter().map(|lack| (lack.nodes, lack.of, lack.said)).collect();
        assert_eq!(needs, [(0, Need::Volume, "pod has unbound immediate PersistentVolumeClaims")]);
    }
}
