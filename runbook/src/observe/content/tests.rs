//! Folders as they are found.

use super::*;
use proptest::prelude::*;
use std::os::unix::{fs::symlink, net::UnixListener};
use tempfile::TempDir;

const CHART: &str = "helm/api-platform";

fn project(files: &[(&str, &[u8])]) -> TempDir {
    let project = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = project.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    project
}

fn chart() -> TempDir {
    project(&[
        ("helm/api-platform/Chart.yaml", b"name: api-platform"),
        ("helm/api-platform/templates/a.yaml", b"kind: Service"),
        ("helm/values-prod.yaml", b"replicaCount: 5\n"),
    ])
}

fn of_chart(project: &TempDir) -> String {
    sum(project.path(), Path::new(CHART)).unwrap()
}

#[test]
fn a_file_has_the_sum_that_sha256sum_prints() {
    let sum = sum(chart().path(), Path::new("helm/values-prod.yaml")).unwrap();
    assert_eq!(sum, "1d7118c222979ca160a08520fdfb0b1741bef5243eb2a4cfdb7d33ef90b675b1");
}

#[test]
fn whatever_is_changed_in_a_folder_changes_its_sum() {
    let before = of_chart(&chart());
    assert_eq!(of_chart(&chart()), before, "wherever it is");
    let changes: [fn(&Path); 5] = [
        |chart| fs::write(chart.join("templates/a.yaml"), "kind: Secret").unwrap(),
        |chart| fs::write(chart.join("templates/b.yaml"), "").unwrap(),
        |chart| fs::remove_file(chart.join("templates/a.yaml")).unwrap(),
        |chart| fs::rename(chart.join("templates/a.yaml"), chart.join("templates/b.yaml")).unwrap(),
        |chart| symlink("a.yaml", chart.join("templates/b.yaml")).unwrap(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let project = chart();
        change(&project.path().join(CHART));
        assert_ne!(of_chart(&project), before, "{number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn two_folders_have_one_sum_only_if_they_are_the_same(
        one in prop::collection::btree_map("[ab]{1,2}", "[ab]{0,2}", 0..3),
        other in prop::collection::btree_map("[ab]{1,2}", "[ab]{0,2}", 0..3),
    ) {
        let sums = [&one, &other].map(|files| {
            let project = project(&[]);
            fs::create_dir_all(project.path().join(CHART)).unwrap();
            for (name, text) in files {
                fs::write(project.path().join(CHART).join(name), text).unwrap();
            }
            of_chart(&project)
        });
        prop_assert_eq!(sums[0] == sums[1], one == other);
    }
}

#[test]
fn a_link_that_leads_out_of_the_folder_is_refused_and_one_that_stays_is_not() {
    let project = chart();
    symlink("templates", project.path().join(CHART).join("same")).unwrap();
    of_chart(&project);
    symlink("../values-prod.yaml", project.path().join(CHART).join("values.yaml")).unwrap();
    let refused = sum(project.path(), Path::new(CHART)).unwrap_err();
    insta::assert_snapshot!(refused, @"helm/api-platform/values.yaml leads out of helm/api-platform");
}

#[test]
fn what_is_not_there_no_file_or_far_too_large_is_refused() {
    let project = chart();
    let refused = |path: &str| sum(project.path(), Path::new(path)).unwrap_err().to_string();
    insta::assert_snapshot!(refused("helm/gone.yaml"), @"helm/gone.yaml cannot be read: No such file or directory (os error 2)");
    let _socket = UnixListener::bind(project.path().join(CHART).join("socket")).unwrap();
    insta::assert_snapshot!(refused(CHART), @"helm/api-platform/socket is neither a file nor a folder");
    // A file with a hole in it takes no room.
    for path in ["helm/huge.yaml", "k8s/huge.yaml"] {
        fs::create_dir_all(project.path().join(path).parent().unwrap()).unwrap();
        File::create(project.path().join(path)).unwrap().set_len(BYTES + 1).unwrap();
    }
    insta::assert_snapshot!(refused("helm/huge.yaml"), @"helm/huge.yaml has too much in it to be applied");
    insta::assert_snapshot!(refused("k8s"), @"k8s has too much in it to be applied");
}

#[tokio::test]
async fn what_was_changed_since_the_plan_is_named_with_what_to_do() {
    let project = chart();
    let paths = [PathBuf::from(CHART), "helm/values-prod.yaml".into()];
    let sums = observe(project.path(), paths.into()).await.unwrap();
    let planned: Vec<_> = sums.into_iter().map(|(path, sha256)| Pinned { path, sha256 }).collect();
    let planned: Vec<_> = planned.iter().collect();
    let anew = "runbook plan production --version 1.2.4";
    refuse_changed(project.path(), &planned, anew).await.unwrap();
    fs::write(project.path().join("helm/values-prod.yaml"), "replicaCount: 1\n").unwrap();
    let refused = refuse_changed(project.path(), &planned, anew).await.unwrap_err();
    insta::assert_snapshot!(refused, @"not what was planned any more: helm/values-prod.yaml");
    insta::assert_snapshot!(refused.cure.unwrap(), @"git diff -- helm/values-prod.yaml    # put it back, or look at it anew: runbook plan production --version 1.2.4");
}
