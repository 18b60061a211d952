//! Step 4 and rollback option 2 by kubectl.

use super::Live;
use crate::{
    execute::{Standing, Trouble},
    programs::{Call, CallError, kubectl::Kubectl},
};
use futures_util::future::try_join_all;
use std::path::Path;

impl Live<'_> {
    pub(super) fn kubectl(&self) -> Kubectl<'_> {
        Kubectl(self.request.cluster)
    }

    /// What the server says that differs; none: nothing.
    async fn difference(&self, folder: &Path) -> Result<Option<String>, Trouble> {
        match self.kubectl().diff(&format!("{}/", folder.display())).within(self.folder).run().await {
            Ok(_) => Ok(None),
            Err(CallError::Failed { code: Some(1), said }) => Ok(Some(said)),
            Err(error) => Err(error.into()),
        }
    }

    /// As the server compares, without the names of kubectl's own files. It is the manifests' tag that an image goes to,
    /// until the next steps set it.
    pub(super) async fn kubectl_difference(&self, folder: &Path) -> Result<String, Trouble> {
        let Some(said) = self.difference(folder).await? else { return Ok("nothing differs".to_owned()) };
        let lines: Vec<_> = said.lines().filter(|line| !line.starts_with("diff ")).collect();
        Ok(lines.join("\n"))
    }

    /// The server compares. Images are another step's, and a changed Deployment has a new generation.
    pub(super) async fn is_applied(&self, folder: &Path) -> Result<Standing, Trouble> {
        Ok(match self.difference(folder).await? {
            None => Standing::Present("nothing differs".to_owned()),
            Some(said) if only_images_differ(&said) => Standing::Present("only images differ".to_owned()),
            Some(_) => Standing::Absent,
        })
    }

    pub(super) async fn kubectl_apply(&self, folder: &Path) -> Result<String, Trouble> {
        self.changed_by(&self.kubectl().apply(&format!("{}/", folder.display())).within(self.folder)).await
    }

    pub(super) async fn has_image(&self, service: &str, image: &str) -> Result<Standing, Trouble> {
        let path = format!("jsonpath={{.spec.template.spec.containers[?(@.name==\"{service}\")].image}}");
        let found = self.kubectl().in_namespace(["get", &format!("deployment/{service}"), "-o", &path]).run().await?;
        let is_there = found.trim() == image;
        Ok(if is_there { Standing::Present(image.to_owned()) } else { Standing::Absent })
    }

    pub(super) async fn set_image(&self, service: &str, image: &str) -> Result<String, Trouble> {
        self.changed_by(&self.kubectl().set_image(service, image)).await
    }

    pub(super) async fn rollout_history(&self, services: &[String]) -> Result<String, Trouble> {
        let kubectl = self.kubectl();
        let calls: Vec<_> = services.iter().map(|service| kubectl.rollout_history(service)).collect();
        let said = try_join_all(calls.iter().map(Call::run)).await?;
        Ok(said.iter().map(|text| text.trim_end()).collect::<Vec<_>>().join("\n"))
    }

    pub(super) async fn undo(&self, service: &str, to: u64) -> Result<String, Trouble> {
        self.changed_by(&self.kubectl().undo(service, to)).await
    }
}

fn only_images_differ(diff: &str) -> bool {
    let changed = diff
        .lines()
        .filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---"));
    let changed: Vec<_> = changed.map(|line| line[1..].trim().trim_start_matches("- ")).collect();
    !changed.is_empty() && changed.iter().all(|line| line.starts_with("image:") || line.starts_with("generation:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_another_steps_matter() {
        let head = "diff -u -N /tmp/LIVE/apps.v1.Deployment /tmp/MERGED/apps.v1.Deployment\n--- /tmp/LIVE/a\n+++ /tmp/MERGED/a\n";
        assert!(only_images_differ(&format!(
            "{head}-  generation: 3\n+  generation: 4\n-        image: a:2\n+        image: a:1\n"
        )));
        assert!(!only_images_differ(&format!(
            "{head}-  generation: 3\n+  generation: 4\n-  replicas: 2\n+  replicas: 5\n"
        )));
        assert!(!only_images_differ(head));
    }
}
