//! What a project's folder and its user's settings say by themselves.

use crate::{
    failure::Failure,
    programs::{
        git::Git,
        kubectl::{self, Context},
    },
};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Around {
    pub(super) github: Option<String>,
    pub(super) environments: Vec<FoundEnvironment>,
    pub(super) services: Vec<FoundService>,
    /// All of the kubeconfig.
    pub(super) contexts: Vec<String>,
}

/// Of `helm/values-*.yaml` or `k8s/*/`.
#[derive(Debug, Serialize)]
pub(crate) struct FoundEnvironment {
    pub(super) name: String,
    pub(super) values: Option<PathBuf>,
    /// The first host in the values.
    pub(super) host: Option<String>,
    /// The one context whose name speaks of it.
    pub(super) context: Option<String>,
    /// What that context says, else the environment's name.
    pub(super) namespace: String,
}

/// Of `services/*/Dockerfile`.
#[derive(Debug, Serialize)]
pub(crate) struct FoundService {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) dockerfile: PathBuf,
}

impl Around {
    /// Without network.
    pub(crate) async fn look(folder: &Path) -> Result<Self, Failure> {
        let contexts = kubectl::contexts().await.unwrap_or_default();
        let remote = Git::new(folder).remote("origin").await.ok();
        Ok(Self {
            github: remote.as_deref().and_then(repository),
            environments: environments(folder, &contexts)?,
            services: services(folder)?,
            contexts: contexts.into_iter().map(|context| context.name).collect(),
        })
    }
}

/// `git@github.com:owner/name.git` → `owner/name`.
fn repository(url: &str) -> Option<String> {
    let (_, path) = url.split_once("github.com")?;
    let path = path.trim_start_matches([':', '/']).trim_end_matches('/').trim_end_matches(".git");
    (path.split('/').count() == 2).then(|| path.to_owned())
}

fn environments(folder: &Path, contexts: &[Context]) -> Result<Vec<FoundEnvironment>, Failure> {
    let values = names(&folder.join("helm"))?.into_iter().filter_map(|file| {
        let short = file.strip_prefix("values-")?.strip_suffix(".yaml")?.to_owned();
        Some((long(&short).to_owned(), Some(PathBuf::from("helm").join(file))))
    });
    let mut found: Vec<_> = values.collect();
    let manifests = names(&folder.join("k8s"))?.into_iter().map(|name| (long(&name).to_owned(), None));
    found.extend(manifests.filter(|(name, _)| !found.iter().any(|(known, _)| known == name)).collect::<Vec<_>>());
    found.sort_by_key(|(name, _)| (ORDER.iter().position(|known| known == name), name.clone()));
    found.into_iter().map(|(name, values)| environment(folder, name, values, contexts)).collect()
}

/// The document's.
const ORDER: [&str; 3] = ["development", "staging", "production"];

fn long(name: &str) -> &str {
    ORDER.into_iter().find(|long| name.len() > 2 && long.starts_with(name)).unwrap_or(name)
}

fn environment(
    folder: &Path,
    name: String,
    values: Option<PathBuf>,
    contexts: &[Context],
) -> Result<FoundEnvironment, Failure> {
    let host = match &values {
        Some(file) => host(&read(&folder.join(file))?),
        None => None,
    };
    // `prod` is in `prod-us-east-1`, and `production` is not.
    let stem = &name[..name.len().min(4)];
    let mut speaking =
        contexts.iter().filter(|context| context.name.split(['-', '_', '/', '.']).any(|word| word.starts_with(stem)));
    let context = speaking.next().filter(|_| speaking.next().is_none());
    let namespace = context.and_then(|context| context.namespace.clone()).unwrap_or_else(|| name.clone());
    Ok(FoundEnvironment { context: context.map(|context| context.name.clone()), name, values, host, namespace })
}

fn host(values: &str) -> Option<String> {
    let host = values.lines().find_map(|line| line.trim().strip_prefix("- host:"))?;
    Some(host.trim().trim_matches(['"', '\'']).to_owned())
}

fn services(folder: &Path) -> Result<Vec<FoundService>, Failure> {
    let charts = names(&folder.join("helm"))?
        .into_iter()
        .find(|name| folder.join("helm").join(name).join("Chart.yaml").exists());
    let prefix = charts.map_or(String::new(), |chart| format!("{chart}/"));
    let of = |name: String| {
        let dockerfile = Path::new("services").join(&name).join("Dockerfile");
        folder.join(&dockerfile).exists().then(|| FoundService {
            image: format!("{prefix}{name}-service"),
            name: format!("{name}-service"),
            dockerfile,
        })
    };
    Ok(names(&folder.join("services"))?.into_iter().filter_map(of).collect())
}

/// What is in a folder, sorted; a folder that is not there is empty.
fn names(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(|error| Failure::of_file(folder, &error))?,
    };
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::of_file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_from_every_form_of_its_url() {
        for url in [
            "git@github.com:example/platform.git",
            "https://github.com/example/platform",
            "ssh://git@github.com/example/platform.git/",
        ] {
            assert_eq!(repository(url).as_deref(), Some("example/platform"), "{url}");
        }
        assert_eq!(repository("https://git.example.com/a/b.git"), None);
    }

    #[test]
    fn short_names_are_the_documents_long_ones() {
        assert_eq!(
            ["prod", "dev", "staging", "qa", "production"].map(long),
            ["production", "development", "staging", "qa", "production"]
        );
    }
}
