//! Step 5.4: errors in the logs that were not there before the change.
//!
//! Two errors are of one kind when only numbers and ids differ. A rollout takes the old pods away with their logs, so what
//! kinds there are is noted before it begins, where a colleague who goes on with the run finds it as well.

use super::{Live, verify::image_id};
use crate::{
    cluster::{AskError, ask},
    execute::Trouble,
    journal::{Event, Journal},
    memory::{self, Memory},
    plan::Step,
    redact::redact,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};
use regex::Regex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// The document's `--tail=100`.
const LINES: i64 = 100;
/// Before the change: what comes now and then is further back.
const LINES_BEFORE: i64 = 1_000;
/// So many kinds are noted, and so many characters of each: they lie in a ConfigMap, which has room for 1 MiB.
const KINDS: usize = 1_000;
const LENGTH: usize = 300;
/// Of each log, in bytes: a line may have any length.
const SIZE: i64 = 4 << 20;
/// Logs that are read at the same time.
const AT_ONCE: usize = 8;
/// What a line says of its moment and its request, and not of what went wrong.
const VARIES: [&str; 4] = ["timestamp", "level", "span", "spans"];

/// Numbers, moments, addresses and ids: words with a digit in them.
static NUMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\w-]*\d[\w-]*(?:[.:][\w-]*\d[\w-]*)*").ok());

/// Errors of one kind.
struct Found {
    times: usize,
    /// The first, with its pod.
    line: String,
}

impl Live<'_> {
    /// Of the pods that run now.
    pub(super) async fn logs(&self) -> Result<String, Trouble> {
        let remembered = memory::read(&self.client, self.request.name).await;
        let Memory { errors: before, .. } = remembered.unwrap_or_else(|failure| {
            self.report.warn(&format!("every error counts as new: {failure}"));
            Memory::default()
        });
        let (pods, found) = self.errors(LINES).await?;
        let (known, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
            found.into_iter().partition(|(kind, _)| before.contains(kind));
        let known = lines(&known).map(|line| format!("before the change as well: {line}"));
        match new.values().map(|found| found.times).sum::<usize>() {
            0 => {
                let new = if known.len() == 0 { "error" } else { "new error" };
                let first = format!("no {new} in the last {LINES} lines of {pods} pods");
                Ok(std::iter::once(first).chain(known).collect::<Vec<_>>().join("\n"))
            }
            count => {
                let evidence = known.chain(lines(&new)).collect::<Vec<_>>().join("\n");
                Err(Trouble { why: format!("new errors in the logs: {count}"), evidence })
            }
        }
    }

    /// Notes what errors there are, when a rollout begins with this step. That it cannot be noted stops nothing.
    pub(super) async fn note_errors_before(&self, journal: &Journal, next: &Step) {
        if !begins_to_roll_out(journal, next) {
            return;
        }
        let noted = async {
            let (_, found) = self.errors(LINES_BEFORE).await?;
            let kinds: BTreeSet<_> = found.into_keys().take(KINDS).collect();
            Ok::<_, Trouble>(memory::remember_errors(&self.client, self.request.name, &kinds).await?)
        };
        if let Err(Trouble { why, .. }) = noted.await {
            self.report.warn(&format!("errors that are in the logs already may count as new ones: {why}"));
        }
    }

    /// How many pods were asked, and their errors in that many last lines, by kind.
    async fn errors(&self, last: i64) -> Result<(usize, BTreeMap<String, Found>), Trouble> {
        let api = Api::<Pod>::namespaced(self.client.clone(), &self.request.cluster.namespace);
        let mut pods = self.all_pods().await?;
        // What has not started has no logs.
        pods.retain(|(_, pod)| image_id(pod).is_some());
        let logs = pods.iter().map(async |(service, pod)| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let asked = LogParams {
                container: Some(service.clone()),
                tail_lines: Some(last),
                limit_bytes: Some(SIZE),
                ..LogParams::default()
            };
            match ask(api.logs(name, &asked)).await {
                Ok(text) => Ok((name, text)),
                // It ended meanwhile.
                Err(AskError::NotThere(_)) => Ok((name, String::new())),
                Err(error) => Err(Trouble::from(error.about(name))),
            }
        });
        let logs: Vec<_> = stream::iter(logs).buffered(AT_ONCE).try_collect().await?;
        let mut found = BTreeMap::new();
        for (name, text) in &logs {
            for line in text.lines().filter(|line| is_error(line)) {
                let first = || Found { times: 0, line: format!("{name}: {line}") };
                found.entry(kind(line)).or_insert_with(first).times += 1;
            }
        }
        Ok((pods.len(), found))
    }
}

/// Whether this is the plan's first step that changes pods, and no process has begun it: all that run are old ones.
fn begins_to_roll_out(journal: &Journal, next: &Step) -> bool {
    let Ok(plan) = journal.plan() else { return false };
    let first = plan.steps.iter().find(|step| step.does.rolls_out());
    let is_begun = |event: &Event| matches!(event, Event::Doing { step } if *step == next.id);
    first.is_some_and(|first| first.id == next.id) && !journal.entries().iter().any(|entry| is_begun(&entry.event))
}

fn lines(found: &BTreeMap<String, Found>) -> impl ExactSizeIterator<Item = String> {
    found.values().map(|Found { times, line }| if *times == 1 { line.clone() } else { format!("{times} × {line}") })
}

fn is_error(line: &str) -> bool {
    let level = serde_json::from_str::<Value>(line).ok().and_then(|line| Some(line["level"].as_str()?.to_owned()));
    level.map_or_else(|| line.contains(" ERROR "), |level| level.eq_ignore_ascii_case("error"))
}

/// What an error says, whenever and about whomever it says it.
fn kind(line: &str) -> String {
    let text = match serde_json::from_str::<BTreeMap<String, Value>>(line) {
        Ok(mut fields) => {
            fields.retain(|name, _| !VARIES.contains(&name.as_str()));
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        }
        Err(_) => line.split_once(" ERROR ").map_or(line, |(_, text)| text).trim().to_owned(),
    };
    let text = redact(&text, &[]);
    let kind = NUMBERS.as_ref().map_or(text.as_str().into(), |numbers| numbers.replace_all(&text, "#"));
    kind.chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_of_one_kind_when_only_numbers_and_ids_differ() {
        let problem = |id: u32, cause: &str| {
            format!(
                r#"{{"timestamp":"2025-01-17T14:00:{id}Z","level":"ERROR","message":"request failed","code":"internal","cause":"{cause}","target":"api::problem","span":{{"id":"{id}"}}}}"#
            )
        };
        let refused = |port: u32| format!("no connection to 10.0.0.{port}:{port} for usr_{port}ab-c");
        assert_eq!(kind(&problem(11, &refused(5432))), kind(&problem(12, &refused(6432))));
        insta::assert_snapshot!(kind(&problem(11, &refused(5432))), @r#"cause="no connection to # for #" code="internal" message="request failed" target="api::problem""#);
        assert_ne!(kind(&problem(11, &refused(5432))), kind(&problem(11, "the disk is full")));
        let human = |second: u32| format!("2025-01-17T14:00:{second}Z ERROR api::problem: request {second} failed");
        assert!(is_error(&human(11)) && is_error(&problem(11, "")));
        assert_eq!(kind(&human(11)), "api::problem: request # failed");
        assert_eq!(kind(&human(11)), kind(&human(12)));
    }
}
