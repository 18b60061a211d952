//! `runbook doctor`

use crate::{
    kubernetes::{self, UID},
    project::{Project, Said},
};
use rustix::process::Pid;
use std::{
    fs, thread,
    time::{Duration, Instant},
};
use testing::Database;

/// A machine where everything is well, but for what a test changes; it has no kubectl.
fn project(cluster: &str) -> Project {
    let project = Project::new();
    project.program("git", r#"case "$1" in --version) echo git version 2.39.5;; esac"#);
    project.program(
        "docker",
        r#"case "$1" in --version) echo Docker version 24.0.7, build x;; version) echo 24.0.7;; esac"#,
    );
    project.program("helm", r#"echo 'version.BuildInfo{Version:"v3.17.2"}'"#);
    project.program("terraform", "echo Terraform v1.11.4");
    project.program("gh", r#"case "$1" in --version) echo gh version 2.23.0;; *) echo ADMIN;; esac"#);
    project.program(
        "aws",
        r#"case "$*" in
  --version) echo aws-cli/2.13.0 Python/3.11.4;;
  "sts get-caller-identity"*) echo 123456789012;;
  "rds describe-db-instances"*) echo available;;
  *secretsmanager*) echo "$SECRET_URL";;
esac"#,
    );
    project.write(".home/.docker/config.json", r#"{"auths": {"registry.test": {}}}"#);
    project.write("services/auth/Dockerfile", "").write("helm/values-prod.yaml", "autoscaling: { maxReplicas: 10 }\n");
    project.write("helm/api-platform/values.yaml", "database: { pool: 5 }\nautoscaling: { maxReplicas: 50 }\n");
    project.write(
        "runbook.toml",
        &format!(
            r#"
github = "example/platform"

[environments.development]
url = "http://localhost:3000"

[environments.production]
url = "https://api.example.com"
registry = "registry.test"
values = "helm/values-prod.yaml"
cluster = {{ kubeconfig = "~/config-prod", context = "prod-us-east-1", namespace = "production", {cluster} }}
aws = {{ profile = "production", region = "us-east-1", account = "123456789012" }}
secrets = {{ api-secrets = ["database-url", "master-key"] }}
database = {{ kind = "rds", instance = "prod-db", url = {{ aws_secret = "prod/database-url" }} }}

[services.auth-service]
image = "api-platform/auth-service"
dockerfile = "services/auth/Dockerfile"
"#
        ),
    );
    project
}

/// The same with the real kubectl, asking the cluster of that uid; none where there is no kubectl.
fn project_of(uid: &str) -> Option<Project> {
    let kubectl = kubernetes::tools()?.join("kubectl/kubectl");
    let project = project(&format!("uid = \"{uid}\""));
    project.program("kubectl", &format!("exec {} \"$@\"", kubectl.display()));
    Some(project)
}

fn diagnosed(project: &Project, database: &Database) -> Said {
    let mut command = project.command(&["doctor", "production"]);
    Said::of(&command.env("SECRET_URL", database.url("readonly_user")).output().unwrap())
}

/// Times and versions of this machine differ.
fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(", in ") {
        Some((before, _)) => format!("{before}, in … s"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_machine_and_an_environment_that_have_everything_are_told_so_within_three_seconds() {
    let Some(project) = project_of(UID) else { return };
    project.write(".home/config-prod", &kubernetes::start(&[]));
    let database = Database::new().await;
    let start = Instant::now();
    let said = diagnosed(&project, &database);
    let took = start.elapsed();
    assert_eq!((said.code, &*said.err), (0, ""), "{}", said.out);
    eprintln!("doctor with everything well: {} ms", took.as_millis());
    assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 3 }), "{took:?}");
    insta::with_settings!({ filters => [(r"PostgreSQL \d+\.\d+", "PostgreSQL X"), (r"of \d+ that", "of N that"), (r"kubectl [\d.]+", "kubectl X")] }, {
        insta::assert_snapshot!(steady(&said.out), @"
        Tools:
        ok: git 2.39.5, for Steps 2 and 7
        ok: docker 24.0.7, for Step 2
        ok: helm 3.17.2, for Step 4 and Rollback Option 1
        ok: kubectl X, for Steps 4 and 5, and every rollback
        ok: aws 2.13.0, for Step 3.4 and Rollback Option 3
        ok: gh 2.23.0, for Step 7.2
        ok: terraform 1.11.4, for infra/ alone
        Sources:
        ok: git reaches origin
        ok: auth-service is built from services/auth/Dockerfile, as api-platform/auth-service
        ok: gh may write to example/platform
        Cluster:
        ok: prod-us-east-1 is the cluster 4c1a6a4e-5b9e-4a51-8a42-2f6a3c6b7d10
        ok: all 12 rights that the steps need in namespace production
        ok: all 9 rights that runs need in namespace runbook
        ok: secret api-secrets has database-url, master-key
        AWS:
        ok: account 123456789012
        ok: prod-db is available
        Registry:
        ok: docker's engine 24.0.7 answers
        ok: a login for registry.test is stored
        Database:
        ok: PostgreSQL X lets us in
        ok: 60 connections (1 services × 10 pods × 6), of N that are left
        20 good, 0 to know, 0 to cure, in … s
        ");
    });
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_with_its_cure() {
    let Some(project) = project_of("another") else { return };
    project.write(".home/config-prod", &kubernetes::start(&[]));
    project.program("helm", "echo v3.9.4").program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
    project.program("gh", r#"case "$1" in --version) echo gh version 2.23.0;; *) echo READ;; esac"#);
    project.program(
        "git",
        r#"case "$1" in --version) echo git version 2.39.5;; *) echo 'fatal: no remote' >&2; exit 128;; esac"#,
    );
    project.program("aws", r#"case "$*" in --version) echo aws-cli/2.13.0;; sts*) echo 210987654321;; *) echo AccessDenied >&2; exit 254;; esac"#);
    project.write(".home/.docker/config.json", "{}");
    fs::remove_file(project.path().join("services/auth/Dockerfile")).unwrap();
    let said = project.runbook(&["doctor", "production"]);
    assert_eq!(said.code, 1);
    insta::with_settings!({ filters => [(r"kubectl [\d.]+", "kubectl X"), (r"--kubeconfig \S+", "--kubeconfig …")] }, {
        insta::assert_snapshot!(steady(&said.out), @r#"
        Tools:
        ok: git 2.39.5, for Steps 2 and 7
        error: docker: Cannot connect to the Docker daemon
          why: Step 2 cannot be done
        error: helm 3.9.4 is older than 3.12.0
          why: Step 4 and Rollback Option 1 cannot be done
          cure: install helm 3.12.0 or newer, or accept it in runbook.toml: [tools] helm = "3.9.4"
        ok: kubectl X, for Steps 4 and 5, and every rollback
        ok: aws 2.13.0, for Step 3.4 and Rollback Option 3
        ok: gh 2.23.0, for Step 7.2
        ok: terraform 1.11.4, for infra/ alone
        Sources:
        error: git does not reach origin: fatal: no remote
          why: Steps 2 and 7 pull from it and push to it
          cure: git ls-remote --exit-code origin HEAD
        error: auth-service: services/auth/Dockerfile is not there
          why: Step 2 builds its image from it
          cure: git log --oneline -- services/auth/Dockerfile
        error: gh may not write to example/platform: read
          why: Step 7.2 makes a release there
          cure: gh auth switch
        Cluster:
        error: prod-us-east-1 is the cluster 4c1a6a4e-5b9e-4a51-8a42-2f6a3c6b7d10, not another
          why: what is meant for one cluster would be done in another
          cure: kubectl config get-contexts
        AWS:
        error: profile production is account 210987654321, not 123456789012
          why: what is meant for one account would be done in another
          cure: aws configure --profile production
        error: prod-db is not seen: AccessDenied
          why: Step 3.4 takes a snapshot of it before every migration
          cure: AWS_PROFILE=production AWS_REGION=us-east-1 aws rds describe-db-instances --db-instance-identifier prod-db --query 'DBInstances[0].DBInstanceStatus' --output text
        Registry:
        error: docker's engine does not answer: Cannot connect to the Docker daemon
          why: Step 2 builds images with it
          cure: sudo systemctl start docker    # or start Docker Desktop
        error: no login for registry.test is stored
          why: Step 2 pushes images there
          cure: docker login registry.test
        Database:
        error: secret prod/database-url cannot be read: AccessDenied
          why: Step 3 asks it what is pending
          cure: aws secretsmanager describe-secret --secret-id prod/database-url
        5 good, 0 to know, 11 to cure, in … s
        "#);
    });
}

#[tokio::test]
async fn missing_rights_and_keys_are_named_and_no_secret_is_shown() {
    let Some(project) = project_of(UID) else { return };
    project.write(
        ".home/config-prod",
        &kubernetes::start(&["create secrets", "get pods log", "update leases", "create configmaps"]),
    );
    let wanted =
        project.read("runbook.toml").replace(r#"["database-url", "master-key"]"#, r#"["database-url", "smtp-url"]"#);
    project.write("runbook.toml", &wanted);
    let database = Database::new().await;
    let said = diagnosed(&project, &database);
    assert_eq!(said.code, 1, "{}", said.out);
    for line in [
        "error: you may not create secrets in namespace production",
        "error: you may not get pods/log in namespace production",
        "error: in namespace runbook you may not update leases, create configmaps",
        "  why: every run takes its lock and writes its journal's copy there: none can begin",
        "  cure: kubectl create role runbook -n runbook --verb=create,delete,get,list,patch,update --resource=leases.coordination.k8s.io,configmaps --context prod-us-east-1 --kubeconfig /",
        "/config-prod; kubectl create rolebinding runbook-ada -n runbook --role=runbook --user=ada --context prod-us-east-1 --kubeconfig /",
        "error: secret api-secrets has no smtp-url",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    assert!(!said.out.contains("hunter2") && !said.out.contains("aHVudGVyMg"), "{}", said.out);
}

#[tokio::test]
async fn that_old_runs_cannot_be_deleted_keeps_nobody_from_anything() {
    let Some(project) = project_of(UID) else { return };
    project.write(".home/config-prod", &kubernetes::start(&["delete configmaps"]));
    let said = diagnosed(&project, &Database::new().await);
    assert_eq!(said.code, 0, "{}", said.out);
    let warning =
        "warning: in namespace runbook you may not delete configmaps\n  why: copies of old runs are kept there";
    assert!(said.out.contains(warning), "{}", said.out);
}

#[tokio::test]
async fn more_pods_than_the_database_has_connections_for_are_a_failure() {
    let Some(project) = project_of(UID) else { return };
    project
        .write(".home/config-prod", &kubernetes::start(&[]))
        .write("helm/values-prod.yaml", "autoscaling: { maxReplicas: 5000 }\n");
    let said = diagnosed(&project, &Database::new().await);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("error: 30000 connections (1 services × 5000 pods × 6) may be needed"), "{}", said.out);
}

#[test]
fn an_environment_without_cluster_and_account_needs_neither_of_their_tools() {
    let project = project("");
    let said = project.runbook(&["doctor", "development", "--output", "json"]);
    assert_eq!(said.code, 1, "no login for Docker Hub: {}", said.out);
    assert!(!said.out.contains("tool.kubectl") && !said.out.contains("tool.aws") && said.out.contains("tool.git"));
    let last: serde_json::Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["failed"]), (&"result".into(), &1.into()));
    let none = r#""id":"cluster.none","schema":1,"state":"warning","what":"runbook.toml names no cluster for it""#;
    assert!(said.out.contains(none), "{}", said.out);
}

#[test]
fn an_environment_that_nobody_wrote_is_a_wrong_command_line() {
    let said = project("").runbook(&["doctor", "prod"]);
    assert_eq!(said.code, 64);
    assert!(said.err.contains("it has development, production"), "{}", said.err);
}

#[test]
fn a_kill_takes_along_what_it_started() {
    let project = project("");
    project.program("helm", "echo $$ > helm.pid; exec sleep 60");
    let mut doctor = project.command(&["doctor", "production"]).spawn().unwrap();
    let pid_file = project.path().join("helm.pid");
    let start = Instant::now();
    let wait = |what: &str, until: &dyn Fn() -> bool| {
        while !until() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            thread::sleep(Duration::from_millis(10));
        }
    };
    let pid = || fs::read_to_string(&pid_file).unwrap_or_default().trim().parse().ok().and_then(Pid::from_raw);
    wait("helm starts", &|| pid().is_some());
    doctor.kill().unwrap();
    doctor.wait().unwrap();
    let helm = pid().unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/status", helm.as_raw_nonzero())).unwrap_or_default();
    wait("helm ends", &|| !state().contains("State:") || state().contains("State:\tZ"));
}

const PROGRAMS: [&str; 7] = ["git", "docker", "helm", "terraform", "gh", "aws", "kubectl"];

/// A program that answers as it did, and takes its time.
fn slow(project: &Project, name: &str) {
    let script = project.read(&format!(".programs/{name}"));
    project.program(name, &format!("sleep {SLOW_S}\n{}", script.trim_start_matches("#!/bin/sh\n")));
}

/// Of every answer, in seconds.
const SLOW_S: f64 = 0.7;

/// kubectl, whose own questions before the one that was meant would make one answer out of many.
const KUBECTL: &str = r#"case "$*" in
  "version --client") echo Client Version: v1.35.0;;
  *kube-system*) echo 4c1a6a4e-5b9e-4a51-8a42-2f6a3c6b7d10;;
  *"get secret"*) echo database-url master-key;;
  *) echo yes;;
esac"#;

/// 33 answers, of which at most three have to wait for one another: 2.1 s, and 23 s one after the other.
#[tokio::test]
async fn everything_is_asked_at_the_same_time() {
    let project = project(&format!("uid = \"{UID}\""));
    project.program("kubectl", KUBECTL);
    for name in PROGRAMS {
        slow(&project, name);
    }
    let takes = Duration::from_secs_f64(SLOW_S);
    project.write(".home/config-prod", &kubernetes::start_slow(&[], takes));
    let database = Database::new().await;
    let start = Instant::now();
    let said = diagnosed(&project, &database);
    let took = start.elapsed();
    assert_eq!((said.code, &*said.err), (0, ""), "{}", said.out);
    eprintln!("doctor with every answer after {SLOW_S} s: {} ms", took.as_millis());
    assert!(took < Duration::from_secs(10), "{took:?}: one after the other");
}

#[test]
fn what_hangs_is_ended_and_named() {
    let project = project(&format!("uid = \"{UID}\""));
    for name in PROGRAMS {
        project.program(name, "exec sleep 600");
    }
    project.write(".home/config-prod", &kubernetes::start(&[]));
    let start = Instant::now();
    let said = project.runbook(&["doctor", "production"]);
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    assert_eq!(said.code, 1);
    for line in [
        "error: helm: helm did not end within 10 s",
        "error: git does not reach origin: git did not end within 10 s",
        "error: prod-us-east-1 does not answer: kubectl did not end within 10 s",
        "error: profile production is not let in: aws did not end within 10 s",
        "error: docker's engine does not answer: docker did not end within 10 s",
        "error: secret prod/database-url cannot be read: aws did not end within 10 s",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
}
