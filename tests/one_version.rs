//! Two versions of the crate in one program are an error of the build, which names both.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The `[package]` of this crate's own manifest, without what other files would have to be there for.
fn package(version: &str) -> String {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let tables = manifest.split("\n[").next().unwrap().lines();
    let lines = tables.filter(|line| !line.starts_with("readme")).map(|line| {
        let is_version = line.starts_with("version ");
        if is_version { format!("version = {version:?}") } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn write_package(folder: &Path, manifest: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    fs::write(folder.join("build.rs"), "fn main() {}").unwrap();
}

/// What cargo says of a program with two crates of these manifests: all is well, or its error.
fn resolve(folder: &Path, first: &str, second: &str) -> Result<(), String> {
    write_package(&folder.join("first"), first);
    write_package(&folder.join("second"), second);
    let program = "[package]\nname = \"program\"\nversion = \"1.0.0\"\n[workspace]\n[dependencies]\n\
        first = { package = \"bellwether\", path = \"../first\" }\n\
        second = { package = \"bellwether\", path = \"../second\" }\n";
    write_package(&folder.join("program"), program);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--format-version", "1", "--manifest-path"]);
    let output = cargo.arg(folder.join("program/Cargo.toml")).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(error)
}

#[test]
fn two_versions_in_one_program_are_an_error_of_the_build() {
    let name = format!("bellwether-one-version-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    for (first, second) in [("0.1.0", "0.2.0"), ("1.0.0", "2.0.0"), ("1.0.0", "1.0.1")] {
        let error = resolve(&folder.0, &package(first), &package(second)).unwrap_err();
        assert!(error.contains("links to the native library `bellwether`"), "{error}");
        assert!(error.contains(first) && error.contains(second), "{error}");
    }
    // Nothing else keeps them apart.
    let unlinked = |version| package(version).replace("links = ", "# links = ");
    resolve(&folder.0, &unlinked("0.1.0"), &unlinked("0.2.0")).unwrap();
}
