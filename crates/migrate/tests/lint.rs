//! Each rule has a file that breaks it and one that does not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use migrate::{
    Files,
    lint::{self, Finding},
};
use semver::Version;
use std::{collections::BTreeSet, fs, path::Path};

const RELEASE: Version = Version::new(0, 2, 0);

fn text(kind: &str, rule: &str) -> String {
    fs::read_to_string(folder(kind).join(format!("{rule}.sql"))).expect(rule)
}

fn folder(kind: &str) -> std::path::PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/lint").join(kind)
}

fn findings(text: &str) -> Vec<Finding> {
    lint::lint(&Files::embedded(&[("20250101_a.sql", text)]).unwrap(), &RELEASE)
}

#[test]
fn every_rule_has_a_file_that_breaks_it_and_one_that_is_clean() {
    let rules: BTreeSet<_> = lint::rules().into_iter().collect();
    for kind in ["bad", "good"] {
        let names = folder(kind).read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: BTreeSet<_> = names.map(|name| name.trim_end_matches(".sql").to_owned()).collect();
        assert_eq!(names, rules, "{kind}");
    }
    let mut problems = Vec::new();
    for rule in rules {
        if !findings(&text("bad", &rule)).iter().any(|finding| finding.rule == rule) {
            problems.push(format!("{rule}: the bad file passes: {:?}", findings(&text("bad", &rule))));
        }
        let good = findings(&text("good", &rule));
        if !good.is_empty() {
            problems.push(format!("{rule}: the good file has {}", lint::human(&good)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_down_that_ends_its_transaction_is_found_and_may_drop_what_it_likes() {
    let of = |down| {
        let files = Files::embedded(&[("20250101_a.sql", "SELECT 1;"), ("20250101_a.down.sql", down)]).unwrap();
        lint::lint(&files, &RELEASE)
    };
    assert_eq!(of("DROP TABLE a;"), []);
    let findings = of("DROP TABLE a;\n  COMMIT;");
    let found: Vec<_> = findings.iter().map(|it| (&*it.file, &*it.rule, it.line, it.column)).collect();
    assert_eq!(found, [("20250101_a.down.sql", "transaction-nesting", 2, 3)]);
}

#[test]
fn the_projects_own_migrations_are_clean() {
    let findings = lint::lint(&testing::migrations(), &env!("CARGO_PKG_VERSION").parse().unwrap());
    assert!(findings.is_empty(), "{}", lint::human(&findings));
}

#[test]
fn an_exception_in_the_middle_holds_for_the_next_statement_only() {
    let both =
        "-- oldest-app: 0.1.0\nSELECT 1;\n-- lint:allow ban-drop-table nobody reads it\nDROP TABLE a;\nDROP TABLE b;";
    let findings = findings(both);
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].rule.as_str(), findings[0].line, findings[0].column), ("ban-drop-table", 5, 1));
}

#[test]
fn findings_are_told_to_people_and_to_programs() {
    let findings = findings("SELECT 1;\n  VACUUM people;");
    let human = lint::human(&findings);
    assert!(
        human.starts_with("20250101_a.sql:2:3: needs-no-transaction: Cannot run in a transaction.\n    Put"),
        "{human}"
    );
    let sarif = lint::sarif(&findings, "migrations");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), lint::rules().len());
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "migrations/20250101_a.sql");
    assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&2.into(), &3.into()));
}
