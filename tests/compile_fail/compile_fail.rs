//! Checks that the derives refuse wrong input, and the messages: one file per mistake in `status/` and `task/`. trybuild compiles the
//! dependencies of the package that holds this test once more, so that it has a package with few of them.
//!
//! `TRYBUILD=overwrite cargo test --test compile_fail` rewrites the messages; review each before committing it. A case that
//! compiles belongs into `tests/derive/`: with one such case here, trybuild would build all others one after the other.

#[test]
fn mistakes_are_explained_at_their_place() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("status/*.rs");
    cases.compile_fail("task/*.rs");
}
