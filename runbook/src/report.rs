//! What people and programs are told while a plan is done: a line a step that stays, and below it, at a terminal, what
//! goes on now.

use crate::{
    execute::{Told, Trouble},
    journal::How,
    page::{self, Mark, Note},
    plan::{Action, NoBack, Plan, Section, Step},
    screen::{Form, Screen},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::{cell::RefCell, time::Duration};
use tokio::time::Instant;

/// Lines of evidence that are shown of a failure; the journal has all.
const SHOWN: usize = 40;

/// Told by one process, of one run.
pub(crate) struct Report<'a> {
    screen: &'a Screen,
    state: RefCell<State>,
}

struct State {
    /// Where all that is told is kept; none: nowhere.
    run: Option<String>,
    section: Option<Section>,
    begun: Instant,
    title: String,
    /// What was told last of a rollout.
    last: String,
    bar: ProgressBar,
}

/// A plan as people read it.
fn plan_page(plan: &Plan) -> page::Page {
    let mut page = page::Page::default();
    page.title(&plan.command);
    for notice in &plan.notices {
        page.item(Mark::Warning, notice, vec![]);
    }
    let mut section = None;
    for step in &plan.steps {
        if section.replace(step.section) != Some(step.section) {
            page.title(step.section.title());
        }
        page.step(&step.title, &step.command, step.undone_by.as_deref());
    }
    if !plan.back.is_empty() {
        page.title("Should the rollout fail");
        plan.back.iter().for_each(|step| page.step(&step.title, &step.command, None));
    }
    if let Some(NoBack { ways_out, .. }) = &plan.no_back {
        page.title("Should the rollout fail");
        page.text(ways_out);
    }
    page.text(format!("plan {}", plan.hash()));
    page
}

/// In a few words.
fn state(service: &rollout::Service) -> &str {
    match &service.state {
        rollout::State::Waiting { why } => why,
        rollout::State::Complete => "rolled out",
        rollout::State::Doomed { .. } => "will not be rolled out",
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(screen: &'a Screen) -> Self {
        let is_live = screen.form == Form::Human && screen.is_terminal;
        let target = if is_live { ProgressDrawTarget::stdout() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(250));
        let (title, last) = (String::new(), String::new());
        let state = State { run: None, section: None, begun: Instant::now(), title, last, bar };
        Self { screen, state: RefCell::new(state) }
    }

    /// From now on what is told is also written down, in the journal of this run.
    pub(crate) fn kept_in(&self, run: &str) {
        self.state.borrow_mut().run = Some(run.to_owned());
    }

    /// What is going to be done, before it is.
    pub(crate) fn plan(&self, plan: &Plan) {
        if self.screen.form == Form::Json {
            Screen::event("plan", &json!({ "hash": plan.hash(), "plan": plan }));
            return;
        }
        self.screen.page(&plan_page(plan));
    }

    /// What the executor tells.
    pub(crate) fn told(&self, told: &Told<'_>) {
        match told {
            Told::Begun(step) => self.begun(step),
            Told::Done { step, how, evidence } => self.done(step, *how, evidence),
            Told::Before(step) => self.line(step, "before", Mark::Good, "done before the interruption", ""),
            Told::Failed { step, trouble } => self.failed(step, trouble),
            Told::TurnedBack => self.say("turned_back", Mark::Warning, "the way back is taken"),
            Told::Stopped(step) => {
                let text = format!("stopped before: {}", step.title);
                self.say("stopped", Mark::Warning, &text);
            }
        }
    }

    fn begun(&self, step: &Step) {
        self.heading(step);
        let mut state = self.state.borrow_mut();
        state.begun = Instant::now();
        state.title.clone_from(&step.title);
        drop(state);
        match self.screen.form {
            Form::Json => Screen::event("step", &json!({ "id": step.id, "state": "begun", "command": step.command })),
            Form::Plain => self.print(&format!("begun {}: {}", step.id, step.title)),
            Form::Human => {
                // Lines that are run later, by another command, are not shown as run now.
                if !matches!(step.does, Action::Later { .. }) {
                    step.command.lines().for_each(|line| self.print(&page::run(self.screen, line)));
                }
                self.now(&[]);
            }
        }
    }

    fn done(&self, step: &Step, how: How, evidence: &str) {
        let what = if how == How::Already { "is so already" } else { "" };
        self.line(step, "done", Mark::Good, what, evidence);
    }

    fn failed(&self, step: &Step, trouble: &Trouble) {
        self.line(step, "failed", Mark::Failed, &trouble.why, &trouble.evidence);
    }

    fn line(&self, step: &Step, state: &str, mark: Mark, what: &str, evidence: &str) {
        self.heading(step);
        let took = self.state.borrow().begun.elapsed();
        if self.screen.form == Form::Json {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let fields =
                json!({ "id": step.id, "state": state, "what": what, "took_ms": took_ms, "evidence": evidence });
            Screen::event("step", &fields);
            return;
        }
        self.state.borrow().bar.set_message("");
        let time = if state == "before" { String::new() } else { format!("  {:.1} s", took.as_secs_f64()) };
        let after = if what.is_empty() { String::new() } else { format!(": {what}") };
        let text = match (self.screen.form, mark) {
            (Form::Plain, _) => format!("{state} {}{after}{time}", step.id),
            (_, Mark::Failed) => {
                let why = Note::text("why", what);
                page::marked(self.screen, mark, &format!("{}{time}", step.title), vec![why])
            }
            _ => page::marked(self.screen, mark, &format!("{}{after}{time}", step.title), vec![]),
        };
        self.print(&text);
        self.evidence(mark, evidence);
    }

    /// Of a success the first lines, which say what came out; of a failure the last ones, which say why.
    fn evidence(&self, mark: Mark, evidence: &str) {
        let lines: Vec<_> = evidence.trim_end().trim_start_matches('\n').lines().collect();
        let hidden = lines.len().saturating_sub(SHOWN);
        let more = || {
            let run = self.state.borrow().run.as_ref().map(|run| format!("runbook show {run} "));
            page::evidence(self.screen, &format!("… {hidden} lines more: {}--output json", run.unwrap_or_default()))
        };
        let mut shown: Vec<_> = if mark == Mark::Failed {
            lines[hidden..].iter().map(|line| page::symptom(self.screen, line)).collect()
        } else {
            lines[..lines.len() - hidden].iter().map(|line| page::evidence(self.screen, line)).collect()
        };
        if hidden > 0 {
            shown.insert(if mark == Mark::Failed { 0 } else { SHOWN }, more());
        }
        for line in &shown {
            self.print(line);
        }
    }

    /// A line beneath the step that is being done, which stays.
    pub(crate) fn note(&self, text: &str) {
        match self.screen.form {
            Form::Json => Screen::event("note", &json!({ "text": text })),
            _ => self.print(&page::evidence(self.screen, text)),
        }
    }

    /// Something to know that stops nothing.
    pub(crate) fn warn(&self, text: &str) {
        self.say("warning", Mark::Warning, text);
    }

    /// What goes on now; replaced by the next, and shown only at a terminal.
    pub(crate) fn now(&self, lines: &[String]) {
        let state = self.state.borrow();
        let first = format!("  … {}  {} s", state.title, state.begun.elapsed().as_secs());
        let all: Vec<_> = std::iter::once(first).chain(lines.iter().map(|line| format!("    {line}"))).collect();
        state.bar.set_message(all.join("\n"));
    }

    /// The rollout as it stands, as high as the terminal allows.
    pub(crate) fn tree(&self, standing: &rollout::Standing) {
        match self.screen.form {
            Form::Json => self.changed(&json!(standing).to_string(), || {
                Screen::event("rollout", &json!({ "services": standing.services }));
            }),
            Form::Plain => {
                let states = standing.services.iter().map(|service| format!("{}: {}", service.name, state(service)));
                let line = states.collect::<Vec<_>>().join("; ");
                self.changed(&line, || self.print(&format!("  {line}")));
            }
            Form::Human => self.now(&rollout::tree(standing, self.screen.canvas())),
        }
    }

    /// Tells what was not told last.
    fn changed(&self, text: &str, tell: impl FnOnce()) {
        if self.state.borrow().last != text {
            text.clone_into(&mut self.state.borrow_mut().last);
            tell();
        }
    }

    fn say(&self, kind: &str, mark: Mark, text: &str) {
        match self.screen.form {
            Form::Json => Screen::event(kind, &json!({ "text": text })),
            Form::Plain => self.print(&format!("{kind}: {text}")),
            Form::Human => self.print(&page::marked(self.screen, mark, text, vec![])),
        }
    }

    fn heading(&self, step: &Step) {
        if self.state.borrow_mut().section.replace(step.section) == Some(step.section) {
            return;
        }
        if self.screen.form == Form::Human {
            self.print(&page::heading(self.screen, step.section.title()));
        }
    }

    /// Above what goes on now.
    fn print(&self, line: &str) {
        self.state.borrow().bar.suspend(|| crate::screen::print(&format!("{line}\n")));
    }

    /// Nothing goes on any more.
    pub(crate) fn over(&self) {
        self.state.borrow().bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{observed, planned};

    #[test]
    fn a_plan_is_laid_out_for_every_width() {
        let plan = planned(None, "1.2.4", &observed()).unwrap();
        for width in [60, 100, 160] {
            let screen = Screen { form: Form::Human, width, has_colour: false, is_terminal: true, height: 40 };
            insta::assert_snapshot!(format!("a_plan_at_{width}"), plan_page(&plan).render(&screen));
        }
    }
}
