//! `runbook version`: Step 2.2, and the release commit.

use crate::{
    exit::Exit,
    failure::Failure,
    page::{Mark, Note, Page},
    place::Place,
    programs::registry,
    release::{
        Known, Repository,
        commit::{self, Release},
        files,
        repository::BRANCH,
        version::{self, Source},
    },
    screen::{Form, Screen},
};
use runbook_file::RunbookFile;
use semver::Version;
use serde_json::json;

pub(crate) async fn run(place: &Place, write: bool) -> Result<Exit, Failure> {
    let file = place.file()?;
    let repository = Repository::new(&place.folder);
    if write {
        repository.refuse_unready().await?;
    }
    let (known, warnings) = look(place, &file, &repository, write).await?;
    let at_head = release_at_head(&repository, &known).await?;
    let settled = Settled::of(known, at_head.as_ref())?;
    settled.tell(place, &warnings);
    if !write {
        return Ok(Exit::Done);
    }
    if let Some(version) = &at_head {
        return Err(refused_or_done(&file, &repository, version).await?);
    }
    let Settled { current, new, since, .. } = &settled;
    if since.is_some()
        && since == current
        && let Some(version) = since
        && repository.is_at(version).await?
    {
        return Err(Failure::nothing_to_do(format!("nothing was committed since v{version}")));
    }
    commit::refuse_foreign_images(&file, new, None).await?;
    let release = Release { folder: &place.folder, file: &file, version: new, since: since.as_ref() };
    let commit = release.write(|command| told_before(place, command)).await?;
    told_written(place, new, &commit);
    Ok(Exit::Done)
}

/// Who knows which versions there are. Those who do not tell are warnings: `build` asks once more what they have, before
/// it pushes.
async fn look(
    place: &Place,
    file: &RunbookFile,
    repository: &Repository,
    is_fetched: bool,
) -> Result<(Known, Vec<String>), Failure> {
    let mut tags = repository.tags().await?;
    let mut warnings = vec![];
    if !is_fetched {
        match repository.tags_at_origin().await {
            Ok(there) => tags.extend(there),
            Err(why) => warnings.push(why),
        }
    }
    let (published, silent) = version::published(file).await;
    warnings.extend(silent);
    Ok((Known { tags, workspace: files::workspace(&place.folder)?, published }, warnings))
}

/// The version whose release commit is checked out; its files say so as well.
async fn release_at_head(repository: &Repository, known: &Known) -> Result<Option<Version>, Failure> {
    let version = repository.release_at_head().await?;
    Ok(version.filter(|version| known.workspace.as_ref().is_none_or(|own| own == version)))
}

/// What the document's two lines say.
struct Settled {
    current: Option<Version>,
    /// Who says so.
    source: Option<Source>,
    new: Version,
    /// Whether `new` has its commit already.
    is_written: bool,
    /// The newest tag.
    since: Option<Version>,
}

impl Settled {
    fn of(mut known: Known, at_head: Option<&Version>) -> Result<Self, Failure> {
        // Until it is tagged, the version of a release commit is the new one.
        let pending = at_head.filter(|version| !known.tags.contains(version)).cloned();
        if let Some(version) = &pending {
            known.workspace = None;
            known.published.remove(version);
        }
        let current = known.current().map(|(version, source)| (version.clone(), source));
        let is_written = pending.is_some();
        let new = pending.or_else(|| current.as_ref().map(|(version, _)| version::next(version)));
        let Some(new) = new else {
            return Err(Failure::refused("nothing says which version this is: no tag, no Cargo.toml, no image")
                .cured_by("git tag v0.1.0 && git push origin v0.1.0"));
        };
        let (current, source) = current.unzip();
        Ok(Self { current, source, new, is_written, since: known.tags.last().cloned() })
    }

    fn tell(&self, place: &Place, warnings: &[String]) {
        let Self { current, source, new, is_written, .. } = self;
        if place.screen.form == Form::Json {
            let current = current.as_ref().map(ToString::to_string);
            let fields = json!({
                "current": current, "current_of": source, "new": new.to_string(), "is_written": is_written,
                "warnings": warnings,
            });
            return Screen::event("version", &fields);
        }
        let mut page = Page::default();
        page.text(format!("Current version: {}", current.as_ref().map_or("none".to_owned(), ToString::to_string)));
        page.text(format!("New version: {new}"));
        for warning in warnings {
            let why = "the new version may be taken there; `runbook build` asks again before it pushes";
            page.item(Mark::Warning, warning, vec![Note::text("why", why)]);
        }
        place.screen.page(&page);
    }
}

/// Why a release commit is not made a second time: it is not the only one of its version, or all is well.
async fn refused_or_done(file: &RunbookFile, repository: &Repository, version: &Version) -> Result<Failure, Failure> {
    let head = repository.head().await?;
    if let Some(tagged) = repository.commit(&format!("v{version}")).await?
        && tagged != head
    {
        return Ok(Failure::refused(format!("v{version} is the tag of another commit, {tagged}"))
            .because(format!("HEAD says that it is the release of {version} as well, and a version is one commit"))
            .cured_by(format!(
                "git reset --keep HEAD~1    # then: runbook version --write; v{version} stays what it is"
            )));
    }
    commit::refuse_foreign_images(file, version, Some(&head)).await?;
    for image in version::images(file, &version.to_string()) {
        // One that does not tell was named above.
        if let Ok(Some(published)) = registry::image(&image).await
            && published.revision.as_deref() != Some(head.as_str())
        {
            let revision = published.revision.unwrap_or_default();
            return Ok(commit::of_another_commit(
                &image,
                &revision,
                "git reset --keep HEAD~1    # then: runbook version --write",
            ));
        }
    }
    Ok(Failure::nothing_to_do(format!("HEAD is the release commit of {version} already"))
        .cured_by(format!("runbook build --version {version}")))
}

/// A command, before it is run: generators take their time.
fn told_before(place: &Place, command: &str) {
    if place.screen.form == Form::Json {
        return Screen::event("command", &json!({ "command": command }));
    }
    let mut page = Page::default();
    page.text(format!("$ {command}"));
    place.screen.page(&page);
}

fn told_written(place: &Place, version: &Version, commit: &str) {
    let next = [format!("git push origin {BRANCH}"), format!("runbook build --version {version}")];
    if place.screen.form == Form::Json {
        return Screen::event("written", &json!({ "version": version.to_string(), "commit": commit, "next": next }));
    }
    let mut page = Page::default();
    let notes =
        [vec![Note::command("look", "git show --stat")], next.iter().map(|next| Note::command("next", next)).collect()];
    page.item(
        Mark::Good,
        &format!("{commit} is the release commit of {version}"),
        notes.into_iter().flatten().collect(),
    );
    place.screen.page(&page);
}
