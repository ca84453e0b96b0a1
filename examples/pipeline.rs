//! Three steps in one row per task: extract, transform, load. Each step has a worker of its own; what one step leaves in
//! the task, the next one finds.
//!
//! `transform` has no pending: it starts from the success of `extract`. `load` has one, so that a success of `transform`
//! puts the task in its line. The middle step fails for two of the reports: for one once, for the other for good.
//!
//! Run it with `cargo run --example pipeline`; it works in memory and leaves nothing behind. With the name of a new file, as
//! in `cargo run --example pipeline -- pipeline.redb`, it works in that, for the `tracker` program to look at.

use std::env;

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, Tasks, TrackedTask, Tracker, worker::Summary};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum ReportStatus {
    #[status(step = "extract")]
    ExtractPending = 10,
    ExtractInProgress = 11,
    ExtractFailed = 12,
    ExtractSucceeded = 13,
    ExtractExhausted = 14,

    #[status(step = "transform")]
    TransformInProgress = 20,
    TransformFailed = 21,
    TransformSucceeded = 22,
    TransformExhausted = 23,

    #[status(step = "load")]
    LoadPending = 30,
    LoadInProgress = 31,
    LoadFailed = 32,
    LoadSucceeded = 33,
    LoadExhausted = 34,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "report", status = ReportStatus, max_attempts = 2)]
struct Report {
    #[task(id)]
    city: String,
    /// The result of `extract`.
    raw: String,
    /// The result of `transform`, in tenths of a degree.
    tenths: Option<i32>,
    /// Where `load` put it.
    line: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let tracker = env::args_os().nth(1).map_or_else(Tracker::in_memory, Tracker::open)?;
    let reports = tracker.tasks::<Report>()?;
    for city in ["Bergen", "Cadiz", "Oslo", "Porto", "Quito"] {
        reports.submit(&Report { city: city.to_owned(), raw: String::new(), tenths: None, line: None })?;
    }

    tell("extract", &extract(&reports)?);
    tell("transform", &transform(&reports)?);
    tell("load", &load(&reports)?);

    println!();
    let steps = ["extract", "transform", "load"];
    for record in reports.query().by_creation().fetch()? {
        println!("{}: {:?}", record.task.city, record.status);
        for attempt in &record.history {
            let step = steps.get(usize::from(attempt.step)).unwrap_or(&"?");
            let error = attempt.failure.as_ref().map_or(String::new(), |failure| format!(": {}", failure.error));
            println!("  {step:<9} {}{error}", attempt.status);
        }
        if let Some(line) = &record.task.line {
            println!("  {line}");
        }
    }
    println!("\nwhy Quito is not running: {}", reports.explain("Quito")?);
    Ok(())
}

fn extract(reports: &Tasks<Report>) -> anyhow::Result<Summary> {
    let summary = reports.step("extract")?.worker().threads(2).run(|report| -> anyhow::Result<()> {
        let raw = match report.city.as_str() {
            "Bergen" => "7.5",
            "Cadiz" => "19.0",
            "Oslo" => "3.1",
            "Porto" => "15.8",
            _ => "n/a",
        };
        report.raw = raw.into();
        Ok(())
    })?;
    Ok(summary)
}

fn transform(reports: &Tasks<Report>) -> anyhow::Result<Summary> {
    let summary = reports.step("transform")?.worker().threads(2).run(|report| -> anyhow::Result<()> {
        // Attempts count over all steps: the first is that of `extract`.
        anyhow::ensure!(report.city != "Oslo" || report.attempt() > 2, "the converter is busy");
        let (whole, tenth) = report.raw.split_once('.').ok_or_else(|| {
            let raw = &report.raw;
            anyhow::anyhow!("{raw:?} is no temperature")
        })?;
        report.tenths = Some(whole.parse::<i32>()? * 10 + tenth.parse::<i32>()?);
        Ok(())
    })?;
    Ok(summary)
}

fn load(reports: &Tasks<Report>) -> anyhow::Result<Summary> {
    let summary = reports.step("load")?.worker().threads(2).run(|report| -> anyhow::Result<()> {
        let tenths = report.tenths.ok_or_else(|| anyhow::anyhow!("transform left nothing"))?;
        report.line = Some(format!("{} has {}.{} °C", report.city, tenths / 10, tenths % 10));
        Ok(())
    })?;
    Ok(summary)
}

fn tell(step: &str, summary: &Summary) {
    println!("{step:<9} {} succeeded, {} failed attempts", summary.succeeded, summary.failed);
    for (error, times) in &summary.errors {
        println!("{:<9} {times} × {error}", "");
    }
}
