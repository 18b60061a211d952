//! What a reader sees of a run, at the widths of terminals.

use super::*;
use crate::{
    commands::runs::tests::{did, doing, failed, human, journal},
    plan::tests as plans,
};
use std::fmt::Write as _;

fn entries() -> Vec<Entry> {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    let (first, second, third) = (ids[0], ids[1], ids[2]);
    let mut events = vec![did(first, How::Already, "1 pending\n"), doing(second), did(second, How::Applied, "")];
    events.push(Event::Approved { by: "bob".into() });
    events.extend([doing(third), failed(third), Event::Resumed { by: "bob@desk".into() }, Event::TurnedBack]);
    events.push(doing(&plan.back[0].id));
    journal("20250117-140000-3f2a", events)
}

#[test]
fn a_run_under_the_documents_headings() {
    let entries = entries();
    let summary = Summary::of(&entries, false).unwrap();
    let page = page(&summary, &entries, "2025-01-17T16:30:00Z".parse().unwrap());
    let mut shown = String::new();
    for width in [60, 100, 160] {
        let _ = write!(shown, "{width}:{}", page.render(&human(width)));
    }
    let plain = Screen { form: Form::Plain, ..human(60) };
    let _ = write!(shown, "plain:\n{}", page.render(&plain));
    insta::with_settings!({ filters => [("[0-9a-f]{64}", "[hash]")] }, { insta::assert_snapshot!(shown) });
}

#[test]
fn for_programs_a_step_has_all_that_shows_it() {
    let entries = entries();
    let summary = Summary::of(&entries, false).unwrap();
    let states: Vec<_> = summary.outcomes(&entries).iter().map(|outcome| step(outcome)["state"].clone()).collect();
    assert_eq!(states[..4], ["done", "done", "failed", "not come to"]);
    assert!(states.contains(&"open".into()), "{states:?}");
    let third = step(&summary.outcomes(&entries)[2]);
    assert!(third["evidence"].as_str().unwrap().contains("CrashLoopBackOff"));
    assert_eq!(approvals(&entries), ["bob"]);
}
