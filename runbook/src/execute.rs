//! Does a plan, step after step, and never chooses: what is done next is written in the plan and in its journal.
//!
//! Each effect is asked for first (is it so already? the world is asked, not the journal), then done, then asked for
//! again. Before it is done the journal says that it will be, and after it that it is. So a run that was killed at any
//! moment goes on where it stood, and does nothing twice.

mod stop;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use stop::Stop;

use crate::{
    exit::Exit,
    failure::Failure,
    journal::{Event, How, Journal},
    plan::{OnFailure, Plan, Step},
    programs::CallError,
    redact::redact,
    time,
};
use jiff::SignedDuration;

/// A run that was interrupted for longer than that between its backup and what it is for makes another: going back to the
/// first would lose what was written since. So with an answer: what was so yesterday may not be so today.
pub(crate) const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// What a plan is done to: the real one, or in tests one that records.
pub(crate) trait World {
    /// Between two steps: the lock is still held, and others can read the journal. An error ends the run here.
    async fn boundary(&mut self, journal: &Journal, next: &Step) -> Result<(), Failure>;
    /// Whether an effect is there.
    async fn check(&mut self, step: &Step) -> Result<Standing, Trouble>;
    /// Just before it is begun: whether what it is made of is what was planned. An error, and nothing of it is done.
    async fn ready(&mut self, plan: &Plan, step: &Step) -> Result<(), Trouble>;
    /// Does it, or asks it; what shows that it was done.
    async fn apply(&mut self, step: &Step) -> Result<String, Trouble>;
}

/// Whether an effect is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Absent,
    /// With what shows it.
    Present(String),
}

/// Why a step is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// In a line.
    pub(crate) why: String,
    /// What it was seen by; may have many lines.
    pub(crate) evidence: String,
}

impl Trouble {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), evidence: String::new() }
    }

    /// People and programs are told it, and it is kept.
    fn redacted(self) -> Self {
        Self { why: redact(&self.why, &[]), evidence: redact(&self.evidence, &[]) }
    }
}

/// What a program said of its failure, whole.
impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        let why = error.to_string();
        match error {
            CallError::Failed { said, .. } => Self { why, evidence: said },
            _ => Self::new(why),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let more = failure.why.iter().chain(&failure.cure).cloned().collect::<Vec<_>>();
        Self { why: failure.what, evidence: more.join("\n") }
    }
}

/// How an attempt at a step ended.
enum Attempt {
    Done,
    /// It went wrong: the plan says what comes then.
    Failed(Trouble),
    /// It is not what was planned, or nobody can tell whether what this run began is there: nothing is taken back for it.
    Refused(Trouble),
}

/// What is told while it goes on.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// It is begun.
    Begun(&'a Step),
    /// It is done.
    Done { step: &'a Step, how: How, evidence: &'a str },
    /// It was done when this run was interrupted.
    Before(&'a Step),
    /// It failed.
    Failed { step: &'a Step, trouble: &'a Trouble },
    /// The way back is taken.
    TurnedBack,
    /// It stops before this step, as was asked.
    Stopped(&'a Step),
}

/// Where a walk through steps ended.
enum Walked {
    ToTheEnd,
    /// Because it was asked to.
    Stopped,
    Failed(OnFailure),
    /// As [`Attempt::Refused`].
    Refused,
}

/// Does what is left of a journal's plan; how it ended. Exit codes 0 to 3 are the end of the run, with every other one it
/// can be resumed.
pub(crate) async fn execute(
    journal: &mut Journal,
    world: &mut impl World,
    stop: &Stop,
    mut tell: impl FnMut(&Told<'_>),
) -> Result<Exit, Failure> {
    let plan = journal.plan()?.clone();
    let mut walk = Walk { journal, world, stop, tell: &mut tell };
    let exit = walk.through(&plan).await?;
    if matches!(exit, Exit::Done | Exit::RolledBack | Exit::Failed | Exit::Refused) {
        journal.append(Event::ended(exit))?;
    }
    Ok(exit)
}

/// Asks a question outside of any run; whether it was answered well. Nothing is kept.
pub(crate) async fn ask(world: &mut impl World, step: &Step, mut tell: impl FnMut(&Told<'_>)) -> bool {
    tell(&Told::Begun(step));
    match world.apply(step).await {
        Ok(evidence) => tell(&Told::Done { step, how: How::Applied, evidence: &redact(&evidence, &[]) }),
        Err(trouble) => {
            tell(&Told::Failed { step, trouble: &trouble.redacted() });
            return false;
        }
    }
    true
}

struct Walk<'a, W, T> {
    journal: &'a mut Journal,
    world: &'a mut W,
    stop: &'a Stop,
    tell: &'a mut T,
}

impl<W: World, T: FnMut(&Told<'_>)> Walk<'_, W, T> {
    async fn through(&mut self, plan: &Plan) -> Result<Exit, Failure> {
        if !self.journal.has_turned_back() {
            match self.all(&plan.steps).await? {
                Walked::ToTheEnd => return Ok(Exit::Done),
                // What this run did not begin is not its to take back: somebody else may have changed it meanwhile.
                Walked::Failed(OnFailure::GoBack) if !plan.back.is_empty() && self.journal.has_begun_to_roll_out() => {
                    // Whoever has lost the lock has not failed: it is gone on with, and not taken back.
                    self.world.boundary(self.journal, &plan.back[0]).await?;
                    self.journal.append(Event::TurnedBack)?;
                    (self.tell)(&Told::TurnedBack);
                }
                Walked::Failed(_) | Walked::Refused if plan.is_way_back() && self.journal.has_begun(|_| true) => {
                    return Ok(Exit::RollbackFailed);
                }
                _ if self.journal.has_begun(|_| true) => return Ok(Exit::Changed),
                Walked::Stopped => return Ok(Exit::NeedsPerson),
                Walked::Failed(_) => return Ok(Exit::Failed),
                Walked::Refused => return Ok(Exit::Refused),
            }
        }
        match self.all(&plan.back).await? {
            Walked::ToTheEnd => Ok(Exit::RolledBack),
            Walked::Stopped => Ok(Exit::Changed),
            Walked::Failed(_) | Walked::Refused => Ok(Exit::RollbackFailed),
        }
    }

    async fn all(&mut self, steps: &[Step]) -> Result<Walked, Failure> {
        for step in steps {
            if self.stop.is_asked() {
                return self.stopped(step);
            }
            self.world.boundary(self.journal, step).await?;
            let attempt = tokio::select! {
                attempt = Self::one(self.journal, self.world, self.tell, step) => attempt?,
                () = self.stop.asked_twice() => return self.stopped(step),
            };
            match attempt {
                Attempt::Done => {}
                Attempt::Failed(trouble) => {
                    self.failed(step, trouble)?;
                    // Taking back what somebody else has changed since would be a second fault.
                    let was_done = self.journal.done().contains(step.id.as_str());
                    return Ok(Walked::Failed(if was_done { OnFailure::Stop } else { step.on_failure }));
                }
                Attempt::Refused(trouble) => {
                    self.failed(step, trouble)?;
                    return Ok(Walked::Refused);
                }
            }
        }
        Ok(Walked::ToTheEnd)
    }

    fn failed(&mut self, step: &Step, trouble: Trouble) -> Result<(), Failure> {
        let trouble = trouble.redacted();
        (self.tell)(&Told::Failed { step, trouble: &trouble });
        let Trouble { why, evidence } = trouble;
        self.journal.append(Event::Failed { step: step.id.clone(), why, evidence })
    }

    fn stopped(&mut self, step: &Step) -> Result<Walked, Failure> {
        self.journal.append(Event::Stopped { next: step.id.clone() })?;
        (self.tell)(&Told::Stopped(step));
        Ok(Walked::Stopped)
    }

    async fn one(journal: &mut Journal, world: &mut W, tell: &mut T, step: &Step) -> Result<Attempt, Failure> {
        let was_done = journal.done().contains(step.id.as_str()) && !is_stale(journal, step)?;
        if was_done && (step.does.is_question() || step.does.is_done_for_good()) {
            // The answer led to what was done after it; asked again now, it would be another question.
            tell(&Told::Before(step));
            return Ok(Attempt::Done);
        }
        if !step.does.is_question() {
            match world.check(step).await {
                // Begun once, and now nobody can say how it stands, or somebody else has gone on from there: what is there
                // may not be this run's to take back.
                Err(trouble) if journal.has_begun(|begun| begun.id == step.id) => return Ok(Attempt::Refused(trouble)),
                Err(trouble) => return Ok(Attempt::Failed(trouble)),
                Ok(Standing::Present(_)) if was_done => {
                    tell(&Told::Before(step));
                    return Ok(Attempt::Done);
                }
                Ok(Standing::Present(evidence)) => return did(journal, tell, step, How::Already, &evidence),
                Ok(Standing::Absent) if was_done => {
                    let why = format!("{} was done by this run, and somebody took it back", step.title);
                    return Ok(Attempt::Failed(Trouble::new(why)));
                }
                Ok(Standing::Absent) => {}
            }
        }
        if let Err(trouble) = world.ready(journal.plan()?, step).await {
            return Ok(Attempt::Refused(trouble));
        }
        journal.append(Event::Doing { step: step.id.clone() })?;
        tell(&Told::Begun(step));
        let evidence = match world.apply(step).await {
            Ok(evidence) => redact(&evidence, &[]),
            Err(trouble) => return Ok(Attempt::Failed(trouble)),
        };
        if step.does.is_question() {
            return did(journal, tell, step, How::Applied, &evidence);
        }
        match world.check(step).await {
            Ok(Standing::Present(_)) => did(journal, tell, step, How::Applied, &evidence),
            Ok(Standing::Absent) => {
                let why = "it ended well, and what it should do is not there".to_owned();
                Ok(Attempt::Failed(Trouble { why, evidence }))
            }
            // It may be there, and may be good: that nobody can tell is no reason to take it back.
            Err(trouble) => Ok(Attempt::Refused(trouble)),
        }
    }
}

/// Whether it is a backup or an answer that has become too old, and nothing was done on the strength of it. What this run
/// did not make itself it asks the world about.
fn is_stale(journal: &Journal, step: &Step) -> Result<bool, Failure> {
    if !step.does.is_backup() && !step.does.is_question() {
        return Ok(false);
    }
    let after: Vec<_> = journal.plan()?.steps.iter().skip_while(|other| other.id != step.id).skip(1).collect();
    if journal.has_begun(|begun| after.contains(&begun)) {
        return Ok(false);
    }
    let made = journal.entries().iter().rev().find_map(|entry| match &entry.event {
        Event::Did { step: id, how: How::Applied, .. } if *id == step.id => Some(entry.at),
        _ => None,
    });
    Ok(made.is_none_or(|made| time::now().duration_since(made) > FRESH))
}

fn did(
    journal: &mut Journal,
    tell: &mut impl FnMut(&Told<'_>),
    step: &Step,
    how: How,
    evidence: &str,
) -> Result<Attempt, Failure> {
    journal.append(Event::Did { step: step.id.clone(), how, evidence: evidence.to_owned() })?;
    tell(&Told::Done { step, how, evidence });
    Ok(Attempt::Done)
}
