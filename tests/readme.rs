//! The program in the repository's README is the one in the crate's, which is compiled and run as a documentation test.

fn program(readme: &str) -> &str {
    let (_, rest) = readme.split_once("```rust\n").unwrap_or_default();
    rest.split_once("```").unwrap_or_default().0
}

#[test]
fn both_readmes_show_the_same_program() {
    let shown = program(include_str!("../README.md"));
    assert!(shown.contains("fn main()"));
    assert_eq!(shown, program(include_str!("../tracker-core/README.md")));
}
