//! The commands of `docs/moving.md` for users of GNU parallel: they run, and print the text of their comments.

use std::{env, fs, path::Path, process::Command};

use crate::fixture::{Fixture, Ran};

#[test]
fn commands_of_the_page_print_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/moving.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("\n## GNU parallel\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (script, _) = block.split_once("```").unwrap();
    let expected: Vec<_> = script.lines().filter_map(|line| Some(line.split_once("   # ")?.1)).collect();
    assert!(expected.len() > 1, "{script}");
    let fixture = Fixture::new();
    let program = Path::new(env!("CARGO_BIN_EXE_tracker")).parent().unwrap();
    let path = format!("{}:{}", program.display(), env::var("PATH").unwrap());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-euc", script]).current_dir(fixture.path("")).env("PATH", path);
    let ran = Ran::from(shell.output().unwrap());
    let out: Vec<_> = ran.out.lines().collect();
    assert_eq!((ran.code, out, ran.err.as_str()), (Some(0), expected, ""));
}
