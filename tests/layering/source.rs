//! The source as text: its files, and the paths that they name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// `export/prometheus/encode.rs` is `export::prometheus::encode`.
pub(crate) fn module_path(relative: &Path) -> Vec<String> {
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

pub(crate) fn is_test(path: &[String]) -> bool {
    path.iter().any(|part| *part == "tests" || part.ends_with("_tests"))
}

pub(crate) fn rust_files(folder: &Path) -> BTreeSet<PathBuf> {
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
pub(crate) fn paths_of(code: &str, from: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        let mut within = 0; // The end of the tree that was read last: what it has inside is no start.
        for (at, _) in code.match_indices(start) {
            if at < within {
                continue;
            }
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
            if rest.starts_with('{') {
                let tree = code.len() - rest.len();
                within = block_end(code, tree).unwrap_or(tree);
            }
            let ends = branches(rest).into_iter();
            paths.extend(ends.map(|end| (line, joined(&base, end))));
        }
    }
    paths.retain(|(_, path)| !path.is_empty());
    paths
}

/// The path `end` from `base` on, which may climb with `super` again: `use super::{super::a, b}`.
fn joined(base: &[String], end: Vec<String>) -> Vec<String> {
    let mut path = base.to_vec();
    for name in end {
        match name.as_str() {
            "super" => drop(path.pop()),
            _ => path.push(name),
        }
    }
    path
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
pub(crate) fn branches(tree: &str) -> Vec<Vec<String>> {
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
pub(crate) fn code_of(text: &str) -> String {
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
pub(crate) fn blank(code: &mut String, from: usize, to: usize) {
    let to = to.min(code.len());
    let blanks: String =
        code[from..to].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    code.replace_range(from..to, &blanks);
}

/// Where the first block that opens at or after `from` closes.
pub(crate) fn block_end(code: &str, from: usize) -> Option<usize> {
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
