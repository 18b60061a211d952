//! A base image for machines without a registry: this machine's Debian, Rust and crates, under the official name in
//! the private engine, and labelled as what it is.

use super::engine::Engine;
use crate::tools::{quietly, target_folder};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

const SCRIPT: &str = include_str!("stand_in.sh");
/// Crates come from a folder of the image.
const CARGO: &str = r#"[source.crates-io]
replace-with = "vendored"

[source.vendored]
directory = "/usr/local/cargo/vendor"
"#;
/// What a static build needs of Debian.
const TOOLCHAIN: &str = "ca-certificates coreutils dash findutils gcc libc6-dev tzdata";
const KEY: &str = "api-platform.stand-in.key";

/// Makes it, unless there is one of the same parts.
pub(crate) fn ensure(engine: &Engine, source: &Path, image: &str) -> Result<()> {
    let key = key(source)?;
    let format = format!("{{{{index .Config.Labels \"{KEY}\"}}}}");
    let there = engine.docker().args(["image", "inspect", "--format", &format, image]).output()?;
    if there.status.success() && there.stdout.trim_ascii() == key.as_bytes() {
        return Ok(());
    }
    println!("making a stand-in for {image} from this machine's toolchain");
    // The engine is ours, so nobody else has this folder; a killed run may have left it.
    let stage = target_folder()?.join("images/stand-in");
    let _ = fs::remove_dir_all(&stage);
    let made = make(engine, source, image, &key, &stage);
    let _ = fs::remove_dir_all(stage);
    made
}

fn make(engine: &Engine, source: &Path, image: &str, key: &str, stage: &Path) -> Result<()> {
    let cargo = stage.join("root/usr/local/cargo");
    fs::create_dir_all(&cargo)?;
    fs::write(cargo.join("config.toml"), CARGO)?;
    let mut vendor = Command::new("cargo");
    vendor.args(["vendor", "--quiet", "--locked", "--versioned-dirs"]).arg(cargo.join("vendor"));
    quietly(vendor.current_dir(source)).context("cargo vendor")?;
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(sysroot);
    let (folder, name) = (sysroot.parent().context("sysroot")?, sysroot.file_name().context("sysroot")?);
    let name = name.to_string_lossy();
    let mut arguments = vec![
        format!("--transform=s,^{name}/,usr/local/,S"),
        "--exclude=*/librustc-stable_rt.*".to_owned(),
        // Of crates that are never compiled here.
        "--exclude=*/vendor/winapi-*-windows-gnu*/lib/*".to_owned(),
        "--exclude=*/vendor/windows_*/lib/*".to_owned(),
        format!("--directory={}", folder.display()),
    ];
    arguments.extend(["bin/cargo", "bin/rustc", "lib"].map(|part| format!("{name}/{part}")));
    let parts = Parts { packages: TOOLCHAIN, changes: "ENV CARGO_HOME=/usr/local/cargo", arguments: &arguments };
    import(engine, image, key, stage, &parts)
}

/// What an image is made of, beside `stage/root`.
pub(super) struct Parts<'a> {
    /// Debian packages, with all that they depend on.
    pub(super) packages: &'a str,
    /// Lines of a Dockerfile, about how it is run.
    pub(super) changes: &'a str,
    /// More for tar.
    pub(super) arguments: &'a [String],
}

/// Makes an image of these parts.
pub(super) fn import(engine: &Engine, image: &str, key: &str, stage: &Path, parts: &Parts) -> Result<()> {
    let mut script = Command::new("sh");
    script
        .args(["-c", SCRIPT, "sh", image, key])
        .arg(stage)
        .args([parts.packages, parts.changes])
        .args(parts.arguments);
    quietly(script.envs(engine.environment())).with_context(|| format!("a stand-in for {image}"))
}

/// Changes when any part does.
fn key(source: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    SCRIPT.hash(&mut hasher);
    fs::read(source.join("Cargo.lock")).context("Cargo.lock")?.hash(&mut hasher);
    output(Command::new("rustc").arg("-vV"))?.hash(&mut hasher);
    let packages = ["gcc", "libc6-dev", "ca-certificates", "tzdata"];
    output(Command::new("dpkg-query").args(["--show", "--showformat=${Package} ${Version}\n"]).args(packages))?
        .hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// What it printed; what it said is told when it fails.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} cannot be started"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
