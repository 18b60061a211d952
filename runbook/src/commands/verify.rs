//! `runbook verify` and `smoke`: Steps 5 and 6, of what runs now.

use crate::{
    cluster, execute,
    exit::Exit,
    failure::Failure,
    live::Live,
    observe::deployed,
    place::Place,
    plan::{self, Section},
    report::Report,
    run::{self, Words},
    time,
};

/// Asks every question of these sections, and says which were not answered well.
pub(crate) async fn run(place: &Place, environment: &str, sections: &[Section]) -> Result<Exit, Failure> {
    let file = place.file()?;
    let target = run::target(&file, environment)?;
    let client = cluster::connect(target.cluster).await?;
    let words = Words { environment: environment.to_owned(), via: None, reason: None, environment_name: None };
    let request = target.request(&file, &words, time::now());
    let deployed = deployed::observe(request.cluster, request.services).await?;
    let deployed = deployed.values().next().map(|deployed| deployed.version().to_owned());
    let version = deployed.ok_or_else(|| {
        Failure::refused(format!("nothing is deployed in {environment}"))
            .cured_by(format!("runbook deploy {environment} --version X.Y.Z"))
    })?;
    let report = Report::new(&place.screen);
    let (folder, began) = (&*place.folder, time::now());
    let mut live = Live { folder, request: &request, client, lock: None, report: &report, began, copy: None };
    let mut exit = Exit::Done;
    for step in plan::verify(&request, &version).iter().filter(|step| sections.contains(&step.section)) {
        if !execute::ask(&mut live, step, |told| report.told(told)).await {
            exit = Exit::Failed;
        }
    }
    report.over();
    Ok(exit)
}
