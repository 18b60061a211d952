//! Carries the migrations in the binary: a list of name and text, in the order of their names.

use std::{env, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../migrations").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
    files.retain(|file| file.path().extension().is_some_and(|extension| extension == "sql"));
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut list = String::from("&[\n");
    for file in &files {
        let (name, path) = (file.file_name(), file.path());
        writeln!(list, "({:?}, include_str!({:?})),", name.to_string_lossy(), path.to_string_lossy())?;
    }
    list.push(']');
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), list)?)
}
