//! Wrong uses of the macros and what the compiler says of them. The messages are those of one compiler.

#[test]
fn a_wrong_use_is_a_clear_error() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/ok/*.rs");
    cases.compile_fail("ui/err/*.rs");
}
