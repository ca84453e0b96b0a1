//! What the derives refuse, and in which words; what they must not refuse.
//!
//! `TRYBUILD=overwrite cargo test --test compile_fail` writes the messages anew: read each before it is committed.

#[test]
fn mistakes_are_explained_where_they_stand() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/status/*.rs");
    cases.compile_fail("tests/compile_fail/task/*.rs");
    cases.pass("tests/compile_pass/*.rs");
}
