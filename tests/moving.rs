//! `docs/moving.md` points to tests: each exists, every line of its tables names one, and no test of `tests/systems` is
//! left out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The tests that a line names: what stands in backticks and begins with the name of a test program.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let programs = ["systems::", "it::", "it_async::", "compile_fail::"];
    line.split('`').skip(1).step_by(2).filter(move |code| programs.iter().any(|program| code.starts_with(program)))
}

/// The functions of a file that are tests.
fn tests_in(source: &str) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some((_, function)) = line.split_once("fn ")
            && marked
        {
            tests.extend(function.split('(').next());
            marked = false;
        }
    }
    tests
}

fn exists(test: &str) -> bool {
    if let Some(case) = test.strip_prefix("compile_fail::") {
        return read(&format!("tests/compile_fail/{}.stderr", case.replace("::", "/"))).is_some();
    }
    let Some((file, function)) = test.rsplit_once("::") else { return false };
    let source = read(&format!("tests/{}.rs", file.replace("::", "/")));
    source.is_some_and(|source| tests_in(&source).contains(function))
}

#[test]
fn every_row_of_moving_names_an_existing_test() {
    let page = read("docs/moving.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| there |"));
    let (mut lines, mut wrong) = (0, Vec::new());
    for row in rows {
        lines += 1;
        if named(row).next().is_none() {
            wrong.push(format!("names no test: {row}"));
        }
        wrong.extend(named(row).filter(|test| !exists(test)).map(|test| format!("there is no test {test}: {row}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(lines > 100, "{lines} lines: the page is not as this test reads it");
}

#[test]
fn every_systems_test_is_in_moving() {
    let page = read("docs/moving.md").unwrap();
    let named: BTreeSet<_> = named(&page.replace('\n', " ")).map(str::to_owned).collect();
    for file in
        ["defects", "job_table", "processing_events", "request_repository", "rows", "tracker_per_task", "use_cases"]
    {
        let source = read(&format!("tests/systems/{file}.rs")).unwrap();
        for test in tests_in(&source) {
            assert!(named.contains(&format!("systems::{file}::{test}")), "{file}::{test} is not in docs/moving.md");
        }
    }
}

#[test]
fn missing_test_is_detected() {
    assert!(exists("systems::defects::submit_of_an_existing_task_never_resets_it"));
    assert!(exists("it_async::workers::idle_async_worker_sleeps") && exists("compile_fail::status::code_doubled"));
    for nobody in
        ["systems::defects::nobody", "systems::nobody::a", "it::support::kinds::job", "compile_fail::status::nobody"]
    {
        assert!(!exists(nobody), "{nobody}");
    }
}
