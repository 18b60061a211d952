//! Step 2 for a version: images of its release commit, in the registry.

use super::{Action, Labelled, Plan, Section, Step};
use crate::{
    failure::Failure,
    programs::{docker, registry::Published},
    release::{commit::of_another_commit, version::image_in},
};
use runbook_file::{RunbookFile, Service};
use semver::Version;
use std::collections::BTreeMap;

/// What is to be built.
#[derive(Debug)]
pub(crate) struct BuildRequest<'a> {
    pub(crate) version: &'a Version,
    /// Whose registry the images are for; none: names as they are written.
    pub(crate) environment: Option<&'a str>,
    /// Of the environment.
    pub(crate) registry: &'a str,
    pub(crate) file: &'a RunbookFile,
}

/// What is, before anything is built.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// The commit that is checked out.
    pub(crate) head: String,
    /// The version whose release commit that is.
    pub(crate) release: Option<Version>,
    /// The commit of the version's tag; none: it has none yet.
    pub(crate) tagged: Option<String>,
    /// What an image's label says, of those that this machine has.
    pub(crate) local: BTreeMap<String, String>,
    /// Images that their registry has.
    pub(crate) published: BTreeMap<String, Published>,
    /// By service.
    pub(crate) labelled: BTreeMap<String, Labelled>,
}

impl BuildRequest<'_> {
    /// Of a service, with its tag.
    pub(crate) fn image(&self, service: &Service) -> String {
        format!("{}:{}", image_in(self.registry, &service.image), self.version)
    }
}

/// The steps, or why there are none.
pub(crate) fn build(request: &BuildRequest<'_>, built: &Built) -> Result<Plan, Failure> {
    let version = request.version;
    refuse_other_commits(request, built)?;
    let services = &request.file.services;
    if services.is_empty() {
        return Err(Failure::refused("runbook.toml names no service to build")
            .cured_by("in runbook.toml: services.NAME = { image = \"…\", dockerfile = \"…\" }"));
    }
    if services.iter().all(|(_, service)| built.published.contains_key(&request.image(service))) {
        return Err(Failure::nothing_to_do(format!("the images of {version} are in the registry"))
            .because("built from its release commit, each once"));
    }
    let commit = &built.head;
    let is_released = Action::ReleaseCommit { version: version.to_string(), commit: commit.clone() };
    let mut steps = vec![step(
        "2.1.commit",
        "Release commit",
        format!("git log -1 --format=%s    # Release {version}"),
        is_released,
    )];
    for (name, service) in services {
        let image = request.image(service);
        let labelled = built.labelled.get(name).copied().unwrap_or(Labelled::ByDocker);
        let command = docker::build(&image, &service.dockerfile, labelled, commit).literal();
        let undone_by = docker::call(["image", "rm", &image]).literal();
        let does =
            Action::BuildImage { image, dockerfile: service.dockerfile.clone(), labelled, commit: commit.clone() };
        steps.push(Step {
            undone_by: Some(undone_by),
            ..step(&format!("2.3.build.{name}"), &format!("Build {name}"), command, does)
        });
    }
    if let Some(line) = &request.file.release.sbom {
        steps.push(step("2.3.sbom", "Write what it is made of", line.clone(), Action::Sbom { line: line.clone() }));
    }
    steps.push(latest(request));
    for (name, service) in services {
        let image = request.image(service);
        let command = docker::push(&image).literal();
        let does = Action::PushImage { image, commit: commit.clone() };
        steps.push(step(&format!("2.5.push.{name}"), &format!("Push {name}"), command, does));
    }
    let after = request.environment.map_or(String::new(), |name| format!(" {name}"));
    Ok(Plan {
        environment: request.environment.unwrap_or_default().to_owned(),
        command: format!("runbook build{after} --version {version}"),
        from: None,
        version: version.to_string(),
        notices: vec![],
        steps,
        back: vec![],
        no_back: None,
    })
}

/// The document moves `latest` before anything was verified.
fn latest(request: &BuildRequest<'_>) -> Step {
    let lines = request.file.services.iter().map(|(_, service)| {
        let image = request.image(service);
        let latest = format!("{}:latest", image_in(request.registry, &service.image));
        docker::call(["tag", &image, &latest]).literal()
    });
    let why =
        "latest stays at what was verified last; `runbook finish` moves it, by digest, when this version is".to_owned();
    step("2.4.latest", "Tag as latest", lines.collect::<Vec<_>>().join("\n"), Action::Later { why })
}

fn refuse_other_commits(request: &BuildRequest<'_>, built: &Built) -> Result<(), Failure> {
    let Built { head, release, tagged, .. } = built;
    let version = request.version;
    if let Some(tagged) = tagged.as_ref().filter(|tagged| *tagged != head) {
        return Err(Failure::refused(format!("v{version} is the tag of {tagged}, and {head} is checked out"))
            .because("images of a version are of its commit")
            .cured_by(format!("git checkout v{version}")));
    }
    if release.as_ref() != Some(version) {
        let (what, cure) = match release {
            Some(release) => (
                format!("{head} is the release commit of {release}, not of {version}"),
                format!("runbook build --version {release}"),
            ),
            None => (format!("{head} is not the release commit of {version}"), "runbook version --write".to_owned()),
        };
        let why = "images are built from the commit that says their version";
        return Err(Failure::refused(what).because(why).cured_by(cure));
    }
    for (_, service) in &request.file.services {
        let image = request.image(service);
        if let Some(published) = built.published.get(&image)
            && published.revision.as_ref() != Some(head)
        {
            let revision = published.revision.as_deref().unwrap_or_default();
            return Err(of_another_commit(
                &image,
                revision,
                "git reset --keep HEAD~1    # then: runbook version --write, for the next version",
            ));
        }
        if let Some(revision) = built.local.get(&image).filter(|revision| *revision != head) {
            return Err(of_another_commit(&image, revision, &docker::call(["image", "rm", &image]).literal()));
        }
    }
    Ok(())
}

fn step(id: &str, title: &str, command: String, does: Action) -> Step {
    Step::new(Section::Build, id, title, command, does)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    const COMMIT: &str = "6f1d2c3b4a59687786958473625140f1e2d3c4b5";

    fn planned(built: &Built) -> Result<Plan, Failure> {
        let text = "release.sbom = \"cargo xtask sbom\"\n[environments.production]\nurl = \"https://x\"\n\
                    [services.auth-service]\nimage = \"api-platform/auth-service\"\ndockerfile = \"services/auth/Dockerfile\"\n\
                    [services.org-service]\nimage = \"api-platform/org-service\"\ndockerfile = \"services/org/Dockerfile\"\n";
        let file = RunbookFile::parse(text).unwrap();
        let version = Version::new(1, 2, 4);
        build(
            &BuildRequest {
                version: &version,
                environment: Some("production"),
                registry: "registry.test",
                file: &file,
            },
            built,
        )
    }

    fn built() -> Built {
        let labelled = [("auth-service".to_owned(), Labelled::ByArgument)].into();
        Built { head: COMMIT.into(), release: Some(Version::new(1, 2, 4)), labelled, ..Built::default() }
    }

    fn published(revision: &str) -> Published {
        Published { digest: "sha256:00".into(), revision: Some(revision.into()) }
    }

    #[test]
    fn every_service_is_built_and_pushed_by_the_document_s_lines() {
        let plan = planned(&built()).unwrap();
        let lines = plan.steps.iter().map(|step| format!("{}: {}\n{}", step.id, step.title, step.command));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n\n"), @"
        2.1.commit: Release commit
        git log -1 --format=%s    # Release 1.2.4

        2.3.build.auth-service: Build auth-service
        docker build -t registry.test/api-platform/auth-service:1.2.4 -f services/auth/Dockerfile --build-arg REVISION=6f1d2c3b4a59687786958473625140f1e2d3c4b5 .

        2.3.build.org-service: Build org-service
        docker build -t registry.test/api-platform/org-service:1.2.4 -f services/org/Dockerfile --label org.opencontainers.image.revision=6f1d2c3b4a59687786958473625140f1e2d3c4b5 .

        2.3.sbom: Write what it is made of
        cargo xtask sbom

        2.4.latest: Tag as latest
        docker tag registry.test/api-platform/auth-service:1.2.4 registry.test/api-platform/auth-service:latest
        docker tag registry.test/api-platform/org-service:1.2.4 registry.test/api-platform/org-service:latest

        2.5.push.auth-service: Push auth-service
        docker push registry.test/api-platform/auth-service:1.2.4

        2.5.push.org-service: Push org-service
        docker push registry.test/api-platform/org-service:1.2.4
        ");
        assert_eq!(plan.hash(), planned(&built()).unwrap().hash());
    }

    #[test]
    fn what_is_of_another_commit_is_refused_and_what_is_there_is_not_made_again() {
        let refused = |built: &Built| planned(built).unwrap_err().to_string();
        insta::assert_snapshot!(refused(&Built { release: None, ..built() }), @"6f1d2c3b4a59687786958473625140f1e2d3c4b5 is not the release commit of 1.2.4");
        insta::assert_snapshot!(refused(&Built { release: Some(Version::new(1, 2, 3)), ..built() }), @"6f1d2c3b4a59687786958473625140f1e2d3c4b5 is the release commit of 1.2.3, not of 1.2.4");
        insta::assert_snapshot!(refused(&Built { tagged: Some("00".into()), ..built() }), @"v1.2.4 is the tag of 00, and 6f1d2c3b4a59687786958473625140f1e2d3c4b5 is checked out");
        let image = "registry.test/api-platform/org-service:1.2.4".to_owned();
        insta::assert_snapshot!(refused(&Built { local: [(image.clone(), String::new())].into(), ..built() }), @"registry.test/api-platform/org-service:1.2.4 is there already, of a commit that it does not name");
        insta::assert_snapshot!(refused(&Built { published: [(image.clone(), published("00"))].into(), ..built() }), @"registry.test/api-platform/org-service:1.2.4 is there already, of 00");
        let mut all = BTreeMap::from([(image, published(COMMIT))]);
        planned(&Built { published: all.clone(), ..built() }).unwrap();
        all.insert("registry.test/api-platform/auth-service:1.2.4".to_owned(), published(COMMIT));
        assert_eq!(planned(&Built { published: all, ..built() }).unwrap_err().exit, Exit::NothingToDo);
    }
}
