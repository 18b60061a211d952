//! Registering, signing in, refreshing, and how fast a revocation is everywhere.

use identity::Mailer;
use reqwest::StatusCode;
use serde_json::json;
use std::time::Duration;
use testing::Database;
use tests::{Answer, PASSWORD, TestApp, until};
use types::Role;

const SECOND: Duration = Duration::from_secs(1);

async fn register(app: &TestApp, email: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD, "name": "Ada", "organization_name": "Engines" });
    app.post("/v1/auth/register", body).await
}

/// The token of the newest mail to an address, once it is there.
async fn mailed_token(app: &TestApp, email: &str, mails: usize) -> String {
    let sent = || app.mails().into_iter().filter(|mail| mail.to == email).collect::<Vec<_>>();
    until(5 * SECOND, async || sent().len() >= mails).await;
    let text = sent().pop().unwrap().text;
    text.split("#token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    app.post("/v1/auth/login", json!({ "email": email, "password": password })).await
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/v1/auth/refresh", json!({ "refresh_token": token })).await
}

#[tokio::test]
async fn an_address_is_proven_with_link_and_password_and_comes_with_an_organization() {
    let app = TestApp::new().await;
    assert_eq!(register(&app, "ada@example.com").await.status, 202);
    let token = mailed_token(&app, "ada@example.com", 1).await;
    let verify =
        async |password: &str| app.post("/v1/auth/verify-email", json!({ "token": token, "password": password })).await;
    assert_eq!(verify("somebody else's guess").await.code(), "invalid_token");
    let answer = verify(PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["organization"]["name"], "Engines");
    assert_eq!(verify(PASSWORD).await.code(), "invalid_token", "a link works once");
    let ada = app.person("ada@example.com", &answer.body);
    let whoami = ada.get("/v1/whoami").await.body;
    assert_eq!((&whoami["role"], &whoami["principal"]["id"]), (&json!("owner"), &json!(ada.id)));
}

#[tokio::test]
async fn registering_answers_the_same_for_a_known_address_and_tells_its_owner_by_mail() {
    let app = TestApp::new().await;
    app.owner("ada").await;
    let [known, unknown] = [register(&app, "ada@example.com").await, register(&app, "new@example.com").await];
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    until(5 * SECOND, async || app.mails().iter().any(|mail| mail.subject == "You have an account already")).await;
    assert_eq!(login(&app, "new@example.com", PASSWORD).await.status, 401, "nothing is made before the proof");
}

#[tokio::test]
async fn a_second_mail_voids_the_link_of_the_first() {
    let app = TestApp::new().await;
    register(&app, "ada@example.com").await;
    let first = mailed_token(&app, "ada@example.com", 1).await;
    app.post("/v1/auth/verify-email/resend", json!({ "email": "ADA@example.com" })).await;
    let second = mailed_token(&app, "ada@example.com", 2).await;
    let verify =
        async |token: &str| app.post("/v1/auth/verify-email", json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!(verify(&first).await.code(), "invalid_token");
    assert_eq!(verify(&second).await.status, 200);
}

#[tokio::test]
async fn a_link_ends_after_a_day() {
    let app = TestApp::new().await;
    register(&app, "ada@example.com").await;
    let token = mailed_token(&app, "ada@example.com", 1).await;
    app.clock.advance(Duration::from_hours(25));
    let answer = app.post("/v1/auth/verify-email", json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!(answer.code(), "invalid_token");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_told_apart_by_nothing() {
    let app = TestApp::new().await;
    app.owner("ada").await;
    let mut answers = [login(&app, "ada@example.com", "wrong").await, login(&app, "nobody@example.com", "wrong").await];
    for answer in &mut answers {
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "bad_credentials"));
        answer.body["request_id"] = json!(null);
    }
    assert_eq!(answers[0].body, answers[1].body);
}

#[tokio::test]
async fn guessing_is_slowed_down_before_anything_is_hashed() {
    let app = TestApp::new().await;
    app.owner("ada").await;
    let mut last = StatusCode::OK;
    for _ in 0..25 {
        let answer = login(&app, "ada@example.com", "wrong").await;
        last = answer.status;
        if last == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(login(&app, "other@example.com", "wrong").await.status, 401, "others are left alone");
}

#[tokio::test]
async fn a_retried_refresh_gets_the_same_child_and_later_reuse_ends_the_session() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let child = |answer: &Answer| answer.body["refresh_token"].as_str().unwrap_or_default().to_owned();
    let (first, retry) = (refresh(&app, &ada.refresh_token).await, refresh(&app, &ada.refresh_token).await);
    assert_eq!(child(&first), child(&retry));
    let second = refresh(&app, &child(&first)).await;
    assert_eq!(second.status, 200);
    assert_eq!(child(&refresh(&app, &ada.refresh_token).await), child(&first), "a slow tab, a moment later");
    app.clock.advance(Duration::from_secs(31));
    assert_eq!(refresh(&app, &ada.refresh_token).await.code(), "session_ended");
    assert_eq!(refresh(&app, &child(&second)).await.code(), "session_ended", "the whole family is gone");
    let token = second.body["access_token"].as_str().unwrap();
    let mut holder = ada.clone();
    token.clone_into(&mut holder.token);
    until(SECOND, async || holder.get("/v1/whoami").await.status == 401).await;
}

#[tokio::test]
async fn two_refreshes_at_once_get_the_same_child() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let (a, b) = tokio::join!(refresh(&app, &ada.refresh_token), refresh(&app, &ada.refresh_token));
    assert_eq!((a.status, &a.body["refresh_token"]), (b.status, &b.body["refresh_token"]));
}

#[tokio::test]
async fn a_guess_for_a_known_session_leaves_it_alone() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let mut guess = ada.refresh_token.clone();
    guess.replace_range(40..41, if &guess[40..41] == "a" { "b" } else { "a" });
    assert_eq!(refresh(&app, &guess).await.code(), "session_ended");
    assert_eq!(refresh(&app, &ada.refresh_token).await.status, 200);
}

#[tokio::test]
async fn an_access_token_ends_after_ten_minutes() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    app.clock.advance(Duration::from_secs(599));
    assert_eq!(ada.get("/v1/whoami").await.status, 200);
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(ada.get("/v1/whoami").await.code(), "unauthenticated");
}

#[tokio::test]
async fn signing_out_is_known_to_another_process_within_a_second() {
    let app = TestApp::new().await;
    let other = TestApp::on(app.database.clone()).await;
    let ada = app.owner("ada").await;
    let elsewhere = ada.at(&other);
    assert_eq!(elsewhere.get("/v1/whoami").await.status, 200);
    assert_eq!(ada.post("/v1/auth/logout", json!({})).await.status, 204);
    until(SECOND, async || elsewhere.get("/v1/whoami").await.code() == "token_outdated").await;
    assert_eq!(refresh(&app, &ada.refresh_token).await.code(), "session_ended");
}

#[tokio::test]
async fn another_role_is_known_to_another_process_within_a_second_and_refreshing_heals() {
    let app = TestApp::new().await;
    let other = TestApp::on(app.database.clone()).await;
    let alice = app.owner("alice").await;
    let bob = app.member(&alice, "bob", Role::Admin).await;
    let elsewhere = bob.at(&other);
    assert_eq!(elsewhere.get("/v1/members").await.status, 200);
    let changed = alice.patch(&format!("/v1/members/{}", bob.id), json!({ "role": "viewer" })).await;
    assert_eq!((changed.status.as_u16(), &changed.body["role"]), (200, &json!("viewer")));
    until(SECOND, async || elsewhere.get("/v1/members").await.code() == "token_outdated").await;
    let healed = app.person("bob@example.com", &refresh(&app, &bob.refresh_token).await.body);
    let refused = healed.patch(&format!("/v1/members/{}", alice.id), json!({ "role": "viewer" })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden"));
}

#[tokio::test]
async fn the_last_owner_cannot_go_and_nobody_grants_above_themselves() {
    let app = TestApp::new().await;
    let alice = app.owner("alice").await;
    let bob = app.member(&alice, "bob", Role::Admin).await;
    let own = format!("/v1/members/{}", alice.id);
    assert_eq!(alice.patch(&own, json!({ "role": "admin" })).await.code(), "last_owner");
    assert_eq!(bob.patch(&format!("/v1/members/{}", bob.id), json!({ "role": "owner" })).await.code(), "forbidden");
    assert_eq!(bob.patch(&own, json!({ "role": "viewer" })).await.code(), "forbidden");
}

#[tokio::test]
async fn one_ends_ones_other_sessions_and_keeps_this_one() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let phone = app.person("ada@example.com", &login(&app, "ada@example.com", PASSWORD).await.body);
    assert_eq!(ada.get("/v1/auth/sessions").await.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(ada.delete("/v1/auth/sessions").await.status, 204);
    until(SECOND, async || phone.get("/v1/whoami").await.status == 401).await;
    assert_eq!(ada.get("/v1/whoami").await.status, 200);
}

#[tokio::test]
async fn a_new_organization_is_entered_by_refreshing() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let made = ada.post("/v1/organizations", json!({ "name": "Second" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let body = json!({ "refresh_token": ada.refresh_token, "organization_id": made.body["id"] });
    let entered = app.post("/v1/auth/refresh", body).await;
    assert_eq!(entered.body["organization"]["name"], "Second");
    assert_eq!(ada.get("/v1/organizations").await.body["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_right_password_is_no_try_and_one_password_for_many_accounts_is_slowed_down() {
    let app = TestApp::new().await;
    app.owner("ada").await;
    for _ in 0..30 {
        assert_eq!(login(&app, "ada@example.com", PASSWORD).await.status, 200);
    }
    let mut refused = 0;
    while login(&app, &format!("guess{refused}@example.com"), "spring2026").await.status == 401 {
        refused += 1;
    }
    assert!((250..350).contains(&refused), "{refused}");
}

#[tokio::test]
async fn an_address_gets_few_mails_from_strangers() {
    let app = TestApp::new().await;
    let mut statuses = vec![];
    for _ in 0..6 {
        statuses.push(register(&app, "ada@example.com").await.status.as_u16());
    }
    assert_eq!(statuses, [202, 202, 202, 202, 202, 429]);
    assert_eq!(register(&app, "grace@example.com").await.status, 202);
}

#[tokio::test]
async fn a_session_whose_organization_is_shut_to_its_person_goes_on_in_another() {
    let app = TestApp::new().await;
    let ada = app.owner("ada").await;
    let second = ada.post("/v1/organizations", json!({ "name": "Second" })).await.body["id"].clone();
    let body = json!({ "refresh_token": ada.refresh_token, "organization_id": second });
    let there = app.person(&ada.email, &app.post("/v1/auth/refresh", body).await.body);
    let owner = app.database.client("admin_user").await;
    let shut =
        "UPDATE memberships SET status = 'suspended' FROM organizations o WHERE o.id = org_id AND o.name = 'Second'";
    owner.batch_execute(shut).await.unwrap();
    let back = refresh(&app, &there.refresh_token).await;
    assert_eq!((back.status.as_u16(), &back.body["organization"]["id"]), (200, &json!(ada.org)));
}

#[tokio::test]
async fn without_a_mail_server_nobody_but_the_smoke_test_can_register() {
    let app = TestApp::with(Database::new().await, |options| options.mailer = Mailer::Absent).await;
    let refused = register(&app, "ada@example.com").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "mail_not_set_up"));
    let again = app.post("/v1/auth/verify-email/resend", json!({ "email": "ada@example.com" })).await;
    assert_eq!(again.code(), "mail_not_set_up");
    assert_eq!(register(&app, "smoke-0123456789abcdef@smoke.invalid").await.status, StatusCode::ACCEPTED);
}
