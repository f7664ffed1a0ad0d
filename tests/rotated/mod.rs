//! A folder with a live file and rotated ones, and what is in them.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bellwether::{
    export::File,
    pipeline::{Batch, Deadline, ExportResult, Exporter as _},
    trace::SpanRecord,
};

/// A folder of this test's own, removed at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("app.jsonl")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Spans of these names.
pub(crate) fn spans(names: impl IntoIterator<Item = String>) -> Batch<SpanRecord> {
    names.into_iter().map(SpanRecord::new).collect::<Vec<_>>().into()
}

pub(crate) fn export(file: &mut File, batch: &Batch<SpanRecord>) -> ExportResult<SpanRecord> {
    file.export(batch, &Deadline::after(Duration::from_secs(20)))
}

/// Everything that is in the folder, sorted by name.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The name of the span in a line, which must be whole.
pub(crate) fn name(line: &[u8]) -> String {
    let span: serde_json::Value = serde_json::from_slice(line).expect("a whole line");
    span["name"].as_str().unwrap().to_owned()
}

/// The names in all lines of all files that are whole, the rotated ones first, compressed or not.
pub(crate) fn names(folder: &Folder) -> Vec<String> {
    let there = files(&folder.0);
    let rotated = there.iter().filter(|name| *name != "app.jsonl" && !name.ends_with(".tmp"));
    let mut text = Vec::new();
    for file in rotated.map(String::as_str).chain(["app.jsonl"]) {
        let mut source = fs::File::open(folder.0.join(file)).unwrap();
        if file.ends_with(".gz") {
            io::copy(&mut flate2::read::GzDecoder::new(source), &mut text).unwrap();
        } else {
            io::copy(&mut source, &mut text).unwrap();
        }
    }
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter(|line| line.ends_with(b"}")).map(name).collect()
}
