//! "GitHub repository access" and "Docker Hub credentials": where code comes from and images go to.

use super::{Finding, Group, LIMIT};
use crate::{
    home,
    programs::{CallError, docker, gh, git::Git},
};
use futures_util::future::{BoxFuture, FutureExt as _};
use runbook_file::RunbookFile;
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Those that every environment shares.
pub(crate) fn checks<'a>(folder: &'a Path, file: &'a RunbookFile) -> Vec<BoxFuture<'a, Vec<Finding>>> {
    let mut checks = vec![remote(folder).boxed(), async { dockerfiles(folder, file) }.boxed()];
    checks.extend(file.github.iter().map(|repository| github(repository).boxed()));
    checks
}

async fn remote(folder: &Path) -> Vec<Finding> {
    let call = Git::new(folder).call(["ls-remote", "--exit-code", "origin", "HEAD"]).limit(LIMIT);
    vec![match call.run().await {
        Ok(_) => Group::Sources.good("git.origin", "git reaches origin"),
        Err(CallError::NotThere(_)) => return vec![],
        Err(error) => {
            let said = error.to_string();
            let is_missing = said.contains("does not appear to be a git repository");
            let cure = if is_missing {
                "git remote add origin git@github.com:OWNER/NAME.git".to_owned()
            } else {
                call.literal()
            };
            let what = format!("git does not reach origin: {said}");
            Group::Sources.failed("git.origin", what, "Steps 2 and 7 pull from it and push to it").cured_by(cure)
        }
    }]
}

fn dockerfiles(folder: &Path, file: &RunbookFile) -> Vec<Finding> {
    let services = file.services.iter();
    let findings = services.map(|(name, service)| {
        let (id, path) = (format!("service.{name}"), service.dockerfile.display());
        if folder.join(&service.dockerfile).is_file() {
            return Group::Sources.good(id, format!("{name} is built from {path}, as {}", service.image));
        }
        let why = "Step 2 builds its image from it";
        Group::Sources
            .failed(id, format!("{name}: {path} is not there"), why)
            .cured_by(format!("git log --oneline -- {path}"))
    });
    findings.collect()
}

async fn github(repository: &str) -> Vec<Finding> {
    let id = "github.repository";
    let call = gh::call(["repo", "view", repository, "--json", "viewerPermission", "--jq", ".viewerPermission"]);
    let why = "Step 7.2 makes a release there";
    vec![match call.limit(LIMIT).run().await {
        Ok(right) if ["ADMIN", "MAINTAIN", "WRITE"].contains(&right.trim()) => {
            Group::Sources.good(id, format!("gh may write to {repository}"))
        }
        Ok(right) => Group::Sources
            .failed(id, format!("gh may not write to {repository}: {}", right.trim().to_lowercase()), why)
            .cured_by("gh auth switch"),
        Err(CallError::NotThere(_)) => return vec![],
        Err(error) => {
            Group::Sources.failed(id, format!("gh does not see {repository}: {error}"), why).cured_by("gh auth login")
        }
    }]
}

/// The engine, and whether a login for the registry is stored. Whether it is still good shows the first push.
pub(crate) async fn registry(registry: &str) -> Vec<Finding> {
    let engine = docker::call(["version", "--format", "{{.Server.Version}}"]).limit(LIMIT).run().await;
    let engine = match engine {
        Ok(version) => Group::Registry.good("docker.engine", format!("docker's engine {} answers", version.trim())),
        Err(CallError::NotThere(_)) => return vec![],
        Err(error) => Group::Registry
            .failed(
                "docker.engine",
                format!("docker's engine does not answer: {error}"),
                "Step 2 builds images with it",
            )
            .cured_by("sudo systemctl start docker    # or start Docker Desktop"),
    };
    vec![engine, login(registry, &config())]
}

fn login(registry: &str, config: &Value) -> Finding {
    // Docker Hub's has a name of its own.
    let host = registry.split('/').next().filter(|host| !host.is_empty());
    let key = host.unwrap_or("https://index.docker.io/v1/");
    let shown = host.unwrap_or("Docker Hub");
    let is_stored = ["auths", "credHelpers"].iter().any(|map| config[map].get(key).is_some());
    if is_stored {
        return Group::Registry.good("registry.login", format!("a login for {shown} is stored"));
    }
    Group::Registry
        .failed("registry.login", format!("no login for {shown} is stored"), "Step 2 pushes images there")
        .cured_by(["docker login", host.unwrap_or_default()].join(" ").trim_end())
}

fn config() -> Value {
    let folder = env::var_os("DOCKER_CONFIG").map_or_else(|| home::expand(Path::new("~/.docker")), PathBuf::from);
    let text = fs::read_to_string(folder.join("config.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Mark;
    use serde_json::json;

    #[test]
    fn a_login_is_looked_for_under_the_name_that_docker_gives_it() {
        let config =
            json!({ "auths": { "https://index.docker.io/v1/": {} }, "credHelpers": { "registry.test:5000": "x" } });
        for (registry, mark) in
            [("", Mark::Good), ("registry.test:5000/team", Mark::Good), ("other.test", Mark::Failed)]
        {
            assert_eq!(login(registry, &config).mark, mark, "{registry}");
        }
        assert_eq!(login("other.test/a", &config).cure.as_deref(), Some("docker login other.test"));
        assert_eq!(login("", &Value::Null).cure.as_deref(), Some("docker login"));
    }
}
