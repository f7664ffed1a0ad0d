//! Texts that break formats, for tests.

use std::io::Write as _;

/// The hostile texts of the conformance folder, with their names, and a megabyte of them; none where the folder
/// is not there, which is said aloud: `what` is skipped.
pub(crate) fn strings(what: &str) -> Vec<(String, String)> {
    let Some(folder) = std::env::var_os("BELLWETHER_CONFORMANCE") else {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let line = format!("SKIPPED: hostile strings, {what}: BELLWETHER_CONFORMANCE is unset\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return Vec::new();
    };
    let path = std::path::Path::new(&folder).join("generated/hostile_strings.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let strings = json["strings"].as_object().unwrap().iter();
    let strings = strings.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()));
    let mut strings: Vec<_> = strings.collect();
    assert!(strings.len() >= 53);
    strings.push(("megabyte".to_owned(), "\"\n\\é".repeat(200_000)));
    strings
}
