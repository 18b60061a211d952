//! `cargo xtask images`: the three images by the runbook's own lines, and one file that a cluster can load them from.

mod compose;
pub(crate) mod engine;
mod registry;
mod stand_in;

use crate::{
    nextest,
    stages::{self, Outcome, quiet},
    tools::{self, target_folder},
};
use anyhow::{Context, Result, bail};
use engine::Engine;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Each has a Dockerfile in `services/` and becomes `api-platform/<name>-service`.
pub(crate) const SERVICES: [&str; 3] = ["auth", "user", "org"];

/// What is built.
pub(crate) struct Wanted {
    /// The tag; the version in the sources, when it is not given.
    pub(crate) version: Option<String>,
    /// The folder with the sources.
    pub(crate) source: PathBuf,
    /// How it is compiled.
    pub(crate) profile: String,
    /// What the build starts from, in place of the Dockerfiles' own base image.
    pub(crate) base: Option<String>,
}

impl Wanted {
    /// As the tests have them: of some sources, quickly compiled.
    pub(crate) fn of_tests(source: PathBuf) -> Self {
        Self { version: None, source, profile: "release-ci".to_owned(), base: None }
    }

    /// What the stages of the build are kept as.
    fn kept_as(&self) -> String {
        if self.base.is_some() { format!("{}-on-another", self.profile) } else { self.profile.clone() }
    }
}

/// Builds them; the last line that is printed is where the file is.
pub(crate) fn run(wanted: &Wanted) -> Result<ExitCode> {
    let engine = Engine::obtain()?;
    println!("{}", build(&engine, wanted)?.display());
    Ok(ExitCode::SUCCESS)
}

/// The stage `images`: builds this checkout, then runs the tests of the images, `tests/images`.
pub(crate) fn test(wanted: &stages::Wanted) -> Result<Outcome> {
    let engine = match Engine::obtain() {
        Ok(engine) => engine,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    let images = Wanted::of_tests(PathBuf::from("."));
    let file = build(&engine, &images)?;
    let others = if engine.is_private() { compose::stand_ins(&engine)? } else { vec![] };
    let mut nextest = nextest::command(wanted)?;
    nextest.arg("--package=image-tests").envs(engine.environment()).envs(others);
    nextest.env("EAP_TEST_IMAGES_VERSION", version_of(&images.source)?);
    nextest.env("EAP_TEST_IMAGES_FILE", file).env("EAP_TEST_IMAGES_PROFILE", images.profile);
    let lacking = registry::missing();
    nextest.args(lacking.iter().flat_map(|_| ["--", "--skip", "registry::"]));
    Ok(nextest::outcome(&mut nextest)?.without(lacking))
}

/// The image in which the dependencies are compiled: what another version of the sources can start from.
pub(crate) fn dependencies(profile: &str) -> String {
    format!("api-platform/stage-dependencies:{profile}")
}

/// The file with all three.
pub(crate) fn build(engine: &Engine, wanted: &Wanted) -> Result<PathBuf> {
    let source = &wanted.source;
    let release = Release::of(source, wanted.version.as_deref())?;
    if engine.is_private() && wanted.base.is_none() {
        stand_in::ensure(engine, source, &base(source)?)?;
    }
    for service in SERVICES {
        let mut build = engine.docker();
        build.arg("build").args(quiet("--quiet")).args(engine.is_private().then_some("--network=none"));
        // Or a build that fails leaves its container behind.
        build.args(engine.is_private().then_some("--force-rm"));
        build.args(["-t", &release.image(service), "-f", &format!("services/{service}/Dockerfile")]);
        build.args(release.arguments(wanted)).arg(".").current_dir(source);
        if !build.status().context("docker cannot be started")?.success() {
            bail!("the image of {service}-service cannot be built; docker's messages are above");
        }
    }
    if engine.is_private() {
        drop_older_layers(engine, wanted, &release)?;
    }
    save(engine, &release)
}

/// What the labels say.
struct Release {
    version: String,
    schema_needs: String,
    revision: String,
}

impl Release {
    fn of(source: &Path, version: Option<&str>) -> Result<Self> {
        let version = version.map_or_else(|| version_of(source), |version| Ok(version.to_owned()))?;
        let git = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(source).output();
        let revision = match git {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            _ => "unknown".to_owned(),
        };
        Ok(Self { version, schema_needs: newest_migration(source)?, revision })
    }

    fn image(&self, service: &str) -> String {
        format!("api-platform/{service}-service:{}", self.version)
    }

    fn arguments(&self, wanted: &Wanted) -> Vec<String> {
        let Self { version, schema_needs, revision } = self;
        let all = [
            ("PROFILE", &wanted.profile),
            ("VERSION", version),
            ("SCHEMA_NEEDS", schema_needs),
            ("REVISION", revision),
        ];
        let base = wanted.base.iter().map(|base| ("BASE", base));
        all.into_iter().chain(base).map(|(name, value)| format!("--build-arg={name}={value}")).collect()
    }
}

/// Of the workspace.
pub(crate) fn version_of(source: &Path) -> Result<String> {
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(source);
    let metadata: serde_json::Value =
        serde_json::from_str(&stand_in::output(&mut metadata)?).context("cargo metadata")?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let platform = packages.find(|package| package["name"] == "platform").context("there is no package `platform`")?;
    Ok(platform["version"].as_str().context("`platform` has no version")?.to_owned())
}

fn newest_migration(source: &Path) -> Result<String> {
    let folder = source.join("migrations");
    let files = fs::read_dir(&folder).with_context(|| format!("there is no {}", folder.display()))?;
    let names = files.map(|file| Ok(file?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<_> = names.collect::<Result<_>>()?;
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "sql"));
    names.into_iter().max().context("there is no migration")
}

/// The image that the Dockerfiles start from.
pub(crate) fn base(source: &Path) -> Result<String> {
    let dockerfile = fs::read_to_string(source.join("services/auth/Dockerfile")).context("services/auth/Dockerfile")?;
    let line = dockerfile.lines().find_map(|line| line.strip_prefix("ARG BASE="));
    Ok(line.context("the Dockerfile has no `ARG BASE=`")?.to_owned())
}

/// A private engine keeps what the next build starts from, by names of ours, and drops what came before: it has no
/// limit of its own.
fn drop_older_layers(engine: &Engine, wanted: &Wanted, release: &Release) -> Result<()> {
    for stage in ["manifests", "dependencies", "builder"] {
        let mut build = engine.docker();
        build.args(["build", "--quiet", "--network=none", "--target", stage, "-f", "services/auth/Dockerfile"]);
        build.args(["-t", &format!("api-platform/stage-{stage}:{}", wanted.kept_as())]);
        build.args(release.arguments(wanted)).arg(".").current_dir(&wanted.source);
        tools::quietly(&mut build).with_context(|| format!("naming the stage {stage}"))?;
    }
    tools::quietly(engine.docker().args(["image", "prune", "--force"])).context("docker image prune")
}

fn save(engine: &Engine, release: &Release) -> Result<PathBuf> {
    let folder = target_folder()?.join("images");
    fs::create_dir_all(&folder)?;
    let (half, whole) = (folder.join("half.tar"), folder.join(format!("{}.tar", release.version)));
    let mut save = engine.docker();
    save.args(["save", "--output"]).arg(&half).args(SERVICES.map(|service| release.image(service)));
    tools::quietly(&mut save).context("docker save")?;
    fs::rename(half, &whole)?;
    Ok(whole)
}

#[cfg(test)]
mod tests;
