//! The page of invented numbers.

use super::{ROWS, columns, measured, page::targets, rows::HAND_WRITTEN};
use crate::{
    columns::Column,
    measure::applies,
    results::{Measured, Outcome, Results, Sample},
    rows::{REFERENCE, Side},
};

fn sample(row: &str, column: Column, repetition: u32, value: f64) -> Sample {
    let measured = Measured { value, tasks: 1000, done: 1000, runs: 1000, ..Measured::default() };
    Sample { row: row.to_owned(), column, repetition, outcome: Outcome::Measured(measured) }
}

fn results() -> Results {
    let mut results = Results { server: Some("PostgreSQL 15.1, `fsync = on`".to_owned()), ..Results::default() };
    // The second repetition is slower in all cells, which leaves the ratios as they are.
    for (repetition, speed) in [(0, 1.0), (1, 0.5)] {
        let mut push = |row, column, value: f64| results.samples.push(sample(row, column, repetition, value * speed));
        push(REFERENCE, Column::Drain8, 9_000.0);
        push(HAND_WRITTEN, Column::Drain8, 6_000.0);
        push(REFERENCE, Column::Processes1, 8_000.0);
        push(REFERENCE, Column::Processes8, 6_000.0);
        push(REFERENCE, Column::ClaimSmall, 9_000.0);
        push(REFERENCE, Column::ClaimLarge, 6_500.0);
        push(REFERENCE, Column::ClaimDead, 3_000.0);
    }
    results
}

fn line<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(prefix)).unwrap_or_else(|| panic!("{prefix} is not in\n{text}"))
}

#[test]
fn targets_compare_with_others_and_with_itself() {
    let text = targets(&results(), ROWS);
    assert_eq!(line(&text, "| drain, 8 workers: by hand"), "| drain, 8 workers: by hand | 1.00 | 1.50 | met |");
    assert_eq!(line(&text, "| 8 processes: 1"), "| 8 processes: 1 process | 1.00 | 0.75 | **missed** |");
    assert!(line(&text, "| 2 processes: 1").ends_with("| not measured |"));
    assert_eq!(line(&text, "| first of 1,000,000"), "| first of 1,000,000: first of 10,000 | 0.67 | 0.72 | met |");
    assert_eq!(line(&text, "| behind dead rows"), "| behind dead rows: first of 10,000 | 0.67 | 0.33 | **missed** |");
}

#[test]
fn page_tells_the_server_and_leaves_out_empty_tables() {
    let mut results = results();
    let page = measured(&results, ROWS);
    assert!(page.contains("PostgreSQL 15.1, `fsync = on`.\n"), "{page}");
    assert!(page.contains("| first tasks of 1,000,000, tasks/s |"), "{page}");
    assert!(!page.contains("submit in bulk"), "nothing was submitted:\n{page}");
    results.samples.retain(|sample| !sample.column.is_claim());
    assert!(!measured(&results, ROWS).contains("| first tasks of"));
}

#[test]
fn long_queues_are_measured_on_request() {
    assert!(!columns(false).iter().any(|column| column.is_claim()));
    assert_eq!(columns(true).len(), columns(false).len() + 3);
}

#[test]
fn dead_rows_are_measured_for_peers_that_delete() {
    let names = |column| -> Vec<_> { ROWS.iter().filter(|row| applies(row, column)).map(|row| row.name).collect() };
    assert_eq!(names(Column::ClaimDead), [REFERENCE, HAND_WRITTEN]);
    let libraries = ROWS.iter().filter(|row| row.side == Side::Peer).count();
    assert!(names(Column::ClaimLarge).len() >= 2 + libraries.min(1));
}

#[test]
fn every_row_has_a_distinct_name() {
    let names: std::collections::HashSet<_> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), ROWS.len());
}
