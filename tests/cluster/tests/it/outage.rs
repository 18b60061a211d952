//! The database goes away and comes back.

use crate::faults::{SERVICES, Serving};
use cluster_tests::{Kubectl, until};
use std::{
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_minute_without_the_database_takes_no_pod_away_and_heals_by_itself() {
    let mut serving = Serving::new();
    let installation = &mut serving.installation;
    let token = installation.token();
    let users = format!(
        "curl -sS -o /dev/null -D - 'https://api.example.com/v1/users?limit=5' -H 'Authorization: Bearer {token}'"
    );
    assert!(installation.shell.lines(&users).contains(" 200"));
    installation.database.gate.shut();
    let away = Instant::now();
    while away.elapsed() < Duration::from_secs(55) {
        let answer = installation.shell.lines(&users).to_lowercase();
        assert!(answer.contains(" 503") && answer.contains("retry-after"), "{answer}");
        for service in SERVICES {
            let pods = installation.kubectl.pods(service);
            assert!(pods.iter().all(Kubectl::is_ready), "a pod of {service} was taken away");
        }
        thread::sleep(Duration::from_millis(500));
    }
    installation.database.gate.open();
    let healed = until(Duration::from_secs(10), "all pods serve again", || {
        (0..6).all(|_| installation.shell.lines(&users).contains(" 200"))
    });
    println!("healed {healed:?} after the database was back");
    for service in SERVICES {
        for pod in installation.kubectl.pods(service) {
            assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{service} was restarted");
        }
    }
}
