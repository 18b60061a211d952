//! A private cluster through its whole life: made, restarted, crashed, contended.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use private_postgres::{Cluster, ClusterError, Programs, Purpose};
use std::{path::PathBuf, process::Command};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("private-postgres-test-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn answers(programs: &Programs, cluster: &Cluster) -> bool {
    let psql = Command::new(programs.program("psql"))
        .args(["-Atc", "SELECT 41 + 1", "-d", &cluster.url("postgres", "postgres")])
        .output()
        .unwrap();
    String::from_utf8_lossy(&psql.stdout).trim() == "42"
}

#[test]
fn a_crashed_cluster_comes_back_with_its_port_and_one_folder_has_one_server() {
    let (programs, folder) = (Programs::find().unwrap(), folder("crash"));
    let cluster = Cluster::start(&programs, &folder, Purpose::Development).unwrap();
    assert!(answers(&programs, &cluster));
    let second = Cluster::start(&programs, &folder, Purpose::Development).unwrap_err();
    assert!(matches!(second, ClusterError::Running { pid } if pid == cluster.pid()), "{second}");
    let port = cluster.port();
    Command::new("kill").args(["-9", &cluster.pid().to_string()]).status().unwrap();
    drop(cluster);
    let cluster = Cluster::start(&programs, &folder, Purpose::Development).unwrap();
    assert!(answers(&programs, &cluster));
    assert_eq!(cluster.port(), port);
    drop(cluster);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_long_path_gets_its_socket_elsewhere_and_a_test_cluster_leaves_nothing() {
    let (programs, folder) = (Programs::find().unwrap(), folder(&"long-".repeat(20)));
    let cluster = Cluster::start(&programs, &folder, Purpose::Test).unwrap();
    assert!(answers(&programs, &cluster));
    drop(cluster);
    assert!(!folder.exists());
}
