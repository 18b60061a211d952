//! What runs in a namespace, as `kubectl get deployments --output json` tells it.

use anyhow::{Context, Result};
use serde_json::Value;

/// The deployables, by the name of Deployment and container.
const SERVICES: [&str; 3] = ["auth-service", "user-service", "org-service"];

/// The image's tag of each of our services that is deployed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Deployed(Vec<String>);

impl Deployed {
    /// Of the list that kubectl prints; other Deployments of the namespace are left out.
    pub(crate) fn parse(list: &str) -> Result<Self> {
        let list: Value = serde_json::from_str(list).context("what kubectl printed is no JSON")?;
        let items = list["items"].as_array().context("what kubectl printed is no list")?;
        let images = items.iter().filter_map(|item| {
            let name = item["metadata"]["name"].as_str().filter(|name| SERVICES.contains(name))?;
            let containers = item["spec"]["template"]["spec"]["containers"].as_array()?;
            containers.iter().find(|container| container["name"] == name)?["image"].as_str()
        });
        Ok(Self(images.map(tag).map(str::to_owned).collect()))
    }

    /// Whether all of the services, and nothing else, are of a tag.
    pub(crate) fn is(&self, tag: &str) -> bool {
        self.0.len() == SERVICES.len() && self.0.iter().all(|deployed| deployed == tag)
    }

    /// The newest that is deployed; tags that are no version (of staging, or made by hand) say nothing.
    pub(crate) fn newest(&self) -> Option<semver::Version> {
        self.0.iter().filter_map(|tag| tag.parse().ok()).max()
    }
}

/// `registry:5000/api-platform/auth-service:1.2.3@sha256:…` → `1.2.3`.
fn tag(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or("latest", |(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(name: &str, image: &str) -> Value {
        let containers = json!([{ "name": "sidecar", "image": "proxy:9" }, { "name": name, "image": image }]);
        json!({ "metadata": { "name": name }, "spec": { "template": { "spec": { "containers": containers } } } })
    }

    fn deployed(items: &[Value]) -> Deployed {
        Deployed::parse(&json!({ "items": items }).to_string()).unwrap()
    }

    #[test]
    fn tags_are_read_from_whatever_names_an_image() {
        for (image, expected) in [
            ("api-platform/auth-service:1.2.3", "1.2.3"),
            ("registry:5000/api-platform/auth-service:1.2.3@sha256:00", "1.2.3"),
            ("registry:5000/api-platform/auth-service", "latest"),
        ] {
            assert_eq!(tag(image), expected);
        }
    }

    #[test]
    fn it_is_deployed_only_when_all_three_services_are() {
        let mut items: Vec<_> = SERVICES.iter().map(|name| deployment(name, &format!("x/{name}:1.2.3"))).collect();
        items.push(deployment("something-else", "other:9.9.9"));
        assert!(deployed(&items).is("1.2.3") && !deployed(&items).is("1.2.4"));
        items[2] = deployment("org-service", "x/org-service:1.2.2");
        assert!(!deployed(&items).is("1.2.3"));
        assert_eq!(deployed(&items).newest(), Some(semver::Version::new(1, 2, 3)));
        assert!(!deployed(&items[..2]).is("1.2.3"));
    }

    #[test]
    fn an_empty_namespace_has_nothing_and_no_list_is_an_error() {
        assert_eq!(deployed(&[]).newest(), None);
        assert!(Deployed::parse("error: the server is away").is_err());
    }
}
