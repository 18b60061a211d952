//! What one process revokes, another refuses within a second.

use crate::service::{Service, token};
use api::{Revocations, revocation};
use db::Work;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use types::{OrgId, SessionId, UserId};

/// How long until the service refuses the token; at most 5 s.
async fn until_refused(service: &Service, token: &str) -> Duration {
    let start = Instant::now();
    loop {
        let answer = service.get_as("/v1/users", token).await;
        if answer.problem() == (401, "token_outdated") || start.elapsed() > Duration::from_secs(5) {
            return start.elapsed();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_revoked_session_is_refused_within_a_second_with_and_without_the_background_poll() {
    for polls in [true, false] {
        let (service, database) = Service::on_database().await;
        let shutdown = CancellationToken::new();
        if polls {
            tokio::spawn(service.app.revocations.clone().run(shutdown.clone()));
        }
        assert_eq!(service.get_as("/v1/users", &token(&[])).await.status, 200);
        let tx = database.pool().system(Work::Refresh).await.unwrap();
        let session: SessionId = "ses_01jhs3n5c8fq7t2v9w4x6y8zab".parse().unwrap();
        revocation::invalidate_session(&tx, session.0, 2).await.unwrap();
        tx.commit().await.unwrap();
        let took = until_refused(&service, &token(&[])).await;
        // A second, and a half more for a machine that is busy with other tests.
        assert!(took < Duration::from_millis(1_500), "{took:?}");
        shutdown.cancel();
    }
}

#[tokio::test]
async fn a_new_process_knows_what_was_revoked_before() {
    let (service, database) = Service::on_database().await;
    let (org, user): (OrgId, UserId) =
        ("org_01jhs3n5c8fq7t2v9w4x6y8zab".parse().unwrap(), "usr_01jhs3n5c8fq7t2v9w4x6y8zab".parse().unwrap());
    let tx = database.pool().begin(org).await.unwrap();
    revocation::invalidate_membership(&tx, org, user.0, 2).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(service.get_as("/v1/users", &token(&[])).await.problem(), (401, "token_outdated"));
    assert_eq!(service.get_as("/v1/users", &token(&[("mv", 2.into())])).await.status, 200);
}

#[tokio::test]
async fn the_poll_ends_with_the_process() {
    let (service, _database) = Service::on_database().await;
    let shutdown = CancellationToken::new();
    let poll = tokio::spawn(Revocations::of(service.app.db.clone()).run(shutdown.clone()));
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), poll).await.unwrap().unwrap();
}
