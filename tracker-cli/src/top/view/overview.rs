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

use super::{cut, paint::Paint};
use crate::{
    output::{Ink, number},
    span,
    task::place_in_bar,
    top::{app::App, source::Kind},
};

/// How many lines a kind takes, with the empty one below: with a low curve, and with a high one where there is room.
const LINES: [u16; 2] = [6, 8];
/// How many lines of who works there should be room for.
const AT_WORK: u16 = 5;

/// Each kind with its counts, its pace and those who work on it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, paint: Paint) {
    if app.kinds.is_empty() {
        return frame.render_widget(paint.text(Ink::Quiet, "the file has no tasks yet"), area);
    }
    let kinds = u16::try_from(app.kinds.len()).unwrap_or(u16::MAX);
    let [low, high] = LINES;
    let lines = if kinds.saturating_mul(high).saturating_add(AT_WORK) <= area.height { high } else { low };
    let [area, below] =
        Layout::vertical([Constraint::Length(kinds.saturating_mul(lines)), Constraint::Fill(1)]).areas(area);
    draw_leases(frame, below, app, paint);
    let fit = usize::from((area.height / lines).max(1));
    // The chosen kind is always among those on the screen.
    let first = app.kind.chosen.saturating_sub(fit - 1);
    let places = Layout::vertical(vec![Constraint::Length(lines); fit]).split(area);
    for ((number, kind), place) in app.kinds.iter().enumerate().skip(first).zip(places.iter()) {
        draw_kind(frame, *place, app, kind, number == app.kind.chosen, paint);
    }
}

fn draw_kind(frame: &mut Frame<'_>, area: Rect, app: &App, kind: &Kind, chosen: bool, paint: Paint) {
    let [words, curve, _] =
        Layout::vertical([Constraint::Length(4), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    let all = kind.total();
    let name = format!(" {} ", kind.info.name);
    let mut head = vec![if chosen { Span::styled(name, Paint::chosen()) } else { paint.text(Ink::Strong, &name) }];
    head.push(paint.text(Ink::Plain, &format!(" {}", number::counted(all, "task", "tasks"))));
    head.push(paint.text(Ink::Quiet, &format!("  {} ended", number::percent(kind.ended(), all))));
    if kind.info.paused {
        head.push(paint.text(Ink::Warn, "  paused"));
    }
    let text = Text::from(vec![
        Line::from(head),
        bar(kind, all, area.width, paint),
        counts(kind, paint),
        work(app, kind, paint),
    ]);
    frame.render_widget(text, words);
    let steps = app.pace(kind).map(super::super::pace::Throughput::steps).unwrap_or_default();
    let fit = usize::from(curve.width);
    let latest = &steps[steps.len().saturating_sub(fit)..];
    frame.render_widget(Sparkline::default().data(latest).style(paint.of(Ink::Good)), curve);
}

/// The shares of the statuses, as wide as the screen: what has ended comes first.
fn bar(kind: &Kind, all: u64, width: u16, paint: Paint) -> Line<'static> {
    let width = u64::from(width);
    let mut shares: Vec<_> = kind.counts.iter().collect();
    shares.sort_by_key(|(status, _)| place_in_bar(status.role));
    let mut spans = Vec::new();
    let (mut seen, mut drawn) = (0, 0);
    for (status, count) in shares {
        seen += count;
        let until = seen.saturating_mul(width).checked_div(all).unwrap_or(0);
        let cells = usize::try_from(until.saturating_sub(drawn)).unwrap_or(0);
        drawn = until;
        let mark = if status.role == Role::Pending { "░" } else { "█" };
        spans.push(paint.text(Ink::from(status.role), &mark.repeat(cells)));
    }
    Line::from(spans)
}

fn counts(kind: &Kind, paint: Paint) -> Line<'static> {
    let counts = kind.counts.iter().filter(|(_, count)| *count > 0);
    let told = |(status, count): &(StatusInfo, u64)| {
        paint.text(Ink::from(status.role), &format!("{} {}  ", status.name, number::grouped(*count)))
    };
    Line::from(counts.map(told).collect::<Vec<_>>())
}

/// The pace, how long the rest takes, who works, and what waits longest.
fn work(app: &App, kind: &Kind, paint: Paint) -> Line<'static> {
    let mut spans = Vec::new();
    if let Some(pace) = app.pace(kind) {
        spans.push(paint.text(Ink::Plain, &format!("{:.1} per second  ", pace.per_second())));
        if let Some(eta) = pace.eta() {
            spans.push(paint.text(Ink::Plain, &format!("about {} left  ", span::Span(eta))));
        }
    }
    // Those that run out first are listed first.
    let over = kind.leases.iter().filter(|leased| leased.is_over).count() as u64;
    let held = kind.counts.iter().filter(|(status, _)| status.role == Role::InProgress).map(|(_, count)| count);
    let at_work = held.sum::<u64>().saturating_sub(over);
    if at_work > 0 {
        spans.push(paint.text(Ink::Busy, &format!("{at_work} at work  ")));
    }
    if over > 0 {
        let more = if over == kind.leases.len() as u64 && at_work > 0 { "or more " } else { "" };
        spans.push(paint.text(Ink::Bad, &format!("{over} {more}leases ran out  ")));
    }
    if let Some((_, since)) = &kind.oldest {
        let waits = (app.now() - since).to_std().unwrap_or_default();
        spans.push(paint.text(Ink::Quiet, &format!("longest wait {}", span::Span(waits))));
    }
    Line::from(spans)
}

/// Who works on what in the chosen kind, as far as there is room.
fn draw_leases(frame: &mut Frame<'_>, area: Rect, app: &App, paint: Paint) {
    let Some(kind) = app.chosen() else { return };
    let width = usize::from(area.width) / 2;
    if kind.leases.is_empty() {
        return;
    }
    let head = Line::from(paint.text(Ink::Quiet, &format!("at work in {}", kind.info.name)));
    let lines = kind.leases.iter().take(usize::from(area.height.saturating_sub(1))).map(|leased| {
        let since = (app.now() - leased.lease.since).to_std().unwrap_or_default();
        let progress = leased.progress.as_ref().map_or_else(String::new, |told| format!("  {}", progress(told)));
        Line::from(vec![
            paint.text(
                if leased.is_over { Ink::Bad } else { Ink::Busy },
                &format!(" {:>8}  ", span::Span(since).to_string()),
            ),
            paint.text(Ink::Plain, &format!("{}{progress}  ", cut::middle(&leased.id.to_string(), width))),
            paint.text(Ink::Quiet, &leased.lease.worker),
        ])
    });
    frame.render_widget([head].into_iter().chain(lines).collect::<Text<'_>>(), area);
}

/// How far an attempt is: `3/10 half way`.
pub fn progress(progress: &ProgressInfo) -> String {
    let total = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
    format!("{}{total} {}", progress.done, progress.message)
}
