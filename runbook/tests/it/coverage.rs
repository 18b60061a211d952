//! The page that says of every item of the document which test holds it, and is held true itself.

mod items;

use items::Item;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};
use testing::project;

const PAGE: &str = "docs/operate/runbook-coverage.md";
const NAME: &str = "every_item_of_the_document_has_its_row";
const HEAD: &str = "# What holds the runbook

Every heading, checkbox, step, command, payload, threshold and address of [the document](../runbooks/deployment.md), and what holds it: \
`test NAME`, a test that exercises it; `differs REASON`, where the platform does otherwise on purpose; `later`, nothing yet. \
What a section says twice has one row.

A verdict is written by hand; rows and counts by `UPDATE_PAGES=1 cargo xtask test every_item_of_the_document`, which gives a new item `later`.
";

/// Sections of which nothing is left for later.
const HELD: [&str; 7] =
    ["/ Step 2: ", "/ Step 3: ", "/ Step 4: ", "/ Step 5: ", "/ Step 6: ", "/ Option 1: ", "/ Option 2: "];

#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Test(String),
    Differs(String),
    Later,
}

impl Verdict {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            Some(("test", name)) => Some(Self::Test(name.to_owned())),
            Some(("differs", reason)) => Some(Self::Differs(reason.to_owned())),
            None if text == "later" => Some(Self::Later),
            _ => None,
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Test(name) => format!("test {name}"),
            Self::Differs(reason) => format!("differs {reason}"),
            Self::Later => "later".to_owned(),
        }
    }
}

/// What stands on the page: an item's section, kind and text, and its verdict as it is written.
type Row = ([String; 3], String);

/// The rows of the page's tables, in their order.
fn rows(page: &str) -> Vec<Row> {
    let mut section = String::new();
    let mut rows = vec![];
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut section);
        }
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else { continue };
        let mut cells = cells.splitn(2, " | ");
        let (Some(kind), Some(rest)) = (cells.next(), cells.next()) else { continue };
        if let Some((text, verdict)) = rest.rsplit_once(" | ").filter(|_| kind != "kind") {
            rows.push(([section.clone(), kind.to_owned(), text.to_owned()], verdict.to_owned()));
        }
    }
    rows
}

fn key(item: &Item) -> [String; 3] {
    [item.section.clone(), item.kind.to_owned(), item.text.clone()]
}

/// The names of all test functions of the workspace.
fn tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                tests(&path, names);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            for (place, _) in lines
                .iter()
                .enumerate()
                .filter(|(_, line)| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
            {
                // Other attributes may stand between.
                let function = lines[place..]
                    .iter()
                    .take(6)
                    .find_map(|line| line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?.split_once('('));
                names.extend(function.map(|(name, _)| name.to_owned()));
            }
        }
    }
}

/// What is wrong with the rows, each with what to do.
fn wrong(items: &[Item], rows: &[Row], tests: &BTreeSet<String>) -> Vec<String> {
    let mut findings = vec![];
    let known: Vec<_> = items.iter().map(key).collect();
    let listed: Vec<_> = rows.iter().map(|(key, _)| key.clone()).collect();
    for key in known.iter().filter(|key| !listed.contains(key)) {
        findings.push(format!("{key:?} has no row: UPDATE_PAGES=1 adds it, then say which test holds it"));
    }
    for (place, (key, verdict)) in rows.iter().enumerate() {
        if !known.contains(key) {
            findings.push(format!("{key:?} is not in the document: take the row out"));
        }
        if listed[..place].contains(key) {
            findings.push(format!("{key:?} has two rows: take one out"));
        }
        match Verdict::parse(verdict) {
            Some(Verdict::Test(name)) if !tests.contains(&name) => {
                findings.push(format!("{key:?}: no test is called {name}: name the one that holds it now, or `later`"));
            }
            Some(Verdict::Later) if HELD.iter().any(|section| key[0].contains(section)) => {
                findings
                    .push(format!("{key:?} is `later`, and the tool does that section: name the test that holds it"));
            }
            Some(_) => {}
            None => findings.push(format!("{key:?}: {verdict:?} is none of `test NAME`, `differs REASON`, `later`")),
        }
    }
    findings
}

/// The page, with the verdicts that there are; an item without one is `later`.
fn page(items: &[Item], rows: &[Row]) -> String {
    let verdicts: BTreeMap<_, _> = rows.iter().cloned().collect();
    let verdict = |item: &Item| verdicts.get(&key(item)).cloned().unwrap_or_else(|| Verdict::Later.written());
    let count = |word: &str| items.iter().filter(|item| verdict(item).split(' ').next() == Some(word)).count();
    let mut page = format!(
        "{HEAD}\n{} items: {} tested, {} differ, {} later.\n",
        items.len(),
        count("test"),
        count("differs"),
        count("later")
    );
    let mut section = "";
    for item in items {
        if item.section != section {
            section = &item.section;
            let _ = write!(page, "\n## {section}\n| kind | item | verdict |\n|---|---|---|\n");
        }
        let _ = writeln!(page, "| {} | {} | {} |", item.kind, item.text, verdict(item));
    }
    page
}

#[test]
fn every_item_of_the_document_has_its_row() {
    let document = fs::read_to_string(project().join("docs/runbooks/deployment.md")).unwrap();
    let items = items::items(&document);
    let rows = rows(&fs::read_to_string(project().join(PAGE)).unwrap());
    let mut names = BTreeSet::new();
    tests(&project(), &mut names);
    if std::env::var_os("UPDATE_PAGES").is_none() {
        let wrong = wrong(&items, &rows, &names);
        assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
    }
    testing::assert_page(PAGE, &page(&items, &rows), NAME);
}

#[test]
fn a_row_that_is_wrong_in_any_way_is_told_with_what_to_do() {
    let document =
        "# Top\n\n- [ ] Look | see\n\n```bash\n# 1. Build\nmake \\\n  all  # v1.2+\ncat <<EOF\nx\nEOF\n```\n\n> 5%\n";
    let items = items::items(document);
    let shown: Vec<_> = items.iter().map(|item| format!("{} {}", item.kind, item.text)).collect();
    assert_eq!(
        shown,
        [
            "heading Top",
            "checkbox Look \\| see",
            "step 1. Build",
            "command `make all`",
            "command `cat <<EOF x EOF`",
            "threshold `v1.2+`"
        ]
    );
    let names = BTreeSet::from(["it_builds".to_owned()]);
    let good = page(&items, &[]).replace("1. Build | later", "1. Build | test it_builds");
    let said = |page: &str| wrong(&items, &rows(page), &names).join("\n");
    assert_eq!(said(&good), "");
    assert!(page(&items, &rows(&good)).contains("6 items: 1 tested, 0 differ, 5 later."));
    for (from, to, expected) in [
        ("| heading | Top | later |\n", "", "has no row"),
        ("| Top | later |", "| Bottom | later |", "is not in the document"),
        ("| heading | Top | later |\n", "| heading | Top | later |\n| heading | Top | later |\n", "has two rows"),
        ("| Top | later |", "| Top | done |", "is none of"),
        ("test it_builds", "test it_was_renamed", "no test is called it_was_renamed"),
    ] {
        let broken = good.replace(from, to);
        assert!(said(&broken).contains(expected), "{from} → {to}: {}", said(&broken));
    }
}

#[test]
fn every_link_of_the_document_leads_somewhere() {
    let folder = project().join("docs/runbooks");
    let items = items::items(&fs::read_to_string(folder.join("deployment.md")).unwrap());
    let anchor = |heading: &str| format!("`#{}`", heading.to_lowercase().replace(' ', "-"));
    let anchors: Vec<_> = items.iter().filter(|item| item.kind == "heading").map(|item| anchor(&item.text)).collect();
    let links = items.iter().filter(|item| item.kind == "url" && !item.text.contains("://"));
    let lost: Vec<_> = links
        .filter(|link| !anchors.contains(&link.text) && !folder.join(link.text.trim_matches('`')).exists())
        .collect();
    assert!(lost.is_empty(), "neither a heading of the document nor a file beside it: {lost:#?}");
}
