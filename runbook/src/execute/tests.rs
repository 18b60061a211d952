//! Killed at every point, and gone on with.

pub(crate) mod world;

use super::{Stop, execute};
use crate::{
    exit::Exit,
    journal::{Entry, Event, Journal},
    plan::{OnFailure, Plan, tests as plans},
    request::Via,
};
use futures_util::FutureExt as _;
use jiff::SignedDuration;
use std::{
    fs::{self, OpenOptions},
    path::Path,
};
use tempfile::TempDir;
use world::Recorded;

const RUN: &str = "20250117-140000-0000";

/// In memory where there is such a place: thousands of journals are written, each line of them to the disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

fn begin(folder: &Path, plan: &Plan) {
    Journal::begin(folder, RUN, plans::began(RUN, plan.clone())).unwrap();
}

/// A deployment that was begun.
fn deployment() -> (TempDir, Plan) {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    let folder = self::folder();
    begin(folder.path(), &plan);
    (folder, plan)
}

/// Goes on with the run until it ends or is killed; None: it was killed.
fn go_on(folder: &Path, world: &mut Recorded) -> Option<Exit> {
    let mut journal = Journal::open(folder, RUN).unwrap();
    // Nothing of the recorded world takes time: what is not ready at once was killed.
    execute(&mut journal, world, &Stop::never(), |_| {}).now_or_never().map(Result::unwrap)
}

/// Every plan, and every plan with one of its effects failing.
fn scenarios() -> Vec<(Plan, Recorded)> {
    let observed = plans::observed();
    let plans = [
        plans::planned(None, "1.2.4", &observed),
        plans::planned(Some(Via::Kubectl), "1.2.4", &observed),
        plans::rolled_back(None, None, &observed),
        plans::rolled_back(Some(Via::Kubectl), None, &observed),
    ];
    let mut scenarios = vec![];
    for plan in plans.map(Result::unwrap) {
        scenarios.push((plan.clone(), Recorded::default()));
        for step in &plan.steps {
            let failing = [step.id.clone()].into();
            scenarios.push((plan.clone(), Recorded { failing, ..Recorded::default() }));
        }
    }
    scenarios
}

#[test]
fn killed_at_every_point_a_run_is_resumed_and_every_effect_is_done_exactly_once() {
    let (mut kills, mut effects) = (0, 0);
    for (plan, fresh) in scenarios() {
        let folder = self::folder();
        begin(folder.path(), &plan);
        let mut undisturbed = fresh.clone();
        let exit = go_on(folder.path(), &mut undisturbed).unwrap();
        assert!(undisturbed.done.values().all(|times| *times == 1));
        effects += undisturbed.done.len();
        for killed_at in 1..=undisturbed.points {
            let torn: &[bool] = if fresh.failing.is_empty() { &[false, true] } else { &[false] };
            for &is_torn in torn {
                let folder = self::folder();
                begin(folder.path(), &plan);
                let mut world = Recorded { killed_at: Some(killed_at), ..fresh.clone() };
                assert_eq!(go_on(folder.path(), &mut world), None);
                if is_torn {
                    tear(folder.path());
                }
                world.killed_at = None;
                let resumed = go_on(folder.path(), &mut world);
                let failing = &fresh.failing;
                assert_eq!(resumed, Some(exit), "{failing:?} killed at {killed_at}, torn: {is_torn}");
                assert_eq!(world.done, undisturbed.done, "{failing:?} killed at {killed_at}, torn: {is_torn}");
                kills += 1;
            }
        }
    }
    eprintln!("{kills} kills, {effects} effects each done exactly once, 100 % resumed");
    assert!(kills > 1_000);
}

/// What a line looks like whose writer was killed in the middle.
fn tear(folder: &Path) {
    let path = folder.join(format!("{RUN}.jsonl"));
    let mut text = fs::read(&path).unwrap();
    text.extend(b"{\"at\":\"2025-01-17T14:00:00Z\",\"event\":\"doi");
    fs::write(path, text).unwrap();
}

#[test]
fn what_cannot_be_done_is_taken_back_where_the_plan_says_so() {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    for step in &plan.steps {
        let folder = self::folder();
        begin(folder.path(), &plan);
        let mut world = Recorded { failing: [step.id.clone()].into(), ..Recorded::default() };
        let exit = go_on(folder.path(), &mut world).unwrap();
        let expected = match (step.on_failure, step.id.as_str()) {
            (OnFailure::GoBack, _) => Exit::RolledBack,
            (OnFailure::Stop, "3.2.status" | "3.3.review") => Exit::Failed,
            (OnFailure::Stop, _) => Exit::Changed,
        };
        assert_eq!(exit, expected, "{}", step.id);
    }
}

#[test]
fn a_way_back_that_fails_is_told_and_can_be_tried_again() {
    let (folder, _) = deployment();
    let failing = ["4.4.rollout".to_owned(), "rollback.2.helm".to_owned()].into();
    let mut world = Recorded { failing, ..Recorded::default() };
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::RollbackFailed));
    world.failing.clear();
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::RolledBack), "once it was turned back it stays so");
}

#[test]
fn a_rollback_that_fails_halfway_is_a_way_back_that_failed() {
    for via in [Via::Helm, Via::Kubectl] {
        let plan = plans::rolled_back(Some(via), None, &plans::observed()).unwrap();
        for (step, expected) in [
            ("rollback.1.history", Exit::Failed),
            ("rollback.3.rollout", Exit::RollbackFailed),
            ("5.1.pods", Exit::RollbackFailed),
        ] {
            let folder = self::folder();
            begin(folder.path(), &plan);
            let mut world = Recorded { failing: [step.to_owned()].into(), ..Recorded::default() };
            assert_eq!(go_on(folder.path(), &mut world), Some(expected), "{step}");
            world.failing.clear();
            if expected == Exit::RollbackFailed {
                assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done), "{step}: it is gone on with");
            }
        }
    }
}

#[test]
fn what_somebody_took_back_meanwhile_is_neither_done_over_nor_taken_back_further() {
    let (folder, _) = deployment();
    let mut world = Recorded { failing: ["6.smoke".to_owned()].into(), ..Recorded::default() };
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
    world.done.retain(|action, _| !action.contains("helm_upgrade"));
    world.failing.clear();
    let before = world.done.clone();
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
    assert_eq!(world.done, before);
}

#[test]
fn what_a_run_did_not_begin_is_not_its_to_take_back() {
    let (folder, _) = deployment();
    let mut world = Recorded { unanswered: ["4.3.upgrade".to_owned()].into(), ..Recorded::default() };
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed), "its migrations are there");
    assert!(world.done.keys().all(|action| !action.contains("helm_rollback")), "somebody else's release was undone");
    world.unanswered.clear();
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done));
}

#[test]
fn a_rollout_whose_lock_was_lost_is_gone_on_with_and_not_taken_back() {
    let (folder, _) = deployment();
    let mut world = Recorded { loses_lock_at: Some("4.3.upgrade".to_owned()), ..Recorded::default() };
    let mut journal = Journal::open(folder.path(), RUN).unwrap();
    let ended = execute(&mut journal, &mut world, &Stop::never(), |_| {}).now_or_never().unwrap();
    assert_eq!(ended.unwrap_err().what, "the lock was lost");
    assert!(!journal.has_turned_back());
    drop(journal);
    (world.loses_lock_at, world.has_lost_lock) = (None, false);
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done));
}

#[test]
fn what_was_begun_and_cannot_be_told_any_more_is_not_taken_back() {
    let (folder, _) = deployment();
    let mut world = Recorded { loses_lock_at: Some("4.3.upgrade".to_owned()), ..Recorded::default() };
    let mut journal = Journal::open(folder.path(), RUN).unwrap();
    execute(&mut journal, &mut world, &Stop::never(), |_| {}).now_or_never().unwrap().unwrap_err();
    drop(journal);
    // Somebody else has made the next revision.
    (world.loses_lock_at, world.has_lost_lock) = (None, false);
    world.unanswered.insert("4.3.upgrade".to_owned());
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
    assert!(!Journal::open(folder.path(), RUN).unwrap().has_turned_back());
}

#[test]
fn what_was_done_and_cannot_be_seen_is_not_taken_back_and_is_found_later() {
    let (folder, _) = deployment();
    let mut world = Recorded { falls_silent_after: Some("4.3.upgrade".to_owned()), ..Recorded::default() };
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
    assert!(!Journal::open(folder.path(), RUN).unwrap().has_turned_back());
    world.unanswered.clear();
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done));
    assert!(world.done.values().all(|times| *times == 1), "{:?}", world.done);
}

#[test]
fn what_is_not_what_was_planned_any_more_is_neither_begun_nor_a_reason_to_go_back() {
    for (via, step) in [(Via::Helm, "4.3.upgrade"), (Via::Kubectl, "4.1.apply")] {
        let plan = plans::planned(Some(via), "1.2.4", &plans::observed()).unwrap();
        let folder = self::folder();
        begin(folder.path(), &plan);
        let mut world = Recorded { changed: [step.to_owned()].into(), ..Recorded::default() };
        assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed), "its migrations are there");
        let journal = fs::read_to_string(folder.path().join(format!("{RUN}.jsonl"))).unwrap();
        assert!(!journal.contains("turned_back") && !journal.contains(&format!("\"doing\",\"step\":\"{step}")));
        world.changed.clear();
        assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done), "it was put back");
    }
}

#[test]
fn a_refusal_before_anything_was_changed_is_the_end_of_the_run() {
    let (folder, _) = deployment();
    let mut world = Recorded { changed: ["3.2.status".to_owned()].into(), ..Recorded::default() };
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Refused));
    let journal = Journal::open(folder.path(), RUN).unwrap();
    assert_eq!(journal.ended(), Some(Exit::Refused as u8));
}

#[test]
fn a_dump_that_lies_on_a_colleagues_machine_is_not_made_again() {
    let (folder, _) = deployment();
    let mut world = Recorded { failing: ["3.5.up".to_owned()].into(), ..Recorded::default() };
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
    world.done.retain(|action, _| !action.contains("snapshot"));
    world.failing.clear();
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done));
    assert!(world.done.keys().all(|action| !action.contains("snapshot")));
}

/// As if so much time had passed since the last line.
fn wait(folder: &Path, time: SignedDuration) {
    let path = folder.join(format!("{RUN}.jsonl"));
    let (mut text, mut before) = (String::new(), String::new());
    for line in fs::read_to_string(&path).unwrap().lines() {
        let Entry { at, event, .. } = serde_json::from_str(line).unwrap();
        let entry = Entry::new(at - time, event, &before);
        text += &(serde_json::to_string(&entry).unwrap() + "\n");
        before = entry.hash;
    }
    fs::write(path, text).unwrap();
}

#[test]
fn a_backup_that_has_become_old_is_made_again_before_migrations_are_applied_and_not_after() {
    for (failing, expected) in [("3.5.up", 2), ("4.3.upgrade", 1)] {
        let (folder, _) = deployment();
        let mut world = Recorded { unanswered: [failing.to_owned()].into(), ..Recorded::default() };
        assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
        wait(folder.path(), SignedDuration::from_mins(61));
        let (backup, made) = world.done.iter().find(|(action, _)| action.contains("snapshot")).unwrap();
        assert_eq!(*made, 1);
        let backup = backup.clone();
        // The world does not count it any more, either.
        world.done.remove(&backup);
        world.unanswered.clear();
        assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done));
        assert_eq!(1 + world.done.get(&backup).copied().unwrap_or_default(), expected, "{failing}");
    }
}

#[test]
fn a_backup_is_not_made_again_of_what_may_be_migrated_already() {
    let (folder, _) = deployment();
    let mut world = Recorded { loses_lock_at: Some("3.5.up".to_owned()), ..Recorded::default() };
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
    wait(folder.path(), SignedDuration::from_mins(61));
    world.done.retain(|action, _| !action.contains("snapshot"));
    (world.loses_lock_at, world.has_lost_lock) = (None, false);
    assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done));
    assert!(world.done.keys().all(|action| !action.contains("snapshot")), "{:?}", world.done);
}

#[test]
fn an_old_answer_is_asked_for_again_unless_something_was_done_on_the_strength_of_it() {
    for (minutes, expected) in [(59, [1, 1]), (61, [1, 2])] {
        let (folder, _) = deployment();
        let mut world = Recorded { failing: ["6.smoke".to_owned()].into(), ..Recorded::default() };
        assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Changed));
        wait(folder.path(), SignedDuration::from_mins(minutes));
        world.failing.clear();
        assert_eq!(go_on(folder.path(), &mut world), Some(Exit::Done));
        let journal = fs::read_to_string(folder.path().join(format!("{RUN}.jsonl"))).unwrap();
        let answers = |step| journal.matches(&format!("\"did\",\"step\":\"{step}\"")).count();
        assert_eq!(["4.2.template", "5.1.pods"].map(answers), expected, "after {minutes} min");
    }
}

/// Asked in the middle of a step to stop, so many times; how the run ends, and how when it is gone on with.
async fn interrupted(at: &str, times: u32) -> ((Exit, Option<Exit>), Vec<Event>, Recorded) {
    let (folder, _) = deployment();
    let mut world = Recorded { interrupted_at: Some((at.to_owned(), times)), ..Recorded::default() };
    let stop = Stop::asked_by(&world.interrupts);
    let mut journal = Journal::open(folder.path(), RUN).unwrap();
    let exit = execute(&mut journal, &mut world, &stop, |_| {}).await.unwrap();
    let events = journal.entries().iter().map(|entry| entry.event.clone()).collect();
    drop(journal);
    world.interrupted_at = None;
    let then = go_on(folder.path(), &mut world);
    ((exit, then), events, world)
}

#[tokio::test]
async fn asked_once_it_ends_the_step_and_stops_before_the_next_one() {
    for (at, next, exit) in [
        // It has only asked so far.
        ("3.2.status", "3.3.review", Exit::NeedsPerson),
        ("3.4.backup", "3.5.up", Exit::Changed),
        ("4.3.upgrade", "4.4.rollout", Exit::Changed),
    ] {
        let (exits, events, world) = interrupted(at, 1).await;
        assert_eq!(exits, (exit, Some(Exit::Done)), "{at}");
        let did = events.iter().any(|event| matches!(event, Event::Did { step, .. } if step == at));
        assert!(did && events.last() == Some(&Event::Stopped { next: next.to_owned() }), "{at}: {events:?}");
        assert!(world.done.values().all(|times| *times == 1), "{:?}", world.done);
    }
}

#[tokio::test]
async fn asked_twice_it_ends_in_the_middle_of_the_step_and_takes_nothing_back() {
    for at in ["3.5.up", "4.3.upgrade", "4.4.rollout"] {
        let (exits, events, world) = interrupted(at, 2).await;
        assert_eq!(exits, (Exit::Changed, Some(Exit::Done)), "{at}");
        let did = events.iter().any(|event| matches!(event, Event::Did { step, .. } if step == at));
        assert!(!did && events.last() == Some(&Event::Stopped { next: at.to_owned() }), "{at}: {events:?}");
        assert!(!events.contains(&Event::TurnedBack) && world.done.values().all(|times| *times == 1), "{at}");
    }
}

#[test]
fn a_journal_that_was_changed_is_refused() {
    let (folder, _) = deployment();
    go_on(folder.path(), &mut Recorded::default()).unwrap();
    let path = folder.path().join(format!("{RUN}.jsonl"));
    let text = fs::read_to_string(&path).unwrap();
    let changed: Vec<_> = text.lines().enumerate().filter(|(number, _)| *number != 3).map(|(_, line)| line).collect();
    fs::write(&path, changed.join("\n") + "\n").unwrap();
    let refused = Journal::open(folder.path(), RUN).unwrap_err();
    insta::assert_snapshot!(refused, @"the journal of 20250117-140000-0000 was changed: line 4");
}

#[test]
fn a_journal_that_cannot_be_written_stops_before_anything_is_done() {
    let (folder, _) = deployment();
    let mut journal = Journal::open(folder.path(), RUN).unwrap();
    journal.file = OpenOptions::new().read(true).open(folder.path().join(format!("{RUN}.jsonl"))).unwrap();
    let mut world = Recorded::default();
    let failed = execute(&mut journal, &mut world, &Stop::never(), |_| {}).now_or_never().unwrap().unwrap_err();
    assert!(failed.to_string().starts_with("the journal of 20250117-140000-0000 cannot be written"), "{failed}");
    assert!(world.done.is_empty());
}
