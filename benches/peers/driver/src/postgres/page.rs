//! The measured part of docs/postgres-performance.md.

use std::fmt::Write;

use super::rows::{GROUPS, HAND_WRITTEN, PREFETCH};
use crate::{
    columns::Column,
    page::heading,
    results::Results,
    rows::{REFERENCE, Row, Side},
    spread::Spread,
    table::tables,
    verdict::{Target, against, losses, table_of},
};

/// The measured part of the page, in Markdown.
pub fn measured(results: &Results, rows: &[Row]) -> String {
    let mut text = heading(results);
    let measured = |group: &&&[Column]| results.samples.iter().any(|sample| group.contains(&sample.column));
    let groups: Vec<&'static [Column]> = GROUPS.iter().filter(measured).copied().collect();
    text.push_str(&tables(results, rows, &groups));
    text.push_str("### Where others are better\n\n");
    text.push_str(&losses(results, rows));
    text.push_str("\n### Targets\n\n");
    text.push_str(&targets(results, rows));
    text.push_str("\n### What is committed\n\n| | what it does |\n|---|---|\n");
    for row in rows {
        let _ = writeln!(text, "| {} | {} |", row.name, row.durability);
    }
    text
}

/// The targets, as ratios of this run.
pub(super) fn targets(results: &Results, rows: &[Row]) -> String {
    let libraries = || rows.iter().filter(|row| row.side == Side::Peer);
    let by_hand = || rows.iter().filter(|row| row.name == HAND_WRITTEN);
    let mut targets = Vec::new();
    for column in [Column::Drain8, Column::Drain64] {
        for ours in [REFERENCE, PREFETCH] {
            let what = format!("{}, {ours}: best library", column.name());
            targets.push(against(results, what, 2.0, column, ours, &mut libraries()));
        }
    }
    let many = [Column::Drain8, Column::Drain64, Column::DrainMs].into_iter().chain(Column::PROCESSES);
    for column in many {
        let what = format!("{}: by hand", column.name());
        targets.push(against(results, what, 1.0, column, REFERENCE, &mut by_hand()));
    }
    // Each is a rate of this tracker, compared with another rate of its own.
    let own = |what: &str, need: f64, column: Column, than: Column| Target {
        what: what.to_owned(),
        need,
        have: Spread::of(&results.divided((REFERENCE, column), (REFERENCE, than))).map(|ratio| ratio.median),
        against: REFERENCE.to_owned(),
    };
    targets.push(own("2 processes: 1 process", 1.0, Column::Processes2, Column::Processes1));
    targets.push(own("4 processes: 1 process", 1.0, Column::Processes4, Column::Processes1));
    targets.push(own("8 processes: 1 process", 1.0, Column::Processes8, Column::Processes1));
    // A claim may cost 1.5 times as much.
    targets.push(own("first of 1,000,000: first of 10,000", 1.0 / 1.5, Column::ClaimLarge, Column::ClaimSmall));
    targets.push(own("behind dead rows: first of 10,000", 1.0 / 1.5, Column::ClaimDead, Column::ClaimSmall));
    table_of(&targets)
}
