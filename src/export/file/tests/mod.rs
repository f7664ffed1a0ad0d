//! A file that is followed, rotated and kept.
#![cfg(unix)]

mod following;
mod keeping;
mod random;
mod rotating;
mod sharing;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::*;
use crate::{
    clock::{self, ManualClock},
    export::wire::span::sample,
};

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("bellwether-file-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("spans.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The names of the spans in a file; it may be compressed.
fn names(path: &Path) -> Vec<String> {
    let mut text = fs::read(path).unwrap();
    if text.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(&text[..]), &mut plain).unwrap();
        text = plain;
    }
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let name = |line| {
        let read: Result<serde_json::Value, _> = serde_json::from_slice(line);
        read.map_or("torn".to_owned(), |span| span["name"].as_str().unwrap().to_owned())
    };
    lines.map(name).collect()
}

fn export(file: &mut File, names: &[&str]) {
    let batch = names.iter().map(|name| sample(name)).collect::<Vec<_>>().into();
    export_all(file, &batch).unwrap();
}

fn export_all(file: &mut File, batch: &Batch<SpanRecord>) -> ExportResult<SpanRecord> {
    file.export(batch, &Deadline::after(Duration::from_secs(20)))
}

/// Everything that is in the folder, sorted by name.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The names of the spans in all files, the rotated ones first, compressed or not.
fn all_names(folder: &Folder) -> Vec<String> {
    let mut all = Vec::new();
    for name in files(&folder.0).iter().filter(|name| *name != "spans.jsonl") {
        all.extend(names(&folder.0.join(name)));
    }
    if folder.file().exists() {
        all.extend(names(&folder.file()));
    }
    all
}

/// How many reports of files `work` made that begin with `what`. Of this thread alone: other tests
/// report too.
fn n_reported(what: &str, work: impl FnOnce()) -> usize {
    let (texts, this) = (Arc::new(Mutex::new(Vec::new())), std::thread::current().id());
    let kept = texts.clone();
    let hook = move |kind: &str, text: &str| {
        if std::thread::current().id() == this {
            kept.lock().push(format!("{kind}: {text}"));
        }
    };
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    diagnostics::set_hook(Some(Arc::new(hook)));
    work();
    diagnostics::set_hook(None);
    let texts = texts.lock();
    texts.iter().filter(|text| text.starts_with(&format!("file: {what} "))).count()
}
