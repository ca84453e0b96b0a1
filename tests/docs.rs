//! Checks the documents: every test that `docs/moving.md` and `docs/guarantees.md` name exists, each row of their tables
//! names one, and both READMEs show the same program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The tests that a line names: what stands in backticks and begins with the name of a test program.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let programs = ["systems::", "it::", "it_async::", "compile_fail::", "cli::"];
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
    let folder = if file.starts_with("cli::") { "tracker-cli/tests" } else { "tests" };
    let source = read(&format!("{folder}/{}.rs", file.replace("::", "/")));
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
    assert!(exists("cli::run::lines::lines_may_move_between_runs") && !exists("cli::run::lines::nobody"));
    for nobody in
        ["systems::defects::nobody", "systems::nobody::a", "it::support::kinds::job", "compile_fail::status::nobody"]
    {
        assert!(!exists(nobody), "{nobody}");
    }
}

/// The folders in which a module path of the documents may lie.
const ROOTS: [&str; 7] = [
    "tests",
    "tracker-core/src",
    "tracker-cli/src",
    "tracker-cli/tests",
    "tracker-web/tests",
    "tracker-postgres/src",
    "tracker-postgres/tests",
];

/// Whether a path such as `it::storage::files` or `engine::commit_queue::checked` names a module of a test.
fn is_module(path: &str) -> bool {
    let parts: Vec<&str> = path.split("::").collect();
    ROOTS.iter().any(|root| {
        let place = format!("{root}/{}", parts.join("/"));
        let (parent, last) = place.rsplit_once('/').unwrap();
        let nested = [format!("{parent}.rs"), format!("{parent}/mod.rs")];
        [format!("{place}.rs"), format!("{place}/mod.rs"), format!("{place}/main.rs")]
            .iter()
            .any(|file| read(file).is_some())
            || nested.iter().filter_map(|file| read(file)).any(|source| {
                [format!("mod {last};"), format!("mod {last} {{")].iter().any(|form| source.contains(form))
            })
    })
}

#[test]
fn every_module_in_guarantees_exists() {
    let page = read("docs/guarantees.md").unwrap();
    let paths: BTreeSet<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| {
            code.contains("::") && code.chars().all(|c| c.is_ascii_lowercase() || "_:0123456789".contains(c))
        })
        .filter(|code| !code.starts_with("compile_fail::"))
        .collect();
    assert!(paths.len() > 60, "{} paths: the page has another form", paths.len());
    let missing: Vec<_> = paths.into_iter().filter(|path| !is_module(path)).collect();
    assert!(missing.is_empty(), "docs/guarantees.md names modules that do not exist: {missing:#?}");
}

#[test]
fn every_row_of_guarantees_names_a_test() {
    let page = read("docs/guarantees.md").unwrap();
    let (tables, _) = page.split_once("## How it is attacked").unwrap();
    let rows = tables.lines().filter(|line| line.starts_with("| ") && *line != "| guarantee | held by |");
    let (mut count, mut wrong) = (0, Vec::new());
    for row in rows {
        count += 1;
        let held_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        if !held_by.contains('`') {
            wrong.push(row);
        }
    }
    assert!(count > 60, "{count} rows: the page has another form");
    assert!(wrong.is_empty(), "rows without a test: {wrong:#?}");
}

#[test]
fn missing_module_is_detected() {
    assert!(
        is_module("it::storage::files") && is_module("engine::commit_queue::checked") && is_module("cli::run::logs")
    );
    assert!(is_module("it::commits") && is_module("pool"));
    assert!(!is_module("it::storage::none") && !is_module("engine::commit") && !is_module("none"));
}

fn program(readme: &str) -> &str {
    let (_, rest) = readme.split_once("```rust\n").unwrap_or_default();
    rest.split_once("```").unwrap_or_default().0
}

/// The README of tracker-core is a documentation test.
#[test]
fn both_readmes_show_the_same_program() {
    let shown = program(include_str!("../README.md"));
    assert!(shown.contains("fn main()"));
    assert_eq!(shown, program(include_str!("../tracker-core/README.md")));
}
