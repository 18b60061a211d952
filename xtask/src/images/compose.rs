//! Stand-ins for the images of others that compose.yaml names, for machines without a registry: of Debian's packages.

use super::{
    engine::Engine,
    stand_in::{Parts, import},
};
use crate::tools::{on_path, quietly, target_folder};
use anyhow::{Context, Result};
use private_postgres::Programs;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// The users of the servers: an image of packages has none.
const USERS: &str = "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
const GROUPS: &str = "root:x:0:\npostgres:x:999:\nnogroup:x:65534:\n";

/// Makes them; the variables of compose.yaml that name them.
pub(super) fn stand_ins(engine: &Engine) -> Result<Vec<(&'static str, String)>> {
    install()?;
    let programs = Programs::find()?.program("postgres");
    let folder = programs.parent().context("PostgreSQL's folder")?.display().to_string();
    let version = folder.split('/').rev().nth(1).unwrap_or_default().to_owned();
    let postgres = format!("postgresql-{version} coreutils dash libc-bin sed util-linux");
    let path = format!(
        "ENV PATH={folder}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nENTRYPOINT [\"docker-entrypoint.sh\"]"
    );
    let all = [
        ("POSTGRES_IMAGE", "postgres", &*postgres, &*path),
        ("REDIS_IMAGE", "redis", "coreutils dash redis-server redis-tools", "CMD [\"redis-server\"]"),
        ("NGINX_IMAGE", "nginx", "coreutils dash nginx", "CMD [\"nginx\", \"-g\", \"daemon off;\"]"),
    ];
    let made = all.into_iter().map(|(variable, name, packages, changes)| {
        let image = format!("api-platform/stand-in-{name}:debian");
        let parts = Parts { packages, changes, arguments: &[] };
        make(engine, &image, &parts).map(|()| (variable, image))
    });
    made.collect()
}

fn make(engine: &Engine, image: &str, parts: &Parts) -> Result<()> {
    let stage = target_folder()?.join("images/stand-in");
    let _ = fs::remove_dir_all(&stage);
    let root = stage.join("root");
    for folder in ["etc", "usr/local/bin", "var/lib/nginx", "var/log/nginx"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("etc/passwd"), USERS)?;
    fs::write(root.join("etc/group"), GROUPS)?;
    let entrypoint = root.join("usr/local/bin/docker-entrypoint.sh");
    fs::copy(Path::new("tests/images/stand-ins/postgres.sh"), &entrypoint)?;
    fs::set_permissions(entrypoint, fs::Permissions::from_mode(0o755))?;
    import(engine, image, "packages", &stage, parts)?;
    Ok(fs::remove_dir_all(stage)?)
}

/// What is absent, without starting it.
fn install() -> Result<()> {
    let has_compose = on_path("docker-compose") || quietly(Command::new("docker").args(["compose", "version"])).is_ok();
    let mut absent = vec![];
    absent.extend((!has_compose).then_some("docker-compose"));
    absent.extend((!Path::new("/usr/sbin/nginx").exists()).then_some("nginx"));
    absent.extend((!on_path("redis-server")).then_some("redis-server"));
    if absent.is_empty() {
        return Ok(());
    }
    println!("installing {}", absent.join(", "));
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "-qq", "--no-install-recommends"]).args(&absent);
    // Debian starts no server in run level 1.
    quietly(install.env("RUNLEVEL", "1").env("DEBIAN_FRONTEND", "noninteractive")).context("apt-get install")
}
