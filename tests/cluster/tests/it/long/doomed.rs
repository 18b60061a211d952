//! Seven rollouts that will never be done, made with the real chart: how soon each is named, beside helm and kubectl.

use crate::faults::Serving;
use cluster_tests::{Installation, NAMESPACE, given};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use rollout::{Cause, Doom, State, Watch, standing};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, time::timeout};

/// The service that is looked at; a fault hits all three.
const SERVICE: &str = "auth-service";
/// Within which each is named, at the latest.
const LIMIT: Duration = Duration::from_mins(2);
/// From a fact, and the patience that its rule has, until it is named.
const AT_MOST: SignedDuration = SignedDuration::from_secs(5);
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bench/results/doomed-rollouts-2026-12-01.md");

/// How long helm and kubectl may take to say something: long for the page, and otherwise nobody waits for them.
fn bound() -> Duration {
    if writes_page() { LIMIT } else { Duration::from_secs(20) }
}

fn writes_page() -> bool {
    std::env::var_os("UPDATE_PAGES").is_some()
}

struct Fault {
    what: &'static str,
    /// What is added to the runbook's helm line.
    more: String,
    cause: Cause,
}

/// What came of a fault.
struct Row {
    fault: Fault,
    doom: Doom,
    began: Timestamp,
    named: Timestamp,
    helm: Ended,
    kubectl: Ended,
}

/// How another tool ended.
struct Ended {
    after: Duration,
    said: String,
}

#[test]
fn seven_doomed_rollouts_are_named_within_seconds_of_the_fact() {
    let serving = Serving::new();
    let registry = empty_registry();
    let mut rows = Vec::new();
    for fault in faults(registry) {
        prepare(&serving.installation, fault.cause);
        rows.push(measured(&serving, fault));
        recover(&serving);
    }
    let table = table(&rows, &versions(&serving.installation));
    println!("{table}");
    if writes_page() {
        fs::write(PAGE, &table).unwrap();
    }
    for row in &rows {
        assert_eq!(row.doom.cause, row.fault.cause, "{}: {:?}", row.fault.what, row.doom);
        assert!(row.late() <= AT_MOST, "{}: {:?} after {:?}", row.fault.what, row.late(), row.doom.since);
    }
}

fn faults(registry: u16) -> Vec<Fault> {
    let fault = |what, cause, more: &str| Fault { what, more: more.to_owned(), cause };
    let tag = format!(" --set image.repository=localhost:{registry}/api-platform --set image.tag=0.0.0-none");
    let crash = " --set env[0].name=EAP_NO_SUCH_SETTING --set env[0].value=x";
    let memory = " --set resources.limits.memory=6Mi --set resources.requests.memory=6Mi";
    let cpu = " --set resources.requests.cpu=900 --set resources.limits.cpu=900";
    let again = " --set podAnnotations.again=yes";
    vec![
        fault("a tag that the registry does not have", Cause::ImageNotFound, &tag),
        fault("a crash at the start", Cause::CrashLoop, crash),
        fault("a secret that is not there", Cause::MissingMount, " --set secrets.name=no-such-secret"),
        fault("more memory than its limit", Cause::OutOfMemory, memory),
        fault("more CPU than any node has", Cause::Unschedulable, cpu),
        fault("more pods than the quota", Cause::Quota, again),
        fault("a database that refuses it: never ready", Cause::NotReady, again),
    ]
}

/// What a fault needs beside the helm line.
fn prepare(installation: &Installation, cause: Cause) {
    let wrong = installation.database.url("api_platform_app").replace("of-the-cluster", "wrong");
    match cause {
        Cause::Quota => {
            let pods = installation.kubectl.list(&["pods"]).len();
            installation.kubectl.run(&["create", "quota", "no-more", &format!("--hard=pods={pods}")]);
        }
        Cause::NotReady => installation.secrets(&wrong),
        _ => {}
    }
}

fn recover(serving: &Serving) {
    let Serving { installation, .. } = serving;
    installation.kubectl.run(&["delete", "quota", "no-more", "--ignore-not-found"]);
    installation.secrets(&installation.database.url("api_platform_app"));
    installation.shell.lines("helm rollback api-platform --namespace production --wait --timeout 5m");
    serving.serves("after the rollback");
}

/// Deploys with a fault; ours, helm and kubectl look at it at the same time.
fn measured(serving: &Serving, fault: Fault) -> Row {
    let patience = format!("--timeout {}s", bound().as_secs());
    let line = Installation::helm_line(&given("EAP_TEST_VERSION")).replace("--timeout 10m", &patience) + &fault.more;
    let (what, began, watch) = (fault.what, now(), Instant::now());
    let ((doom, named, kubectl), helm) = thread::scope(|scope| {
        let helm = scope.spawn(|| {
            let said = serving.installation.shell.try_lines(&line);
            assert!(!said.good, "{what} was deployed");
            Ended { after: watch.elapsed(), said: in_one_line(&said.text) }
        });
        let looked = Runtime::new().unwrap().block_on(look(serving));
        println!("{what}: {} {:?} after {}", looked.0.cause, looked.1.duration_since(began), looked.0.evidence);
        (looked, helm.join().unwrap())
    });
    Row { fault, doom, began, named, helm, kubectl: kubectl.join().unwrap() }
}

/// Until the first doom of the service; kubectl is asked as soon as the rollout has begun.
async fn look(serving: &Serving) -> (Doom, Timestamp, JoinHandle<Ended>) {
    let client = Client::try_default().await.unwrap();
    let mut watch = Watch::start(&client, NAMESPACE, &[SERVICE.to_owned()]);
    let mut view = watch.next().await.unwrap();
    let mut kubectl = None;
    let begun = Instant::now();
    let mut named = None;
    loop {
        let now = now();
        let state = standing(&view.observed, now).services[0].state.clone();
        if state != State::Complete && kubectl.is_none() {
            kubectl = Some(ask_kubectl(serving));
        }
        if let Some(doom) = state.dooms().first() {
            let (at, since) = *named.get_or_insert((now, Instant::now()));
            // What a pod's status does not date, an event does, which may come a moment later.
            if !doom.since.field.ends_with(", seen") || since.elapsed() > Duration::from_secs(2) {
                return (doom.clone(), at, kubectl.unwrap());
            }
        }
        assert!(begun.elapsed() < LIMIT, "not named: {state:?}");
        if let Ok(newer) = timeout(Duration::from_millis(200), watch.next()).await {
            view = newer.unwrap();
        }
    }
}

fn ask_kubectl(serving: &Serving) -> JoinHandle<Ended> {
    let patience = format!("--timeout={}s", bound().as_secs());
    let name = format!("deployment/{SERVICE}");
    let mut status = serving.installation.kubectl.command(&["rollout", "status", &name, &patience]);
    thread::spawn(move || {
        let begun = Instant::now();
        let output = status.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ended { after: begun.elapsed(), said: in_one_line(&text) }
    })
}

/// All that a tool said; what it said again is told once.
fn in_one_line(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.dedup();
    lines.join(" / ")
}

#[expect(clippy::disallowed_methods, reason = "the cluster's clock, which is this machine's")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// A registry without any image, where containerd asks without TLS: on this machine. Its port.
fn empty_registry() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

impl Row {
    fn since_the_fact(&self) -> SignedDuration {
        self.named.duration_since(self.doom.since.at)
    }

    /// Beyond what its rule waits on purpose.
    fn late(&self) -> SignedDuration {
        self.since_the_fact() - SignedDuration::from_secs(self.doom.patience_seconds)
    }
}

impl Ended {
    fn cell(&self) -> String {
        // What it says when its own time is up names no cause.
        let is_up = self.after + Duration::from_secs(1) >= bound();
        if is_up { format!("> {} s", bound().as_secs()) } else { format!("{:.1} s", self.after.as_secs_f64()) }
    }
}

fn versions(installation: &Installation) -> String {
    let said: Value = serde_json::from_str(&installation.kubectl.run(&["version", "--output=json"])).unwrap();
    let kubernetes = said["serverVersion"]["gitVersion"].as_str().unwrap();
    format!("Kubernetes {kubernetes}, helm {}", installation.shell.lines("helm version --short").trim())
}

/// The page.
fn table(rows: &[Row], versions: &str) -> String {
    let mut page = format!(
        "# Doomed rollouts, 2026-12-01

Seven rollouts that will never be done, made with the chart on a real cluster of one node, by the runbook's helm line with one thing wrong ({versions}). Looked at by `rollout::Watch` and, at the same time, by `helm upgrade --wait` and `kubectl rollout status`, both with a bound of {} s instead of the runbook's ten minutes: `> {} s` is no answer but the end of their time.

The fact's time is the cluster's own, from the field that is named; most of these are whole seconds, so up to one second of each figure is rounding. Where a rule waits on purpose, because the same thing may pass, the second figure says for how long.

| what is wrong | named as | s after the fact | of them, waited on purpose | the fact's time | s after helm began | `helm upgrade --wait` | `kubectl rollout status` |
|---|---|--:|--:|---|--:|--:|--:|
",
        bound().as_secs(),
        bound().as_secs()
    );
    for row in rows {
        let Row { fault, doom, helm, kubectl, .. } = row;
        let _ = writeln!(
            page,
            "| {} | `{}` | {:.1} | {} | `{}` | {:.1} | {} | {} |",
            fault.what,
            doom.cause,
            row.since_the_fact().as_secs_f64(),
            doom.patience_seconds,
            doom.since.field,
            row.named.duration_since(row.began).as_secs_f64(),
            helm.cell(),
            kubectl.cell()
        );
    }
    page += "\nWhat each says, in the end:\n\n";
    for Row { fault, doom, helm, kubectl, .. } in rows {
        let _ = writeln!(
            page,
            "- {}\n  - ours: {}\n  - helm: {}\n  - kubectl: {}",
            fault.what, doom.evidence, helm.said, kubectl.said
        );
    }
    page + "\nWritten by `UPDATE_PAGES=1 cargo xtask test --stage cluster --long seven_doomed`.\n"
}
