//! Every rule in code that the documentation shows has its story where it is shown: lines of the example that a
//! reader does not see, which let it fire and resolve. A page without such lines shows a rule that an example
//! shows, word for word.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every file that has documentation: sources, and texts beside them.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
            found.push(path);
        }
    }
}

/// The blocks of code in the documentation of a file.
fn examples(text: &str, is_source: bool) -> Vec<String> {
    let documentation: Vec<&str> = text
        .lines()
        .filter_map(|line| match is_source {
            true => line.trim_start().strip_prefix("///").or(line.trim_start().strip_prefix("//!")),
            false => Some(line),
        })
        .collect();
    let joined = documentation.join("\n");
    joined.split("```").skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_rule_that_the_documentation_shows_has_its_story() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    documents(&root.join("src"), &mut files);
    let (mut rules, mut seen, mut on_pages) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable file");
        let is_source = file.extension().is_some_and(|extension| extension == "rs");
        for example in examples(&text, is_source) {
            for rule in example.split("Rule::new(").skip(1) {
                let name = rule.split('"').nth(1).expect("the name of a rule").to_owned();
                let line = rule.lines().next().unwrap_or_default().trim_end_matches([',', ';']);
                if !is_source {
                    on_pages.push((line.to_owned(), file.clone()));
                    continue;
                }
                let fires = example.contains("Firing") && example.contains(".tick()");
                assert!(fires, "{name} of {} has no story", file.display());
                seen.push(line.to_owned());
                rules.push(name);
            }
        }
    }
    for (rule, page) in on_pages {
        assert!(seen.contains(&rule), "no example shows the rule {rule} of {}", page.display());
    }
    rules.sort();
    let known = [
        "Failing",
        "HighErrorRate",
        "JobFails",
        "NoOrders",
        "NoThermometer",
        "NoTraffic",
        "QueueFull",
        "SlowRoute",
        "Stuck",
    ];
    assert_eq!(rules, known, "a rule is new: let its story say when it fires and when it does not");
}
