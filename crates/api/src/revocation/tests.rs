//! What a poll must not miss.

use super::*;
use db::DbError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use types::{SessionId, UserId};

const SESSION: Uuid = Uuid::from_u128(1);
const PERSON: Uuid = Uuid::from_u128(2);
const ORG: OrgId = OrgId(Uuid::from_u128(3));

fn claims(session_version: i32, membership_version: i32) -> Claims {
    Claims {
        iss: String::new(),
        aud: String::new(),
        sub: UserId(PERSON),
        sid: SessionId(SESSION),
        client_id: String::new(),
        org: Some(ORG),
        role: None,
        session_version,
        membership_version,
        auth_time: 0,
        amr: vec![],
        acr: String::new(),
        act: None,
        iat: 0,
        exp: 0,
        jti: String::new(),
    }
}

fn knowing(rows: Vec<Invalidation>) -> Revocations {
    Revocations::reading(Arc::new(move |_| {
        let rows = rows.clone();
        Box::pin(async move { Ok(rows) })
    }))
}

fn invalidation(kind: &str, org_id: Option<OrgId>, subject: Uuid) -> Invalidation {
    Invalidation { kind: kind.into(), org_id, subject, min_version: 2 }
}

async fn verdict(revocations: &Revocations, claims: &Claims) -> Option<Code> {
    revocations.check(claims).await.err().map(|problem| problem.code())
}

#[tokio::test]
async fn a_token_of_an_older_session_version_is_refused() {
    let revocations = knowing(vec![invalidation("session", None, SESSION)]);
    assert_eq!(verdict(&revocations, &claims(1, 9)).await, Some(Code::TokenOutdated));
    assert_eq!(verdict(&revocations, &claims(2, 0)).await, None);
}

#[tokio::test]
async fn a_membership_is_refused_in_its_own_organization_alone() {
    let here = knowing(vec![invalidation("membership", Some(ORG), PERSON)]);
    assert_eq!(verdict(&here, &claims(9, 1)).await, Some(Code::TokenOutdated));
    let elsewhere = knowing(vec![invalidation("membership", Some(OrgId(Uuid::from_u128(4))), PERSON)]);
    assert_eq!(verdict(&elsewhere, &claims(9, 1)).await, None);
}

#[tokio::test]
async fn without_a_good_poll_nobody_passes_and_the_caller_may_try_again() {
    let source = |_| -> BoxFuture<'static, _> { Box::pin(async { Err(DbError::Unavailable("gone".into())) }) };
    assert_eq!(verdict(&Revocations::reading(Arc::new(source)), &claims(1, 1)).await, Some(Code::Unavailable));
}

#[tokio::test]
async fn requests_that_come_together_share_one_poll() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = polls.clone();
    let revocations = Revocations::reading(Arc::new(move |_| {
        counter.fetch_add(1, Relaxed);
        Box::pin(async {
            tokio::task::yield_now().await;
            Err(DbError::Unavailable("gone".into()))
        })
    }));
    let claims = claims(1, 1);
    let all = futures_util::future::join_all((0..100).map(|_| revocations.check(&claims))).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(polls.load(Relaxed), 1);
}

#[test]
fn what_no_token_can_be_older_than_is_forgotten() {
    let start = Instant::now();
    let mut known = Known::default();
    known.learn(vec![invalidation("session", None, SESSION)], start);
    known.learn(vec![], start + HORIZON);
    assert_eq!(known.least.len(), 1);
    known.learn(vec![], start + HORIZON + OVERLAP);
    assert!(known.least.is_empty());
}
