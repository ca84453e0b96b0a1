//! Who wins and who loses, from the numbers alone.

use std::fmt::Write;

use crate::{
    columns::Column,
    results::Results,
    rows::{BARE, Flush, HAND, REFERENCE, Row, Side},
    spread::Spread,
    table::{factor, is_rival},
};

/// How much better one row is than another; more than 1 if it is, also where less is better.
fn better(results: &Results, row: &str, than: &str, column: Column) -> Option<f64> {
    let median = Spread::of(&results.ratios(row, than, column))?.median;
    Some(if column.is_time() { 1.0 / median } else { median })
}

/// The row of these that beats ours by most.
fn best<'a>(
    results: &Results,
    rows: impl Iterator<Item = &'a Row>,
    column: Column,
    ours: &str,
) -> Option<(&'a Row, f64)> {
    let lead = |row: &'a Row| Some((row, better(results, row.name, ours, column)?));
    rows.filter_map(lead).filter(|(_, lead)| lead.is_finite()).max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Our row that does best in a column.
fn our_best<'a>(results: &Results, rows: &'a [Row], column: Column) -> Option<&'a Row> {
    let ours = rows.iter().filter(|row| row.side == Side::Ours);
    best(results, ours, column, REFERENCE).map(|(row, _)| row)
}

/// Every row that beats the best of ours, column by column, and by how much.
pub fn losses(results: &Results, rows: &[Row]) -> String {
    let mut text = String::new();
    for column in Column::ALL {
        let Some(ours) = our_best(results, rows, column) else { continue };
        let beats = |flush: Flush| {
            let rivals = rows.iter().filter(|row| is_rival(row) && row.flush == flush);
            let leads = rivals.filter_map(|row| Some((row.name, better(results, row.name, ours.name, column)?)));
            // Less than a twentieth is noise.
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
        text.push_str("Nowhere in this run.\n");
    }
    text
}

/// One line of the table of targets.
struct Target {
    what: String,
    need: f64,
    have: Option<f64>,
    against: String,
}

/// The targets as ratios of this run.
pub fn targets(results: &Results, rows: &[Row]) -> String {
    let mut targets = Vec::new();
    let flushed = |row: &&Row| is_rival(row) && row.flush == Flush::Each;
    let libraries = |row: &&Row| row.side == Side::Peer;
    let ahead = rows.iter().find(|row| row.variant == "exclusive-ahead").map(|row| row.name);
    let mut against = |what: &str, need: f64, column: Column, ours: &str, rivals: &mut dyn Iterator<Item = &Row>| {
        let rival = best(results, rivals, column, ours);
        targets.push(Target {
            what: what.to_owned(),
            need,
            have: rival.map(|(_, lead)| 1.0 / lead),
            against: rival.map_or_else(|| "nobody".to_owned(), |(row, _)| row.name.to_owned()),
        });
    };
    let named = |name: &'static str| rows.iter().filter(move |row| row.name == name);
    let our = |column| our_best(results, rows, column).map_or(REFERENCE, |row| row.name);
    let (one, eight, many) = (Column::Drain1, Column::Drain8, Column::Drain64);
    against("64 workers, best flushed peer", 3.0, many, our(many), &mut rows.iter().filter(flushed));
    against("64 workers, SQLite by hand, FULL", 15.0, many, our(many), &mut named(HAND));
    let lazy = |row: &&Row| is_rival(row) && row.flush == Flush::Not;
    against("64 workers, best peer that does not flush", 1.0, many, our(many), &mut rows.iter().filter(lazy));
    against("64 workers, bare redb", 0.7, many, our(many), &mut named(BARE));
    against("8 workers, best flushed peer", 3.0, eight, our(eight), &mut rows.iter().filter(flushed));
    against("1 worker, strict, bare redb", 0.85, one, REFERENCE, &mut named(BARE));
    against("1 worker, strict, SQLite by hand, FULL", 1.0, one, REFERENCE, &mut named(HAND));
    if let Some(ahead) = ahead {
        against("1 worker, ahead, best flushed peer", 5.0, one, ahead, &mut rows.iter().filter(flushed));
    }
    let ms = Column::DrainMs;
    against("1 ms bodies, 8 workers, best flushed peer", 2.5, ms, our(ms), &mut rows.iter().filter(flushed));
    against("bulk, bare redb", 0.7, Column::Bulk, our(Column::Bulk), &mut named(BARE));
    against("bulk, best library", 1.0, Column::Bulk, our(Column::Bulk), &mut rows.iter().filter(libraries));
    let mut text = String::from("| drain, bulk: ours against | at least | here | |\n|---|---:|---:|---|\n");
    for Target { what, need, have, against } in targets {
        let (here, met) = match have {
            Some(have) if have >= need => (factor(have), "met"),
            Some(have) => (factor(have), "**missed**"),
            None => ("–".to_owned(), "not measured"),
        };
        let _ = writeln!(text, "| {what} ({against}) | {} | {here} | {met} |", factor(need));
    }
    text.replace(&format!(" ({HAND})"), "").replace(&format!(" ({BARE})"), "")
}
