//! Following a run of this machine.

use super::*;
use crate::{
    cluster::stand_in::StandIn,
    exit::Exit,
    journal::{self, Journal, copy::Copy},
    lock::{Holder, Lock},
    plan::tests as plans,
};
use std::path::Path;

const RUN: &str = "20250117-140000-0000";

fn place(folder: &Path) -> Place {
    let screen = Screen { form: Form::Plain, width: 100, has_colour: false, is_terminal: false, height: 24 };
    Place { folder: folder.to_owned(), screen }
}

fn begin(folder: &Path) -> Journal {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    let began = plans::began(RUN, plan);
    Journal::begin(&journal::folder(folder).unwrap(), RUN, began).unwrap()
}

#[tokio::test]
async fn it_ends_with_the_run_and_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = begin(folder.path());
    let kept = Kept::Here(journal::folder(folder.path()).unwrap());
    let place = place(folder.path());
    let run = async {
        for event in [Event::Doing { step: "4.3.upgrade".into() }, Event::TurnedBack, Event::ended(Exit::RolledBack)] {
            sleep(HERE).await;
            journal.append(event).unwrap();
        }
    };
    let (exit, ()) = tokio::join!(follow(&place, &kept, RUN, lock::TTL), run);
    assert_eq!(exit.unwrap(), Exit::RolledBack);
}

#[tokio::test]
async fn a_run_that_was_killed_needs_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let journal = begin(folder.path());
    let kept = Kept::Here(journal::folder(folder.path()).unwrap());
    let place = place(folder.path());
    let run = async {
        sleep(HERE).await;
        drop(journal);
    };
    let (exit, ()) = tokio::join!(follow(&place, &kept, RUN, lock::TTL), run);
    assert_eq!(exit.unwrap(), Exit::NeedsPerson);
}

#[tokio::test]
async fn a_colleague_whose_lock_is_renewed_no_more_is_gone() {
    let (cluster, folder) = (StandIn::start(), tempfile::tempdir().unwrap());
    let client = cluster.client("ada").await;
    Copy::new(client.clone()).send(&begin(folder.path())).await.unwrap();
    let lock = Lock::take(&client, "production", &Holder::this(RUN), |_| {}).await.unwrap();
    let kept = Kept::There { client, environment: "production".into() };
    assert!(kept.pulse(RUN).await.unwrap().is_some());
    drop(lock);
    let exit = follow(&place(folder.path()), &kept, RUN, THERE / 2).await;
    assert_eq!(exit.unwrap(), Exit::NeedsPerson);
}
