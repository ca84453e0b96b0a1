//! Lists the rows that are better than this tracker, and checks the targets.

use std::fmt::Write;

use crate::{
    columns::Column,
    results::Results,
    rows::{BARE, EXCLUSIVE, EXCLUSIVE_PREFETCH, Flush, HAND_WRITTEN, REFERENCE, Row, Side},
    spread::Spread,
    table::{factor, is_compared},
};

/// The factor by which one row is better than another: more than 1 if it is better, also where less is better.
fn better(results: &Results, row: &str, than: &str, column: Column) -> Option<f64> {
    let median = Spread::of(&results.ratios(row, than, column))?.median;
    Some(if column.is_time() { 1.0 / median } else { median })
}

/// The best of these rows, and its factor to `ours`.
fn best<'a>(
    results: &Results,
    rows: impl Iterator<Item = &'a Row>,
    column: Column,
    ours: &str,
) -> Option<(&'a Row, f64)> {
    let lead = |row: &'a Row| Some((row, better(results, row.name, ours, column)?));
    rows.filter_map(lead).filter(|(_, lead)| lead.is_finite()).max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// The best row of this tracker in a column.
fn our_best<'a>(results: &Results, rows: &'a [Row], column: Column) -> Option<&'a Row> {
    let ours = rows.iter().filter(|row| row.side == Side::Ours);
    best(results, ours, column, REFERENCE).map(|(row, _)| row)
}

/// Lists, column by column, each row that is better than the best row of this tracker, with its factor.
pub fn losses(results: &Results, rows: &[Row]) -> String {
    let mut text = String::new();
    for column in Column::ALL {
        let Some(ours) = our_best(results, rows, column) else { continue };
        let beats = |flush: Flush| {
            let others = rows.iter().filter(|row| is_compared(row) && row.flush == flush);
            let leads = others.filter_map(|row| Some((row.name, better(results, row.name, ours.name, column)?)));
            // Less than 5 % is noise.
            let leads = leads.filter(|(_, lead)| *lead > 1.05 && lead.is_finite());
            leads.map(|(name, lead)| format!("{name} {}×", factor(lead))).collect::<Vec<_>>().join("; ")
        };
        let (flushed, not) = (beats(Flush::Each), beats(Flush::Not));
        let flushed = if flushed.is_empty() { "none that flushes".to_owned() } else { flushed };
        let _ = match not.as_str() {
            "" if flushed == "none that flushes" => Ok(()),
            "" => writeln!(text, "- {}: {flushed}", column.name()),
            not => writeln!(text, "- {}: {flushed}; without flushing {not}", column.name()),
        };
    }
    if text.is_empty() {
        text.push_str("No row is better in this run.\n");
    }
    text
}

/// One line of the table of targets.
pub struct Target {
    pub what: String,
    pub need: f64,
    pub have: Option<f64>,
    pub against: String,
}

/// A target of one row of this tracker against the best of other rows.
pub fn against(
    results: &Results,
    what: String,
    need: f64,
    column: Column,
    ours: &str,
    others: &mut dyn Iterator<Item = &Row>,
) -> Target {
    let other = best(results, others, column, ours);
    Target {
        what,
        need,
        have: other.map(|(_, lead)| 1.0 / lead),
        against: other.map_or_else(|| "none".to_owned(), |(row, _)| row.name.to_owned()),
    }
}

/// The targets, as ratios of this run.
pub fn targets(results: &Results, rows: &[Row]) -> String {
    let mut targets = Vec::new();
    let flushed = |row: &&Row| is_compared(row) && row.flush == Flush::Each;
    let libraries = |row: &&Row| row.side == Side::Peer && row.flush == Flush::Each;
    let mut against = |what: &str, need: f64, column: Column, ours: &str, others: &mut dyn Iterator<Item = &Row>| {
        targets.push(self::against(results, what.to_owned(), need, column, ours, others));
    };
    let named = |name: &'static str| rows.iter().filter(move |row| row.name == name);
    let (one, eight, many) = (Column::Drain1, Column::Drain8, Column::Drain64);
    let (submit, bulk) = (Column::Submit, Column::Bulk);
    against("drain, 1 worker, exclusive: bare redb", 0.95, one, EXCLUSIVE, &mut named(BARE));
    against("drain, 8 workers, exclusive: bare redb", 0.75, eight, EXCLUSIVE, &mut named(BARE));
    against("drain, 64 workers, exclusive: bare redb", 0.6, many, EXCLUSIVE, &mut named(BARE));
    against("drain, 64 workers, exclusive, prefetch(64): bare redb", 0.8, many, EXCLUSIVE_PREFETCH, &mut named(BARE));
    against("drain, 64 workers: best flushed peer", 2.5, many, REFERENCE, &mut rows.iter().filter(flushed));
    against("drain, 8 workers: exclusive", 0.9, eight, REFERENCE, &mut named(EXCLUSIVE));
    against("drain, 64 workers: exclusive", 0.9, many, REFERENCE, &mut named(EXCLUSIVE));
    against("submit, exclusive: best flushed library", 1.0, submit, EXCLUSIVE, &mut rows.iter().filter(libraries));
    against("submit, exclusive: SQLite by hand, FULL", 0.85, submit, EXCLUSIVE, &mut named(HAND_WRITTEN));
    against("bulk, exclusive: bare redb", 0.85, bulk, EXCLUSIVE, &mut named(BARE));
    against("bulk, exclusive: SQLite by hand, FULL", 0.9, bulk, EXCLUSIVE, &mut named(HAND_WRITTEN));
    table_of(&targets)
}

/// The table of targets.
pub fn table_of(targets: &[Target]) -> String {
    let mut text = String::from("| this tracker: compared with | at least | here | |\n|---|---:|---:|---|\n");
    for Target { what, need, have, against } in targets {
        let (need, have) = (*need, *have);
        let (here, met) = match have {
            Some(have) if have >= need => (factor(have), "met"),
            Some(have) => (factor(have), "**missed**"),
            None => ("–".to_owned(), "not measured"),
        };
        let named = if what.contains("best") { format!(" ({against})") } else { String::new() };
        let _ = writeln!(text, "| {what}{named} | {} | {here} | {met} |", factor(need));
    }
    text
}
