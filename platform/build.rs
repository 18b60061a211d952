//! Carries the migrations and backfills in the binary: a list of name and text, in the order of their names.

use std::{env, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../migrations").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
    let backfills = folder.join("backfills");
    if backfills.is_dir() {
        files.extend(fs::read_dir(backfills)?.collect::<Result<Vec<_>, _>>()?);
    }
    files.retain(|file| file.path().extension().is_some_and(|extension| extension == "sql"));
    let mut paths: Vec<_> = files.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let mut list = String::from("&[\n");
    for path in &paths {
        let name = path.strip_prefix(&folder)?;
        writeln!(list, "({:?}, include_str!({:?})),", name.to_string_lossy(), path.to_string_lossy())?;
    }
    list.push(']');
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), list)?)
}
