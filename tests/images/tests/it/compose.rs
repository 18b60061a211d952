//! compose.yaml with a real engine: the platform, PostgreSQL and Redis.

use crate::docker::{docker, image, printed, project};
use std::{collections::BTreeSet, process::Command, time::Duration};

/// A project of this process, taken down with its test.
struct Project {
    name: String,
    address: String,
}

/// The plug-in, or the program before it.
fn compose() -> Command {
    let plugin = Command::new("docker").args(["compose", "version"]).output();
    let mut compose =
        Command::new(if plugin.is_ok_and(|output| output.status.success()) { "docker" } else { "docker-compose" });
    if compose.get_program() == "docker" {
        compose.arg("compose");
    }
    compose.current_dir(project()).env("POSTGRES_PASSWORD", "forTests").env("EAP_SMOKE_KEY", "s".repeat(40));
    compose
        .env("EAP_MASTER_KEY", "dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgISE=")
        .env("EAP_SMTP_URL", "smtp://127.0.0.1:9");
    compose
}

impl Project {
    /// Each process has an address of its own on loopback, where port 3000 is free.
    fn new() -> Self {
        let [_, a, b, c] = std::process::id().to_be_bytes();
        Self { name: format!("eap{}", std::process::id()), address: format!("127.{}.{b}.{}", 1 + a % 250, 1 + c % 250) }
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut compose = compose();
        compose.env("COMPOSE_PROJECT_NAME", &self.name).env("LISTEN_ADDRESS", &self.address);
        for service in ["auth", "user", "org"] {
            compose.env(format!("{}_IMAGE", service.to_uppercase()), image(service));
        }
        printed(&compose.args(arguments).output().unwrap(), arguments)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.run(&["down", "--volumes", "--timeout", "5"]);
    }
}

#[tokio::test]
async fn up_then_the_smoke_test_passes_eight_of_eight_then_down() {
    let project = Project::new();
    project.run(&["up", "--detach"]);
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    let base = format!("http://{}:3000", project.address);
    let health = async |path: &str| client.get(format!("{base}{path}")).send().await.unwrap().status().as_u16();
    // `up` returns when the services are healthy; the proxy then takes a moment to listen.
    let start = std::time::Instant::now();
    while client.get(&base).send().await.is_err() {
        assert!(start.elapsed() < Duration::from_mins(1), "the proxy does not answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(health("/v1/health").await, 200);
    for hidden in ["/health/live", "/metrics", "/v10"] {
        assert_eq!(health(hidden).await, 404, "{hidden} is not public");
    }
    let said = project.run(&["run", "--rm", "-T", "smoke"]);
    assert!(said.contains("8 of 8 passed"), "{said}");
    let name = project.name.clone();
    drop(project);
    let left = docker(&["ps", "--all", "--quiet", "--filter", &format!("label=com.docker.compose.project={name}")]);
    assert_eq!(left, "");
}

#[test]
fn each_profile_adds_its_services_and_no_profile_starts_the_platform_alone() {
    let platform = ["postgres", "redis", "roles", "migrate", "auth-service", "user-service", "org-service", "proxy"];
    let profiles: [(&str, &[&str]); 4] = [
        ("search", &["opensearch"]),
        ("observe", &["prometheus", "grafana"]),
        ("mocks", &["mail", "aws", "mocks"]),
        ("smoke", &["smoke"]),
    ];
    let services = |profile: Option<&str>| -> BTreeSet<String> {
        let mut config = compose();
        config.args(profile.map(|profile| ["--profile", profile]).into_iter().flatten()).args(["config", "--services"]);
        printed(&config.output().unwrap(), &["config"]).lines().map(str::to_owned).collect()
    };
    let names = |more: &[&str]| platform.iter().chain(more).map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    // Version 1 lists what a profile hides too.
    let hides = services(None) == names(&[]);
    for (profile, more) in profiles {
        let listed = services(Some(profile));
        assert!(listed.is_superset(&names(more)), "{profile}: {listed:?}");
        assert!(!hides || listed == names(more), "{profile}: {listed:?}");
    }
}

#[test]
fn the_example_names_every_variable_that_must_be_set() {
    let read = |name: &str| std::fs::read_to_string(project().join(name)).unwrap();
    let (compose, example) = (read("compose.yaml"), read(".env.example"));
    let required: BTreeSet<_> =
        compose.split("${").skip(1).filter_map(|rest| rest.split('}').next()?.split_once(":?")).collect();
    assert!(required.len() >= 3);
    for (name, _) in required {
        assert!(example.lines().any(|line| line == format!("{name}=")), "{name}");
    }
}
