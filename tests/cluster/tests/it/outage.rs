//! The database goes away and comes back.

use crate::faults::{SERVICES, Serving};
use cluster_tests::{Kubectl, Shell, until};
use serde_json::json;
use std::{
    thread,
    time::{Duration, Instant},
};

/// As long as readiness tolerates it.
const AWAY: Duration = Duration::from_mins(1);

/// One request of each service, two of them POST: the head of what it is answered. The last may not be asked often.
fn questions(token: &str) -> [String; 3] {
    let asked = |what: &str| {
        format!("curl -sS -o /dev/null -D - -H 'Content-Type: application/json' https://api.example.com/v1/{what}")
    };
    let authorization = format!("-H 'Authorization: Bearer {token}'");
    let note = r#"{"type":"note","document":{}}"#;
    let login = r#"{"email":"test@example.com","password":"correct horse battery"}"#;
    [
        asked(&format!("users?limit=5 {authorization}")),
        asked(&format!("resources {authorization} -d '{note}'")),
        asked(&format!("auth/login -d '{login}'")),
    ]
}

#[test]
fn a_minute_without_the_database_takes_no_pod_away_and_heals_by_itself() {
    let mut serving = Serving::new();
    let installation = &mut serving.installation;
    let token = installation.token();
    installation.post("/v1/resource-types", &token, &json!({ "name": "note", "schema": { "type": "object" } }));
    let questions = questions(&token);
    let [users, resources, login] = &questions;
    let is_well = |shell: &Shell, question: &String| {
        let head = shell.lines(question);
        head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'))
    };
    assert!(questions.iter().all(|question| is_well(&installation.shell, question)));
    installation.database.gate.shut();
    let away = Instant::now();
    // Connections end a moment after the door is shut.
    until(Duration::from_secs(5), "the database is away", || !is_well(&installation.shell, users));
    let is_told = |question: &String| {
        let answer = installation.shell.lines(question).to_lowercase();
        assert!(answer.contains(" 503") && answer.contains("retry-after"), "{question}\n{answer}");
    };
    is_told(login);
    while away.elapsed() < AWAY {
        [users, resources].into_iter().for_each(is_told);
        for service in SERVICES {
            let pods = installation.kubectl.pods(service);
            let are_there = pods.iter().all(Kubectl::is_ready);
            assert!(are_there || away.elapsed() > AWAY, "a pod of {service} was taken away");
        }
        thread::sleep(Duration::from_millis(500));
    }
    installation.database.gate.open();
    let healed = until(Duration::from_secs(10), "every service serves again", || {
        questions.iter().all(|question| is_well(&installation.shell, question))
    });
    println!("healed {healed:?} after the database was back");
    // Each pod in its turn.
    assert!((0..6).all(|_| is_well(&installation.shell, users) && is_well(&installation.shell, resources)));
    for service in SERVICES {
        for pod in installation.kubectl.pods(service) {
            assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{service} was restarted");
        }
    }
}
