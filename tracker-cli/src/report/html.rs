//! Writes a report as one HTML page without scripts and external resources. Called by `tracker report`; pure, into the given writer.

use std::fmt::{self, Write};

use tracker_core::status::{Role, StatusInfo};

use super::{Attempts, KindReport, OftenFailed, Report, SlowTask, chart};
use crate::{
    human_duration::HumanDuration,
    output::number::{counted, grouped, percent},
};

const STYLE: &str = include_str!("page.css");

/// Returns the page.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut out, report);
    out
}

/// EscapedHtml of the file's, which may hold anything, as HTML that shows it.
struct EscapedHtml<'a>(&'a str);

impl fmt::Display for EscapedHtml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Characters that HTML forbids, and marks of text direction.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => write!(f, "{}", char.escape_unicode())?,
                char if char.is_control() && !matches!(char, '\n' | '\t') => write!(f, "{}", char.escape_default())?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

fn write_page(out: &mut String, report: &Report) -> fmt::Result {
    let file = report.file.clone();
    let file = EscapedHtml(&file);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{file}</title><style>\n{STYLE}</style></head><body>"
    )?;
    writeln!(out, "<h1>{file}</h1>")?;
    let at = report.at.format("%Y-%m-%d %H:%M:%S UTC");
    writeln!(out, "<p class=\"quiet\">{at}, {}</p>", counted(report.tasks(), "task", "tasks"))?;
    write_totals(out, &report.kinds)?;
    for (number, kind) in report.kinds.iter().enumerate() {
        write_kind(out, number, kind)?;
    }
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, "<footer class=\"quiet\">made by tracker report {version}</footer></body></html>")
}

/// Writes a row for each kind, with a link to its section.
fn write_totals(out: &mut String, kinds: &[KindReport]) -> fmt::Result {
    if kinds.is_empty() {
        return writeln!(out, "<p>No task was submitted yet.</p>");
    }
    writeln!(
        out,
        "<table><tr><th>kind</th><th class=\"number\">tasks</th><th class=\"number\">ended</th><th class=\"bar\"></th>\
         <th class=\"number\">attempts</th><th class=\"number\">failed or crashed</th></tr>"
    )?;
    for (number, kind) in kinds.iter().enumerate() {
        let Attempts { succeeded, failed, crashed, interrupted, other } = kind.attempts;
        writeln!(
            out,
            "<tr><td><a href=\"#kind{number}\">{}</a></td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>",
            EscapedHtml(&kind.name),
            grouped(kind.tasks()),
            percent(kind.ended, kind.tasks()),
        )?;
        write_bar(out, kind)?;
        writeln!(
            out,
            "</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
            grouped(succeeded + failed + crashed + interrupted + other),
            grouped(failed + crashed)
        )?;
    }
    writeln!(out, "</table>")
}

fn write_kind(out: &mut String, number: usize, kind: &KindReport) -> fmt::Result {
    let paused = if kind.paused { " (paused)" } else { "" };
    writeln!(out, "<section id=\"kind{number}\"><h2>{}{paused}</h2>", EscapedHtml(&kind.name))?;
    if kind.examined < kind.tasks() {
        let (examined, all) = (grouped(kind.examined), grouped(kind.tasks()));
        writeln!(
            out,
            "<p class=\"warn\">Everything except the counts covers the latest {examined} of {all} tasks.</p>"
        )?;
    }
    write_bar(out, kind)?;
    writeln!(out, "<div class=\"side\"><div>")?;
    write_counts(out, kind)?;
    writeln!(out, "</div><div>")?;
    write_attempts(out, kind)?;
    writeln!(out, "</div></div>")?;
    chart::timeline(out, &kind.timeline)?;
    write_slowest(out, &kind.slowest)?;
    write_often_failed(out, &kind.most_failed)?;
    write_errors(out, kind)?;
    writeln!(out, "</section>")
}

/// Writes the shares of the statuses, ended tasks first.
fn write_bar(out: &mut String, kind: &KindReport) -> fmt::Result {
    let mut shares: Vec<_> = kind.counts.iter().filter(|(_, count)| *count > 0).collect();
    shares.sort_by_key(|(status, _)| status.role.position_in_bar());
    write!(out, "<div class=\"share\">")?;
    for (status, count) in shares {
        let (class, name) = (class(status), EscapedHtml(&status.name));
        write!(out, "<i class=\"{class}\" style=\"flex:{count}\" title=\"{name}: {count}\"></i>")?;
    }
    writeln!(out, "</div>")
}

fn write_counts(out: &mut String, kind: &KindReport) -> fmt::Result {
    let all = kind.tasks();
    writeln!(
        out,
        "<table class=\"small\"><tr><th>status</th><th class=\"number\">tasks</th><th class=\"number\">share</th></tr>"
    )?;
    for (status, count) in &kind.counts {
        writeln!(
            out,
            "<tr><td class=\"{}\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
            class(status),
            EscapedHtml(&status.name),
            grouped(*count),
            percent(*count, all)
        )?;
    }
    writeln!(out, "<tr><th>all</th><th class=\"number\">{}</th><th></th></tr></table>", grouped(all))
}

/// Writes how attempts ended, and the durations of successful ones.
fn write_attempts(out: &mut String, kind: &KindReport) -> fmt::Result {
    let Attempts { succeeded, failed, crashed, interrupted, other } = kind.attempts;
    writeln!(out, "<table class=\"small\"><tr><th>attempts</th><th class=\"number\"></th></tr>")?;
    for (class, name, count) in [
        ("good", "succeeded", succeeded),
        ("warn", "failed", failed),
        ("bad", "crashed", crashed),
        ("warn", "interrupted", interrupted),
        ("quiet", "other", other),
    ] {
        writeln!(out, "<tr><td class=\"{class}\">{name}</td><td class=\"number\">{}</td></tr>", grouped(count))?;
    }
    writeln!(out, "</table></div><div><table class=\"small\"><tr><th>success took</th><th></th></tr>")?;
    for (name, percent) in [("p50", 50), ("p95", 95), ("p99", 99), ("longest", 100)] {
        let took =
            kind.durations.percentile(percent).map_or_else(|| "–".to_owned(), |took| HumanDuration(took).to_string());
        writeln!(out, "<tr><td>{name}</td><td class=\"number\">{took}</td></tr>")?;
    }
    writeln!(out, "</table>")
}

fn class(status: &StatusInfo) -> &'static str {
    match status.role {
        Role::Succeeded => "good",
        Role::Exhausted => "bad",
        Role::Failed => "warn",
        Role::InProgress => "busy",
        Role::Pending => "wait",
        Role::Ignored | Role::Cancelled | Role::Parked => "quiet",
    }
}

fn write_slowest(out: &mut String, slowest: &[SlowTask]) -> fmt::Result {
    if slowest.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h3>Slowest</h3><table><tr><th>task</th><th>longest attempt</th><th>ended</th><th>worker</th></tr>"
    )?;
    for slow in slowest {
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            TaskCell(&slow.id, &slow.status, &slow.payload),
            HumanDuration(slow.duration),
            slow.ended_at.format("%Y-%m-%d %H:%M:%S"),
            EscapedHtml(&slow.worker)
        )?;
    }
    writeln!(out, "</table>")
}

fn write_often_failed(out: &mut String, most_failed: &[OftenFailed]) -> fmt::Result {
    if most_failed.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h3>Most failed</h3><table><tr><th>task</th><th class=\"number\">failures</th>\
         <th class=\"number\">attempts</th><th>last error</th></tr>"
    )?;
    for task in most_failed {
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>",
            TaskCell(&task.id, &task.status, &task.payload),
            task.failures,
            task.attempts,
            EscapedHtml(&task.error)
        )?;
    }
    writeln!(out, "</table>")
}

fn write_errors(out: &mut String, kind: &KindReport) -> fmt::Result {
    if kind.errors.groups.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h3>Errors</h3><table><tr><th class=\"number\">tasks</th><th class=\"number\">retried</th>\
         <th>error</th><th>examples</th></tr>"
    )?;
    for group in &kind.errors.groups {
        let examples: Vec<_> = group.examples.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "<tr><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>",
            group.count,
            group.retrying,
            EscapedHtml(&group.message),
            EscapedHtml(&examples.join(", "))
        )?;
    }
    writeln!(out, "</table>")
}

/// A task by its id, with its payload to unfold.
struct TaskCell<'a>(&'a str, &'a StatusInfo, &'a str);

impl fmt::Display for TaskCell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id, status, payload) = self;
        let (id, class, name, payload) =
            (EscapedHtml(id), class(status), EscapedHtml(&status.name), EscapedHtml(payload));
        write!(f, "<details><summary><code>{id}</code> <span class=\"{class}\">{name}</span></summary>")?;
        write!(f, "<pre>{payload}</pre></details>")
    }
}
