//! The tables, in Markdown.

use std::fmt::{self, Write};

use crate::{
    columns::Column,
    measure::applies,
    results::{Flushes, Measured, Outcome, Results},
    rows::{Flush, REFERENCE, Row, Side},
    spread::Spread,
};

/// Columns that are shown beside each other.
const GROUPS: [&[Column]; 3] = [
    &[Column::Drain1, Column::Drain8, Column::Drain64, Column::DrainMs],
    &[Column::Submit, Column::Bulk, Column::Latency],
    &[Column::Crash],
];

/// All tables, and what must be said of single cells.
pub fn tables(results: &Results, rows: &[Row]) -> String {
    let mut text = String::new();
    for group in GROUPS {
        let mut titles: Vec<_> = group.iter().map(|column| column.title()).collect();
        let crash = group.contains(&Column::Crash);
        if crash {
            titles.extend(["orphans", "lost", "run twice", "given up"]);
        }
        let _ = writeln!(text, "| | flushed | {} |", titles.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---:|".repeat(titles.len()));
        for row in rows.iter().filter(|row| group.iter().any(|column| applies(row, *column))) {
            let mut cells: Vec<_> = group.iter().map(|column| cell(results, row, *column)).collect();
            if crash {
                let numbers = results.crashes(row.name).map(|all| [all.orphans, all.lost, all.twice, all.given_up]);
                cells.extend(numbers.map_or([const { String::new() }; 4], |all| all.map(|number| number.to_string())));
            }
            let _ = writeln!(text, "| {} | {} | {} |", row.name, flushed(row), cells.join(" | "));
        }
        text.push('\n');
    }
    let notes = notes(results, rows);
    if !notes.is_empty() {
        text.push_str("Marked with \\*:\n\n");
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
        text.push('\n');
    }
    text
}

fn flushed(row: &Row) -> &'static str {
    match row.flush {
        Flush::Each => "yes",
        Flush::Not => "**no**",
    }
}

/// Median, spread and the ratio to ours.
fn cell(results: &Results, row: &Row, column: Column) -> String {
    if !applies(row, column) {
        return "–".to_owned();
    }
    let measured: Vec<_> = results.measured(row.name, column).into_iter().map(|(_, measured)| measured).collect();
    let mark = if measured.iter().any(|measured| !remarks(column, measured).is_empty()) { " \\*" } else { "" };
    let Some(spread) = Spread::of(&results.values(row.name, column)) else {
        let cell = results.cell(row.name, column);
        return match cell.last().map(|sample| &sample.outcome) {
            Some(Outcome::Failed(error)) if error.starts_with("does not build") => "does not build \\*".to_owned(),
            Some(Outcome::Failed(_)) => "fails \\*".to_owned(),
            Some(Outcome::Unsupported) => "no such call".to_owned(),
            _ => "not measured".to_owned(),
        };
    };
    let failed = results.cell(row.name, column).iter().any(|sample| matches!(sample.outcome, Outcome::Failed(_)));
    let mark = if failed { " \\*" } else { mark };
    let mut text = if spread.median.is_infinite() {
        "not in time".to_owned()
    } else {
        let several = measured.len() > 1 && spread.half_range.is_finite();
        let around = if several { format!(" ±{:.0} %", spread.half_range * 100.0) } else { String::new() };
        format!("{}{around}", number(spread.median))
    };
    if let Some(worst) = measured.iter().filter_map(|measured| measured.p99).max_by(f64::total_cmp) {
        let _ = write!(text, " (p99 {})", number(worst));
    }
    let ratio = Spread::of(&results.ratios(row.name, REFERENCE, column));
    if let Some(ratio) = ratio
        && row.name != REFERENCE
        && ratio.median.is_finite()
    {
        let _ = write!(text, ", {}×", factor(ratio.median));
    }
    text + mark
}

/// What a reader must know of a run besides its number.
fn remarks(column: Column, measured: &Measured) -> Vec<String> {
    let Measured { tasks, done, runs, given_up, .. } = *measured;
    let mut remarks = Vec::new();
    if measured.crash.is_some() {
        // These have columns of their own.
        return remarks;
    }
    if done < tasks {
        remarks.push(format!("{done} of {tasks} tasks when the time was over"));
    }
    if column.is_drain() && runs > tasks {
        remarks.push(format!("{runs} bodies ran for {tasks} tasks"));
    }
    if given_up > 0 {
        remarks.push(format!("{given_up} tasks were given up"));
    }
    remarks
}

fn notes(results: &Results, rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for row in rows {
        for column in Column::ALL {
            let mut said: Vec<String> = Vec::new();
            for sample in results.cell(row.name, column) {
                match &sample.outcome {
                    // The last run stands for all: the numbers differ a little from run to run.
                    Outcome::Measured(measured) if !remarks(column, measured).is_empty() => {
                        said = remarks(column, measured);
                    }
                    Outcome::Failed(error) if !said.contains(error) => said.push(error.clone()),
                    _ => {}
                }
            }
            let what = column.name();
            if let Some((peer, _)) = results.not_built.iter().find(|(peer, _)| peer == row.peer) {
                said.retain(|error| !error.starts_with("does not build"));
                let error = results.not_built.iter().find(|(other, _)| other == peer).map(|(_, error)| error.as_str());
                let note = format!("{peer} does not build: {}", error.unwrap_or_default());
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            if !said.is_empty() {
                notes.push(format!("{}, {what}: {}.", row.name, said.join("; ")));
            }
        }
    }
    notes
}

/// What each setting does, and the flushes that were counted.
pub fn durability(results: &Results, rows: &[Row]) -> String {
    let mut text =
        String::from("| | what it does | submit | drain, 1 worker | drain, 64 workers |\n|---|---|---:|---:|---:|\n");
    for row in rows {
        let counted = results.flushes.iter().find(|flushes| flushes.row == row.name);
        let show = |of: fn(&Flushes) -> Option<f64>| {
            counted.and_then(of).map_or_else(|| "not counted".to_owned(), |count| format!("{count:.2}"))
        };
        let (submit, one, many) = (show(|f| f.submit), show(|f| f.drain_1), show(|f| f.drain_64));
        let _ = writeln!(text, "| {} | {} | {submit} | {one} | {many} |", row.name, row.durability);
    }
    text
}

/// With a comma for thousands, and as many digits as mean something.
pub fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A ratio.
pub fn factor(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(measured) => {
                write!(f, "{}", number(measured.value))?;
                if measured.done < measured.tasks {
                    write!(f, " ({} of {})", measured.done, measured.tasks)?;
                }
                Ok(())
            }
            Self::Unsupported => f.write_str("no such call"),
            Self::Failed(error) => write!(f, "fails: {error}"),
        }
    }
}

/// Whether a row is one to compare ours with.
pub fn is_rival(row: &Row) -> bool {
    matches!(row.side, Side::Peer | Side::Hand)
}
