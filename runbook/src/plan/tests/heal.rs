//! What helm left unfinished, before anything else is done.

use super::{deploy, file, observed, planned, request, revision};
use crate::{
    observe::{Observed, Revision},
    plan::{Action, Step},
    request::Request,
};
use semver::Version;

#[test]
fn what_helm_left_unfinished_is_healed_first_and_numbers_count_on() {
    let mut observed = observed();
    observed.helm.revisions.push(revision(3, "pending-upgrade", "1.2.4"));
    let plan = planned(None, "1.2.4", &observed).unwrap();
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).filter(|id| id.starts_with('4')).collect();
    assert_eq!(ids, ["4.2.lint", "4.2.template", "4.heal", "4.3.upgrade", "4.4.rollout"]);
    let numbers: Vec<_> = plan.steps.iter().chain(&plan.back).filter_map(number).collect();
    assert_eq!(numbers, [5, 4], "3 is unfinished, 4 heals it, 5 upgrades; the way back is any from 4 on");
}

#[test]
fn what_helm_left_unfinished_is_gone_on_with_where_the_schema_has_left_behind_what_serves() {
    let mut observed = observed();
    observed.helm.revisions.push(revision(3, "pending-upgrade", "1.2.4"));
    let healed_to = |observed: &Observed| {
        let plan = planned(None, "1.2.5", observed).unwrap();
        plan.steps.into_iter().find_map(|step| match step.does {
            Action::HelmHeal { to, .. } => Some((to, step.title)),
            _ => None,
        })
    };
    let title = "Revision 3 is pending-upgrade, and whoever began it is gone";
    assert_eq!(healed_to(&observed), Some((2, format!("{title}: back to 2"))));
    let by = "20250110_add_mfa_columns.sql".to_owned();
    observed.schema.as_mut().unwrap().oldest_app = Some((Version::new(1, 2, 4), by));
    assert_eq!(healed_to(&observed), Some((3, format!("{title}: on with it, as 2 could not start any more"))));
}

#[test]
fn what_helm_may_still_be_at_is_left_alone_unless_somebody_says_that_it_is_not() {
    let mut observed = observed();
    let updated = "2025-01-17T13:50:00Z".parse().unwrap();
    observed.helm.revisions.push(Revision { updated, ..revision(3, "pending-upgrade", "1.2.4") });
    let refused = planned(None, "1.2.4", &observed).unwrap_err();
    insta::assert_snapshot!(refused, @"revision 3 is pending-upgrade since 10 min: a helm may still be at it");
    let (file, wanted) = (file(), Version::new(1, 2, 4));
    let request = Request { reason: Some("its machine is off"), ..request(&file, None) };
    deploy(&request, &wanted, &observed).unwrap();
}

fn number(step: &Step) -> Option<u32> {
    match &step.does {
        Action::HelmUpgrade { numbers, .. } | Action::HelmRollback { numbers, .. } => Some(numbers.from),
        _ => None,
    }
}
