//! Builds the peers, orders the runs and performs each of them.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    columns::Column,
    process::{Call, Report},
    results::{Measured, Outcome, Results, Sample},
    rows::{Row, Side, peers},
    spread::percentile,
};

/// The place where the queues of the peers are: files in folders, or databases of a server.
pub trait Place {
    /// Runs one row in one column.
    fn cell(&self, row: &Row, column: Column, quick: bool) -> Result<Outcome, String>;

    /// The time that filling queues has taken so far.
    fn filling(&self) -> Duration;
}

/// The rows and limits of a measurement.
pub struct Bench<'a> {
    pub rows: &'a [Row],
    pub columns: &'a [Column],
    pub place: &'a dyn Place,
    pub quick: bool,
    pub repetitions: u32,
    /// Repetitions that run even if the time is over.
    pub least_repetitions: u32,
    /// No further repetition begins if it would end later than this time after `begun`.
    pub begun: Instant,
    pub budget: Duration,
}

/// Builds every peer. Returns those that do not build, with the first error of each.
pub fn build(home: &Path, rows: &[Row]) -> Vec<(String, String)> {
    let mut not_built = Vec::new();
    for peer in peers(rows) {
        eprintln!("building {peer}");
        let manifest = home.join(peer).join("Cargo.toml");
        let arguments = ["build", "--release", "--quiet", "--manifest-path"];
        let output = Command::new("cargo").args(arguments).arg(manifest).output();
        let error = match output {
            Ok(output) if output.status.success() => continue,
            Ok(output) => {
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                let line = message.lines().find(|line| line.starts_with("error")).unwrap_or("error: unknown");
                // No path of this machine in the results.
                line.trim_start_matches("error: ").replace(&home.display().to_string(), "benches/peers")
            }
            Err(error) => format!("cargo does not start: {error}"),
        };
        eprintln!("  {error}");
        not_built.push((peer.to_owned(), error));
    }
    not_built
}

/// The call of a column, without the place of its queue.
pub fn call(column: Column, quick: bool) -> Call {
    let extent = column.extent(quick);
    Call {
        scenario: column.scenario(),
        tasks: extent.tasks,
        workers: column.workers(),
        handler_us: column.handler_us(),
        seconds: extent.seconds,
        standstill: extent.standstill,
        filled: column.filled(),
        ..Call::default()
    }
}

/// Whether the row is measured in the column.
pub fn applies(row: &Row, column: Column) -> bool {
    match column {
        Column::DrainMs | Column::Latency | Column::Crash => row.side != Side::Floor,
        Column::Submit | Column::Bulk | Column::ClaimSmall | Column::ClaimLarge => !row.variant.ends_with("prefetch"),
        Column::ClaimDead => row.deletes,
        _ => true,
    }
}

impl Bench<'_> {
    /// Runs all rows in all columns, repetition by repetition. Each repetition begins with another row, so that a slow period
    /// of the disk affects all rows alike.
    pub fn run(&self, results: &mut Results) {
        results.repetitions = self.repetitions;
        // The expected time of a further repetition: without the fills and the long crashes, which happen once.
        let mut expected = Duration::ZERO;
        for repetition in 0..self.repetitions {
            if repetition >= self.least_repetitions && self.begun.elapsed() + expected > self.budget {
                eprintln!("no time for repetition {}", repetition + 1);
                break;
            }
            expected = Duration::ZERO;
            for column in self.columns.iter().copied() {
                let mut rows: Vec<_> = self.rows.iter().filter(|row| applies(row, column)).collect();
                let first = repetition as usize % rows.len().max(1);
                rows.rotate_left(first);
                for row in rows {
                    if column == Column::Crash && results.takes_long_after_a_crash(row.name) {
                        continue;
                    }
                    let (begun, filling) = (Instant::now(), self.place.filling());
                    let outcome = match results.not_built.iter().find(|(peer, _)| peer == row.peer) {
                        Some((_, error)) => Outcome::Failed(format!("does not build: {error}")),
                        None => self.place.cell(row, column, self.quick).unwrap_or_else(Outcome::Failed),
                    };
                    eprintln!("{:>4}s  {}  {}  {outcome}", self.begun.elapsed().as_secs(), row.name, column.title());
                    results.samples.push(Sample { row: row.name.to_owned(), column, repetition, outcome });
                    if column != Column::Crash || !results.takes_long_after_a_crash(row.name) {
                        expected += begun.elapsed().saturating_sub(self.place.filling() - filling);
                    }
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
pub fn measured(column: Column, report: &Report) -> Measured {
    let milliseconds: Vec<f64> = report.latencies_us.iter().map(|latency| latency / 1000.0).collect();
    let value = if column == Column::Latency {
        percentile(&milliseconds, 0.5).unwrap_or(f64::INFINITY)
    } else {
        let (done, seconds) = match report.handlers_seconds {
            // The store has more tasks than run, and counting them can take as long as running some.
            Some(seconds) if column.is_claim() => (report.runs, seconds),
            _ => (report.done, report.seconds),
        };
        done as f64 / seconds.max(1e-9)
    };
    Measured {
        value,
        p99: percentile(&milliseconds, 0.99),
        tasks: report.tasks,
        done: report.done,
        runs: report.runs,
        given_up: report.given_up,
        handlers_seconds: report.handlers_seconds,
        crash: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_counts_the_tasks_that_are_done() {
        let report = Report { tasks: 5000, done: 1000, seconds: 2.0, ..Report::default() };
        assert!((measured(Column::Drain8, &report).value - 500.0).abs() < 1e-9);
    }

    #[test]
    fn rate_of_claims_leaves_out_the_count_of_the_store() {
        let report = Report {
            tasks: 4000,
            done: 4100,
            runs: 4200,
            seconds: 9.0,
            handlers_seconds: Some(2.0),
            ..Report::default()
        };
        assert!((measured(Column::ClaimLarge, &report).value - 2100.0).abs() < 1e-9);
        assert!((measured(Column::Drain8, &report).value - 4100.0 / 9.0).abs() < 1e-9);
    }

    #[test]
    fn latency_is_the_median_in_milliseconds() {
        let report = Report { latencies_us: vec![9000.0, 1000.0, 2000.0], ..Report::default() };
        let measured = measured(Column::Latency, &report);
        assert_eq!((measured.value, measured.p99), (2.0, Some(9.0)));
    }
}
