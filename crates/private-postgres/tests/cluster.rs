//! A private cluster through its whole life: made, restarted, crashed, contended.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use private_postgres::{Cluster, ClusterError, Programs, Purpose};
use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

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
fn a_stale_pid_file_whose_number_another_server_has_by_now_does_not_block_a_start() {
    let (programs, stopped, other) = (Programs::find().unwrap(), folder("stale"), folder("other"));
    let cluster = Cluster::start(&programs, &stopped, Purpose::Development).unwrap();
    let port = cluster.port();
    drop(cluster);
    let other = Cluster::start(&programs, &other, Purpose::Test).unwrap();
    let data = stopped.canonicalize().unwrap().join("data");
    // The number, the folder, when it started, its port: PostgreSQL keeps the same beside its socket.
    let stale = format!("{}\n{}\n1790000000\n{port}\n", other.pid(), data.display());
    std::fs::write(data.join("postmaster.pid"), &stale).unwrap();
    std::fs::write(stopped.join(format!(".s.PGSQL.{port}.lock")), stale).unwrap();
    let cluster = Cluster::start(&programs, &stopped, Purpose::Development).unwrap();
    assert!(answers(&programs, &cluster) && answers(&programs, &other));
    drop(cluster);
    std::fs::remove_dir_all(stopped).unwrap();
}

#[test]
fn two_clusters_with_long_paths_have_private_sockets_that_leave_with_them() {
    let programs = Programs::find().unwrap();
    let folders = [folder(&"long-".repeat(20)), folder(&"longer-".repeat(20))];
    let clusters = folders.each_ref().map(|folder| Cluster::start(&programs, folder, Purpose::Test).unwrap());
    let sockets = clusters.each_ref().map(|cluster| cluster.sockets().to_owned());
    assert_ne!(sockets[0], sockets[1]);
    for (cluster, sockets) in clusters.iter().zip(&sockets) {
        assert!(answers(&programs, cluster));
        assert_eq!(std::fs::metadata(sockets).unwrap().permissions().mode() & 0o777, 0o700);
    }
    drop(clusters);
    assert!(!folders.iter().chain(&sockets).any(|folder| folder.exists()));
}

#[test]
fn a_long_path_gets_a_new_socket_at_each_start_and_one_left_behind_goes() {
    let (programs, folder) = (Programs::find().unwrap(), folder(&"long-".repeat(20)));
    let first = Cluster::start(&programs, &folder, Purpose::Development).unwrap();
    let left_behind = first.sockets().to_owned();
    drop(first);
    std::fs::create_dir(&left_behind).unwrap();
    std::fs::write(folder.join("sockets"), left_behind.to_str().unwrap()).unwrap();
    let second = Cluster::start(&programs, &folder, Purpose::Development).unwrap();
    assert!(answers(&programs, &second) && second.sockets() != left_behind && !left_behind.exists());
    drop(second);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_folder_may_have_any_name() {
    let programs = Programs::find().unwrap();
    for name in ["a ?#&=+'é%41 \"x", "one,two"] {
        let folder = folder(name);
        let cluster = Cluster::start(&programs, &folder, Purpose::Test).unwrap();
        assert!(answers(&programs, &cluster), "{}", cluster.url("postgres", "postgres"));
        drop(cluster);
        assert!(!folder.exists());
    }
}
