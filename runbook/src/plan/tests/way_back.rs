//! What a deployment goes back to by itself, and what it does not.

use super::{observed, planned, shown};
use crate::{observe::Observed, plan::Plan, request::Via};
use semver::Version;

/// Somebody set the images of 1.2.4, helm's last revision is 1.2.3, and after the migration only 1.2.4 and newer can run.
pub(crate) fn stranding() -> Plan {
    let mut observed = observed();
    let schema = observed.schema.as_mut().unwrap();
    schema.pending[0].oldest_app = Some(Version::new(1, 2, 4));
    schema.running.clear();
    for deployed in observed.deployed.values_mut() {
        deployed.image = deployed.image.replace("1.2.3", "1.2.4");
    }
    planned(None, "1.2.5", &observed).unwrap()
}

#[test]
fn what_could_not_start_after_the_migrations_is_not_gone_back_to() {
    let plan = stranding();
    assert!(plan.back.is_empty(), "{:?}", plan.back);
    let shown = shown(&plan);
    let notice = "! should the rollout fail there is no automatic way back: 1.2.3 cannot run any more: \
                  after 20250117_add_webhooks_table.sql only 1.2.4 and newer can\n";
    assert!(shown.contains(notice), "{shown}");
    assert!(!shown.contains("rollout undo") && !shown.contains("helm rollback"), "{shown}");
    let ways_out = plan.no_back.unwrap().ways_out;
    assert!(ways_out.contains("platform migrate down 20250117_add_webhooks_table.sql"), "{ways_out}");
}

#[test]
fn what_needs_one_of_the_pending_migrations_is_gone_back_to_and_what_needs_another_is_not() {
    let mut observed = observed();
    let needs = |observed: &mut Observed, file: &str| {
        observed.helm.revisions[1].schema_needs = Some(file.into());
        for deployed in observed.deployed.values_mut() {
            deployed.history[1].schema_needs = Some(file.into());
        }
    };
    for (file, goes_back) in [("20250117_add_webhooks_table.sql", true), ("20250120_later.sql", false)] {
        needs(&mut observed, file);
        for via in [Via::Helm, Via::Kubectl] {
            let plan = planned(Some(via), "1.2.4", &observed).unwrap();
            assert_eq!((!plan.back.is_empty(), plan.no_back.is_none()), (goes_back, goes_back), "{file}");
        }
    }
}
