//! Which image may run on which schema: rule 4 of versions living together.
//!
//! An image may run if the newest migration that it needs is applied, and if no applied migration says that only newer
//! images can run. Whoever is refused is told the ways out.

use crate::{failure::Failure, observe::Schema};
use semver::Version;

/// An image that is to run.
pub(crate) struct Candidate<'a> {
    pub(crate) version: &'a str,
    /// The newest migration that it needs; none: it does not say.
    pub(crate) schema_needs: Option<&'a str>,
}

/// Refuses an image that could not start on the schema as it is. `environment` stands behind `runbook deploy` in the ways
/// out, with what else belongs there.
pub(crate) fn may_run(environment: &str, schema: &Schema, candidate: &Candidate<'_>) -> Result<(), Failure> {
    let Candidate { version, schema_needs } = candidate;
    if let Some(needed) = schema_needs.filter(|needed| !schema.applied.iter().any(|applied| applied == needed)) {
        let what = format!("{version} cannot start: it needs the migration {needed}, which is not applied");
        let cure = format!("runbook deploy {environment} --version {version}");
        return Err(Failure::refused(what)
            .because("its pods would never become ready; a deployment of that version applies the migration first")
            .cured_by(cure));
    }
    let Some((oldest, file)) = &schema.oldest_app else { return Ok(()) };
    // A version that cannot be read says nothing of what it can stand.
    if version.parse::<Version>().is_ok_and(|version| version >= *oldest) {
        return Ok(());
    }
    Err(Failure::refused(format!("{version} cannot run any more: after {file} only {oldest} and newer can"))
        .because(ways_out(environment, schema, file))
        .cured_by(format!("runbook deploy {environment} --version NEXT")))
}

/// Refuses to go back by itself to an image that could not start once everything that is pending is applied.
pub(super) fn may_go_back(
    environment: &str,
    schema: Option<&Schema>,
    candidate: &Candidate<'_>,
) -> Result<(), Failure> {
    schema.map_or(Ok(()), |schema| may_run(environment, &after(schema), candidate))
}

/// The schema when everything that is pending is applied.
fn after(schema: &Schema) -> Schema {
    let Schema { pending, applied, oldest_app, .. } = schema;
    let told = pending.iter().filter_map(|file| Some((file.oldest_app.clone()?, file.name.clone())));
    Schema {
        pending: vec![],
        applied: applied.iter().chain(pending.iter().map(|file| &file.name)).cloned().collect(),
        oldest_app: oldest_app.iter().cloned().chain(told).max(),
        ..schema.clone()
    }
}

fn ways_out(environment: &str, schema: &Schema, file: &str) -> String {
    // Only the newest can be undone, so each is named.
    let undone = schema.applied.iter().rev().filter(|applied| applied.as_str() >= file);
    let downs: Vec<_> = undone.map(|applied| format!("platform migrate down {applied}")).collect();
    let files = if downs.len() == 1 { "it".to_owned() } else { format!("it and the {} after it", downs.len() - 1) };
    let downs = downs.join(" && ");
    format!(
        "the ways out: (1) roll forward with a version that cures what is wrong: runbook deploy {environment} --version NEXT; \
         (2) undo {files}, newest first, where a file that undoes it is there and loses no row: {downs}; \
         (3) restore the backup from before it, and lose what came since: platform backup restore ID --folder .runbook/backups/DUMP --replace; \
         of RDS: platform backup restore --rds INSTANCE --at MOMENT"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema {
            applied: vec!["20250101_a.sql".into(), "20250201_drop_old.sql".into(), "20250301_c.sql".into()],
            oldest_app: Some((Version::new(1, 2, 0), "20250201_drop_old.sql".into())),
            ..Schema::default()
        }
    }

    fn judged(version: &str, schema_needs: Option<&str>) -> Result<(), Failure> {
        may_run("production", &schema(), &Candidate { version, schema_needs })
    }

    #[test]
    fn an_image_may_run_on_the_schema_that_it_needs_unless_that_has_left_it_behind() {
        judged("1.2.0", Some("20250301_c.sql")).unwrap();
        judged("1.3.0", None).unwrap();
        insta::assert_snapshot!(judged("1.3.0", Some("20250401_d.sql")).unwrap_err(), @"1.3.0 cannot start: it needs the migration 20250401_d.sql, which is not applied");
        let left_behind = judged("1.1.9", Some("20250101_a.sql")).unwrap_err();
        insta::assert_snapshot!(left_behind, @"1.1.9 cannot run any more: after 20250201_drop_old.sql only 1.2.0 and newer can");
        insta::assert_snapshot!(left_behind.why.unwrap(), @"the ways out: (1) roll forward with a version that cures what is wrong: runbook deploy production --version NEXT; (2) undo it and the 1 after it, newest first, where a file that undoes it is there and loses no row: platform migrate down 20250301_c.sql && platform migrate down 20250201_drop_old.sql; (3) restore the backup from before it, and lose what came since: platform backup restore ID --folder .runbook/backups/DUMP --replace; of RDS: platform backup restore --rds INSTANCE --at MOMENT");
        assert!(judged("unknown", None).is_err(), "what cannot be read cannot be trusted");
    }
}
