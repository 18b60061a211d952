//! Where a project says which version it is. Only what is there is changed, and nothing but the version in it.

use crate::failure::Failure;
use regex::Regex;
use runbook_file::RunbookFile;
use semver::Version;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};
use toml::Spanned;

/// Files of the project with the text that they are to have, by their path in it; those that have it already are not
/// among them.
pub(crate) fn changed(
    folder: &Path,
    file: &RunbookFile,
    version: &Version,
) -> Result<BTreeMap<PathBuf, String>, Failure> {
    let mut changed = BTreeMap::new();
    for (path, patterns) in places(folder, file)? {
        let Some(text) = text(&folder.join(&path))? else { continue };
        let new = patterns.iter().fold(text.clone(), |text, pattern| put(pattern, &text, version));
        if new != text {
            changed.insert(path, new);
        }
    }
    if let Some(text) = text(&folder.join(MANIFEST))?
        && let Some(written) = Written::read(&text)?
        && written.version != *version
    {
        let mut new = text.clone();
        new.replace_range(written.place, &format!("\"{version}\""));
        changed.insert(MANIFEST.into(), new);
    }
    Ok(changed)
}

const MANIFEST: &str = "Cargo.toml";

/// The version of the workspace, or of the only package; none: there is no `Cargo.toml`, or it has none.
pub(crate) fn workspace(folder: &Path) -> Result<Option<Version>, Failure> {
    let Some(text) = text(&folder.join(MANIFEST))? else { return Ok(None) };
    Ok(Written::read(&text)?.map(|written| written.version))
}

/// A version, and where it is written.
struct Written {
    version: Version,
    place: Range<usize>,
}

impl Written {
    fn read(manifest: &str) -> Result<Option<Self>, Failure> {
        #[derive(Deserialize)]
        struct Manifest {
            workspace: Option<Workspace>,
            package: Option<Package>,
        }
        #[derive(Deserialize)]
        struct Workspace {
            package: Option<Package>,
        }
        #[derive(Deserialize)]
        struct Package {
            version: Option<Spanned<toml::Value>>,
        }
        let broken = |why: String| Failure::refused(format!("{MANIFEST}: {why}"));
        let manifest: Manifest = toml::from_str(manifest).map_err(|error| broken(error.message().to_owned()))?;
        let package = manifest.workspace.and_then(|workspace| workspace.package).or(manifest.package);
        let Some(version) = package.and_then(|package| package.version) else { return Ok(None) };
        // `version.workspace = true` points elsewhere.
        let Some(text) = version.get_ref().as_str() else { return Ok(None) };
        let parsed = text.parse().map_err(|error| broken(format!("{text:?} is no version: {error}")))?;
        Ok(Some(Self { version: parsed, place: version.span() }))
    }
}

/// Which files may say it, and how. In each pattern group 1 stands before the version and group 2 after it.
fn places(folder: &Path, file: &RunbookFile) -> Result<BTreeMap<PathBuf, Vec<Regex>>, Failure> {
    let mut places: BTreeMap<PathBuf, Vec<Regex>> = BTreeMap::new();
    let images = file
        .services
        .iter()
        .map(|(_, service)| pattern(&format!(r"({}:){RELEASED}{END}", regex::escape(&service.image))));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let tag = pattern(&format!(
        r#"(?m)^(image:[ \t]*\n(?:[ \t]+\S.*\n)*?[ \t]+tag:[ \t]*["']?){RELEASED}(["']?[ \t]*(?:#.*)?)$"#
    ))?;
    let label = pattern(&format!(r#"(app\.kubernetes\.io/version:[ \t]*["']?){RELEASED}{END}"#))?;
    let argument = pattern(&format!(r#"(?m)^(ARG VERSION=["']?){RELEASED}(["']?[ \t]*)$"#))?;
    let chart = pattern(&format!(r#"(?m)^((?:version|appVersion):[ \t]*["']?){RELEASED}(["']?[ \t]*)$"#))?;
    for (name, environment) in &file.environments {
        for values in &environment.values {
            places.entry(values.clone()).or_default().push(tag.clone());
        }
        let manifests = environment.manifests.clone().unwrap_or_else(|| Path::new("k8s").join(name));
        for manifest in
            within(folder, &manifests, |file| file.extension().is_some_and(|kind| kind == "yaml" || kind == "yml"))?
        {
            places.entry(manifest).or_default().extend(images.iter().chain([&label]).cloned());
        }
    }
    for (_, service) in &file.services {
        places.entry(service.dockerfile.clone()).or_default().push(argument.clone());
    }
    for folders in within(folder, Path::new("helm"), |_| true)? {
        places.entry(folders.join("Chart.yaml")).or_default().push(chart.clone());
    }
    for mention in &file.release.mentions {
        if !folder.join(mention).is_file() {
            return Err(Failure::refused(format!("{} is not there", mention.display()))
                .because("runbook.toml has it among the mentions of [release]"));
        }
        places.entry(mention.clone()).or_default().extend(images.iter().cloned());
    }
    Ok(places)
}

/// A version without anything behind it: `1.2.3-6f1d2c3b4a59` is another image.
const RELEASED: &str = r"[0-9]+\.[0-9]+\.[0-9]+";
const END: &str = r"([^\w.+-]|$)";

fn pattern(text: &str) -> Result<Regex, Failure> {
    Regex::new(text).map_err(|error| Failure::failed(error.to_string()))
}

fn put(pattern: &Regex, text: &str, version: &Version) -> String {
    pattern.replace_all(text, format!("${{1}}{version}${{2}}")).into_owned()
}

/// What is in a folder, sorted, by its path in the project; a folder that is not there is empty.
fn within(project: &Path, folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let path = project.join(folder);
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(|error| Failure::of_file(&path, &error))?,
    };
    let mut found: Vec<_> = entries.flatten().map(|entry| folder.join(entry.file_name())).collect();
    found.retain(|file| is_wanted(file));
    found.sort();
    Ok(found)
}

/// None: there is no such file.
fn text(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Err(error) if [std::io::ErrorKind::NotFound, std::io::ErrorKind::NotADirectory].contains(&error.kind()) => {
            Ok(None)
        }
        text => text.map(Some).map_err(|error| Failure::of_file(path, &error)),
    }
}
