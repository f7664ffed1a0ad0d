//! Wrong uses of the macros and what the compiler says of them.
//!
//! The messages are those of one compiler, so the comparison runs only in `.ci/run`, which sets
//! `BELLWETHER_TRYBUILD=1`.

use std::io::Write as _;

#[test]
fn a_wrong_use_is_a_clear_error() {
    if std::env::var_os("BELLWETHER_TRYBUILD").is_none() {
        // Not `eprintln!`, which is captured: the test would pass in silence.
        let _ = writeln!(std::io::stderr(), "SKIPPED: macro errors: BELLWETHER_TRYBUILD is unset");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/ok/*.rs");
    cases.compile_fail("tests/ui/err/*.rs");
}
