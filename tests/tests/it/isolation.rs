//! One organization's rows are in no list of another's.

use tests::TestApp;

#[tokio::test]
async fn every_list_shows_the_tokens_organization_only() {
    let app = TestApp::new().await;
    let (alice, mallory) = (app.owner("alice").await, app.owner("mallory").await);
    alice.note_type().await;
    alice.note("secret", 1).await;
    mallory.note_type().await;
    for list in
        ["users", "members", "organizations", "resource-types", "resources?type=note", "auth/sessions", "resources"]
    {
        let answer = mallory.get(&format!("/v1/{list}")).await;
        assert_eq!(answer.status, 200, "{list} {answer:?}");
        let text = answer.body.to_string();
        for theirs in ["alice", "secret", &alice.id, &alice.org] {
            assert!(!text.contains(theirs), "{list} shows {theirs}: {text}");
        }
    }
    assert_eq!(mallory.get("/v1/organization").await.body["id"], mallory.org.as_str());
}
