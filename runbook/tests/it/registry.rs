//! A stand-in for a registry of images: what `registry/NAME/TAG` of a folder holds is the commit in that image's label.
//! It can fail, and it can be silent.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Failing,
    Silent,
    /// Without a login, and nobody has one.
    Closed,
}

/// Starts it; its address, as it stands before the names of images.
pub(crate) fn start(folder: &Path, mood: Mood) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let folder = folder.join("registry");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let folder = folder.clone();
            thread::spawn(move || answer(stream.unwrap(), &folder, mood));
        }
    });
    address
}

/// The digest of an image with a commit in its label, as it prints it.
pub(crate) fn digest_of(revision: &str) -> String {
    sum(&manifest(revision))
}

fn answer(stream: TcpStream, folder: &Path, mood: Mood) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        reader.read_line(&mut request).ok().filter(|bytes| *bytes > 0)?;
        let mut header = String::new();
        while reader.read_line(&mut header).ok()? > 2 {
            header.clear();
        }
        let path = request.split(' ').nth(1)?.split('?').next()?.trim_start_matches("/v2/").to_owned();
        let (code, kind, body) = match mood {
            Mood::Silent => {
                thread::sleep(Duration::from_mins(1));
                return None;
            }
            Mood::Closed => (401, "application/json", "{}".to_owned()),
            Mood::Failing => (503, "text/plain", "down for maintenance".to_owned()),
            Mood::Well => object(&path, folder),
        };
        let is_head = request.starts_with("HEAD");
        let head = format!(
            "HTTP/1.1 {code} x\r\nwww-authenticate: Basic realm=\"tests\"\r\ncontent-type: {kind}\r\ndocker-content-digest: {}\r\ncontent-length: {}\r\n\r\n",
            sum(&body),
            body.len()
        );
        let body = if is_head { "" } else { &body };
        reader.get_mut().write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn object(path: &str, folder: &Path) -> (u16, &'static str, String) {
    let absent =
        |code: &str| (404, "application/json", json!({ "errors": [{ "code": code, "message": "" }] }).to_string());
    if path.is_empty() {
        return (200, "application/json", "{}".to_owned());
    }
    if let Some(name) = path.strip_suffix("/tags/list") {
        let Ok(files) = fs::read_dir(folder.join(name)) else { return absent("NAME_UNKNOWN") };
        let tags: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        return (200, "application/json", json!({ "name": name, "tags": tags }).to_string());
    }
    if let Some((name, wanted)) = path.split_once("/manifests/") {
        let found = revisions(&folder.join(name))
            .into_iter()
            .find(|(tag, revision)| tag == wanted || digest_of(revision) == wanted);
        return found.map_or_else(|| absent("MANIFEST_UNKNOWN"), |(_, revision)| (200, MANIFEST, manifest(&revision)));
    }
    let (name, wanted) = path.split_once("/blobs/").unwrap_or_default();
    let mut configs = revisions(&folder.join(name)).into_iter().map(|(_, revision)| config(&revision));
    let found = configs.find(|config| sum(config) == wanted);
    found.map_or_else(|| absent("BLOB_UNKNOWN"), |config| (200, "application/octet-stream", config))
}

/// Each tag with its commit.
fn revisions(folder: &PathBuf) -> Vec<(String, String)> {
    let files = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap());
    files
        .map(|file| {
            (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap().trim().to_owned())
        })
        .collect()
}

fn config(revision: &str) -> String {
    let labels: Value = json!({ "org.opencontainers.image.revision": revision });
    json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": labels }, "rootfs": { "type": "layers", "diff_ids": [] } }).to_string()
}

fn manifest(revision: &str) -> String {
    let config = config(revision);
    let config = json!({ "mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": sum(&config) });
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] }).to_string()
}

fn sum(text: &str) -> String {
    digest(&SHA256, text.as_bytes())
        .as_ref()
        .iter()
        .fold("sha256:".to_owned(), |sum, byte| sum + &format!("{byte:02x}"))
}
