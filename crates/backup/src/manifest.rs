//! What a backup says of itself.

use crate::{BackupError, log::Log};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::Path,
};
use types::Timestamp;
use uuid::Uuid;

/// Beside the folder that `pg_dump` wrote.
pub(crate) const NAME: &str = "manifest.json";
/// What `pg_dump` wrote.
pub(crate) const DATA: &str = "data";
/// When it was last verified.
const VERIFIED: &str = "verified.json";

/// A table in the snapshot that was dumped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// How many rows.
    pub rows: i64,
    /// Over all of them, in whatever order.
    pub checksum: String,
}

/// The file `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this form: 1.
    pub form: u32,
    /// Also the folder's name, as in `api_platform-20250117-140000`.
    pub id: String,
    /// Of the snapshot.
    pub taken_at: Timestamp,
    /// Its name.
    pub database: String,
    /// Of the server, as in `15.6`.
    pub server_version: String,
    /// The newest migration; none in a database that is not ours.
    pub schema: Option<String>,
    /// Which run of `migrate up` applied it: another database of the same name has another. None in older backups.
    #[serde(default)]
    pub schema_run: Option<Uuid>,
    /// Where the event log was; none in a database that is not ours.
    pub log: Option<Log>,
    /// By name.
    pub tables: BTreeMap<String, Table>,
    /// SHA-256 of each file of the dump.
    pub files: BTreeMap<String, String>,
    /// Of all files.
    pub bytes: u64,
}

/// A backup that is there.
#[derive(Debug, Clone, Serialize)]
pub struct Backup {
    /// What it says of itself.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// When it was last restored and compared.
    pub verified_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Verified {
    verified_at: Timestamp,
}

impl Manifest {
    pub(crate) fn read(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(NAME);
        let text = fs::read_to_string(&path).map_err(BackupError::file(&path))?;
        serde_json::from_str(&text).map_err(|error| BackupError::Manifest(path, error))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        write(&folder.join(NAME), self)
    }

    /// Whether all files are as they were written.
    pub(crate) fn check_files(&self, folder: &Path) -> Result<(), BackupError> {
        let (found, _) = digests(&folder.join(DATA))?;
        let is_other = |(name, digest): &(&String, &String)| found.get(*name) != Some(digest);
        match self.files.iter().find(is_other) {
            Some((name, _)) => Err(BackupError::Damaged(name.clone())),
            None => Ok(()),
        }
    }
}

impl Backup {
    pub(crate) fn read(folder: &Path) -> Result<Self, BackupError> {
        let manifest = Manifest::read(folder)?;
        let verified = fs::read_to_string(folder.join(VERIFIED)).ok();
        let verified = verified.and_then(|text| serde_json::from_str::<Verified>(&text).ok());
        Ok(Self { manifest, verified_at: verified.map(|verified| verified.verified_at) })
    }

    pub(crate) fn set_verified(folder: &Path, at: Timestamp) -> Result<(), BackupError> {
        write(&folder.join(VERIFIED), &Verified { verified_at: at })
    }
}

/// On the disk when it returns.
fn write(path: &Path, value: &impl Serialize) -> Result<(), BackupError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| BackupError::Manifest(path.to_owned(), error))?;
    let mut file = File::create(path).map_err(BackupError::file(path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(BackupError::file(path))
}

/// Of each file in a folder, and how many bytes they are together; on the disk when it returns.
pub(crate) fn digests(folder: &Path) -> Result<(BTreeMap<String, String>, u64), BackupError> {
    let (mut all, mut bytes) = (BTreeMap::new(), 0);
    for entry in fs::read_dir(folder).map_err(BackupError::file(folder))? {
        let path = entry.map_err(BackupError::file(folder))?.path();
        let (digest, length) = digest(&path).map_err(BackupError::file(&path))?;
        all.insert(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), digest);
        bytes += length;
    }
    Ok((all, bytes))
}

fn digest(path: &Path) -> std::io::Result<(String, u64)> {
    let (mut file, mut context, mut length) = (File::open(path)?, Context::new(&SHA256), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            file.sync_all()?;
            return Ok((hex::encode(context.finish()), length));
        }
        context.update(&buffer[..read]);
        length += read as u64;
    }
}
