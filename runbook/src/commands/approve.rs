//! `runbook approve RUN`: rule 15's second person.

use crate::{
    cluster,
    exit::Exit,
    failure::Failure,
    journal::{self, Kept, Summary},
    page::{Mark, Page},
    place::Place,
    screen::{Form, Screen},
};
use kube::Client;
use serde_json::json;

pub(crate) async fn run(place: &Place, run: &str) -> Result<Exit, Failure> {
    let client = client(place, run).await?;
    let by = journal::copy::approve(&client, run).await?;
    if place.screen.form == Form::Json {
        Screen::event("approved", &json!({ "run": run, "by": by }));
    } else {
        let mut page = Page::default();
        page.item(Mark::Good, &format!("{by} agrees to run {run}"), vec![]);
        place.screen.page(&page);
    }
    Ok(Exit::Done)
}

/// Of the cluster of the run's environment: approvals are given there, wherever the run's journal is.
async fn client(place: &Place, run: &str) -> Result<Client, Failure> {
    let folder = match Kept::find(place, run).await? {
        Kept::There { client, .. } => return Ok(client),
        Kept::Here(folder) => folder,
    };
    let entries = journal::entries(&folder, run)?;
    let environment = Summary::of(&entries, false).map(|summary| summary.plan.environment.clone());
    let file = place.file()?;
    let environment = file.environment(&environment.unwrap_or_default())?;
    let wanted = environment.cluster.as_ref().ok_or_else(|| Failure::refused("its environment has no cluster"))?;
    cluster::connect(wanted).await
}
