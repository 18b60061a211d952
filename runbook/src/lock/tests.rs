//! Operators against each other and against the network, at a lock that lives for less than a second.

use super::{look::Seen, steal::steal_within, *};
use crate::cluster::stand_in::{Fault, StandIn};
use futures_util::future::join_all;
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const ENVIRONMENT: &str = "production";
const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/runbook/leases/production";

/// Long enough for a slow machine, short enough for a test.
fn timing() -> Timing {
    Timing::of(Duration::from_millis(1_200))
}

/// On another machine: nothing is known of its process.
fn elsewhere(user: &str) -> Holder {
    Holder { by: format!("{user}@laptop-of-{user}"), run: format!("run-of-{user}"), process: None }
}

async fn take(api: &Api<Lease>, user: &str) -> Result<Lock, Failure> {
    Lock::take_within(api.clone(), ENVIRONMENT, &elsewhere(user), timing(), |_| {}).await
}

async fn leases(cluster: &StandIn) -> Api<Lease> {
    api(&cluster.client("ada").await)
}

#[tokio::test]
async fn of_operators_who_begin_at_once_exactly_one_holds_it() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    let users = ["ada", "bob", "cleo", "dan", "eve", "finn", "gina", "hugo"];
    let taken = join_all(users.map(|user| take(&api, user))).await;
    let (held, refused): (Vec<_>, Vec<_>) = taken.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (1, 7));
    assert!(held[0].as_ref().unwrap().is_held());
    for failure in refused.into_iter().filter_map(Result::err) {
        assert_eq!(failure.exit, crate::exit::Exit::Refused, "{failure:?}");
        assert!(failure.what.contains(" holds production since "), "{failure}");
    }
}

#[tokio::test]
async fn whoever_is_refused_hears_who_holds_it_at_which_step_and_what_to_do() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    let lock = take(&api, "ada").await.unwrap();
    lock.at_step("4.3.upgrade");
    lock.note("window closes at 16:00");
    let note = || cluster.object(PATH).unwrap()["metadata"]["annotations"]["runbook/note"].clone();
    while note() != "window closes at 16:00" {
        sleep(timing().retry).await;
    }
    let mut told = vec![];
    let bob = elsewhere("bob");
    let refused = Lock::take_within(api, ENVIRONMENT, &bob, timing(), |record| told.push(record.to_string())).await;
    let refused = refused.unwrap_err();
    insta::with_settings!({ filters => [(r"\d+ s,", "[time],")] }, {
        insta::assert_snapshot!(refused, @"ada@laptop-of-ada holds production since [time], run run-of-ada, at 4.3.upgrade");
    });
    insta::assert_snapshot!(refused.why.unwrap(), @"to watch it: runbook attach run-of-ada; if it hangs: runbook lock steal production --reason TEXT");
    assert_eq!(told.len(), 1, "it is told while it waits");
}

#[tokio::test]
async fn one_that_was_given_back_is_free_at_once_and_every_taking_has_a_higher_number() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    for expected in 1..=3 {
        let lock = take(&api, "ada").await.unwrap();
        assert_eq!(lock.token(), expected);
        let start = Instant::now();
        lock.release().await.unwrap();
        assert!(start.elapsed() < timing().ttl);
    }
    assert_eq!(cluster.object(PATH).unwrap()["spec"]["holderIdentity"], "");
}

#[tokio::test]
async fn one_that_is_not_renewed_is_taken_over_after_its_time_as_seen_from_here() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    drop(take(&api, "ada").await.unwrap());
    // Whatever the holder's clock says.
    let mut lease = cluster.object(PATH).unwrap();
    lease["spec"]["renewTime"] = "2001-01-01T00:00:00.000000Z".into();
    cluster.put(PATH, lease);
    let start = Instant::now();
    let lock = take(&api, "bob").await.unwrap();
    assert!(start.elapsed() >= timing().ttl, "{:?}", start.elapsed());
    assert!(lock.is_held());
    assert_eq!(lock.token(), 2);
}

#[tokio::test]
async fn a_holder_that_ended_on_this_machine_is_not_waited_for_and_one_that_runs_is() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    let this = Process::this().unwrap();
    let ended = Holder { process: Some(Process { started: this.started - 1, ..this.clone() }), ..elsewhere("ada") };
    drop(Lock::take_within(api.clone(), ENVIRONMENT, &ended, timing(), |_| {}).await.unwrap());
    let start = Instant::now();
    let runs = Holder { process: Some(this), ..elsewhere("bob") };
    let lock = Lock::take_within(api.clone(), ENVIRONMENT, &runs, timing(), |_| {}).await.unwrap();
    assert!(start.elapsed() < timing().ttl / 2, "{:?}", start.elapsed());
    drop(lock);
    assert!(take(&api, "cleo").await.is_err(), "it hangs, and lives");
}

#[tokio::test]
async fn a_robbed_holder_finds_out_and_does_not_give_back_what_is_not_its_own() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    let lock = take(&api, "ada").await.unwrap();
    let bob = elsewhere("bob");
    let stolen = steal_within(&api, ENVIRONMENT, (&bob, "ada is on holiday"), false, timing(), |_| {});
    let (stolen, why) = tokio::join!(stolen, timeout(timing().own(), lock.lost()));
    assert_eq!(why.unwrap(), "bob@laptop-of-bob stole it: ada is on holiday");
    assert_eq!(stolen.unwrap().unwrap().held.unwrap().by, "ada@laptop-of-ada");
    assert!(!lock.is_held());
    let next = take(&api, "bob").await.unwrap();
    assert_eq!(next.token(), 3, "it was free");
    lock.release().await.unwrap();
    assert!(next.is_held());
    next.release().await.unwrap();
    let stolen = look::read(&api, ENVIRONMENT, timing()).await.unwrap().stolen.unwrap();
    assert!(
        stolen.starts_with("by bob@laptop-of-bob, ") && stolen.ends_with(", from ada@laptop-of-ada: ada is on holiday"),
        "{stolen}"
    );
}

#[tokio::test]
async fn a_lease_that_was_deleted_is_lost() {
    let cluster = StandIn::start();
    let lock = take(&leases(&cluster).await, "ada").await.unwrap();
    cluster.delete(PATH);
    let why = timeout(timing().own(), lock.lost()).await.unwrap();
    assert_eq!(why, "somebody deleted its Lease");
}

#[tokio::test]
async fn without_a_renewal_it_is_lost_before_anybody_else_may_take_it() {
    for fault in [Fault::Failing, Fault::Dropped, Fault::Denied, Fault::Stalled(Duration::from_secs(5))] {
        let cluster = StandIn::start();
        let lock = take(&leases(&cluster).await, "ada").await.unwrap();
        cluster.fault(fault);
        let start = Instant::now();
        let why = timeout(timing().ttl * 2, lock.lost()).await.unwrap();
        assert_eq!(why, "it could not be renewed in time", "{fault:?}");
        assert!(!lock.is_held());
        assert!(start.elapsed() < timing().ttl, "{fault:?}: {:?}", start.elapsed());
        cluster.fault(Fault::Nothing);
        sleep(timing().renew * 2).await;
        assert!(!lock.is_held(), "what is lost stays lost");
    }
}

#[tokio::test]
async fn a_short_fault_or_a_stranger_who_annotates_does_not_lose_it() {
    let cluster = StandIn::start();
    let lock = take(&leases(&cluster).await, "ada").await.unwrap();
    for fault in [Fault::Failing, Fault::Dropped, Fault::AnswerLost] {
        cluster.fault(fault);
        sleep(timing().renew * 2).await;
        cluster.fault(Fault::Nothing);
        let mut lease = cluster.object(PATH).unwrap();
        lease["metadata"]["annotations"]["example.com/looked-at"] = "yes".into();
        cluster.put(PATH, lease);
        sleep(timing().own()).await;
        assert!(lock.is_held(), "{fault:?}: {:?}", lock.state.borrow());
    }
}

#[tokio::test]
async fn nobody_is_robbed_who_lives_while_helm_is_at_work() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    let lock = take(&api, "ada").await.unwrap();
    let bob = elsewhere("bob");
    let steal = || steal_within(&api, ENVIRONMENT, (&bob, "it hangs"), true, timing(), |_| {});
    let refused = steal().await.unwrap_err();
    assert_eq!(refused.exit, crate::exit::Exit::Refused);
    assert!(refused.what.ends_with("; helm is at work for it"), "{refused}");
    assert!(lock.is_held());
    drop(lock);
    assert!(steal().await.unwrap().is_some(), "it is dead");
    assert!(steal().await.unwrap().is_none(), "it is free");
}

#[tokio::test]
async fn without_the_right_to_make_the_namespace_the_line_is_shown_that_makes_it() {
    let cluster = StandIn::start();
    let client = cluster.client("ada").await;
    cluster.fault(Fault::Denied);
    let failed = Lock::take(&client, ENVIRONMENT, &elsewhere("ada"), |_| {}).await.unwrap_err();
    insta::assert_snapshot!(failed, @"the namespace runbook cannot be made: you may not");
    assert_eq!(failed.cure.as_deref(), Some("kubectl create namespace runbook"));
    cluster.fault(Fault::Nothing);
    let lock = Lock::take(&client, ENVIRONMENT, &elsewhere("ada"), |_| {}).await.unwrap();
    assert!(cluster.object("/api/v1/namespaces/runbook").is_some());
    assert!(
        matches!(Lock::read(&client, ENVIRONMENT).await.unwrap().held, Some(held) if held.by == "ada@laptop-of-ada")
    );
    lock.release().await.unwrap();
}

/// Three operators come, hold for a while, and go or die, while the network fails in every way.
#[tokio::test]
async fn at_no_moment_do_two_hold_it() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    let locks = RefCell::new([const { None::<Lock> }; 3]);
    let end = Instant::now() + Duration::from_secs(9);
    let taken = RefCell::new(0);
    let operator = async |number: usize| {
        let (user, mut round) = (["ada", "bob", "cleo"][number], number);
        while Instant::now() < end {
            round += 1;
            if let Ok(lock) = take(&api, user).await {
                *taken.borrow_mut() += 1;
                locks.borrow_mut()[number] = Some(lock);
                sleep(Duration::from_millis([50, 400, 1_100][round % 3])).await;
                let lock = locks.borrow_mut()[number].take().unwrap();
                if round % 2 == 0 {
                    let _ = lock.release().await;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let network = async {
        let stalled = Fault::Stalled(Duration::from_millis(120));
        let faults = [Fault::Failing, Fault::AnswerLost, stalled, Fault::Dropped];
        for fault in faults.into_iter().cycle() {
            if Instant::now() >= end {
                break;
            }
            cluster.fault(Fault::Nothing);
            sleep(Duration::from_millis(500)).await;
            cluster.fault(fault);
            sleep(Duration::from_millis(250)).await;
        }
        cluster.fault(Fault::Nothing);
    };
    let watcher = async {
        while Instant::now() < end {
            let held = locks.borrow().iter().flatten().filter(|lock| lock.is_held()).count();
            assert!(held <= 1, "{held} hold it");
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(operator(0), operator(1), operator(2), network, watcher);
    assert!(*taken.borrow() > 3, "taken {} times", taken.borrow());
}

#[tokio::test]
async fn a_look_ends_with_the_renewal_that_it_sees() {
    let cluster = StandIn::start();
    let api = leases(&cluster).await;
    let _lock = take(&api, "ada").await.unwrap();
    let start = Instant::now();
    let seen = look::look(&api, ENVIRONMENT, timing(), &mut |_: &Record| {}).await.unwrap();
    assert!(matches!(seen, Seen::Alive(_)));
    assert!(start.elapsed() < timing().ttl);
}
