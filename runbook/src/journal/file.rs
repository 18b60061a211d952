//! Journals on the disk.

use super::{
    Entry, Event,
    entry::{begun, follows},
    evidence,
};
use crate::{
    failure::Failure,
    plan::{Plan, Step},
    time,
};
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Where journals are, under the project's folder; git does not see it.
const FOLDER: &str = ".runbook/runs";

/// A run's journal, open for the next line.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) file: File,
    run: String,
    entries: Vec<Entry>,
    /// Of the file, in bytes.
    size: usize,
}

/// The folder of journals, made when it is not there.
pub(crate) fn folder(project: &Path) -> Result<PathBuf, Failure> {
    let folder = project.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| Failure::of_file(&folder, &error))?;
    let ignore = project.join(".runbook/.gitignore");
    if !ignore.exists() {
        fs::write(&ignore, "*\n").map_err(|error| Failure::of_file(&ignore, &error))?;
    }
    Ok(folder)
}

/// A name for a run that begins now: sorted by name, runs are sorted by time.
pub(crate) fn new_run(now: Timestamp) -> Result<String, Failure> {
    let mut salt = [0; 2];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| Failure::failed("this machine gives no random numbers"))?;
    Ok(format!("{}-{:02x}{:02x}", now.strftime("%Y%m%d-%H%M%S"), salt[0], salt[1]))
}

/// The runs that have a journal here, oldest first.
pub(crate) fn all(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::of_file(folder, &error))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut runs: Vec<_> = names.filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned)).collect();
    runs.sort();
    Ok(runs)
}

/// The lines of a journal here, to look at them; one that is being written is left out.
pub(crate) fn entries(folder: &Path, run: &str) -> Result<Vec<Entry>, Failure> {
    let path = path(folder, run);
    let text = fs::read_to_string(&path).map_err(|error| no_run(run, &path, &error))?;
    read(run, whole(&text))
}

/// Whether a process of this machine goes on with the run now.
pub(crate) fn is_going_on(folder: &Path, run: &str) -> bool {
    let file = File::open(path(folder, run));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn no_run(run: &str, path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::refused(format!("there is no run {run}")).cured_by("runbook runs"),
        _ => Failure::of_file(path, error),
    }
}

fn at_work(run: &str, path: &Path, error: TryLockError) -> Failure {
    match error {
        TryLockError::WouldBlock => Failure::refused(format!("another process goes on with run {run}"))
            .cured_by(format!("runbook attach {run}")),
        TryLockError::Error(error) => Failure::of_file(path, &error),
    }
}

/// What ends with a line; after it there may be a part of one, of a process that was killed.
pub(super) fn whole(text: &str) -> &str {
    &text[..text.rfind('\n').map_or(0, |end| end + 1)]
}

impl Journal {
    /// Begins a run.
    pub(crate) fn begin(folder: &Path, run: &str, first: Event) -> Result<Self, Failure> {
        let path = path(folder, run);
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.map_err(|error| Failure::of_file(&path, &error))?;
        file.try_lock().map_err(|error| at_work(run, &path, error))?;
        let mut journal = Self { file, run: run.to_owned(), entries: vec![], size: 0 };
        journal.append(first)?;
        // The name in the folder has to last as well.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| Failure::of_file(folder, &error))?;
        Ok(journal)
    }

    /// Goes on with one, which nobody else does meanwhile. What a killed process left of its last line is cut off: it was not on the disk, so nothing was
    /// done because of it.
    pub(crate) fn open(folder: &Path, run: &str) -> Result<Self, Failure> {
        let path = path(folder, run);
        let file = OpenOptions::new().append(true).open(&path).map_err(|error| no_run(run, &path, &error))?;
        file.try_lock().map_err(|error| at_work(run, &path, error))?;
        let text = fs::read_to_string(&path).map_err(|error| Failure::of_file(&path, &error))?;
        let whole = whole(&text).len();
        let entries = read(run, &text[..whole])?;
        file.set_len(whole as u64).map_err(|error| Failure::of_file(&path, &error))?;
        Ok(Self { file, run: run.to_owned(), entries, size: whole })
    }

    /// Writes a line, and returns when it is on the disk. What shows things is written without credentials, and cut to
    /// what a copy in the cluster has room for.
    pub(crate) fn append(&mut self, event: Event) -> Result<(), Failure> {
        let event = evidence::fitted(event, self.size);
        let entry = Entry::new(time::now(), event, self.head());
        let mut line = serde_json::to_vec(&entry).map_err(|error| Failure::failed(error.to_string()))?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|error| Failure::failed(format!("the journal of {} cannot be written: {error}", self.run)))?;
        self.size += line.len();
        self.entries.push(entry);
        Ok(())
    }

    /// The hash of the last line, which stands for all of them.
    pub(crate) fn head(&self) -> &str {
        self.entries.last().map_or("", |entry| &entry.hash)
    }

    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was planned.
    pub(crate) fn plan(&self) -> Result<&Plan, Failure> {
        let began = self.entries.iter().find_map(|entry| match &entry.event {
            Event::Began { plan, .. } => Some(&**plan),
            _ => None,
        });
        began.ok_or_else(|| Failure::refused(format!("the journal of {} has no beginning", self.run)))
    }

    /// The steps that are done, as far as is written.
    pub(crate) fn done(&self) -> BTreeSet<&str> {
        let done = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Did { step, .. } => Some(step.as_str()),
            _ => None,
        });
        done.collect()
    }

    /// Whether an effect of the plan was begun that is `wanted`: it may have been done.
    pub(crate) fn has_begun(&self, wanted: impl Fn(&Step) -> bool) -> bool {
        self.plan().is_ok_and(|plan| begun(&self.entries, &plan.steps, wanted).next().is_some())
    }

    /// Whether a rollout was begun, which is what a way back takes back.
    pub(crate) fn has_begun_to_roll_out(&self) -> bool {
        self.has_begun(Step::is_taken_back)
    }

    /// Whether the way back was taken.
    pub(crate) fn has_turned_back(&self) -> bool {
        self.entries.iter().any(|entry| entry.event == Event::TurnedBack)
    }

    /// The exit code with which it was over; none: it can be resumed.
    pub(crate) fn ended(&self) -> Option<u8> {
        self.entries.iter().find_map(|entry| match entry.event {
            Event::Ended { exit } => Some(exit),
            _ => None,
        })
    }
}

/// Where a run's journal is.
pub(super) fn path(folder: &Path, run: &str) -> PathBuf {
    folder.join(format!("{run}.jsonl"))
}

/// It has its hash, so somebody's `runbook` wrote it.
fn unknown(run: &str, line: usize, error: &serde_json::Error) -> Failure {
    Failure::refused(format!("the journal of {run} was written by another version of runbook than this one"))
        .because(format!("line {line} is whole, and this one does not know what is in it: {error}"))
        .cured_by(format!("runbook resume {run}    # by the version that began it"))
}

/// Whole lines, each of which follows the one before.
pub(super) fn read(run: &str, text: &str) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> = vec![];
    for (number, line) in text.lines().enumerate() {
        if !follows(line, entries.last().map_or("", |entry| &entry.hash)) {
            return Err(Failure::refused(format!("the journal of {run} was changed: line {}", number + 1))
                .because("every line has the hash of those before it, and this one does not fit"));
        }
        entries.push(serde_json::from_str(line).map_err(|error| unknown(run, number + 1, &error))?);
    }
    Ok(entries)
}
