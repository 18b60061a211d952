//! PostgreSQL's programs: found, or installed through the system's package manager where we may.

use crate::tools;
use anyhow::{Context, Result, bail};
use private_postgres::{NotFound, OLDEST, Programs};
use std::{env, process::Command};

/// Installs what is absent; without the right to, the error says what to type.
pub(crate) fn ensure() -> Result<Programs> {
    let absent = match Programs::find() {
        Ok(programs) => return Ok(programs),
        Err(absent) => absent,
    };
    if env::var_os("PG_BIN").is_some() {
        bail!("{absent}\n\nPG_BIN names that folder: correct it, or leave it out.");
    }
    let manager = Manager::of_this_system();
    let (manager, right) = allowed(&absent, manager.map(|manager| (manager, Right::to_install(manager))))?;
    println!("{absent}\n\ninstalling it with\n\n    {}{}\n", right.shown(), manager.line());
    manager.install(right)?;
    Programs::find().context("PostgreSQL was installed, but it is not usable")
}

fn allowed(absent: &NotFound, manager: Option<(Manager, Right)>) -> Result<(Manager, Right)> {
    match manager {
        None => {
            bail!("{absent}\n\nInstall PostgreSQL {OLDEST} or newer, or name the folder of its programs in PG_BIN.")
        }
        Some((manager, Right::None)) => {
            bail!("{absent}\n\nInstall it, then run this command again:\n\n    sudo {}", manager.line())
        }
        Some(both) => Ok(both),
    }
}

/// A package manager that we know how to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Brew,
}

/// Only the programs are wanted, but Debian makes and starts a server of its own: a file beside its configuration says
/// no while it installs, and goes afterwards with the folders that were made for it.
const APT: &str = r#"
set -e
mkdir -p "$1"
trap 'rm -f "$1/no-server.conf"; rmdir -p --ignore-fail-on-non-empty "$1"' EXIT
trap 'exit 1' HUP INT TERM
echo 'create_main_cluster = false' >"$1/no-server.conf"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install --yes -qq --no-install-recommends postgresql
"#;
const APT_FOLDER: &str = "/etc/postgresql-common/createcluster.d";

impl Manager {
    fn of_this_system() -> Option<Self> {
        let known = [("apt-get", Self::Apt), ("dnf", Self::Dnf), ("brew", Self::Brew)];
        known.into_iter().find(|(program, _)| tools::on_path(program)).map(|(_, manager)| manager)
    }

    fn line(self) -> &'static str {
        match self {
            Self::Apt => "apt-get install --yes --no-install-recommends postgresql",
            Self::Dnf => "dnf install --assumeyes postgresql-server",
            Self::Brew => "brew install postgresql@17",
        }
    }

    fn install(self, right: Right) -> Result<()> {
        let script = if self == Self::Apt { APT } else { self.line() };
        let words: Vec<_> = right.words().iter().copied().chain(["sh", "-c", script, "sh", APT_FOLDER]).collect();
        let status =
            Command::new(words[0]).args(&words[1..]).status().context("the package manager cannot be started")?;
        if !status.success() {
            bail!(
                "`{}` failed; its messages are above. Install PostgreSQL yourself, then run this command again.",
                self.line()
            );
        }
        Ok(())
    }
}

/// By which right we install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    /// By our own.
    Own,
    /// By sudo, which asks for no password.
    Sudo,
    /// By none, without asking somebody for a password.
    None,
}

impl Right {
    fn to_install(manager: Manager) -> Self {
        let output =
            |program: &str, argument: &str, more: &[&str]| Command::new(program).arg(argument).args(more).output();
        let is_root = output("id", "-u", &[]).is_ok_and(|output| output.stdout.trim_ascii() == b"0");
        if manager == Manager::Brew || is_root {
            Self::Own
        } else if output("sudo", "-n", &["true"]).is_ok_and(|output| output.status.success()) {
            Self::Sudo
        } else {
            Self::None
        }
    }

    fn words(self) -> &'static [&'static str] {
        if self == Self::Sudo { &["sudo", "-n"] } else { &[] }
    }

    fn shown(self) -> &'static str {
        if self == Self::Sudo { "sudo " } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn absent() -> NotFound {
        NotFound { older: vec![], looked: vec!["/none".to_owned()] }
    }

    #[test]
    fn who_may_not_install_is_told_the_line_to_type() {
        let said = allowed(&absent(), Some((Manager::Apt, Right::None))).unwrap_err().to_string();
        assert!(said.starts_with("found no PostgreSQL 15 or newer"), "{said}");
        assert!(said.ends_with("\n    sudo apt-get install --yes --no-install-recommends postgresql"), "{said}");
    }

    #[test]
    fn without_a_package_manager_one_is_told_what_to_install() {
        let said = allowed(&absent(), None).unwrap_err().to_string();
        assert!(
            said.ends_with("Install PostgreSQL 15 or newer, or name the folder of its programs in PG_BIN."),
            "{said}"
        );
    }

    #[test]
    fn who_may_install_does() {
        let root = (Manager::Apt, Right::Own);
        assert_eq!(allowed(&absent(), Some(root)).unwrap(), root);
    }

    /// With an `apt-get` that notes whether Debian would make a server, and fails when told to.
    #[test]
    fn no_server_is_made_and_no_changed_configuration_stays_also_when_installing_fails() {
        let folder = env::temp_dir().join(format!("xtask-apt-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let apt = folder.join("apt-get");
        fs::write(&apt, "#!/bin/sh\ncat \"$SEEN/etc/postgresql-common/createcluster.d/\"* >\"$SEEN/$1\"\nexit $ENDS\n")
            .unwrap();
        fs::set_permissions(&apt, fs::Permissions::from_mode(0o755)).unwrap();
        let path = env::join_paths([folder.clone(), "/usr/bin".into(), "/bin".into()]).unwrap();
        let setting = folder.join("etc/postgresql-common/createcluster.d");
        for (ends, last) in [("0", "install"), ("1", "update")] {
            let mut script = Command::new("sh");
            script.args(["-c", APT, "sh"]).arg(&setting).env("PATH", &path).env("SEEN", &folder).env("ENDS", ends);
            assert_eq!(script.status().unwrap().success(), ends == "0");
            assert_eq!(fs::read_to_string(folder.join(last)).unwrap(), "create_main_cluster = false\n");
            assert!(!folder.join("etc").exists());
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
