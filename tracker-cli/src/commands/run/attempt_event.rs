//! `AttemptEvent`: the end of an attempt, as `--json` prints it. Made by `runner`; plain data.

use serde::Serialize;
use tracker_core::Execution;

use super::line::{Line, LineStatus};

#[derive(Serialize)]
pub struct AttemptEvent<'a> {
    pub event: &'static str,
    pub id: String,
    pub number: u64,
    pub line: String,
    pub attempt: u32,
    pub outcome: &'static str,
    pub exit: Option<i32>,
    pub signal: Option<i32>,
    pub seconds: f64,
    pub stdout: &'a str,
    pub stderr: &'a str,
    /// Why the command was not started.
    pub error: Option<String>,
}

impl AttemptEvent<'_> {
    /// An attempt without a result.
    pub fn of(line: &Execution<Line>, status: LineStatus) -> Self {
        let outcome = match status {
            LineStatus::Succeeded => "succeeded",
            LineStatus::Exhausted => "given_up",
            _ => "failed",
        };
        Self {
            event: "attempt",
            id: line.id().to_string(),
            number: line.number,
            line: line.text.to_string(),
            attempt: line.attempt(),
            outcome,
            exit: None,
            signal: None,
            seconds: 0.0,
            stdout: "",
            stderr: "",
            error: None,
        }
    }
}
