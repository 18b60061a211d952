//! What people see.

use crate::cluster::{Cluster, at};
use rollout::{Canvas, Observed, Standing, standing, tree};
use serde_json::json;

const NO_CPU: &str = "0/3 nodes are available: 1 node(s) had untolerated taint {gpu: yes}, 2 Insufficient cpu.";

/// One service is doomed, one waits, one is done.
fn three() -> Standing {
    let said = "MountVolume.SetUp failed for volume \"secrets\" : secret \"no-such-secret\" not found";
    let restarted = json!({ "restartCount": 1, "state": { "waiting": { "reason": "ContainerCreating" } } });
    let mut all = Cluster::new().container(restarted).event("FailedMount", said, 3, 5).observed();
    for (service, status) in [
        ("user-service", json!({})),
        ("org-service", json!({ "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2 })),
    ] {
        let mut cluster = Cluster::new();
        crate::cluster::merge(&mut cluster.deployment["status"], status);
        let text = serde_json::to_string(&cluster.observed()).unwrap();
        let text = text.replace("auth-service", service).replace("\"uid\":\"", &format!("\"uid\":\"{service}-"));
        let more: Observed = serde_json::from_str(&text).unwrap();
        all.services.extend(more.services);
        all.deployments.extend(more.deployments);
        all.replica_sets.extend(more.replica_sets);
        all.pods.extend(more.pods);
    }
    standing(&all, at(60))
}

fn canvas(width: usize, height: usize) -> Canvas {
    Canvas { width, height, is_ascii: false, has_colour: false }
}

fn drawn(canvas: Canvas) -> String {
    checked(&three(), canvas)
}

fn checked(standing: &Standing, canvas: Canvas) -> String {
    let lines = tree(standing, canvas);
    assert!(lines.len() <= canvas.height, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.chars().count() <= canvas.width), "{lines:#?}");
    lines.join("\n")
}

#[test]
fn it_fits_a_narrow_screen() {
    insta::assert_snapshot!(drawn(canvas(60, 40)), @r#"
    ✗ auth-service  doomed
        missing_mount: cannot be mounted: secret "no-such-
        secret" not found (3 times) (since 55s)
        cure: make it in namespace production, or correct its
        name in the values
      revision 2 (new)  0/1 ready  auth-service:2.0.0
        ✗ auth-service-new-1      0/1   60s  missing_mount, 1 r…
      revision 1 (old)  2/2 ready  auth-service:1.0.0
        ✓ auth-service-old-1      1/1   61m
        ✓ auth-service-old-2      1/1   61m
    ◌ user-service  waiting: 1 of 2 new pods are made
      revision 2 (new)  0/1 ready  user-service:2.0.0
        ◌ user-service-new-1      0/1   60s  not ready
      revision 1 (old)  2/2 ready  user-service:1.0.0
        ✓ user-service-old-1      1/1   61m
        ✓ user-service-old-2      1/1   61m
    ✓ org-service  complete
      revision 2 (new)  0/1 ready  org-service:2.0.0
        ◌ org-service-new-1       0/1   60s  not ready
      revision 1 (old)  2/2 ready  org-service:1.0.0
        ✓ org-service-old-1       1/1   61m
        ✓ org-service-old-2       1/1   61m
    "#);
}

#[test]
fn it_fits_the_usual_screen() {
    insta::assert_snapshot!(drawn(canvas(100, 40)), @r#"
    ✗ auth-service  doomed
        missing_mount: cannot be mounted: secret "no-such-secret" not found (3 times) (since 55s)
        cure: make it in namespace production, or correct its name in the values
      revision 2 (new)  0/1 ready  auth-service:2.0.0
        ✗ auth-service-new-1                 0/1   60s  missing_mount, 1 restart
      revision 1 (old)  2/2 ready  auth-service:1.0.0
        ✓ auth-service-old-1                 1/1   61m
        ✓ auth-service-old-2                 1/1   61m
    ◌ user-service  waiting: 1 of 2 new pods are made
      revision 2 (new)  0/1 ready  user-service:2.0.0
        ◌ user-service-new-1                 0/1   60s  not ready
      revision 1 (old)  2/2 ready  user-service:1.0.0
        ✓ user-service-old-1                 1/1   61m
        ✓ user-service-old-2                 1/1   61m
    ✓ org-service  complete
      revision 2 (new)  0/1 ready  org-service:2.0.0
        ◌ org-service-new-1                  0/1   60s  not ready
      revision 1 (old)  2/2 ready  org-service:1.0.0
        ✓ org-service-old-1                  1/1   61m
        ✓ org-service-old-2                  1/1   61m
    "#);
}

#[test]
fn it_fits_a_wide_screen() {
    insta::assert_snapshot!(drawn(canvas(160, 40)), @r#"
    ✗ auth-service  doomed
        missing_mount: cannot be mounted: secret "no-such-secret" not found (3 times) (since 55s)
        cure: make it in namespace production, or correct its name in the values
      revision 2 (new)  0/1 ready  auth-service:2.0.0
        ✗ auth-service-new-1                                0/1   60s  missing_mount, 1 restart
      revision 1 (old)  2/2 ready  auth-service:1.0.0
        ✓ auth-service-old-1                                1/1   61m
        ✓ auth-service-old-2                                1/1   61m
    ◌ user-service  waiting: 1 of 2 new pods are made
      revision 2 (new)  0/1 ready  user-service:2.0.0
        ◌ user-service-new-1                                0/1   60s  not ready
      revision 1 (old)  2/2 ready  user-service:1.0.0
        ✓ user-service-old-1                                1/1   61m
        ✓ user-service-old-2                                1/1   61m
    ✓ org-service  complete
      revision 2 (new)  0/1 ready  org-service:2.0.0
        ◌ org-service-new-1                                 0/1   60s  not ready
      revision 1 (old)  2/2 ready  org-service:1.0.0
        ✓ org-service-old-1                                 1/1   61m
        ✓ org-service-old-2                                 1/1   61m
    "#);
}

#[test]
fn on_a_low_screen_failures_stay_and_the_rest_is_counted() {
    insta::assert_snapshot!(drawn(canvas(100, 8)), @r#"
    ✗ auth-service  doomed
        missing_mount: cannot be mounted: secret "no-such-secret" not found (3 times) (since 55s)
        cure: make it in namespace production, or correct its name in the values
        ✗ auth-service-new-1                 0/1   60s  missing_mount, 1 restart
    ◌ user-service  waiting: 1 of 2 new pods are made
        ◌ user-service-new-1                 0/1   60s  not ready
    ✓ org-service  complete
    not shown: 6 revisions, 7 pods
    "#);
    insta::assert_snapshot!(drawn(canvas(100, 3)), @r#"
    ✗ auth-service  doomed
        missing_mount: cannot be mounted: secret "no-such-secret" not found (3 times) (since 55s)
    not shown: 2 services, 6 revisions, 9 pods, 1 line of reasons
    "#);
    insta::assert_snapshot!(drawn(canvas(100, 1)), @r#"
    not shown: 3 services, 6 revisions, 9 pods, 2 lines of reasons
    "#);
}

#[test]
fn it_is_ascii_where_nothing_else_is_shown_and_colours_take_no_width() {
    insta::assert_snapshot!(drawn(Canvas { is_ascii: true, ..canvas(60, 6) }), @r#"
    x auth-service  doomed
        missing_mount: cannot be mounted: secret "no-such-
        secret" not found (3 times) (since 55s)
    ~ user-service  waiting: 1 of 2 new pods are made
    + org-service  complete
    not shown: 6 revisions, 9 pods, 2 lines of reasons
    "#);
    let coloured = tree(&three(), Canvas { has_colour: true, ..canvas(100, 40) });
    let plain = tree(&three(), canvas(100, 40));
    let bare: Vec<_> = coloured.iter().map(|line| without_colours(line)).collect();
    assert_eq!(bare, plain);
    assert!(coloured[0].contains("\u{1b}[31m"), "{}", coloured[0]);
}

fn without_colours(line: &str) -> String {
    let mut text = String::new();
    let mut parts = line.split('\u{1b}');
    text.push_str(parts.next().unwrap());
    parts.for_each(|part| text.push_str(part.split_once('m').unwrap().1));
    text
}

#[test]
fn every_width_and_height_is_kept_to() {
    let standing = three();
    for width in 60..=200 {
        for height in [1, 2, 5, 9, 14, 30] {
            checked(&standing, canvas(width, height));
        }
    }
}

#[test]
fn what_no_node_takes_is_told_as_json_too() {
    let mut condition = crate::cluster::condition("PodScheduled", "False", 5);
    crate::cluster::merge(&mut condition, json!({ "reason": "Unschedulable", "message": NO_CPU }));
    let mut cluster = Cluster::new().pod(json!({ "conditions": [condition] }));
    cluster.pods.truncate(1);
    let standing = cluster.standing(60);
    insta::assert_compact_json_snapshot!(standing.services[0], @r#"
    {
      "name": "auth-service",
      "state": {
        "state": "doomed",
        "dooms": [
          {
            "service": "auth-service",
            "pods": [
              "auth-service-new-1"
            ],
            "cause": "unschedulable",
            "evidence": "no node takes the pod: too little cpu on 2 nodes (the pod asks for 50m), 1 node: had untolerated taint {gpu: yes}",
            "since": {
              "at": "2026-11-25T10:00:05Z",
              "field": "conditions[PodScheduled].lastTransitionTime"
            },
            "patience_seconds": 15,
            "cure": "lower resources.requests, or add nodes"
          }
        ]
      },
      "revisions": [
        {
          "number": 2,
          "is_newest": true,
          "images": [
            "auth-service:2.0.0"
          ],
          "ready": 0,
          "wanted": 1,
          "pods": [
            {
              "name": "auth-service-new-1",
              "mark": "doomed",
              "ready": 0,
              "containers": 1,
              "restarts": 0,
              "created": "2026-11-25T10:00:00Z",
              "reason": "unschedulable"
            }
          ]
        },
        {
          "number": 1,
          "is_newest": false,
          "images": [
            "auth-service:1.0.0"
          ],
          "ready": 2,
          "wanted": 2,
          "pods": []
        }
      ]
    }
    "#);
}
