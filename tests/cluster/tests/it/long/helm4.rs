//! helm 4, which applies server-side.

use crate::deploy::go_through;
use cluster_tests::Tool;

#[test]
fn the_next_version_and_the_way_back_by_helm_4() {
    go_through(Tool::Helm4, &[""]);
}
