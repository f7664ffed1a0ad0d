//! The file exporter from outside: refusals with a clear error, and an empty start.
//!
//! Rotation and the lines themselves are tested beside the exporter, where spans can be made.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use bellwether::{
    ErrorKind,
    export::File,
    pipeline::{Pipe, Route, Setup},
    trace::SpanRecord,
};
use std::{error::Error as _, fs, path::PathBuf, time::Duration};

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_that_names_it() {
    let folder = Folder::new("unopenable");
    for path in [folder.0.join("no/such/folder/spans.jsonl"), folder.0.clone(), PathBuf::new()] {
        let error = File::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(error.to_string(), format!("file {path:?} cannot be opened for appending"));
        assert!(error.source().is_some());
    }
}

#[test]
fn opening_creates_the_file_and_keeps_what_is_in_it() {
    let folder = Folder::new("created");
    let path = folder.0.join("spans.jsonl");
    let pipe = Pipe::<SpanRecord>::start(Route::new(File::open(&path).unwrap()), &Setup::default())
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
    assert!(pipe.flush(Duration::from_secs(10)));
    fs::write(&path, "kept\n").unwrap();
    let second = File::open(&path).unwrap();
    drop(second);
    assert_eq!(fs::read(&path).unwrap(), b"kept\n");
    assert_eq!(pipe.name(), "file");
}
