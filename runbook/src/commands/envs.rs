//! `runbook envs`: the document's "Deployment Environments", out of `runbook.toml`.

use crate::{
    exit::Exit,
    failure::Failure,
    page::Page,
    place::Place,
    screen::{Form, Screen},
    time,
};
use jiff::Timestamp;
use runbook_file::{Environment, Window};
use serde_json::{Value, json};

pub(crate) fn run(place: &Place) -> Result<Exit, Failure> {
    let file = place.file()?;
    let now = time::now();
    if place.screen.form == Form::Json {
        for (name, environment) in &file.environments {
            Screen::event("environment", &event(name, environment, now)?);
        }
        return Ok(Exit::Done);
    }
    let mut page = Page::default();
    for (name, environment) in &file.environments {
        describe(&mut page, name, environment, now);
    }
    place.screen.page(&page);
    Ok(Exit::Done)
}

fn describe(page: &mut Page, name: &str, environment: &Environment, now: Timestamp) {
    let Environment { url, cluster, registry, aws, values, manifests, secrets, database, window, approvals } =
        environment;
    page.title(name);
    page.pair("url", url);
    if let Some(cluster) = cluster {
        let whose = if cluster.uid.is_some() { "" } else { ", whichever cluster that is" };
        page.pair("cluster", format!("{}, namespace {}{whose}", cluster.context, cluster.namespace));
    }
    if !registry.is_empty() {
        page.pair("registry", registry);
    }
    if !values.is_empty() {
        let values: Vec<_> = values.iter().map(|path| path.display().to_string()).collect();
        page.pair("values", values.join(", "));
    }
    if let Some(folder) = manifests {
        page.pair("manifests", folder.display().to_string());
    }
    if let Some(aws) = aws {
        let account = aws.account.as_deref().unwrap_or("any");
        page.pair("aws", format!("profile {}, {}, account {account}", aws.profile, aws.region));
    }
    if let Some(database) = database {
        let instance = database.instance.as_deref().map_or("PostgreSQL".to_owned(), |name| format!("RDS {name}"));
        let url = database.url.as_ref().map_or(String::new(), |secret| format!(", its URL in {secret}"));
        page.pair("database", format!("{instance}{url}"));
    }
    for (secret, keys) in secrets {
        page.pair("secret", format!("{secret}: {}", keys.join(", ")));
    }
    if *approvals > 0 {
        page.pair("approvals", approvals.to_string());
    }
    page.pair("deployed", window.as_ref().map_or("at any time".to_owned(), |window| when(window, now)));
}

/// The window, and how it stands now.
fn when(window: &Window, now: Timestamp) -> String {
    let Some(span) = window.current_or_next(now) else { return format!("{window}, which never is") };
    if span.is_open(now) {
        return format!("{window}: open now, for {}", time::distance(now, span.closes.timestamp()));
    }
    let opens = span.opens.strftime("%a %d %b %H:%M %Z");
    format!("{window}: opens in {}, {opens}", time::distance(now, span.opens.timestamp()))
}

fn event(name: &str, environment: &Environment, now: Timestamp) -> Result<Value, Failure> {
    let mut event = serde_json::to_value(environment).map_err(|error| Failure::failed(error.to_string()))?;
    event["name"] = name.into();
    if let Some(window) = &environment.window {
        let span = window.current_or_next(now);
        event["window"]["is_open"] = span.as_ref().is_some_and(|span| span.is_open(now)).into();
        event["window"]["opens"] = json!(span.as_ref().map(|span| span.opens.timestamp()));
        event["window"]["closes"] = json!(span.as_ref().map(|span| span.closes.timestamp()));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(now: &str) -> String {
        let text = r#"{ zone = "America/New_York", days = ["thursday"], from = "14:00", to = "16:00" }"#;
        let file = format!("[environments.production]\nurl = \"https://x\"\nwindow = {text}");
        let file = runbook_file::RunbookFile::parse(&file).unwrap();
        when(file.environments[0].1.window.as_ref().unwrap(), now.parse().unwrap())
    }

    #[test]
    fn a_window_is_shown_with_how_far_it_is() {
        insta::assert_snapshot!(standing("2025-01-16T19:30:00Z"), @"Thursday 14:00–16:00 America/New_York: open now, for 1 h 30 min");
        insta::assert_snapshot!(standing("2025-01-14T15:20:00Z"), @"Thursday 14:00–16:00 America/New_York: opens in 2 d 3 h, Thu 16 Jan 14:00 EST");
    }
}
