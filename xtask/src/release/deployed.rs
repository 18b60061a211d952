//! What runs in a namespace, as `kubectl get deployments --output json` tells it.

use anyhow::{Context, Result};
use serde_json::Value;

/// The deployables, by the name of Deployment and container.
const SERVICES: [&str; 3] = ["auth-service", "user-service", "org-service"];

/// Where `deploy.yml` notes what it deployed: `1.2.3 from <commit>`. A tag of production names no commit.
const NOTE: &str = "api-platform/released";

/// What is known of each of our services that is deployed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Deployed {
    /// Of the images.
    tags: Vec<String>,
    notes: Vec<String>,
}

impl Deployed {
    /// Of the list that kubectl prints; other Deployments of the namespace are left out.
    pub(crate) fn parse(list: &str) -> Result<Self> {
        let list: Value = serde_json::from_str(list).context("what kubectl printed is no JSON")?;
        let items = list["items"].as_array().context("what kubectl printed is no list")?;
        let ours = |item: &&Value| item["metadata"]["name"].as_str().is_some_and(|name| SERVICES.contains(&name));
        let images = items.iter().filter(ours).filter_map(|item| {
            let name = &item["metadata"]["name"];
            let containers = item["spec"]["template"]["spec"]["containers"].as_array()?;
            containers.iter().find(|container| container["name"] == *name)?["image"].as_str()
        });
        let notes = items.iter().filter(ours).filter_map(|item| item["metadata"]["annotations"][NOTE].as_str());
        Ok(Self { tags: images.map(tag).map(str::to_owned).collect(), notes: notes.map(str::to_owned).collect() })
    }

    /// Whether all of the services, and nothing else, are of a tag.
    pub(crate) fn is(&self, tag: &str) -> bool {
        self.tags.len() == SERVICES.len() && self.tags.iter().all(|deployed| deployed == tag)
    }

    /// The commit that a tag was deployed from, where that is noted: whoever deployed by hand noted nothing, and a note
    /// of another tag is of before.
    pub(crate) fn commit_of(&self, tag: &str) -> Option<&str> {
        self.notes.iter().find_map(|note| note.strip_prefix(tag)?.strip_prefix(" from "))
    }

    /// The newest that is deployed; tags that are no version (of staging, or made by hand) say nothing.
    pub(crate) fn newest(&self) -> Option<semver::Version> {
        self.tags.iter().filter_map(|tag| tag.parse().ok()).max()
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
    fn a_note_tells_the_commit_of_its_own_tag_alone() {
        let mut noted = deployment("auth-service", "x/auth-service:1.2.3");
        noted["metadata"]["annotations"] = json!({ NOTE: "1.2.3 from 6f1d2c" });
        let deployed = deployed(&[noted, deployment("user-service", "x/user-service:1.2.3")]);
        assert_eq!(deployed.commit_of("1.2.3"), Some("6f1d2c"));
        assert_eq!((deployed.commit_of("1.2"), deployed.commit_of("1.2.4")), (None, None));
    }

    #[test]
    fn an_empty_namespace_has_nothing_and_no_list_is_an_error() {
        assert_eq!(deployed(&[]).newest(), None);
        assert!(Deployed::parse("error: the server is away").is_err());
    }
}
