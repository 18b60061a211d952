//! Steps 5 and 6: what the pods are, what the world is answered, and the smoke test.

use super::Live;
use crate::{
    cluster::{Clock, ask},
    execute::Trouble,
    observe::tag,
    programs::Call,
};
use futures_util::future::join_all;
use http::Request;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{Api, api::ListParams};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A load balancer learns of new pods a moment later than the cluster.
const BALANCED: Duration = Duration::from_secs(30);
/// Right after a rollout an old pod may not be marked as ending yet, and one that the autoscaler adds has just begun. Such
/// a pod is scheduled, started and ready within that: the document's probe waits 10 s and asks each 5 s.
const SETTLED: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_secs(1);
const SMOKE: Duration = Duration::from_mins(5);
/// A crash loop pauses for five minutes at most.
const RECENT: SignedDuration = SignedDuration::from_mins(10);
/// The document's login, which no installation has.
const LOGIN: &str = r#"{"email":"test@example.com","password":"test123"}"#;

impl Live<'_> {
    pub(super) async fn all_pods(&self) -> Result<Vec<(String, Pod)>, Trouble> {
        let api = Api::<Pod>::namespaced(self.client.clone(), &self.request.cluster.namespace);
        let all = ask(api.list(&ListParams::default())).await.map_err(|error| error.about("pods"))?;
        // What was evicted or has ended stays to be read, and serves nobody.
        let is_over = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase.is_some_and(|phase| ["Failed", "Succeeded"].contains(&phase))
        };
        let is_there = |pod: &Pod| pod.metadata.deletion_timestamp.is_none() && !is_over(pod);
        let of = |pod: Pod| {
            let containers = &pod.spec.as_ref()?.containers;
            let named = |(name, _): &&(String, _)| containers.iter().any(|container| container.name == **name);
            let (name, _) = self.request.services.iter().find(named)?;
            Some((name.clone(), pod))
        };
        Ok(all.items.into_iter().filter(is_there).filter_map(of).collect())
    }

    /// Every pod of every service, once they have settled: image, digest, READY, restarts, and the version on its own
    /// `/health`.
    pub(super) async fn pods(&self, version: &str) -> Result<String, Trouble> {
        self.pods_within(SETTLED, version).await
    }

    pub(super) async fn pods_within(&self, limit: Duration, version: &str) -> Result<String, Trouble> {
        let clock = self.clock().await;
        until_settled(limit, async || {
            let looked = self.pods_now(version, &clock).await;
            looked.inspect_err(|trouble| self.report.now(&[format!("not yet: {}", trouble.why)]))
        })
        .await
    }

    async fn pods_now(&self, version: &str, clock: &Clock) -> Result<String, Trouble> {
        let pods = self.all_pods().await?;
        let looked = join_all(pods.iter().map(|(service, pod)| self.pod(service, pod, version, clock))).await;
        let (mut lines, mut wrong) = (vec![], vec![]);
        for found in looked {
            match found {
                Ok(line) => lines.push(line),
                Err(line) => wrong.push(line),
            }
        }
        let missing =
            self.request.service_names().into_iter().filter(|name| !pods.iter().any(|(known, _)| known == name));
        wrong.extend(missing.map(|name| format!("{name} has no pod")));
        wrong.extend(several_digests(&pods));
        lines.sort();
        match wrong.first() {
            None => Ok(lines.join("\n")),
            Some(first) => Err(Trouble { why: first.clone(), evidence: [wrong, lines].concat().join("\n") }),
        }
    }

    async fn pod(&self, service: &str, pod: &Pod, version: &str, clock: &Clock) -> Result<String, String> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let status = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        let status = status.into_iter().flatten().find(|status| status.name == service);
        let Some(status) = status else { return Err(format!("{name}: its container has not started")) };
        let (ready, restarts, image) = (status.ready, status.restart_count, &status.image);
        let line = format!("{name}  {}/1  {restarts} restarts  {}", u8::from(ready), short(&status.image_id));
        if !ready || has_just_restarted(status, clock) || tag(image) != version {
            return Err(format!("{line}  {image}"));
        }
        let said = self.health_of(name).await.map_err(|why| format!("{name}: /health: {why}"))?;
        match said["version"].as_str() {
            Some(found) if found == version => Ok(format!("{line}  {found}")),
            found => Err(format!("{name}: /health says version {}", found.unwrap_or("none"))),
        }
    }

    /// By way of the API server, so that no pod has to be reachable from here.
    async fn health_of(&self, pod: &str) -> Result<Value, String> {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:3000/proxy/health", self.request.cluster.namespace);
        let asked = Request::get(path).body(vec![]).map_err(|error| error.to_string())?;
        let said = ask(self.client.request_text(asked)).await.map_err(|error| error.to_string())?;
        serde_json::from_str(&said).map_err(|_| format!("no JSON: {said}"))
    }

    fn url(&self) -> &str {
        self.request.environment.url.trim_end_matches('/')
    }

    /// From outside, until the load balancer has heard of the new pods.
    pub(super) async fn health(&self, version: &str) -> Result<String, Trouble> {
        until_settled(BALANCED, async || self.health_now(version).await).await
    }

    async fn health_now(&self, version: &str) -> Result<String, Trouble> {
        let url = format!("{}/v1/health", self.url());
        let wrong = match answer(&curl(&[&url])).await {
            Ok((200, body)) => {
                let found: Value = serde_json::from_str(&body).unwrap_or_default();
                match (found["status"].as_str(), found["version"].as_str()) {
                    (Some("healthy"), Some(known)) if known == version => return Ok(body),
                    (status, known) => format!("status {status:?}, version {known:?}, and {version} was expected"),
                }
            }
            Ok((code, body)) => format!("it answers {code}: {body}"),
            Err(trouble) => trouble.why,
        };
        Err(Trouble::new(format!("{url}: {wrong}")))
    }

    /// The document's login must be refused as one whose password is wrong, and users are told to nobody without a token.
    pub(super) async fn endpoints(&self) -> Result<String, Trouble> {
        let login = format!("{}/v1/auth/login", self.url());
        let json = "Content-Type: application/json";
        let (code, body) = answer(&curl(&["-X", "POST", &login, "-H", json, "-d", LOGIN])).await?;
        if code != 401 || !body.contains("bad_credentials") {
            return Err(Trouble { why: format!("{login} answers {code}, and 401 was expected"), evidence: body });
        }
        let token = std::env::var("TEST_TOKEN").ok();
        let users = format!("{}/v1/users?limit=5", self.url());
        let (code, body) = answer(&users_call(&users, token.as_deref())).await?;
        let expected = if token.is_some() { 200 } else { 401 };
        if code != expected {
            return Err(Trouble {
                why: format!("{users} answers {code}, and {expected} was expected"),
                evidence: body,
            });
        }
        Ok(format!("login: 401 bad_credentials\nusers: {code}"))
    }

    /// 8 of 8, with the operator's own EAP_SMOKE_KEY.
    pub(super) async fn smoke(&self) -> Result<String, Trouble> {
        let words = ["run", "--silent", "test:smoke", "--", &format!("--env={}", self.request.name)];
        let said = self.changed_by(&Call::new("npm").args(words).within(self.folder).limit(SMOKE)).await?;
        if said.contains("8 of 8") { Ok(said) } else { Err(Trouble::new(said)) }
    }
}

/// Asks until the answer is good, for a time; the last answer is the one that counts.
async fn until_settled(limit: Duration, ask: impl AsyncFn() -> Result<String, Trouble>) -> Result<String, Trouble> {
    let start = Instant::now();
    loop {
        let answer = ask().await;
        if answer.is_ok() || start.elapsed() >= limit {
            return answer;
        }
        sleep(AGAIN).await;
    }
}

fn curl(words: &[&str]) -> Call {
    let call =
        Call::new("curl").args(["--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}"]);
    call.args(words.to_vec())
}

/// With the token, which curl reads from its input: arguments are there to be read by everybody on this machine.
fn users_call(url: &str, token: Option<&str>) -> Call {
    match token {
        Some(token) => curl(&[url, "-H", "@-"]).input(format!("Authorization: Bearer {}\n", token.trim())),
        None => curl(&[url]),
    }
}

/// Status and body.
async fn answer(call: &Call) -> Result<(u16, String), Trouble> {
    let said = call.run().await?;
    let (body, code) = said.rsplit_once('\n').unwrap_or(("", &said));
    Ok((code.parse().unwrap_or_default(), body.to_owned()))
}

/// What restarted long ago has served since; what did a moment ago may do so again.
fn has_just_restarted(status: &ContainerStatus, clock: &Clock) -> bool {
    let ended = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let at = ended.and_then(|ended| ended.finished_at.as_ref());
    at.is_some_and(|at| clock.now().duration_since(at.0) < RECENT)
}

/// A tag may have been pushed twice: then pods of one service are not the same.
fn several_digests(pods: &[(String, Pod)]) -> Option<String> {
    let one = |(service, pod): &(String, Pod)| Some((service.clone(), image_id(pod)?.to_owned()));
    let mut ids: Vec<_> = pods.iter().filter_map(one).collect();
    ids.sort();
    ids.dedup();
    let twice = ids.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    Some(format!("{} runs two images of one tag: {} and {}", twice[0].0, short(&twice[0].1), short(&twice[1].1)))
}

/// None: its container has not started.
pub(super) fn image_id(pod: &Pod) -> Option<&str> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    Some(status.image_id.as_str()).filter(|id| !id.is_empty())
}

/// The first twelve digits of a digest, as docker shows it.
fn short(image_id: &str) -> &str {
    let digest = image_id.rsplit_once("sha256:").map_or(image_id, |(_, digest)| digest);
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn of_what_never_settles_the_last_answer_is_told() {
        let asked = Cell::new(0);
        let ask = async || {
            asked.set(asked.get() + 1);
            Err(Trouble::new(format!("answer {}", asked.get())))
        };
        let told = until_settled(AGAIN, ask).await.unwrap_err();
        assert!(asked.get() > 1);
        assert_eq!(told.why, format!("answer {}", asked.get()));
    }

    #[test]
    fn a_token_is_not_in_the_process_list() {
        let call = users_call("https://api.example.com/v1/users?limit=5", Some("t0ken"));
        insta::assert_snapshot!(call.literal(), @r"
        curl --silent --show-error --max-time 10 --write-out '
        %{http_code}' 'https://api.example.com/v1/users?limit=5' -H @-
        ");
    }
}
