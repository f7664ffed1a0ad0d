//! Wrong uses of the macros and what the compiler says of them.
//!
//! The messages are those of one compiler, so the comparison runs only in `.ci/run`, which sets
//! `BELLWETHER_TRYBUILD=1`.

#[test]
fn a_wrong_use_is_a_clear_error() {
    if std::env::var_os("BELLWETHER_TRYBUILD").is_none() {
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/ok/*.rs");
    cases.compile_fail("tests/ui/err/*.rs");
}
