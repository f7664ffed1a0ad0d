//! A module uses only modules of lower layers: the table of ARCHITECTURE.md, enforced. `circles` looks
//! at files instead, within a layer too.
//!
//! Reads every file of `src/`, takes out comments, strings and test modules, and looks at each path
//! that starts at the crate's root: `crate::name` in `use`, grouped or not, or inline, and `super::`
//! as far as it climbs. Text is enough for that; macros that build paths would escape it, and the
//! crate has none.

mod circles;
mod source;

use std::{fs, path::Path};

use source::{code_of, is_test, module_path, paths_of, rust_files};

/// From the top down; modules on one line do not know each other, save [`GRANTED`] edges.
const LAYERS: &[&[&str]] = &[
    &["testing", "prelude"],
    &["telemetry"],
    &["config"],
    &["admin"],
    &["integration"],
    &["observe", "bundle", "export", "alert", "collect"],
    &["history"],
    &["exposition", "processor"],
    &["metric", "trace", "log"],
    &["series"],
    &["cells"],
    &["snapshot"],
    &["pipeline", "transport"],
    &["context", "resource"],
    &["label", "diagnostics"],
    &["clock"],
    &["util"],
    &["sync", "error"],
];

/// The parts of this module are strangers to each other, as two backends should be.
const OF_STRANGERS: &str = "export";

/// Edges that the table would forbid.
const GRANTED: &[(&str, &str)] =
    &[("export", "export::wire"), ("transport", "pipeline::ExportError")];

/// May use everything: they only gather names.
const UNRESTRICTED: &[&str] = &["lib", "prelude"];

#[test]
fn modules_use_only_lower_layers() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).expect("a file below src").to_owned();
        let text = fs::read_to_string(&file).expect("a readable source file");
        violations.extend(violations_of(&relative, &text));
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

/// One line for each forbidden edge: file, line, who uses whom.
fn violations_of(relative: &Path, text: &str) -> Vec<String> {
    let from = module_path(relative);
    if from.first().is_none_or(|top| UNRESTRICTED.contains(&top.as_str())) || is_test(&from) {
        return Vec::new();
    }
    let code = code_of(text);
    let forbidden = |(line, to): &(usize, Vec<String>)| {
        let reason = objection(&from, to)?;
        let (file, from, to) = (relative.display(), from.join("::"), to.join("::"));
        Some(format!("src/{file}:{line}: {from} uses {to}: {reason}"))
    };
    paths_of(&code, &from).iter().filter_map(forbidden).collect()
}

/// Why `from` may not use `to`, both as paths from the crate's root.
fn objection(from: &[String], to: &[String]) -> Option<&'static str> {
    let (from_top, to_top) = (from[0].as_str(), to[0].as_str());
    let joined = to.join("::");
    let within = |granted: &str| joined == granted || joined.starts_with(&format!("{granted}::"));
    if GRANTED.iter().any(|&(user, used)| user == from_top && within(used)) {
        return None;
    }
    if from_top == to_top {
        return stranger(from, to).then_some("parts of one module do not know each other");
    }
    let layer = |name| LAYERS.iter().position(|layer| layer.contains(&name));
    match (layer(from_top), layer(to_top)) {
        (None, _) => Some("the table of layers does not have the user"),
        // A name at the root that is no module: a re-export, which may come from any layer.
        (_, None) => Some("not a module of the table; name the module that it comes from"),
        (Some(user), Some(used)) if used > user => None,
        (Some(user), Some(used)) if used == user => Some("modules of one layer"),
        _ => Some("an upper layer"),
    }
}

/// Whether two paths of one module lead to different parts of one that keeps its parts apart.
///
/// `export/memory.rs` may use what `export/mod.rs` itself holds, and nothing of `export/file.rs`.
fn stranger(from: &[String], to: &[String]) -> bool {
    let part = |path: &[String]| path.get(1).filter(|part| is_module_name(part)).cloned();
    match (part(from), part(to)) {
        (Some(user), Some(used)) => from[0] == OF_STRANGERS && user != used,
        _ => false,
    }
}

/// Types and functions of a module's front page are no parts; its parts are folders and files.
fn is_module_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// The forbidden edges of a snippet in the file `name`, without the reasons.
fn edges(name: &str, text: &str) -> Vec<String> {
    let lines = violations_of(Path::new(name), text).into_iter();
    lines.map(|line| line.rsplit_once(": ").expect("a reason").0.to_owned()).collect()
}

#[test]
fn an_upper_layer_is_found_in_every_spelling() {
    let found =
        |line: usize, to: &str| format!("src/metric/cell.rs:{line}: metric::cell uses {to}");
    for (text, expected) in [
        ("use crate::telemetry::Builder;", found(1, "telemetry::Builder")),
        ("\nuse crate::{clock, telemetry};", found(2, "telemetry")),
        ("use crate::{clock::{now, Ticks}, export::{self}};", found(1, "export::self")),
        ("fn f() { crate::export::memory::take() }", found(1, "export::memory::take")),
        ("use super::super::alert::Rule;", found(1, "alert::Rule")),
        ("use super::{super::alert::Rule, Kind};", found(1, "alert::Rule")),
        ("mod inner { use super::super::super::observe; }", found(1, "observe")),
        ("pub(in crate::trace) fn f() {}", found(1, "trace")),
        ("use crate::Counter;", found(1, "Counter")),
    ] {
        assert_eq!(edges("metric/cell.rs", text), [expected], "{text}");
    }
}

#[test]
fn lower_layers_comments_strings_and_tests_are_no_violations() {
    for text in [
        "use crate::{clock, label::{Labels, Text}, sync::Mutex};",
        "use super::{Kind, snapshot::Snapshot};",
        "// use crate::telemetry;\n/* crate::export */ /// [`crate::alert`]",
        r##"const A: &str = "crate::alert"; const B: &str = r#"crate::"alert"#;"##,
        "const C: char = '\"'; const D: &str = \"crate::alert\"; fn f<'a>() {}",
        "#[cfg(test)]\nmod tests { use crate::telemetry; fn f() { {} } }",
        "#[cfg(test)]\nuse crate::telemetry;\nuse crate::clock;",
        "macro_rules! m { () => { $crate::telemetry::f() } }",
    ] {
        assert_eq!(edges("metric/cell.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn parts_of_one_layer_do_not_know_each_other() {
    assert_eq!(edges("alert/rule.rs", "use crate::export::Memory;").len(), 1);
    assert_eq!(edges("collect/process.rs", "use crate::integration::log_bridge;").len(), 1);
    assert_eq!(edges("export/file.rs", "use crate::export::memory::Memory;").len(), 1);
    assert_eq!(edges("export/file.rs", "use super::memory::Memory;").len(), 1);
    assert_eq!(edges("export/file.rs", "use crate::export::wire::json;"), [""; 0]);
    assert_eq!(edges("export/file.rs", "use super::{Exporter, wire};"), [""; 0]);
    assert_eq!(edges("export/mod.rs", "pub use crate::pipeline::Exporter;"), [""; 0]);
    assert_eq!(edges("prelude.rs", "pub use crate::telemetry::Telemetry;"), [""; 0]);
    assert_eq!(edges("unheard_of.rs", "use crate::clock;").len(), 1);
}
