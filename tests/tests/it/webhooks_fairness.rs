//! What a bad receiver costs the others: nothing that can be measured.
//!
//! Two platforms run side by side and get the same messages at the same moments; on one of them some receivers are bad,
//! on the other all are good. Whatever else the machine does hits both alike, so what differs is what the bad ones cost.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, future::join_all, stream};
use reqwest::StatusCode;
use serde_json::json;
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use testing::Database;
use tests::{PASSWORD, Person, Receiver, TestApp, until};
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_postgres::Client;

const SECOND: Duration = Duration::from_secs(1);
/// What the others' p99 may become beside a bad receiver.
const AT_MOST: f64 = 1.2;
/// The dispatcher lets results gather for 4 ms before it writes them: less than that is chance on any machine.
const GRAIN: Duration = Duration::from_millis(4);
/// Messages of a round to each of the others, so that the 99th percentile is the second slowest.
const SAMPLES: usize = 100;
const EVERY: Duration = Duration::from_millis(40);
/// More than half of the rounds have to be fair, and there are at least so many, and at most.
const LEAST_ROUNDS: usize = 3;
const ROUNDS: usize = 9;
/// As long as a lease allows, so that a slow machine measures a round before the requests are given up.
const DEADLINE: Duration = Duration::from_secs(28);
/// How many bad endpoints another organization has: more than all slots of a process would take.
const BAD_ENDPOINTS: usize = 6;
/// Of the two organizations' bad receivers, requests that are open at once, at least.
const HELD: usize = 170;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Good,
    Hangs,
    Streams,
    Fails,
}

/// A receiver that is bad in its way, until it is let go.
#[derive(Clone)]
struct Bad {
    kind: Kind,
    url: String,
    arrived: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    let_go: watch::Sender<bool>,
}

/// A request that is being answered.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Bad {
    async fn start(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (arrived, open, let_go) = (Arc::default(), Arc::default(), watch::Sender::new(false));
        let bad = Self { kind, url, arrived, open, let_go };
        let router = Router::new().fallback(answer).with_state(bad.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        bad
    }
}

async fn answer(State(bad): State<Bad>) -> Response {
    bad.arrived.fetch_add(1, Relaxed);
    bad.open.fetch_add(1, Relaxed);
    let open = Open(Arc::clone(&bad.open));
    let mut let_go = bad.let_go.subscribe();
    match bad.kind {
        Kind::Good => StatusCode::OK.into_response(),
        Kind::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Kind::Hangs => {
            let_go.wait_for(|let_go| *let_go).await.unwrap();
            StatusCode::OK.into_response()
        }
        Kind::Streams => {
            // Too slow to reach what is read of a response at most, too fast to be taken for idle.
            let bytes = stream::repeat(Bytes::from_static(b"x")).then(move |byte| {
                let _open = &open;
                async move {
                    tokio::time::sleep(SECOND / 5).await;
                    Ok::<_, io::Error>(byte)
                }
            });
            let end = async move { drop(let_go.wait_for(|let_go| *let_go).await) };
            Response::new(Body::from_stream(bytes.take_until(Box::pin(end))))
        }
    }
}

/// A platform with a bad receiver, or with a good one in its place.
struct Side {
    app: TestApp,
    database: Client,
    bad: Bad,
    /// Who has bad endpoints and nothing else.
    mallory: Person,
    /// The others: who has a bad endpoint too, and who has none; each with a good receiver.
    others: [(Person, Receiver); 2],
}

impl Side {
    async fn new(kind: Kind) -> Self {
        let app = TestApp::with(Database::new().await, |options| options.delivery.deadline = DEADLINE).await;
        let (database, bad) = (app.database.client("postgres").await, Bad::start(kind).await);
        let [mallory, ada, eve] = [app.owner("mallory").await, app.owner("ada").await, app.owner("eve").await];
        for _ in 0..BAD_ENDPOINTS {
            endpoint(&mallory, &bad.url, "noise.made").await;
        }
        endpoint(&ada, &bad.url, "noise.made").await;
        let others = [(ada, Receiver::new().await), (eve, Receiver::new().await)];
        for (person, receiver) in &others {
            endpoint(person, receiver.url(), "invoice.paid").await;
        }
        Self { app, database, bad, mallory, others }
    }

    /// Their tokens end by a clock that is moved.
    async fn sign_in_again(&mut self) {
        let ([(ada, _), (eve, _)], mallory) = (&mut self.others, &mut self.mallory);
        for person in [ada, eve, mallory] {
            let login = json!({ "email": person.email, "password": PASSWORD });
            *person = self.app.person(&person.email, &self.app.post("/v1/auth/login", login).await.body);
        }
    }

    /// What bad receivers are to get waits until they get it all at once.
    async fn noise(&self, count: usize) {
        self.execute("UPDATE endpoints SET paused_until = now() + interval '1 day' WHERE event_types = '{noise.made}'")
            .await;
        self.publish_noise(count).await;
        let queued = i64::try_from(count * (BAD_ENDPOINTS + 1)).unwrap();
        until(60 * SECOND, async || self.queued().await == queued).await;
        self.execute("UPDATE endpoints SET paused_until = NULL, failures = 0, failing_since = NULL").await;
    }

    /// Messages to bad receivers.
    async fn publish_noise(&self, count: usize) {
        let ada = &self.others[0].0;
        for _ in 0..count / 10 {
            join_all((0..10).map(|_| async {
                self.mallory.publish("noise.made").await;
                ada.publish("noise.made").await;
            }))
            .await;
        }
    }

    async fn execute(&self, statement: &str) {
        self.database.batch_execute(statement).await.unwrap();
    }

    async fn queued(&self) -> i64 {
        self.database.query_one("SELECT count(*) FROM delivery_queue", &[]).await.unwrap().get(0)
    }

    /// One message to each of the others: when it was sent, and its id.
    async fn publish(&self) -> [(Instant, String); 2] {
        let [ada, eve] = &self.others;
        let publish = async |person: &Person| (Instant::now(), person.publish("invoice.paid").await);
        let (ada, eve) = tokio::join!(publish(&ada.0), publish(&eve.0));
        [ada, eve]
    }

    /// From the sending to the receipt of what was published, of each of the others, sorted.
    async fn latencies(&self, published: &[[(Instant, String); 2]]) -> [Vec<Duration>; 2] {
        let mut all = [vec![], vec![]];
        for (who, (_, receiver)) in self.others.iter().enumerate() {
            until(30 * SECOND, async || {
                let arrived = receiver.ids();
                published.iter().all(|of| arrived.contains(&of[who].1))
            })
            .await;
            let at: BTreeMap<_, _> = receiver.seen().into_iter().map(|one| (one.id().to_owned(), one.at)).collect();
            all[who] = published.iter().map(|of| at[&of[who].1].duration_since(of[who].0)).collect();
            all[who].sort_unstable();
        }
        all
    }
}

async fn endpoint(person: &Person, url: &str, of: &str) {
    let body = json!({ "url": url, "event_types": [of], "max_concurrency": 100 });
    let answer = person.post("/v1/webhooks/endpoints", body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Of what is sorted: so many percent are at most that.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn is_no_slower(beside: Duration, without: Duration) -> bool {
    beside <= without.mul_f64(AT_MOST).max(without + GRAIN)
}

/// One round: the same messages to both platforms at the same moments. `between` comes after each of them.
async fn round(sides: &[Side; 2], between: impl Fn(usize)) -> [[Vec<Duration>; 2]; 2] {
    let [beside, without] = sides;
    let (mut published, mut ticks) = ((vec![], vec![]), interval(EVERY));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0..SAMPLES {
        ticks.tick().await;
        let (one, other) = tokio::join!(beside.publish(), without.publish());
        published.0.push(one);
        published.1.push(other);
        between(n);
    }
    [beside.latencies(&published.0).await, without.latencies(&published.1).await]
}

/// What was measured in all rounds.
#[derive(Default)]
struct Verdict {
    /// Of each of the others: p99 beside the bad receiver and without it, in each round.
    rounds: [Vec<(Duration, Duration)>; 2],
    all: [[Vec<Duration>; 2]; 2],
}

impl Verdict {
    fn add(&mut self, measured: [[Vec<Duration>; 2]; 2]) {
        for (who, rounds) in self.rounds.iter_mut().enumerate() {
            rounds.push((percentile(&measured[0][who], 99), percentile(&measured[1][who], 99)));
        }
        for (all, measured) in self.all.iter_mut().flatten().zip(measured.into_iter().flatten()) {
            all.extend(measured);
            all.sort_unstable();
        }
    }

    /// A machine that does something else makes the p99 of single rounds worse, so the median round counts; the medians
    /// are of everything.
    fn is_fair(&self) -> bool {
        let fair_tail = |rounds: &Vec<_>| {
            let fair = rounds.iter().filter(|(beside, without)| is_no_slower(*beside, *without)).count();
            rounds.len() >= LEAST_ROUNDS && 2 * fair > rounds.len()
        };
        self.rounds.iter().all(fair_tail)
            && (0..2).all(|who| {
                let [beside, without] = [0, 1].map(|side| percentile(&self.all[side][who], 50));
                is_no_slower(beside, without)
            })
    }

    fn assert_fair(&self) {
        let medians: Vec<_> = self.all.iter().flatten().map(|all| percentile(all, 50)).collect();
        let [same, other] = &self.rounds;
        assert!(
            self.is_fair(),
            "p99 beside and without: same organization {same:?}, other organization {other:?}; medians {medians:?}"
        );
    }
}

/// Until nothing is left for bad receivers, which are good by now; what was given up is due again by the clock.
async fn drain(sides: &mut [Side; 2]) {
    let is_drained = async || sides[0].queued().await + sides[1].queued().await == 0;
    while timeout(10 * SECOND, until(60 * SECOND, is_drained)).await.is_err() {
        for side in &*sides {
            side.app.clock.advance(Duration::from_mins(10));
        }
    }
    for side in sides {
        side.sign_in_again().await;
    }
}

/// Requests that do not end while the others are measured.
async fn the_others_beside(kind: Kind) {
    let mut sides = [Side::new(kind).await, Side::new(Kind::Good).await];
    let (bad, mut verdict) = (sides[0].bad.clone(), Verdict::default());
    for _ in 0..ROUNDS {
        bad.let_go.send_replace(false);
        sides[1].noise(150).await;
        until(60 * SECOND, async || sides[1].queued().await == 0).await;
        sides[0].noise(150).await;
        until(20 * SECOND, async || bad.open.load(Relaxed) >= HELD).await;
        let held = AtomicUsize::new(0);
        let measured = round(&sides, |_| held.store(bad.open.load(Relaxed), Relaxed)).await;
        bad.let_go.send_replace(true);
        // A machine so slow that the requests were given up before all was sent has measured nothing.
        if held.into_inner() >= HELD {
            verdict.add(measured);
            if verdict.is_fair() {
                break;
            }
        }
        drain(&mut sides).await;
    }
    verdict.assert_fair();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_costs_the_others_nothing() {
    the_others_beside(Kind::Hangs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_streams_its_body_for_ever_costs_the_others_nothing() {
    the_others_beside(Kind::Streams).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_for_an_hour_costs_the_others_nothing() {
    let mut sides = [Side::new(Kind::Fails).await, Side::new(Kind::Good).await];
    let mut verdict = Verdict::default();
    for round_of_hour in 0..ROUNDS {
        let before = sides[0].bad.arrived.load(Relaxed);
        tokio::join!(sides[0].publish_noise(20), sides[1].publish_noise(20));
        // Ten minutes a round.
        let minute = |n: usize| {
            if n % 10 == 9 {
                for side in &sides {
                    side.app.clock.advance(Duration::from_mins(1));
                }
            }
        };
        verdict.add(round(&sides, minute).await);
        assert!(sides[0].bad.arrived.load(Relaxed) > before, "it was tried all the time");
        if round_of_hour >= 5 && verdict.is_fair() {
            break;
        }
        for side in &mut sides {
            side.sign_in_again().await;
        }
    }
    verdict.assert_fair();
}
