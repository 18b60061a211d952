//! The runbook's own words: the document is kept as it was given, and what it says works as it says it.

use super::{Findings, HELMS};
use anyhow::Result;

/// `helm template helm/api-platform -f helm/values-prod.yaml --debug`, without a name for the release.
pub(super) fn template() -> Result<Findings> {
    let mut findings = vec![];
    for helm in HELMS {
        let line = ["template", super::CHART, "-f", "helm/values-prod.yaml", "--debug"];
        let output = helm.command()?.args(line).output()?;
        let rendered = String::from_utf8_lossy(&output.stdout);
        for service in ["auth", "user", "org"] {
            if !rendered.contains(&format!("kind: Deployment\nmetadata:\n  name: {service}-service\n")) {
                let said = String::from_utf8_lossy(&output.stderr);
                findings.push(format!("{} renders no {service}-service: {}", helm.name, said.trim()));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use crate::kubernetes_tools::HELM_4;
    use serde_json::Value;
    use std::{fs, io::Write, path::Path, process::Command};

    const DOCUMENT: &str = "docs/runbooks/deployment.md";
    /// The test that needs helm.
    const PROBES: &str = "every_services_probes_have_the_documents_numbers_in_the_chart_and_in_the_manifests";

    fn read(file: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
    }

    #[test]
    fn the_document_is_as_it_was_given() {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(DOCUMENT);
        let output = Command::new("sha256sum").arg(document).output().unwrap();
        let sum = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            sum.split(' ').next(),
            Some("bd11ff166b877d00d070ee22ab4e02c26503348a5bb65eed20008c893219082e"),
            "where the platform differs from the document, docs/operate says so, not the document"
        );
    }

    /// As a shell writes it that runs Step 4.
    #[test]
    fn productions_values_are_the_documents_but_for_the_tag() {
        let document = read(DOCUMENT);
        let start = document.find("cat > helm/values-prod.yaml <<EOF\n").unwrap();
        let end = start + document[start..].find("\nEOF\n").unwrap() + "\nEOF\n".len();
        let folder = std::env::temp_dir().join(format!("xtask-document-{}", std::process::id()));
        fs::create_dir_all(folder.join("helm")).unwrap();
        let values = read("helm/values-prod.yaml");
        let tag = values.lines().find_map(|line| line.strip_prefix("  tag: ")).unwrap();
        let mut shell = Command::new("sh");
        shell.env("NEW_VERSION", tag).current_dir(&folder).stdin(std::process::Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(&document.as_bytes()[start..end]).unwrap();
        assert!(shell.wait().unwrap().success());
        let written = fs::read_to_string(folder.join("helm/values-prod.yaml")).unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(values, written);
    }

    /// The objects of a file with several.
    fn objects(yaml: &str) -> Vec<Value> {
        let objects = yaml.split("---\n").filter(|object| object.contains("\nkind: "));
        objects.map(|object| serde_saphyr::from_str(object).unwrap()).collect()
    }

    /// The probe as the document's Health Checks have it, with all its numbers.
    fn probe_of_the_document(name: &str) -> Value {
        let document = read(DOCUMENT);
        let (_, block) = document.split_once(&format!("```yaml\n{name}:\n")).unwrap();
        let (block, _) = block.split_once("```").unwrap();
        let probe: Value = serde_saphyr::from_str(block).unwrap();
        assert_eq!(probe.as_object().unwrap().len(), 5, "path and port, and four numbers: {probe}");
        probe
    }

    #[test]
    fn every_services_probes_have_the_documents_numbers_in_the_chart_and_in_the_manifests() {
        let Ok(mut helm) = HELM_4.command() else {
            let why =
                "the chart's probes, which need helm: `cargo xtask kubernetes-tools` says why it is not installed";
            return testing::not_checked("chart", why);
        };
        helm.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        let output = helm.args(["template", super::super::CHART, "-f", "helm/values-prod.yaml"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rendered = String::from_utf8(output.stdout).unwrap();
        let wanted = ["livenessProbe", "readinessProbe"].map(|name| (name, probe_of_the_document(name)));
        for (place, yaml) in [("the chart", rendered), ("k8s/production", read("k8s/production/deployment.yaml"))] {
            let mut services = vec![];
            for object in objects(&yaml).iter().filter(|object| object["kind"] == "Deployment") {
                let containers = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
                for (container, (name, wanted)) in
                    containers.iter().flat_map(|one| wanted.iter().map(move |probe| (one, probe)))
                {
                    assert_eq!(container[name], *wanted, "{place}: {name} of {}", container["name"]);
                }
                services.extend(containers.iter().map(|container| container["name"].as_str().unwrap().to_owned()));
            }
            services.sort();
            assert_eq!(services, ["auth-service", "org-service", "user-service"], "{place}");
        }
    }

    #[test]
    fn a_helm_that_cannot_be_installed_is_a_failure_where_it_is_required_and_a_line_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("not-checked");
        let run = |required: &str| {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", &format!("{}::{PROBES}", module_path!().split_once("::").unwrap().1)]);
            // Nothing is there that could install it, or say where it is.
            again.env("PATH", "/none").env("XTASK_REQUIRE", required).env(testing::NOT_CHECKED, &list);
            again.output().unwrap()
        };
        for required in ["all", "test", "fmt,chart"] {
            let output = run(required);
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && said.contains(", and XTASK_REQUIRE asks for it"), "{said}");
        }
        assert!(!list.exists());
        assert!(run("").status.success() && run("api").status.success());
        let told = fs::read_to_string(&list).unwrap();
        assert!(told.lines().count() == 2 && told.starts_with("the chart's probes, which need helm: "), "{told}");
    }

    /// The versions that must be one.
    #[test]
    fn the_chart_has_the_workspaces_version() {
        let chart = read("helm/api-platform/Chart.yaml");
        let version = env!("CARGO_PKG_VERSION");
        assert!(chart.contains(&format!("\nversion: {version}\n")), "{chart}");
        assert!(chart.contains(&format!("\nappVersion: \"{version}\"\n")), "{chart}");
    }
}
