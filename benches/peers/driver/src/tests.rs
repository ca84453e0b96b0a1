//! The tables on numbers made by hand: a peer that is slower, one that is faster, one that loses tasks, one that
//! fails, one that does not build.

use crate::{
    columns::Column,
    page,
    results::{Crash, Measured, Outcome, Results, Sample},
    rows::{ROWS, Row},
    table::{number, tables},
    verdict::{losses, targets},
};

fn sample(row: &str, column: Column, repetition: u32, value: f64) -> Sample {
    let measured = Measured { value, tasks: 1000, done: 1000, runs: 1000, ..Measured::default() };
    Sample { row: row.to_owned(), column, repetition, outcome: Outcome::Measured(measured) }
}

fn results() -> Results {
    let mut results = Results::default();
    // The second repetition fell into a slow spell: the ratios do not care.
    for (repetition, speed) in [(0, 1.0), (1, 0.5), (2, 1.2)] {
        for (row, rate) in [("tracker", 40_000.0), ("rustqueue", 10_000.0), ("floor: bare redb", 50_000.0)] {
            results.samples.push(sample(row, Column::Drain64, repetition, rate * speed));
        }
        results.samples.push(sample("SQLite by hand, NORMAL", Column::Drain1, repetition, 15_000.0 * speed));
        results.samples.push(sample("tracker", Column::Drain1, repetition, 3_000.0 * speed));
        let failed = Outcome::Failed("database is locked".to_owned());
        results.samples.push(Sample { row: "azums".to_owned(), column: Column::Drain8, repetition, outcome: failed });
    }
    let crash = Crash { orphans: 8, lost: 3, twice: 1, given_up: 5 };
    let measured = Measured { value: 12.0, tasks: 60, done: 57, crash: Some(crash), ..Measured::default() };
    let outcome = Outcome::Measured(measured);
    results.samples.push(Sample { row: "effectum".to_owned(), column: Column::Crash, repetition: 0, outcome });
    let error = "could not compile `fang`";
    results.not_built.push(("fang".to_owned(), error.to_owned()));
    let outcome = Outcome::Failed(format!("does not build: {error}"));
    results.samples.push(Sample { row: "fang".to_owned(), column: Column::Drain1, repetition: 0, outcome });
    results
}

fn line<'a>(text: &'a str, begins: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("{begins} is not in\n{text}"))
}

#[test]
fn a_cell_has_median_spread_and_ratio() {
    let text = tables(&results(), ROWS);
    assert!(line(&text, "| rustqueue |").contains("| 10,000 ±35 %, 0.25× |"), "{text}");
    assert!(line(&text, "| tracker |").contains("| 40,000 ±35 % |"), "ours has no ratio to itself:\n{text}");
    assert!(line(&text, "| azums | **no** |").contains("fails \\*"), "{text}");
}

#[test]
fn what_a_number_hides_is_said_below() {
    let text = tables(&results(), ROWS);
    assert_eq!(line(&text, "- azums"), "- azums, drain, 8 workers: database is locked.");
    let crash = text.lines().filter(|line| line.starts_with("| effectum | yes |")).nth(2);
    assert_eq!(crash, Some("| effectum | yes | 12.0 | 8 | 3 | 1 | 5 |"), "{text}");
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
        line(&text, "| 64 workers, best flushed peer"),
        "| 64 workers, best flushed peer (rustqueue) | 3.00 | 4.00 | met |"
    );
    assert_eq!(line(&text, "| 64 workers, bare redb"), "| 64 workers, bare redb | 0.70 | 0.80 | met |");
    assert!(line(&text, "| 8 workers").contains("not measured"), "{text}");
}

#[test]
fn a_page_keeps_what_is_written_by_hand() {
    let page = "# Title\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n";
    let new = page::replace(page, "new").unwrap();
    assert_eq!(new, "# Title\n<!-- measured: begin -->\n\nnew\n<!-- measured: end -->\nafter\n");
    assert_eq!(page::replace(&new, "new").unwrap(), new, "again, with the same numbers, changes nothing");
    assert!(page::replace("no marks", "new").unwrap_err().contains("measured: begin"));
}

#[test]
fn results_survive_their_file() {
    let mut results = results();
    results.samples.push(sample("taskmill", Column::Crash, 0, f64::INFINITY));
    let again: Results = serde_json::from_str(&serde_json::to_string(&results).unwrap()).unwrap();
    assert_eq!(tables(&again, ROWS), tables(&results, ROWS));
    assert!(tables(&again, ROWS).contains("| taskmill | **no** | not in time |"));
}

#[test]
fn the_chart_has_a_bar_for_each_number() {
    let svg = crate::chart::svg(&results(), ROWS);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("height=\"15\"").count(), 5, "three rows with 64 workers, two with one");
}

#[test]
fn numbers_are_short() {
    assert_eq!(
        [1.234, 56.78, 567.8, 12_345.6, 1_234_567.0].map(number),
        ["1.23", "56.8", "568", "12,346", "1,234,567"]
    );
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let names: std::collections::HashSet<_> = ROWS.iter().map(|row: &Row| row.name).collect();
    assert_eq!(names.len(), ROWS.len());
}
