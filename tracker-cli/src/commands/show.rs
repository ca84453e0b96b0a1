//! `tracker show`: everything about one task. Reads the file.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, task::TaskKey, untyped::Untyped};

use crate::{
    error::CliError,
    exit::Exit,
    file::{ClockAhead, FileArg, KindArg},
    human_duration::HumanDuration,
    output::{Output, TextStyle, TextWriter, View, highlighted_json, number, time},
    task::{AttemptView, ExplanationView, TaskView},
};

/// Shows one task: its payload, its attempts, and why it is not running
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The id of the task, as other commands print it
    id: String,
    #[command(flatten)]
    kind: KindArg,
}

#[derive(Serialize)]
struct TaskPage {
    #[serde(flatten)]
    task: TaskView,
    why: ExplanationView,
    /// The number of attempts that have ended. `history` has the last of them, oldest first.
    ended: u32,
    history: Vec<AttemptView>,
    /// Present if the time of the file is ahead of the system clock.
    clock_ahead: Option<ClockAhead>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let (tasks, id) = self.kind.task(&tracker, &self.id)?;
        let clock_ahead = self.file.clock_ahead(&tracker)?;
        output.print(&TaskPage { clock_ahead, ..task_page(&tasks, &id, tracker.now())? })?;
        Ok(Exit::Success)
    }
}

fn task_page(tasks: &Tasks<Untyped>, id: &TaskKey, now: DateTime<Utc>) -> Result<TaskPage, CliError> {
    let kind = tasks.info()?;
    let mut record = tasks.get(id)?.ok_or_else(|| CliError::refused(format!("task {id} was just deleted")))?;
    let why = tasks.explain(id)?;
    let history = record.history.clone().into_iter().map(|attempt| AttemptView::new(attempt, &kind)).collect();
    let ended = std::mem::take(&mut record.ended);
    Ok(TaskPage { task: TaskView::new(record, &kind), why: (&why).into(), ended, history, clock_ahead: None, now })
}

impl View for TaskPage {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        let task = &self.task;
        out.text(TextStyle::Strong, &task.id)?;
        out.text(TextStyle::Quiet, &format!("  {}  ", task.kind))?;
        out.line(task.status.means.into(), &task.status.status)?;
        out.line(TextStyle::Plain, &self.why.text)?;
        if let Some(ahead) = &self.clock_ahead {
            out.line(TextStyle::Warn, &format!("! {}", ahead.text))?;
        }
        out.end()?;
        self.write_facts(out)?;
        out.end()?;
        let payload = serde_json::to_string_pretty(&task.task).map_err(io::Error::from)?;
        highlighted_json::write(out, &payload, "  ")?;
        if !self.history.is_empty() {
            out.end()?;
            self.write_history(out)?;
        }
        Ok(())
    }
}

impl TaskPage {
    fn write_facts(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        let task = &self.task;
        let both = |at| format!("{} ({})", time::local(at), time::relative(at, self.now));
        let mut facts = vec![
            ("submitted", both(task.created_at)),
            ("changed", both(task.updated_at)),
            ("due", both(task.due_at)),
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
            let until = both(lease.until);
            facts.push(("lease", format!("{}{by}, fence {}, since {}", lease.worker, lease.fence, both(lease.since))));
            facts.push(("until", until));
        }
        if let Some(progress) = &task.progress {
            facts.push(("progress", format!("{progress} ({})", time::relative(progress.at, self.now))));
        }
        if let Some(traceparent) = &task.traceparent {
            facts.push(("trace", traceparent.clone()));
        }
        if task.cancel_requested {
            facts.push(("cancel", "requested: the attempt ends as cancelled unless it succeeds".to_owned()));
        }
        for (name, value) in facts {
            out.text(TextStyle::Quiet, &format!("  {name:<10}"))?;
            out.line(TextStyle::Plain, &value)?;
        }
        Ok(())
    }

    fn write_history(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        let earlier = (self.ended as usize).saturating_sub(self.history.len());
        if earlier > 0 {
            out.line(TextStyle::Quiet, &format!("  … {earlier} earlier attempts"))?;
        }
        for attempt in &self.history {
            let took = HumanDuration(std::time::Duration::from_secs_f64(attempt.seconds.max(0.0)));
            out.text(TextStyle::Quiet, &format!("  {}  ", time::local(attempt.started_at)))?;
            out.text(TextStyle::Plain, &format!("attempt {} ", attempt.attempt))?;
            out.text(attempt.style(), attempt.status)?;
            let step = if attempt.step.is_empty() { String::new() } else { format!(", {}", attempt.step) };
            out.line(TextStyle::Quiet, &format!(" after {took}  {}, fence {}{step}", attempt.worker, attempt.fence))?;
            if let Some(failure) = &attempt.failure {
                let prefix = if failure.panicked { "panicked: " } else { "" };
                for line in failure.error.lines() {
                    out.line(TextStyle::Bad, &format!("      {prefix}{line}"))?;
                }
                for line in failure.causes.iter().flat_map(|cause| cause.lines()) {
                    out.line(TextStyle::Plain, &format!("        caused by: {line}"))?;
                }
            }
            for note in attempt.notes.iter().flat_map(|note| note.lines()) {
                out.line(TextStyle::Plain, &format!("      {note}"))?;
            }
            for (name, value) in &attempt.metrics {
                out.line(TextStyle::Plain, &format!("      {name} = {value}"))?;
            }
        }
        Ok(())
    }
}
