//! Images of a release commit: what is there of them, and how they are made. Each is built and pushed once: the registry
//! and this machine's docker are asked before anything is done.

use crate::{
    execute::{Standing, Trouble},
    failure::Failure,
    plan::{Action, BuildRequest, Built, Labelled},
    programs::{Call, docker, registry, registry::Published},
    release::{Repository, commit::local_revision, files},
};
use futures_util::future::try_join_all;
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

const SBOM_LIMIT: Duration = Duration::from_hours(1);

/// The images of a project.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Images<'a> {
    /// The project's.
    pub(crate) folder: &'a Path,
}

impl Images<'_> {
    /// What is, before anything is planned. Nothing here changes anything.
    pub(crate) async fn observe(self, request: &BuildRequest<'_>) -> Result<Built, Failure> {
        let repository = Repository::new(self.folder);
        repository.refuse_dirty().await?;
        let workspace = files::workspace(self.folder)?;
        let release = repository.release_at_head().await?;
        let release = release.filter(|version| workspace.as_ref().is_none_or(|own| own == version));
        let services = &request.file.services;
        let found = services.iter().map(|(_, service)| async move {
            let image = request.image(service);
            let published = registry::image(&image).await.map_err(|why| {
                Failure::failed(why).because("whether the version is taken there has to be known before it is built")
            })?;
            Ok::<_, Failure>((local_revision(&image).await?, published, image))
        });
        let (mut local, mut published) = (BTreeMap::new(), BTreeMap::new());
        for (revision, there, image) in try_join_all(found).await? {
            local.extend(revision.map(|revision| (image.clone(), revision)));
            published.extend(there.map(|there| (image, there)));
        }
        let labelled = services
            .iter()
            .map(|(name, service)| Ok((name.clone(), labelled(&self.folder.join(&service.dockerfile))?)));
        Ok(Built {
            head: repository.head().await?,
            release,
            tagged: repository.commit(&format!("v{}", request.version)).await?,
            local,
            published,
            labelled: labelled.collect::<Result<_, Failure>>()?,
        })
    }

    /// Whether the effect of a step is there.
    pub(crate) async fn check(self, action: &Action) -> Result<Standing, Trouble> {
        match action {
            Action::BuildImage { image, commit, .. } => {
                if let Some(published) = published(image, commit).await? {
                    return Ok(Standing::Present(by_digest(image, &published)));
                }
                match local_revision(image).await? {
                    Some(revision) if revision == *commit => Ok(Standing::Present(format!("{image} of {commit}"))),
                    Some(revision) => Err(foreign(image, &revision)),
                    None => Ok(Standing::Absent),
                }
            }
            Action::PushImage { image, commit } => Ok(match published(image, commit).await? {
                Some(published) => Standing::Present(by_digest(image, &published)),
                None => Standing::Absent,
            }),
            _ => Ok(Standing::Absent),
        }
    }

    /// Does a step; what shows that it was done.
    pub(crate) async fn apply(self, action: &Action) -> Result<String, Trouble> {
        match action {
            Action::ReleaseCommit { version, commit } => {
                self.refuse_moved(commit).await?;
                Ok(format!("{commit} is the release commit of {version}"))
            }
            Action::BuildImage { image, dockerfile, labelled, commit } => {
                // The folder is what is built, and a run may be resumed days later.
                self.refuse_moved(commit).await?;
                self.run(docker::build(image, dockerfile, *labelled, commit)).await?;
                Ok(format!("{image} of {commit}"))
            }
            Action::Sbom { line } => {
                let said = self.run(Call::new("sh").args(["-c", line]).limit(SBOM_LIMIT)).await?;
                Ok(said.lines().last().unwrap_or_default().to_owned())
            }
            Action::Later { why } => Ok(why.clone()),
            Action::PushImage { image, commit } => {
                self.run(docker::push(image)).await?;
                match published(image, commit).await? {
                    Some(published) => Ok(by_digest(image, &published)),
                    None => Err(Trouble::new(format!("{image} was pushed, and its registry does not have it"))),
                }
            }
            _ => Err(Trouble::new("this is no step of a build")),
        }
    }

    async fn run(self, call: Call) -> Result<String, Trouble> {
        Ok(call.within(self.folder).run().await?)
    }

    async fn refuse_moved(self, commit: &str) -> Result<(), Trouble> {
        let repository = Repository::new(self.folder);
        repository.refuse_dirty().await?;
        let head = repository.head().await?;
        if head == commit {
            Ok(())
        } else {
            Err(Trouble::new(format!("{head} is checked out, and {commit} is to be built")))
        }
    }
}

/// Whether a Dockerfile asks for the commit itself.
fn labelled(dockerfile: &Path) -> Result<Labelled, Failure> {
    let text = fs::read_to_string(dockerfile).map_err(|error| Failure::of_file(dockerfile, &error))?;
    let asks = text.lines().any(|line| {
        let argument = line.trim().strip_prefix("ARG ");
        argument.is_some_and(|argument| argument.split('=').next().map(str::trim) == Some("REVISION"))
    });
    Ok(if asks { Labelled::ByArgument } else { Labelled::ByDocker })
}

/// Of this commit, in its registry.
async fn published(image: &str, commit: &str) -> Result<Option<Published>, Trouble> {
    match registry::image(image).await.map_err(Trouble::new)? {
        Some(published) if published.revision.as_deref() == Some(commit) => Ok(Some(published)),
        Some(published) => Err(foreign(image, &published.revision.unwrap_or_default())),
        None => Ok(None),
    }
}

fn by_digest(image: &str, published: &Published) -> String {
    format!("{image}@{}", published.digest)
}

fn foreign(image: &str, revision: &str) -> Trouble {
    let revision = if revision.is_empty() { "a commit that it does not name" } else { revision };
    Trouble::new(format!("{image} is there already, of {revision}"))
}
