//! No two files use each other, be it through others.
//!
//! A file uses another if it names something that is defined there. A re-export is no use: whoever
//! takes a name through one uses the file that the name comes from. Methods are not followed: what a
//! file implements for a type of another one belongs to the file that has the block.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::source::{
    blank, block_end, branches, code_of, is_test, module_path, paths_of, rust_files,
};

type Module = Vec<String>;

/// All files, by the modules that they are.
#[derive(Default)]
struct House {
    code: BTreeMap<Module, String>,
    /// What a module re-exports: by the name that it is known by there, the path from the root.
    exports: BTreeMap<(Module, String), Module>,
}

impl House {
    /// The files of `texts`, by their paths below `src`.
    fn of(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut house = Self::default();
        let files = texts.into_iter().map(|(file, text)| (module_path(Path::new(&file)), text));
        let files: Vec<_> = files.filter(|(module, _)| !is_test(module)).collect();
        let modules: BTreeSet<Module> = files.iter().map(|(module, _)| module.clone()).collect();
        for (module, text) in files {
            let mut code = code_of(&text);
            for (name, path) in take_exports(&mut code, &module, &modules) {
                house.exports.insert((module.clone(), name), path);
            }
            house.code.insert(module, code);
        }
        house
    }

    /// Which files each file uses.
    fn uses(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let gathers =
            |module: &Module| matches!(module.join("::").as_str(), "" | "lib" | "prelude");
        let users = self.code.iter().filter(|(module, _)| !gathers(module));
        let uses = users.map(|(module, code)| {
            let paths = all_paths(code, module, &|path| self.code.contains_key(path));
            let used = paths.iter().filter_map(|path| self.defining(path, 0));
            (module, used.filter(|used| *used != module).collect())
        });
        uses.collect()
    }

    /// The file that `path` leads to, through re-exports.
    fn defining(&self, path: &[String], depth: usize) -> Option<&Module> {
        let mut module = Module::new();
        for (at, name) in path.iter().enumerate() {
            let child = [&module[..], std::slice::from_ref(name)].concat();
            if self.code.contains_key(&child) {
                module = child;
                continue;
            }
            let export = self.exports.get(&(module.clone(), name.clone()));
            if let Some(export) = export.filter(|_| depth < 10) {
                return self.defining(&[&export[..], &path[at + 1..]].concat(), depth + 1);
            }
            break;
        }
        self.code.get_key_value(&module).map(|(module, _)| module)
    }

    /// The uses that are part of a circle, one line each.
    fn circles(&self) -> Vec<String> {
        let uses = self.uses();
        let mut lines = Vec::new();
        for (user, used) in &uses {
            for other in used.iter().filter(|other| reaches(&uses, other, user)) {
                lines.push(format!("{} uses {}", user.join("::"), other.join("::")));
            }
        }
        lines
    }
}

/// Whether `from` uses `to`, be it through others.
fn reaches(uses: &BTreeMap<&Module, BTreeSet<&Module>>, from: &Module, to: &Module) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            next.extend(uses.get(module).into_iter().flatten());
        }
    }
    false
}

/// Takes the re-exports out of `code`: the names they make known and the paths that they lead to.
fn take_exports(
    code: &mut String,
    module: &Module,
    modules: &BTreeSet<Module>,
) -> Vec<(String, Module)> {
    let mut exports = Vec::new();
    let mut at = 0;
    while let Some(found) = code[at..].find("pub") {
        let start = at + found;
        at = start + 3;
        let rest = code[at..].trim_start();
        let rest = match rest.strip_prefix('(') {
            Some(inner) => inner.split_once(')').map_or("", |(_, rest)| rest),
            None => rest,
        };
        let Some(tree) = rest.trim_start().strip_prefix("use ") else { continue };
        let begin = code.len() - tree.len();
        let end = begin + tree.find(';').unwrap_or(tree.len());
        let statement = code[begin..end].to_owned();
        for (path, name) in renamed(&statement) {
            let path = all_paths(&path, module, &|path| modules.contains(path)).pop();
            exports.extend(path.map(|path| (name, path)));
        }
        blank(code, start, end);
    }
    exports
}

/// The single paths of a tree of `use`, each with the name that it is known by.
fn renamed(tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let own = path.rsplit("::").next().unwrap_or(path);
        let name = if name.is_empty() { own } else { name };
        return vec![(path.trim().to_owned(), name.trim().to_owned())];
    };
    let end = block_end(tree, open).unwrap_or(tree.len() - 1);
    let (mut members, mut depth) = (vec![String::new()], 0);
    for c in tree[open + 1..end].chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => members.push(String::new()),
            _ => members.last_mut().expect("never empty").push(c),
        }
    }
    let members = members.iter().filter(|member| !member.trim().is_empty());
    let within = members.flat_map(|member| renamed(member));
    within.map(|(path, name)| (format!("{}{path}", &tree[..open]), name)).collect()
}

/// Every path that `code` of `module` names, from the root: also those that begin at `self` or at a
/// child of the module.
fn all_paths(code: &str, module: &Module, is_module: &dyn Fn(&Module) -> bool) -> Vec<Module> {
    let mut paths: Vec<Module> = paths_of(code, module).into_iter().map(|(_, path)| path).collect();
    for (at, _) in code.match_indices("::") {
        let head: String = code[..at].chars().rev().take_while(|c| is_name(*c)).collect();
        let head: String = head.chars().rev().collect();
        let begin = at - head.len();
        let before = code[..begin].chars().next_back();
        if head.is_empty() || before.is_some_and(|c| c == ':' || c == '$' || c == '.') {
            continue;
        }
        let base = match head.as_str() {
            "self" => module.clone(),
            _ => {
                let child = [&module[..], &[head]].concat();
                if !is_module(&child) {
                    continue;
                }
                child
            }
        };
        paths.extend(branches(&code[at + 2..]).into_iter().map(|end| [&base[..], &end].concat()));
    }
    paths
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src).into_iter().map(|file| {
        let name = file.strip_prefix(&src).expect("a file below src").to_owned();
        let text = fs::read_to_string(&file).expect("a readable source file");
        (name.to_str().expect("a name in ASCII").to_owned(), text)
    });
    let house = House::of(files);
    assert!(house.uses().values().map(BTreeSet::len).sum::<usize>() > 500, "nothing was found");
    let circles = house.circles();
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

/// The circles of files that are given with their text.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    House::of(files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))).circles()
}

#[test]
fn a_circle_is_found_in_every_spelling_and_through_re_exports() {
    for (a, b) in [
        ("use super::b::B;", "use super::a::A;"),
        ("use crate::m::b::B;", "use crate::m::{a::A, c::C};"),
        ("fn f() { super::b::g() }", "fn g() { crate::m::a::f() }"),
        ("use super::B;", "use super::{A as Other};"),
        ("use super::b;", "use super::Renamed;"),
    ] {
        let root =
            "mod a; mod b; mod c; pub use a::A; pub(crate) use self::{b::B, a::A as Renamed};";
        let files = [("m/mod.rs", root), ("m/a.rs", a), ("m/b.rs", b), ("m/c.rs", "")];
        assert_eq!(circles(&files), ["m::a uses m::b", "m::b uses m::a"], "{a} {b}");
    }
    let three =
        [("a.rs", "use crate::b::B;"), ("b.rs", "use crate::c::C;"), ("c.rs", "use crate::a::A;")];
    assert_eq!(circles(&three).len(), 3);
    let child = [("m/mod.rs", "mod a; fn f() { a::g() }"), ("m/a.rs", "use super::f;")];
    assert_eq!(circles(&child), ["m uses m::a", "m::a uses m"]);
}

#[test]
fn a_re_export_and_a_test_make_no_circle() {
    let files = [
        ("m/mod.rs", "mod a; pub use a::A; pub struct B;"),
        ("m/a.rs", "use super::B; #[cfg(test)] mod tests { use super::super::c; }"),
        ("m/tests.rs", "use super::a::A;"),
    ];
    assert_eq!(circles(&files), [""; 0]);
}
