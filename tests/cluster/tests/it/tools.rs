//! Several tools at one release: helm 3, helm 4 and kubectl, one after the other, and the autoscaler all the time.

use cluster_tests::{Installation, Kubectl, Tool, given, until};
use std::{thread, time::Duration};

fn image(kubectl: &Kubectl) -> String {
    let deployment = kubectl.get(&["deployment/auth-service"]);
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

#[test]
fn helm_3_then_set_image_then_helm_4_then_undo_then_helm_3_each_do_what_they_say() {
    let installation = Installation::new(Tool::Helm3);
    let (version, next) = (given("EAP_TEST_VERSION"), given("EAP_TEST_NEXT_VERSION"));
    let (shell, kubectl) = (&installation.shell, &installation.kubectl);
    installation.database.migrate_to_next();
    installation.helm(&version);
    let set_image = format!(
        "kubectl set image deployment/auth-service auth-service=api-platform/auth-service:{next} -n production"
    );
    shell.lines(&format!("{set_image}\nkubectl rollout status deployment/auth-service -n production --timeout=2m"));
    assert!(image(kubectl).ends_with(&next));
    let helm4 = Installation::helm_line(&version).replacen("helm ", &format!("{} ", Tool::Helm4.program()), 1);
    // kubectl took the field: helm 4, which applies server-side, says so and is told to take it back.
    shell.lines(&format!("{helm4} --server-side=true --force-conflicts"));
    assert!(image(kubectl).ends_with(&version));
    shell.lines("kubectl rollout undo deployment/auth-service -n production");
    shell.lines("kubectl rollout status deployment/auth-service -n production --timeout=2m");
    assert!(image(kubectl).ends_with(&next), "undo goes back to what was before: {}", image(kubectl));
    installation.helm(&version);
    assert!(image(kubectl).ends_with(&version));
}

#[test]
fn an_upgrade_leaves_the_autoscalers_count_alone() {
    let installation = Installation::new(Tool::Helm4);
    let kubectl = &installation.kubectl;
    // Another number than `replicaCount` of the values, which is ignored with an autoscaler; and one that load cannot change.
    let line = Installation::helm_line(&given("EAP_TEST_VERSION"))
        + " --set autoscaling.minReplicas=3 --set autoscaling.maxReplicas=3";
    installation.shell.lines(&line);
    let replicas = || kubectl.get(&["deployment/user-service"])["spec"]["replicas"].as_u64().unwrap();
    until(Duration::from_mins(1), "the autoscaler brings the minimum", || replicas() == 3);
    for tool in [Tool::Helm4, Tool::Helm3] {
        let again = line.replacen("helm ", &format!("{} ", tool.program()), 1);
        thread::scope(|scope| {
            let upgrade =
                scope.spawn(|| installation.shell.lines(&format!("{again} --set podAnnotations.by={tool:?}")));
            while !upgrade.is_finished() {
                assert_eq!(replicas(), 3, "{tool:?} touched the count");
                thread::sleep(Duration::from_millis(200));
            }
        });
    }
}

#[test]
fn the_manifests_are_applied_and_the_documents_set_image_right_after_changes_nothing() {
    let installation = Installation::new(Tool::Helm4);
    let (shell, kubectl) = (&installation.shell, &installation.kubectl);
    // What the chart can render beside what production has is taken as well; that it works is another matter.
    shell.lines(
        "helm template api-platform helm/api-platform -f helm/golden/everything.values.yaml --namespace production | \
         kubectl apply --dry-run=server --validate=strict --namespace production -f -",
    );
    shell.lines("kubectl apply -f k8s/production/ --namespace production --validate=strict");
    // The manifests ask for what production has: this machine has less, and its ingress a certificate of its own.
    // At once: an autoscaler that has looked before wants five pods of each, and takes minutes to want fewer.
    let small = ["--patch", r#"{"spec":{"minReplicas":2,"maxReplicas":5}}"#];
    kubectl.run(&[&["patch", "hpa", "auth-service", "user-service", "org-service"][..], &small].concat());
    kubectl.run(&["set", "resources", "deployment", "--all", "--requests=cpu=50m,memory=64Mi"]);
    for service in ["auth", "user", "org"] {
        shell.lines(&format!("kubectl rollout status deployment/{service}-service -n production --timeout=3m"));
    }
    let generation = |service: &str| {
        kubectl.get(&[&format!("deployment/{service}-service")])["metadata"]["generation"].as_u64().unwrap()
    };
    let before = ["auth", "user", "org"].map(generation);
    for service in ["auth", "user", "org"] {
        shell.lines(&format!(
            "kubectl set image deployment/{service}-service \\\n  {service}-service=api-platform/{service}-service:$NEW_VERSION \\\n  -n production"
        ));
    }
    assert_eq!(["auth", "user", "org"].map(generation), before, "set image made another rollout");
    let _ingress = installation.ingress();
    installation.curl_until("/v1/health", &format!("\"version\":\"{}\"", given("EAP_TEST_VERSION")));
}
