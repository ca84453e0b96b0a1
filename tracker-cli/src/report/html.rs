use std::fmt::{self, Write};

use tracker_core::{Role, StatusInfo};

use super::{KindReport, Report, Slow, Unlucky, chart};
use crate::span::Span;

const STYLE: &str = include_str!("page.css");

/// The whole page. It holds no script and asks for nothing from outside.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut out, report);
    out
}

/// Text of the file's, which may hold anything, as HTML that shows it.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // What HTML does not allow, and the marks that turn the direction of text round.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => write!(f, "{}", char.escape_unicode())?,
                char if char.is_control() && !matches!(char, '\n' | '\t') => write!(f, "{}", char.escape_default())?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

fn write_page(out: &mut String, report: &Report) -> fmt::Result {
    let file = report.file.display().to_string();
    let file = Text(&file);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{file}</title><style>\n{STYLE}</style></head><body>"
    )?;
    writeln!(out, "<h1>{file}</h1>")?;
    let at = report.at.format("%Y-%m-%d %H:%M:%S UTC");
    writeln!(out, "<p class=\"quiet\">{at}: {} tasks</p>", report.tasks())?;
    for kind in &report.kinds {
        write_kind(out, kind)?;
    }
    writeln!(out, "</body></html>")
}

fn write_kind(out: &mut String, kind: &KindReport) -> fmt::Result {
    writeln!(out, "<section><h2>{}{}</h2>", Text(&kind.name), if kind.paused { " (paused)" } else { "" })?;
    if kind.looked_at < kind.tasks() {
        let (looked, all) = (kind.looked_at, kind.tasks());
        writeln!(out, "<p class=\"warn\">All but the counts is about the latest {looked} of {all} tasks.</p>")?;
    }
    write_counts(out, kind)?;
    let attempts = kind.attempts;
    writeln!(
        out,
        "<p>Attempts: <span class=\"good\">{} succeeded</span>, <span class=\"bad\">{} failed, {} crashed</span>, \
         <span class=\"quiet\">{} ended otherwise</span></p>",
        attempts.succeeded, attempts.failed, attempts.crashed, attempts.other
    )?;
    writeln!(out, "<h3>Ended, over time (UTC)</h3>")?;
    chart::timeline(out, &kind.timeline)?;
    write_durations(out, kind)?;
    write_slowest(out, &kind.slowest)?;
    write_unlucky(out, &kind.most_failed)?;
    write_errors(out, kind)?;
    writeln!(out, "</section>")
}

fn write_counts(out: &mut String, kind: &KindReport) -> fmt::Result {
    let all = kind.tasks();
    writeln!(out, "<div class=\"share\">")?;
    for (status, count) in kind.counts.iter().filter(|(_, count)| *count > 0) {
        let (class, name) = (class(status), Text(&status.name));
        writeln!(out, "<i class=\"{class}\" style=\"flex:{count}\" title=\"{name}: {count}\"></i>")?;
    }
    writeln!(
        out,
        "</div><table><tr><th>status</th><th class=\"number\">tasks</th><th class=\"number\">share</th></tr>"
    )?;
    for (status, count) in &kind.counts {
        let permille = count.saturating_mul(1_000).checked_div(all).unwrap_or(0);
        writeln!(
            out,
            "<tr><td class=\"{}\">{}</td><td class=\"number\">{count}</td><td class=\"number\">{}.{} %</td></tr>",
            class(status),
            Text(&status.name),
            permille / 10,
            permille % 10
        )?;
    }
    writeln!(out, "<tr><th>all</th><th class=\"number\">{all}</th><th></th></tr></table>")
}

fn class(status: &StatusInfo) -> &'static str {
    match status.role {
        Role::Succeeded => "good",
        Role::Exhausted => "bad",
        Role::Failed => "warn",
        Role::InProgress => "busy",
        Role::Pending | Role::Ignored | Role::Cancelled | Role::Parked => "quiet",
    }
}

fn write_durations(out: &mut String, kind: &KindReport) -> fmt::Result {
    writeln!(out, "<h3>Durations of attempts that succeeded</h3>")?;
    if kind.durations.percentile(50).is_none() {
        return writeln!(out, "<p class=\"quiet\">None has succeeded yet.</p>");
    }
    writeln!(out, "<table><tr><th>p50</th><th>p95</th><th>p99</th><th>longest</th></tr><tr>")?;
    for percent in [50, 95, 99, 100] {
        let duration = kind.durations.percentile(percent).unwrap_or_default();
        writeln!(out, "<td>{}</td>", Span(duration))?;
    }
    writeln!(out, "</tr></table>")
}

fn write_slowest(out: &mut String, slowest: &[Slow]) -> fmt::Result {
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
            Task(&slow.id, &slow.status, &slow.payload),
            Span(slow.duration),
            slow.ended_at.format("%Y-%m-%d %H:%M:%S"),
            Text(&slow.worker)
        )?;
    }
    writeln!(out, "</table>")
}

fn write_unlucky(out: &mut String, most_failed: &[Unlucky]) -> fmt::Result {
    if most_failed.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h3>Most failed</h3><table><tr><th>task</th><th class=\"number\">failures</th>\
         <th class=\"number\">attempts</th><th>last error</th></tr>"
    )?;
    for unlucky in most_failed {
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>",
            Task(&unlucky.id, &unlucky.status, &unlucky.payload),
            unlucky.failures,
            unlucky.attempts,
            Text(&unlucky.error)
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
        "<h3>Errors</h3><table><tr><th class=\"number\">tasks</th><th class=\"number\">tried again</th>\
         <th>error</th><th>for example</th></tr>"
    )?;
    for group in &kind.errors.groups {
        let examples: Vec<_> = group.examples.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "<tr><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>",
            group.count,
            group.retrying,
            Text(&group.message),
            Text(&examples.join(", "))
        )?;
    }
    writeln!(out, "</table>")
}

/// A task by its id; its payload unfolds.
struct Task<'a>(&'a str, &'a StatusInfo, &'a str);

impl fmt::Display for Task<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id, status, payload) = self;
        let (id, class, name, payload) = (Text(id), class(status), Text(&status.name), Text(payload));
        write!(f, "<details><summary><code>{id}</code> <span class=\"{class}\">{name}</span></summary>")?;
        write!(f, "<pre>{payload}</pre></details>")
    }
}
