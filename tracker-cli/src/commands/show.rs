use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, task::TaskKey, untyped::Untyped};

use crate::{
    exit::Exit,
    failure::Failure,
    file::{ClockAhead, FileArg, KindArg},
    output::{Ink, Output, Page, View, json, number, time},
    span::Span,
    task::{AttemptView, TaskView, WhyView},
};

/// One task: its payload, its attempts, and why it is not running
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The task's id, as other commands print it
    id: String,
    #[command(flatten)]
    kind: KindArg,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    task: TaskView,
    why: WhyView,
    /// How many attempts have ended in all; the last of them follow, oldest first.
    ended: u32,
    history: Vec<AttemptView>,
    /// Where the file's time is ahead of the system clock.
    clock_ahead: Option<ClockAhead>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let (tasks, id) = self.kind.task(&tracker, &self.id)?;
        let clock_ahead = ClockAhead::of(&tracker)?;
        output.put(&Shown { clock_ahead, ..shown(&tasks, &id, tracker.now())? })?;
        Ok(Exit::Fine)
    }
}

fn shown(tasks: &Tasks<Untyped>, id: &TaskKey, now: DateTime<Utc>) -> Result<Shown, Failure> {
    let kind = tasks.info()?;
    let mut record = tasks.get(id)?.ok_or_else(|| Failure::refused(format!("task {id} was just deleted")))?;
    let why = tasks.explain(id)?;
    let history = record.history.clone().into_iter().map(|attempt| AttemptView::new(attempt, &kind)).collect();
    let ended = std::mem::take(&mut record.ended);
    Ok(Shown { task: TaskView::new(record, &kind), why: (&why).into(), ended, history, clock_ahead: None, now })
}

impl View for Shown {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        let task = &self.task;
        page.text(Ink::Strong, &task.id)?;
        page.text(Ink::Quiet, &format!("  {}  ", task.kind))?;
        page.line(task.status.means.into(), &task.status.status)?;
        page.line(Ink::Plain, &self.why.text)?;
        if let Some(ahead) = &self.clock_ahead {
            page.line(Ink::Warn, &format!("! {}", ahead.text))?;
        }
        page.end()?;
        self.facts(page)?;
        page.end()?;
        let payload = serde_json::to_string_pretty(&task.task).map_err(io::Error::from)?;
        json::show(page, &payload, "  ")?;
        if !self.history.is_empty() {
            page.end()?;
            self.timeline(page)?;
        }
        Ok(())
    }
}

impl Shown {
    fn facts(&self, page: &mut Page<'_>) -> io::Result<()> {
        let task = &self.task;
        let told = |at| format!("{} ({})", time::local(at), time::relative(at, self.now));
        let mut facts = vec![
            ("submitted", told(task.created_at)),
            ("changed", told(task.updated_at)),
            ("due", told(task.due_at)),
            ("priority", task.priority.to_string()),
            (
                "attempts",
                [
                    task.attempts.to_string(),
                    format!("{} in a row", number::counted(task.failures.into(), "failure", "failures")),
                    number::counted(task.crashes.into(), "crash", "crashes"),
                ]
                .join(", "),
            ),
        ];
        if !task.status.step.is_empty() {
            facts.insert(0, ("step", task.status.step.clone()));
        }
        if let Some(lease) = &task.lease {
            let by = if lease.detached { " by a ticket" } else { "" };
            let until = told(lease.until);
            facts.push(("lease", format!("{}{by}, fence {}, since {}", lease.worker, lease.fence, told(lease.since))));
            facts.push(("until", until));
        }
        if let Some(progress) = &task.progress {
            facts.push(("progress", format!("{progress} ({})", time::relative(progress.at, self.now))));
        }
        if task.cancel_requested {
            facts.push(("cancel", "asked for: it ends as cancelled unless it succeeds".to_owned()));
        }
        for (name, value) in facts {
            page.text(Ink::Quiet, &format!("  {name:<10}"))?;
            page.line(Ink::Plain, &value)?;
        }
        Ok(())
    }

    fn timeline(&self, page: &mut Page<'_>) -> io::Result<()> {
        let left_out = (self.ended as usize).saturating_sub(self.history.len());
        if left_out > 0 {
            page.line(Ink::Quiet, &format!("  … {left_out} earlier attempts"))?;
        }
        for attempt in &self.history {
            let took = Span(std::time::Duration::from_secs_f64(attempt.seconds.max(0.0)));
            page.text(Ink::Quiet, &format!("  {}  ", time::local(attempt.started_at)))?;
            page.text(Ink::Plain, &format!("attempt {} ", attempt.attempt))?;
            page.text(attempt.ink(), attempt.ending)?;
            let step = if attempt.step.is_empty() { String::new() } else { format!(", {}", attempt.step) };
            page.line(Ink::Quiet, &format!(" after {took}  {}, fence {}{step}", attempt.worker, attempt.fence))?;
            if let Some(failure) = &attempt.failure {
                let what = if failure.panicked { "panicked: " } else { "" };
                for line in failure.error.lines() {
                    page.line(Ink::Bad, &format!("      {what}{line}"))?;
                }
                for line in failure.causes.iter().flat_map(|cause| cause.lines()) {
                    page.line(Ink::Plain, &format!("        caused by: {line}"))?;
                }
            }
            for note in attempt.notes.iter().flat_map(|note| note.lines()) {
                page.line(Ink::Plain, &format!("      {note}"))?;
            }
            for (name, value) in &attempt.metrics {
                page.line(Ink::Plain, &format!("      {name} = {value}"))?;
            }
        }
        Ok(())
    }
}
