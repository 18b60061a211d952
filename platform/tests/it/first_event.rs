//! `docs/start/first-event.md`: what it says works, block after block.

use crate::{
    dev::{Dev, paste},
    process::folder,
};
use serde_json::{Deserializer, Value, json};

/// The shell's blocks of a page.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

#[test]
fn every_block_of_the_page_works_when_pasted() {
    let page = include_str!("../../../docs/start/first-event.md");
    let [start, rest @ ..] = &*blocks(page) else { panic!("no blocks") };
    assert_eq!(*start, "cargo xtask dev\n");
    let folder = folder();
    let dev = Dev::start(folder.path(), ".platform");
    let platform = env!("CARGO_BIN_EXE_platform");
    let commands = rest.concat().replace("cargo run -q -p platform --", &format!("'{platform}'"));
    let printed = paste(folder.path(), &commands, "");
    let answers: Vec<Value> =
        Deserializer::from_str(&printed).into_iter().collect::<Result<_, _>>().unwrap_or_else(|_| panic!("{printed}"));
    let [tracked, batch, latest, trend] = &*answers else { panic!("{printed}") };
    assert_eq!(tracked, &json!({ "success": true, "rejected": [] }));
    assert_eq!((&batch["success"], &batch["rejected"][0]["index"]), (&json!(true), &json!(2)));
    assert_eq!(latest["data"].as_array().unwrap().len(), 2, "{latest}");
    assert_eq!(trend["data"][0]["value"], 2, "{trend}");
    assert!(dev.process.terminate().success());
}
