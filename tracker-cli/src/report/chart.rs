//! The chart of ended attempts as SVG. Called by `html`; pure.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{Bar, Timeline};
use crate::human_duration::HumanDuration;

const WIDTH: u32 = 800;
const HEIGHT: u32 = 160;
/// Space for labels.
const LEFT: u32 = 56;
const BELOW: u32 = 22;
/// The labels of the time axis.
const TICKS: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);

/// Writes ended attempts over time as stacked bars. The title of each bar has its numbers.
pub fn timeline(out: &mut String, timeline: &Timeline) -> fmt::Result {
    let (width, bars) = timeline.bars();
    writeln!(out, "<h3>Attempts that ended, over time</h3>")?;
    let highest = bars.iter().map(|bar| bar.succeeded + bar.failed).max().unwrap_or(0);
    if highest == 0 {
        return writeln!(out, "<p class=\"quiet\">No attempt has ended.</p>");
    }
    let first = bars.first().map(|bar| bar.start).unwrap_or_default();
    writeln!(
        out,
        "<p class=\"quiet\">from {} UTC, {} a bar: <span class=\"good\">■</span> succeeded, <span class=\"bad\">■</span> failed \
         or crashed</p>",
        moment(first),
        HumanDuration(width)
    )?;
    writeln!(
        out,
        "<div class=\"chart\" tabindex=\"0\"><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"attempts that ended, per {}\">",
        LEFT + WIDTH,
        HEIGHT + BELOW,
        HumanDuration(width)
    )?;
    for (at, share) in [(0, highest), (HEIGHT / 2, highest / 2), (HEIGHT, 0)] {
        writeln!(out, "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\"/>", LEFT + WIDTH)?;
        let below = if at == 0 { 12 } else { at };
        writeln!(out, "<text x=\"{}\" y=\"{below}\" text-anchor=\"end\">{share}</text>", LEFT - 6)?;
    }
    let (x, each) = (f64::from(LEFT), f64::from(WIDTH) / scale(bars.len() as u64));
    for (number, bar) in bars.iter().enumerate() {
        let left = x + each * scale(number as u64);
        column(out, bar, highest, left, each)?;
    }
    let below = HEIGHT + BELOW - 6;
    for tick in ticks(&bars, width) {
        let left = x + each * scale(tick.bar as u64);
        writeln!(out, "<line x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{HEIGHT}\" y2=\"{}\"/>", HEIGHT + 4)?;
        writeln!(out, "<text x=\"{left:.1}\" y=\"{below}\" text-anchor=\"{}\">{}</text>", tick.anchor, tick.label)?;
    }
    writeln!(out, "</svg></div>")
}

/// A label of the time axis, at the start of a bar, or at the end of the last one.
#[derive(Debug, PartialEq, Eq)]
struct Tick {
    bar: usize,
    anchor: &'static str,
    label: String,
}

/// Five labels at equal distances: each has 200 units, and the longest needs about 110.
fn ticks(bars: &[Bar], width: Duration) -> Vec<Tick> {
    let Some(first) = bars.first() else { return Vec::new() };
    let end = bars.last().map_or(first.start, |last| last.start + width);
    let format = format_of(first.start, end, width);
    let tick = |part: usize| {
        let bar = bars.len() * part / (TICKS - 1);
        let time = bars.get(bar).map_or(end, |bar| bar.start);
        let anchor = match part {
            0 => "start",
            part if part == TICKS - 1 => "end",
            _ => "middle",
        };
        Tick { bar, anchor, label: time.format(format).to_string() }
    };
    (0..TICKS).map(tick).collect()
}

/// As much of the time as tells the labels apart. The date of a single day stands above the chart.
fn format_of(start: DateTime<Utc>, end: DateTime<Utc>, width: Duration) -> &'static str {
    match width {
        width if width >= Duration::from_secs(86_400) => "%Y-%m-%d",
        width if width >= Duration::from_secs(7_200) || start.date_naive() != end.date_naive() && width >= MINUTE => {
            "%m-%d %H:%M"
        }
        width if width >= MINUTE => "%H:%M",
        width if width >= Duration::from_secs(1) => "%H:%M:%S",
        _ => "%H:%M:%S%.3f",
    }
}

fn column(out: &mut String, bar: &Bar, highest: u64, left: f64, each: f64) -> fmt::Result {
    if bar.succeeded + bar.failed == 0 {
        return Ok(());
    }
    let tall = |count: u64| f64::from(HEIGHT) * scale(count) / scale(highest);
    let (good, bad) = (tall(bar.succeeded), tall(bar.failed));
    let (width, bottom) = ((each - 1.0).max(0.5), f64::from(HEIGHT));
    writeln!(
        out,
        "<g><title>{}: {} succeeded, {} failed</title>\
         <rect class=\"good\" x=\"{left:.1}\" width=\"{width:.1}\" y=\"{:.1}\" height=\"{good:.1}\"/>\
         <rect class=\"bad\" x=\"{left:.1}\" width=\"{width:.1}\" y=\"{:.1}\" height=\"{bad:.1}\"/></g>",
        moment(bar.start),
        bar.succeeded,
        bar.failed,
        bottom - good,
        bottom - good - bad,
    )
}

fn moment(time: DateTime<Utc>) -> impl fmt::Display {
    time.format("%Y-%m-%d %H:%M:%S%.f")
}

#[expect(clippy::cast_precision_loss, reason = "for a picture, 52 bits of a number are enough")]
fn scale(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The labels of attempts that are spread over this time from 23:59:00 on.
    fn labels(span: Duration) -> Vec<String> {
        let start: DateTime<Utc> = "2026-11-28T23:59:00Z".parse().unwrap();
        let mut timeline = Timeline::default();
        for part in 0..=20 {
            timeline.add(start + span * part / 20, true);
        }
        let (width, bars) = timeline.bars();
        ticks(&bars, width).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn labels_tell_times_apart_and_fit_at_every_span() {
        for (seconds, first) in [
            (0.0, "23:59:00.000"),
            (0.9, "23:59:00.000"),
            (1.0, "23:59:00.000"),
            (30.0, "23:59:00.000"),
            (75.0, "23:59:00"),
            (3_600.0, "11-28 23:59"),
            (86_400.0, "11-28 23:30"),
            (30.0 * 86_400.0, "11-28 12:00"),
            // Bars of two weeks, which count from 1970-01-01.
            (900.0 * 86_400.0, "2026-11-19"),
        ] {
            let labels = labels(Duration::from_secs_f64(seconds));
            assert_eq!(labels[0], first, "{seconds}: {labels:?}");
            assert!(labels.windows(2).all(|two| two[0] != two[1]), "{seconds}: {labels:?}");
            assert!(labels.iter().all(|label| label.len() <= 16), "{seconds}: {labels:?}");
        }
    }

    #[test]
    fn ticks_stand_within_the_chart() {
        let mut timeline = Timeline::default();
        timeline.add(DateTime::UNIX_EPOCH, true);
        let (width, bars) = timeline.bars();
        let ticks = ticks(&bars, width);
        assert_eq!((ticks[0].bar, ticks[0].anchor), (0, "start"));
        assert_eq!((ticks[4].bar, ticks[4].anchor, &*ticks[4].label), (bars.len(), "end", "00:00:00.010"));
    }
}
