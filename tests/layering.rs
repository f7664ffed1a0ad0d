//! A module uses only modules of lower layers: the table of ARCHITECTURE.md, enforced.
//!
//! Reads every file of `src/`, takes out comments, strings and test modules, and looks at each path
//! that starts at the crate's root: `crate::name` in `use`, grouped or not, or inline, and `super::`
//! as far as it climbs. Text is enough for that; macros that build paths would escape it, and the
//! crate has none.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// From the top down; modules on one line do not know each other, save [`GRANTED`] edges.
const LAYERS: &[&[&str]] = &[
    &["testing", "prelude"],
    &["telemetry"],
    &["config"],
    &["admin"],
    &["observe", "bundle", "export", "alert", "integration", "collect"],
    &["metric", "trace", "log_record"],
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
const GRANTED: &[(&str, &str)] = &[("export", "export::wire")];

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

/// `export/prometheus/encode.rs` is `export::prometheus::encode`.
fn module_path(relative: &Path) -> Vec<String> {
    let mut path: Vec<String> = (relative.with_extension("").iter())
        .map(|part| part.to_str().expect("a name in ASCII").to_owned())
        .collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    // `sync_loom.rs` stands in for part of `sync.rs` in models.
    if path == ["sync_loom"] {
        path = vec!["sync".to_owned(), "modelled".to_owned()];
    }
    path
}

fn is_test(path: &[String]) -> bool {
    path.last().is_some_and(|last| last == "tests" || last.ends_with("_tests"))
}

fn rust_files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(path);
        }
    }
    files
}

/// Every path from the root, with its line: `crate::…`, and `super::…` resolved against `from`.
fn paths_of(code: &str, from: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            // `$crate`, `my_crate` and the second `super` of a chain are no starts.
            if before.is_some_and(|c| c.is_alphanumeric() || "_$:".contains(c)) {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let (mut base, mut rest) = (Vec::new(), &code[at + start.len()..]);
            if start == "super::" {
                base = parents(from, code, at);
                while let Some(further) = rest.trim_start().strip_prefix("super::") {
                    base.pop();
                    rest = further;
                }
            }
            let ends = branches(rest).into_iter();
            paths.extend(ends.map(|end| (line, [base.clone(), end].concat())));
        }
    }
    paths.retain(|(_, path)| !path.is_empty());
    paths
}

/// Where one `super` leads from: the parent of the file's module, or of an inline one around `at`.
fn parents(from: &[String], code: &str, at: usize) -> Vec<String> {
    let mut inline = Vec::new();
    for (start, _) in code[..at].match_indices("mod ") {
        let name: String =
            code[start + 4..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let body = start + 4 + name.len();
        let is_around = code[body..].trim_start().starts_with('{')
            && block_end(code, body).is_none_or(|end| end > at);
        if is_around {
            inline.push(name);
        }
    }
    let mut path = [from, &inline].concat();
    path.pop();
    path
}

/// The paths that a tree of `use` stands for: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn branches(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    if let Some(group) = tree.strip_prefix('{') {
        let end = block_end(tree, 0).map_or(group, |end| &tree[1..end]);
        let mut members = vec![String::new()];
        let mut depth = 0;
        for c in end.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            match c {
                ',' if depth == 0 => members.push(String::new()),
                _ => members.last_mut().expect("never empty").push(c),
            }
        }
        return members.iter().flat_map(|member| branches(member)).collect();
    }
    let name: String = tree.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return Vec::new();
    }
    match tree[name.len()..].trim_start().strip_prefix("::") {
        // `f::<T>` ends the path.
        Some(rest) if !rest.trim_start().starts_with(['<', '*']) => {
            let ends = branches(rest).into_iter();
            ends.map(|end| [vec![name.clone()], end].concat()).collect()
        }
        _ => vec![vec![name]],
    }
}

/// The text without comments, strings, characters and `#[cfg(test)]` items; lines stay where they are.
fn code_of(text: &str) -> String {
    let mut code = without_literals(text);
    while let Some(start) = code.find("#[cfg(test)]") {
        let item = start + "#[cfg(test)]".len();
        let (semicolon, brace) = (code[item..].find(';'), code[item..].find('{'));
        let end = match (semicolon, brace) {
            (Some(semicolon), Some(brace)) if semicolon < brace => item + semicolon,
            (Some(semicolon), None) => item + semicolon,
            _ => block_end(&code, item).unwrap_or(code.len() - 1),
        };
        blank(&mut code, start, end + 1);
    }
    code
}

fn without_literals(text: &str) -> String {
    let mut code = text.to_owned();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let hashes =
            rest.strip_prefix('r').map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = hashes.filter(|&hashes| rest[1 + hashes..].starts_with('"')) {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = 2 + hashes;
            rest[body..].find(&end).map_or(rest.len(), |found| body + found + end.len())
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if let Some(length) = character(rest) {
            length
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        blank(&mut code, at, at + length);
        at += length;
    }
    code
}

/// The length of the string that `rest` starts with, escapes stepped over.
fn quoted(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the character literal that `rest` starts with; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        return inner[2..].find('\'').map(|end| end + 4);
    }
    let length = inner.chars().next()?.len_utf8();
    inner[length..].starts_with('\'').then_some(length + 2)
}

/// Overwrites bytes with spaces; line ends stay, so that lines can be counted.
fn blank(code: &mut String, from: usize, to: usize) {
    let to = to.min(code.len());
    let blanks: String =
        code[from..to].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    code.replace_range(from..to, &blanks);
}

/// Where the first block that opens at or after `from` closes.
fn block_end(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(from + at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
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
