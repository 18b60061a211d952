//! The stage `test`: nextest, live on the screen, then the doc tests that it does not run.

use crate::{
    postgres,
    stages::{Outcome, Wanted, quiet},
    tools,
};
use anyhow::{Context, Result, bail};
use private_postgres::{Cluster, Purpose};
use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

/// Written as `.config/nextest.toml` says, wherever cargo builds; what is on the screen is for people.
const REPORT: &str = "target/nextest/default/junit.xml";
/// What tests could not do on this machine, a line each: they are told of the file, and add to it.
const NOT_CHECKED: &str = "target/nextest/not-checked";

/// All tests but those that have a stage of their own; with one throw-away PostgreSQL for all processes.
pub(crate) fn run(wanted: &Wanted) -> Result<Outcome> {
    let folder = env::temp_dir().join(format!("xtask-postgres-{}", std::process::id()));
    let cluster = Cluster::start(&postgres::ensure()?, &folder, Purpose::Test).context("a PostgreSQL for the tests")?;
    let mut nextest = command(wanted)?;
    nextest.args(["--workspace", "--exclude=image-tests", "--exclude=cluster-tests"]);
    nextest.env("EAP_TEST_POSTGRES_URL", cluster.url("postgres", "postgres"));
    let outcome = outcome(&mut nextest)?;
    match outcome {
        Outcome::Tested(passed, lacking) if wanted.filters.is_empty() && has_doc_tests(Path::new("."))? => {
            let good = Command::new("cargo").args(["test", "--workspace", "--doc", "--quiet"]).status()?.success();
            Ok(if good { Outcome::Tested(passed + 1, lacking) } else { Outcome::Failed(passed, 1) })
        }
        outcome => Ok(outcome),
    }
}

/// nextest, live on the screen, for the tests that are wanted; the caller names the packages. A test in a module `long`
/// takes long, and others ask `EAP_TEST_LONG` how much to do.
pub(crate) fn command(wanted: &Wanted) -> Result<Command> {
    let mut nextest = tools::NEXTEST.command()?;
    nextest.args(["nextest", "run", "--no-fail-fast", "--profile=default"]);
    nextest.args(["--status-level=slow", "--final-status-level=fail"]).args(quiet("--cargo-quiet"));
    // Who asks for a test by its name wants to read what it counted or measured.
    nextest.args((!wanted.filters.is_empty()).then_some("--success-output=final"));
    nextest.args((!wanted.long).then_some("--filterset=not test(/^long::/)")).args(&wanted.filters);
    nextest.envs(wanted.long.then_some(("EAP_TEST_LONG", "1")));
    nextest.env("XTASK_NOT_CHECKED", env::current_dir()?.join(NOT_CHECKED));
    Ok(nextest)
}

/// Runs it, and counts.
pub(crate) fn outcome(nextest: &mut Command) -> Result<Outcome> {
    for file in [REPORT, NOT_CHECKED].map(Path::new) {
        let _ = fs::remove_file(file);
        fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
    }
    let good = nextest.status()?.success();
    match (good, counts(&fs::read_to_string(REPORT).unwrap_or_default())) {
        (true, (0, _)) => bail!("no test ran"),
        (true, (passed, _)) => {
            let lacking = fs::read_to_string(NOT_CHECKED).unwrap_or_default();
            // Several tests may lack the same.
            let lacking: BTreeSet<_> = lacking.lines().map(str::to_owned).collect();
            Ok(Outcome::Tested(passed, lacking.into_iter().collect()))
        }
        (false, (passed, failed)) => Ok(Outcome::Failed(passed, failed.max(1))),
    }
}

/// Whether any comment that becomes documentation has code in it.
fn has_doc_tests(folder: &Path) -> Result<bool> {
    let mut grep = Command::new("git");
    grep.args(["grep", "--quiet", "--untracked", "--extended-regexp", "^[[:space:]]*//[/!][[:space:]]*```"]);
    Ok(grep.args(["--", "*.rs"]).current_dir(folder).status().context("git cannot be started")?.success())
}

/// How many tests passed and failed, by the first element of nextest's report:
/// `<testsuites name="nextest-run" tests="12" failures="1" errors="0" …>`.
fn counts(report: &str) -> (usize, usize) {
    let element = report.split('<').find(|element| element.starts_with("testsuites ")).unwrap_or_default();
    let number = |name: &str| {
        let value = element.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
        value.parse::<usize>().ok()
    };
    let [all, failures, errors] = ["tests", "failures", "errors"].map(|name| number(name).unwrap_or_default());
    (all.saturating_sub(failures + errors), failures + errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_counted() {
        let report = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest-run\" tests=\"12\" failures=\"2\" errors=\"1\" \
                      uuid=\"x\">\n<testsuite name=\"a\" tests=\"5\" failures=\"0\">";
        assert_eq!(counts(report), (9, 3));
        assert_eq!(counts(""), (0, 0));
    }

    #[test]
    fn a_doc_test_is_noticed_as_soon_as_there_is_one() {
        let folder = env::temp_dir().join(format!("xtask-doc-tests-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(Command::new("git").args(["init", "--quiet"]).current_dir(&folder).status().unwrap().success());
        fs::write(folder.join("a.rs"), "/// Adds `one`.\nfn f() { let _ = \"```\"; }\n").unwrap();
        let before = has_doc_tests(&folder).unwrap();
        fs::write(folder.join("b.rs"), "    /// ```\n    /// assert!(true);\n    /// ```\nfn f() {}\n").unwrap();
        let after = has_doc_tests(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert_eq!((before, after), (false, true));
    }
}
