//! Draws the screen of all kinds, with the leases of the selected kind. Called by `view`; reads `App` only.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span, Text},
    widgets::Sparkline,
};

use tracker_core::{
    record::ProgressInfo,
    status::{Role, StatusInfo},
};

use super::{palette::Palette, truncate};
use crate::{
    human_duration::HumanDuration,
    output::{TextStyle, number},
    top::{app::App, source::KindSnapshot},
};

/// How many lines a kind takes, with the empty one below: with a low curve, and with a high one where there is room.
const LINES: [u16; 2] = [6, 8];
/// The number of lines that are kept free for workers.
const LEASE_LINES: u16 = 5;

/// Each kind with its counts, its throughput and its workers.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, palette: Palette) {
    if app.kinds.is_empty() {
        return frame.render_widget(palette.text(TextStyle::Quiet, "the file has no tasks yet"), area);
    }
    let area = draw_schedules(frame, area, app, palette);
    let kinds = u16::try_from(app.kinds.len()).unwrap_or(u16::MAX);
    let [low, high] = LINES;
    let lines = if kinds.saturating_mul(high).saturating_add(LEASE_LINES) <= area.height { high } else { low };
    let [area, below] =
        Layout::vertical([Constraint::Length(kinds.saturating_mul(lines)), Constraint::Fill(1)]).areas(area);
    draw_leases(frame, below, app, palette);
    let fit = usize::from((area.height / lines).max(1));
    // The selected kind is always on the screen.
    let first = app.kind.selected.saturating_sub(fit - 1);
    let places = Layout::vertical(vec![Constraint::Length(lines); fit]).split(area);
    for ((number, kind), place) in app.kinds.iter().enumerate().skip(first).zip(places.iter()) {
        draw_kind(frame, *place, app, kind, number == app.kind.selected, palette);
    }
}

/// Draws a line about the schedules at the bottom, if there are any. Returns the area above it.
fn draw_schedules(frame: &mut Frame<'_>, area: Rect, app: &App, palette: Palette) -> Rect {
    let Some(schedules) = &app.schedules else { return area };
    let [above, line] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    let (count, rest) = schedules.summary(app.now());
    let mut spans = vec![palette.text(TextStyle::Strong, &format!(" {count}")), palette.text(TextStyle::Plain, &rest)];
    if schedules.problems() > 0 {
        let text = format!(", {} with problems: see `tracker doctor`", schedules.problems());
        spans.push(palette.text(TextStyle::Warn, &text));
    }
    frame.render_widget(Line::from(spans), line);
    above
}

fn draw_kind(frame: &mut Frame<'_>, area: Rect, app: &App, kind: &KindSnapshot, selected: bool, palette: Palette) {
    let [words, curve, _] =
        Layout::vertical([Constraint::Length(4), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    let all = kind.total();
    let name = format!(" {} ", kind.info.name);
    let mut head =
        vec![if selected { Span::styled(name, Palette::selected()) } else { palette.text(TextStyle::Strong, &name) }];
    head.push(palette.text(TextStyle::Plain, &format!(" {}", number::counted(all, "task", "tasks"))));
    head.push(palette.text(TextStyle::Quiet, &format!("  {} ended", number::percent(kind.ended(), all))));
    if kind.info.paused {
        head.push(palette.text(TextStyle::Warn, "  paused"));
    }
    let text = Text::from(vec![
        Line::from(head),
        bar(kind, all, area.width, palette),
        counts(kind, palette),
        activity(app, kind, palette),
    ]);
    frame.render_widget(text, words);
    let steps = app.throughput(kind).map(super::super::live_throughput::LiveThroughput::steps).unwrap_or_default();
    let fit = usize::from(curve.width);
    let latest = &steps[steps.len().saturating_sub(fit)..];
    frame.render_widget(Sparkline::default().data(latest).style(palette.of(TextStyle::Good)), curve);
}

/// Draws the shares of the statuses over the width of the screen, ended tasks first.
fn bar(kind: &KindSnapshot, all: u64, width: u16, palette: Palette) -> Line<'static> {
    let width = u64::from(width);
    let mut shares: Vec<_> = kind.counts.iter().collect();
    shares.sort_by_key(|(status, _)| status.role.position_in_bar());
    let mut spans = Vec::new();
    let (mut seen, mut drawn) = (0, 0);
    for (status, count) in shares {
        seen += count;
        let until = seen.saturating_mul(width).checked_div(all).unwrap_or(0);
        let cells = usize::try_from(until.saturating_sub(drawn)).unwrap_or(0);
        drawn = until;
        let mark = if status.role == Role::Pending { "░" } else { "█" };
        spans.push(palette.text(TextStyle::from(status.role), &mark.repeat(cells)));
    }
    Line::from(spans)
}

fn counts(kind: &KindSnapshot, palette: Palette) -> Line<'static> {
    let counts = kind.counts.iter().filter(|(_, count)| *count > 0);
    let span = |(status, count): &(StatusInfo, u64)| {
        palette.text(TextStyle::from(status.role), &format!("{} {}  ", status.name, number::grouped(*count)))
    };
    Line::from(counts.map(span).collect::<Vec<_>>())
}

/// Draws throughput, time left, running tasks, expired leases and the longest wait.
fn activity(app: &App, kind: &KindSnapshot, palette: Palette) -> Line<'static> {
    let mut spans = Vec::new();
    if let Some(throughput) = app.throughput(kind) {
        spans.push(palette.text(TextStyle::Plain, &format!("{:.1} per second  ", throughput.per_second())));
        if let Some(eta) = throughput.eta() {
            spans.push(palette.text(TextStyle::Plain, &format!("about {} left  ", HumanDuration(eta))));
        }
    }
    // The leases are ordered by expiry.
    let expired = kind.leases.iter().filter(|leased| leased.has_expired).count() as u64;
    let held = kind.counts.iter().filter(|(status, _)| status.role == Role::InProgress).map(|(_, count)| count);
    let running = held.sum::<u64>().saturating_sub(expired);
    if running > 0 {
        spans.push(palette.text(TextStyle::Busy, &format!("{running} running  ")));
    }
    if expired > 0 {
        let more = if expired == kind.leases.len() as u64 && running > 0 { "or more " } else { "" };
        spans.push(palette.text(TextStyle::Bad, &format!("{expired} {more}leases expired  ")));
    }
    if let Some(oldest) = &kind.oldest {
        let waits = (app.now() - oldest.since).to_std().unwrap_or_default();
        spans.push(palette.text(TextStyle::Quiet, &format!("longest wait {}", HumanDuration(waits))));
    }
    Line::from(spans)
}

/// Draws the leases of the selected kind, as many as fit.
fn draw_leases(frame: &mut Frame<'_>, area: Rect, app: &App, palette: Palette) {
    let Some(kind) = app.selected_kind() else { return };
    let width = usize::from(area.width) / 2;
    if kind.leases.is_empty() {
        return;
    }
    let head = Line::from(palette.text(TextStyle::Quiet, &format!("running in {}", kind.info.name)));
    let lines = kind.leases.iter().take(usize::from(area.height.saturating_sub(1))).map(|leased| {
        let since = (app.now() - leased.lease.since).to_std().unwrap_or_default();
        let progress = leased.progress.as_ref().map_or_else(String::new, |info| format!("  {}", progress(info)));
        Line::from(vec![
            palette.text(
                if leased.has_expired { TextStyle::Bad } else { TextStyle::Busy },
                &format!(" {:>8}  ", HumanDuration(since).to_string()),
            ),
            palette.text(TextStyle::Plain, &format!("{}{progress}  ", truncate::middle(&leased.id.to_string(), width))),
            palette.text(TextStyle::Quiet, &leased.lease.worker),
        ])
    });
    frame.render_widget([head].into_iter().chain(lines).collect::<Text<'_>>(), area);
}

/// Formats the progress of an attempt: `3/10 half way`.
pub fn progress(progress: &ProgressInfo) -> String {
    let total = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
    format!("{}{total} {}", progress.done, progress.message)
}
