//! Clients that others wrote, for tests that run them against us: `tests/clients/<name>`, installed into the target
//! folder by their own package managers, in the versions that its lock file and its requirements name.

use crate::tools::{quietly, target_folder};
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Installs them, unless they are there; the last line that is printed is where.
pub(crate) fn run(name: &str) -> Result<ExitCode> {
    println!("{}", ensure(name)?.display());
    Ok(ExitCode::SUCCESS)
}

fn ensure(name: &str) -> Result<PathBuf> {
    let source = Path::new("tests/clients").join(name);
    let files = fs::read_dir(&source).with_context(|| format!("there is no {}", source.display()))?;
    let mut files: Vec<_> = files.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.is_file());
    files.sort_unstable();
    let mut hasher = DefaultHasher::new();
    for file in &files {
        (file.file_name(), fs::read(file)?).hash(&mut hasher);
    }
    let all = target_folder()?.join("tools/client-libraries");
    fs::create_dir_all(&all)?;
    let folder = all.join(format!("{name}-{:016x}", hasher.finish()));
    // Several tests ask at once; one installs, the others wait. Let go of when this process ends.
    let lock = File::create(all.join(format!("{name}.lock")))?;
    lock.lock()?;
    if !folder.exists() {
        let half = all.join(format!("{name}.half"));
        let _ = fs::remove_dir_all(&half);
        fs::create_dir(&half)?;
        for file in &files {
            fs::copy(file, half.join(file.file_name().unwrap_or_default()))?;
        }
        install(&half).with_context(|| format!("the clients of {} cannot be installed", source.display()))?;
        fs::rename(&half, &folder)?;
    }
    Ok(folder)
}

fn install(folder: &Path) -> Result<()> {
    if folder.join("package.json").exists() {
        if !folder.join("package-lock.json").exists() {
            bail!("package.json has no lock file");
        }
        let mut npm = Command::new("npm");
        quietly(npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder))
            .context("npm ci")?;
    }
    if folder.join("requirements.txt").exists() {
        // With the pip of a virtual environment, or the system's where Debian left `venv` out.
        let venv = quietly(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder));
        let python = if venv.is_ok() { folder.join("venv/bin/python") } else { "python3".into() };
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--target", "python", "--requirement", "requirements.txt"]).current_dir(folder);
        quietly(&mut pip).context("pip install")?;
    }
    Ok(())
}
