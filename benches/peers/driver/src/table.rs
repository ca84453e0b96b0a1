//! Writes the tables in Markdown.

use std::fmt::{self, Write};

use crate::{
    columns::Column,
    measure::applies,
    results::{Flushes, Measured, Outcome, Results},
    rows::{Flush, REFERENCE, Row, Side},
    spread::Spread,
};

/// The columns of each table.
pub type Groups = [&'static [Column]];

/// All tables, and the notes on single cells.
pub fn tables(results: &Results, rows: &[Row], groups: &Groups) -> String {
    let mut text = String::new();
    for group in groups {
        let mut titles: Vec<_> = group.iter().map(|column| column.title()).collect();
        let crash = group.contains(&Column::Crash);
        if crash {
            titles.extend(["orphans", "not ended", "vanished", "run twice", "given up", "end of a stale claim"]);
        }
        let _ = writeln!(text, "| | flushed | {} |", titles.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---:|".repeat(titles.len()));
        for row in rows.iter().filter(|row| group.iter().any(|column| applies(row, *column))) {
            let mut cells: Vec<_> = group.iter().map(|column| cell(results, row, *column)).collect();
            if crash {
                let numbers = results.crashes(row.name);
                let numbers = numbers.map(|all| [all.orphans, all.lost, all.vanished, all.twice, all.given_up]);
                cells.extend(numbers.map_or([const { String::new() }; 5], |all| all.map(|number| number.to_string())));
                cells.push(stale_ends(results, row));
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

/// Whether the store accepts the end of a claim that was replaced.
fn stale_ends(results: &Results, row: &Row) -> String {
    let found = results.stale_ends.iter().find(|ends| ends.row == row.name);
    let text = match found.map(|ends| (ends.from_other_worker, ends.from_same_worker)) {
        None => "–",
        Some((false, false)) => "refused",
        Some((false, true)) => "**accepted** from a worker of the same name",
        Some((true, _)) => "**accepted**",
    };
    text.to_owned()
}

fn flushed(row: &Row) -> &'static str {
    match row.flush {
        Flush::Each => "yes",
        Flush::Not => "**no**",
    }
}

/// Median, spread and the ratio to the reference row.
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

/// Remarks on a run that its number does not show.
fn remarks(column: Column, measured: &Measured) -> Vec<String> {
    let Measured { tasks, done, runs, given_up, .. } = *measured;
    let mut remarks = Vec::new();
    if measured.crash.is_some() {
        // A crash has columns for its remarks.
        return remarks;
    }
    if done < tasks {
        remarks.push(format!("{done} of {tasks} tasks when the run stopped"));
    }
    if column.is_drain() && !column.is_claim() && runs > tasks {
        remarks.push(format!("{runs} handlers ran for {tasks} tasks"));
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
            let mut remarked: Vec<String> = Vec::new();
            for sample in results.cell(row.name, column) {
                match &sample.outcome {
                    // Only the last run is noted: the numbers differ a little from run to run.
                    Outcome::Measured(measured) if !remarks(column, measured).is_empty() => {
                        remarked = remarks(column, measured);
                    }
                    Outcome::Failed(error) if !remarked.contains(error) => remarked.push(error.clone()),
                    _ => {}
                }
            }
            let what = column.name();
            if let Some((peer, _)) = results.not_built.iter().find(|(peer, _)| peer == row.peer) {
                remarked.retain(|error| !error.starts_with("does not build"));
                let error = results.not_built.iter().find(|(other, _)| other == peer).map(|(_, error)| error.as_str());
                let note = format!("{peer} does not build: {}", error.unwrap_or_default());
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            if !remarked.is_empty() {
                notes.push(format!("{}, {what}: {}.", row.name, remarked.join("; ")));
            }
        }
    }
    notes
}

/// The table of the settings and their counted flushes.
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

/// Formats a number with a comma for thousands and three significant digits.
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

/// Formats a ratio.
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

/// Whether this tracker is compared with the row.
pub fn is_compared(row: &Row) -> bool {
    matches!(row.side, Side::Peer | Side::HandWritten)
}
