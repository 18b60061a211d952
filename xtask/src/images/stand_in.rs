//! A base image for machines without a registry: this machine's Debian, Rust and crates, under the official name in
//! the private engine, and labelled as what it is.

use super::engine::Engine;
use crate::tools::quietly;
use anyhow::{Context, Result, bail};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    process::Command,
};

const SCRIPT: &str = include_str!("stand_in.sh");
/// Crates come from a folder of the image.
const CARGO: &str = r#"[source.crates-io]
replace-with = "vendored"

[source.vendored]
directory = "/usr/local/cargo/vendor"
"#;
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
    let stage = std::env::temp_dir().join(format!("xtask-stand-in-{}", std::process::id()));
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
    let mut script = Command::new("sh");
    script.args(["-c", SCRIPT, "sh", image, key]).arg(stage).arg(sysroot).envs(engine.environment());
    quietly(&mut script).context("the stand-in of the base image")
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

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} cannot be started"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
