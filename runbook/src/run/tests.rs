//! What a whole run looks like at a terminal, at every width, without colours.

use super::ending;
use crate::{
    commands::runs::tests::human,
    execute::{self, Standing, Stop, Trouble, World, tests::world::Recorded},
    failure::Failure,
    journal::Journal,
    place::Place,
    plan::{Action, Plan, Step, tests as plans},
    report::Report,
    screen::heard,
};
use std::time::Duration;
use tokio::time::sleep;

const RUN: &str = "20250117-140000-3f2a";
const WIDTHS: [usize; 3] = [60, 100, 160];
/// What a line that is to be pasted begins with.
const PASTED: [&str; 6] = ["kubectl ", "helm ", "aws ", "curl ", "runbook ", "platform "];

/// The recorded world, with what the real one says and the time that it takes.
struct Talking(Recorded);

impl World for Talking {
    async fn boundary(&mut self, journal: &Journal, next: &Step) -> Result<(), Failure> {
        self.0.boundary(journal, next).await
    }

    async fn check(&mut self, step: &Step) -> Result<Standing, Trouble> {
        self.0.check(step).await
    }

    async fn ready(&mut self, plan: &Plan, step: &Step) -> Result<(), Trouble> {
        self.0.ready(plan, step).await
    }

    async fn apply(&mut self, step: &Step) -> Result<String, Trouble> {
        let (took_ms, said) = said(&step.does);
        sleep(Duration::from_millis(took_ms)).await;
        let applied = self.0.apply(step).await;
        if applied.is_err() && matches!(step.does, Action::HelmUpgrade { .. }) {
            return Err(doomed());
        }
        applied.map(|_| said.to_owned())
    }
}

/// As the real programs said it of a deployment.
fn said(action: &Action) -> (u64, &'static str) {
    match action {
        Action::MigrationStatus { .. } => {
            (120, "✓ 20250110_add_mfa_columns.sql (applied)\n✗ 20250117_add_webhooks_table.sql (pending)")
        }
        Action::MigrationReview { .. } => (310, REVIEW),
        Action::Snapshot { .. } => (184_200, "prod-db-snapshot-20250117-140000 is available"),
        Action::Migrate { .. } => (730, "✓ 20250117_add_webhooks_table.sql (5.0ms)"),
        Action::HelmLint { .. } => (280, "1 chart(s) linted, 0 chart(s) failed"),
        Action::HelmTemplate { .. } => (640, DIFFERENCE),
        Action::HelmUpgrade { .. } => (37_700, "STATUS: deployed\nREVISION: 3"),
        Action::HelmRollback { .. } => (36_200, "Rollback was a success! Happy Helming!"),
        Action::Rollout { .. } => (
            4_100,
            "deployment \"auth-service\" successfully rolled out\ndeployment \"user-service\" successfully rolled out",
        ),
        Action::HelmHistory { .. } => (190, HISTORY),
        Action::Pods { .. } => (600, PODS),
        Action::Health { .. } => (40, HEALTH),
        Action::Endpoints => (300, "login: 401 bad_credentials\nusers: 200"),
        Action::Logs => (100, "no error in the last 100 lines of 4 pods"),
        Action::Metrics => (700, "0 of 43 answers were errors; mean 5.4 ms (too few to judge)"),
        Action::Smoke => (2_600, SMOKE),
        _ => (50, ""),
    }
}

const REVIEW: &str = "✗ 20250117_add_webhooks_table.sql (one transaction)
       3  CREATE TABLE webhooks (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, url text NOT NULL, secret text NOT NULL)
        → ACCESS EXCLUSIVE: keeps out whoever reads or writes; changes the catalog only; instant
            organizations SHARE ROW EXCLUSIVE, 1204 rows, 320 kB
    undone by: platform migrate down 20250117_add_webhooks_table.sql
plan 8d7788b169ea2f31e9e646d9af22743b61c6eb202e4dfdbe9776f6cd0fe25d66";

const DIFFERENCE: &str = "@@ -9,3 +9,3 @@
     app.kubernetes.io/part-of: api-platform
-    app.kubernetes.io/version: \"1.2.3\"
+    app.kubernetes.io/version: \"1.2.4\"
     app.kubernetes.io/managed-by: Helm";

const HISTORY: &str = "REVISION\tUPDATED                 \tSTATUS    \tCHART             \tAPP VERSION\tDESCRIPTION     \n\
1       \tFri Jan 10 09:18:36 2025\tsuperseded\tapi-platform-0.1.0\t1.2.2      \tInstall complete\n\
2       \tFri Jan 17 12:00:07 2025\tdeployed  \tapi-platform-0.1.0\t1.2.3      \tUpgrade complete";

const PODS: &str = "auth-service-9c4d6fdd6-29bkk  1/1  0 restarts  873099f7fc4f  1.2.4
auth-service-9c4d6fdd6-mfvvf  1/1  0 restarts  873099f7fc4f  1.2.4
user-service-5797b85956-5rfgq  1/1  0 restarts  b7c9f7c21198  1.2.4
user-service-5797b85956-mssz4  1/1  0 restarts  b7c9f7c21198  1.2.4";

const HEALTH: &str = r#"{"status":"healthy","version":"1.2.4","timestamp":"2025-01-17T14:06:49.405Z","services":{"database":"healthy","redis":"healthy","elasticsearch":"disabled"}}"#;

const SMOKE: &str = "
  Smoke test of https://api.example.com

  ✓ User registration            467 ms
  ✓ User login                   177 ms
  ✓ List resources               195 ms
  ✓ Create resource              108 ms
  ✓ Update resource              112 ms
  ✓ Delete resource              108 ms
  ✓ Webhook delivery             423 ms
  ✓ Analytics event tracking     227 ms

  8 of 8 passed in 1.8 s
";

/// What a rollout says whose pods crash.
fn doomed() -> Trouble {
    Trouble {
        why: "auth-service: the container auth-service ended 3 times with exit code 78 within 40 s of its start (crash loop)".into(),
        evidence: "cure: read why: `kubectl -n production logs auth-service-7d9f8b6c5d-x2v4q -c auth-service --previous`
auth-service-7d9f8b6c5d-x2v4q
  BackOff ×3: Back-off restarting failed container auth-service in pod auth-service-7d9f8b6c5d-x2v4q_production(5b1d)
  | {\"timestamp\":\"2025-01-17T14:05:31.204Z\",\"level\":\"ERROR\",\"message\":\"the setting smtp_url is missing\",\"service\":\"auth-service\"}
  | error: the setting smtp_url is missing: set EAP_SMTP_URL, or add it to the secret api-secrets
saved in .runbook/evidence/production-20250117-140540.json"
            .into(),
    }
}

/// Everything that is printed from the plan to the last words.
async fn shown(plan: &Plan, failing: &[&str], width: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { folder: folder.path().to_owned(), screen: human(width) };
    let screen = crate::screen::Screen { is_terminal: false, ..human(width) };
    let file = plans::file();
    let request = plans::request(&file, None);
    heard::begin();
    let report = Report::new(&screen);
    report.plan(plan);
    let mut journal = Journal::begin(folder.path(), RUN, plans::began(RUN, plan.clone())).unwrap();
    report.kept_in(RUN);
    let failing = failing.iter().map(|&id| id.to_owned()).collect();
    let mut world = Talking(Recorded { failing, ..Recorded::default() });
    let exit = execute::execute(&mut journal, &mut world, &Stop::never(), |told| report.told(told)).await.unwrap();
    report.over();
    ending::tell(&place, &request, &journal, exit, &report);
    heard::end()
}

/// At each width, and nothing in it wider than that but what is to be pasted.
async fn snapshots(name: &str, plan: &Plan, failing: &[&str]) {
    for width in WIDTHS {
        let shown = shown(plan, failing, width).await;
        for line in shown.lines() {
            let is_pasted = PASTED.iter().any(|program| line.contains(program)) || !line.trim().contains(' ');
            let taken = textwrap::core::display_width(line);
            assert!(taken <= width || is_pasted, "{taken} of {width}: {line}");
            assert_eq!(line.trim_end(), line, "spaces are left behind");
        }
        insta::assert_snapshot!(format!("{name}_at_{width}"), shown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_at_a_terminal() {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    snapshots("a_deployment", &plan, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_goes_back_at_a_terminal() {
    let plan = plans::planned(None, "1.2.4", &plans::observed()).unwrap();
    snapshots("a_deployment_that_goes_back", &plan, &["4.3.upgrade"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_at_a_terminal() {
    let plan = plans::rolled_back(None, None, &plans::observed()).unwrap();
    snapshots("a_rollback", &plan, &[]).await;
}
