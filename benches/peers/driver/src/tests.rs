//! The tables of invented numbers: a slower peer, a faster one, and peers that lose tasks, fail or do not build.

use crate::{
    columns::Column,
    page,
    results::{Crash, Measured, Outcome, Results, Sample, StaleEnds},
    rows::{EXCLUSIVE, GROUPS, ROWS, Row},
    table::{number, tables},
    verdict::{losses, targets},
};

fn sample(row: &str, column: Column, repetition: u32, value: f64) -> Sample {
    let measured = Measured { value, tasks: 1000, done: 1000, runs: 1000, ..Measured::default() };
    Sample { row: row.to_owned(), column, repetition, outcome: Outcome::Measured(measured) }
}

fn results() -> Results {
    let mut results = Results::default();
    // The second repetition is slower in all rows, which leaves the ratios as they are.
    for (repetition, speed) in [(0, 1.0), (1, 0.5), (2, 1.2)] {
        for (row, rate) in
            [("tracker", 40_000.0), ("rustqueue", 10_000.0), (EXCLUSIVE, 40_000.0), ("floor: bare redb", 50_000.0)]
        {
            results.samples.push(sample(row, Column::Drain64, repetition, rate * speed));
        }
        results.samples.push(sample("SQLite by hand, NORMAL", Column::Drain1, repetition, 15_000.0 * speed));
        results.samples.push(sample("tracker", Column::Drain1, repetition, 3_000.0 * speed));
        let failed = Outcome::Failed("database is locked".to_owned());
        results.samples.push(Sample { row: "azums".to_owned(), column: Column::Drain8, repetition, outcome: failed });
    }
    let crash = Crash { orphans: 8, lost: 3, twice: 1, given_up: 5, vanished: 2 };
    let measured = Measured { value: 12.0, tasks: 60, done: 57, crash: Some(crash), ..Measured::default() };
    let outcome = Outcome::Measured(measured);
    results.samples.push(Sample { row: "effectum".to_owned(), column: Column::Crash, repetition: 0, outcome });
    results.repetitions = 5;
    results.stale_ends.push(StaleEnds { row: "effectum".to_owned(), from_other_worker: false, from_same_worker: true });
    let error = "could not compile `fang`";
    results.not_built.push(("fang".to_owned(), error.to_owned()));
    let outcome = Outcome::Failed(format!("does not build: {error}"));
    results.samples.push(Sample { row: "fang".to_owned(), column: Column::Drain1, repetition: 0, outcome });
    results
}

fn line<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(prefix)).unwrap_or_else(|| panic!("{prefix} is not in\n{text}"))
}

#[test]
fn cell_has_median_spread_and_ratio() {
    let text = tables(&results(), ROWS, GROUPS);
    assert!(line(&text, "| rustqueue |").contains("| 10,000 ±35 %, 0.25× |"), "{text}");
    assert!(line(&text, "| tracker |").contains("| 40,000 ±35 % |"), "the reference has no ratio to itself:\n{text}");
    assert!(line(&text, "| azums | **no** |").contains("fails \\*"), "{text}");
}

#[test]
fn notes_tell_failures_and_crashes() {
    let text = tables(&results(), ROWS, GROUPS);
    assert_eq!(line(&text, "- azums"), "- azums, drain, 8 workers: database is locked.");
    let crash = text.lines().filter(|line| line.starts_with("| effectum | yes |")).nth(2);
    assert_eq!(
        crash,
        Some("| effectum | yes | 12.0 | 8 | 3 | 2 | 1 | 5 | **accepted** from a worker of the same name |"),
        "{text}"
    );
    assert_eq!(line(&text, "- fang"), "- fang does not build: could not compile `fang`");
    assert!(line(&text, "| fang |").contains("| does not build \\* |"), "{text}");
}

#[test]
fn losses_and_targets_follow_from_the_ratios() {
    let (results, rows) = (results(), ROWS);
    let lost = losses(&results, rows);
    assert_eq!(lost, "- drain, 1 worker: none that flushes; without flushing SQLite by hand, NORMAL 5.00×\n");
    let text = targets(&results, rows);
    assert_eq!(
        line(&text, "| drain, 64 workers: best"),
        "| drain, 64 workers: best flushed peer (rustqueue) | 2.50 | 4.00 | met |"
    );
    assert_eq!(
        line(&text, "| drain, 64 workers, exclusive: bare"),
        "| drain, 64 workers, exclusive: bare redb | 0.60 | 0.80 | met |"
    );
    assert!(line(&text, "| drain, 8 workers, exclusive").contains("not measured"), "{text}");
}

#[test]
fn page_tells_the_number_of_repetitions() {
    let mut results = results();
    let page = page::measured(&results, ROWS);
    assert!(page.contains("median of 3 repetitions; there was no time for repetition 4 of 5."), "{page}");
    results.samples.retain(|sample| sample.repetition == 0);
    let page = page::measured(&results, ROWS);
    assert!(page.contains("**single run**, without a spread; there was no time for repetition 2 of 5."), "{page}");
    results.repetitions = 1;
    assert!(page::measured(&results, ROWS).contains("**single run**, without a spread.\n"));
}

#[test]
fn page_keeps_text_outside_the_marks() {
    let page = "# Title\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n";
    let new = page::replace(page, "new").unwrap();
    assert_eq!(new, "# Title\n<!-- measured: begin -->\n\nnew\n<!-- measured: end -->\nafter\n");
    assert_eq!(page::replace(&new, "new").unwrap(), new, "the same numbers again change nothing");
    assert!(page::replace("no marks", "new").unwrap_err().contains("measured: begin"));
}

#[test]
fn results_survive_their_file() {
    let mut results = results();
    results.samples.push(sample("taskmill", Column::Crash, 0, f64::INFINITY));
    let again: Results = serde_json::from_str(&serde_json::to_string(&results).unwrap()).unwrap();
    assert_eq!(tables(&again, ROWS, GROUPS), tables(&results, ROWS, GROUPS));
    assert!(tables(&again, ROWS, GROUPS).contains("| taskmill | **no** | not in time |"));
}

#[test]
fn chart_has_a_bar_for_each_number() {
    let svg = crate::chart::svg(&results(), ROWS);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("height=\"15\"").count(), 6, "four rows with 64 workers, two with one");
}

#[test]
fn numbers_have_three_significant_digits() {
    assert_eq!(
        [1.234, 56.78, 567.8, 12_345.6, 1_234_567.0].map(number),
        ["1.23", "56.8", "568", "12,346", "1,234,567"]
    );
}

#[test]
fn every_row_has_a_distinct_name() {
    let names: std::collections::HashSet<_> = ROWS.iter().map(|row: &Row| row.name).collect();
    assert_eq!(names.len(), ROWS.len());
}
