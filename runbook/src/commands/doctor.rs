//! `runbook doctor [ENV]`

use crate::{
    doctor::{self, Finding},
    exit::Exit,
    failure::Failure,
    page::{Mark, Note, Page},
    place::Place,
    screen::{Form, Screen},
    time,
};
use serde_json::json;

pub(crate) async fn run(place: &Place, name: Option<&str>) -> Result<Exit, Failure> {
    let file = place.file()?;
    let environment = match name {
        Some(name) => Some(file.environment(name).map_err(|problem| Failure::usage(problem.to_string()))?),
        None => None,
    };
    let start = time::now();
    let findings = doctor::examine(&place.folder, &file, environment).await;
    let took_ms = time::now().as_millisecond() - start.as_millisecond();
    let count = |mark: Mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let (good, warnings, failed) = (count(Mark::Good), count(Mark::Warning), count(Mark::Failed));
    if place.screen.form == Form::Json {
        for finding in &findings {
            Screen::event("check", &json!(finding));
        }
        let sums = json!({ "good": good, "warnings": warnings, "failed": failed, "took_ms": took_ms });
        Screen::event("result", &sums);
    } else {
        let mut page = pages(&findings);
        page.text(format!("{good} good, {warnings} to know, {failed} to cure, in {took_ms} ms"));
        place.screen.page(&page);
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

fn pages(findings: &[Finding]) -> Page {
    let mut page = Page::default();
    for group in findings.chunk_by(|one, next| one.group == next.group) {
        page.title(group.first().map_or("", |finding| finding.group.title()));
        for Finding { mark, what, why, cure, .. } in group {
            let why = why.iter().map(|why| Note::text("why", why));
            let cure = cure.iter().map(|cure| Note::command("cure", cure));
            page.item(*mark, what, why.chain(cure).collect());
        }
    }
    page
}
