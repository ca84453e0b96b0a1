//! The chart of ended attempts as SVG.

use std::fmt::{self, Write};

use chrono::{DateTime, Utc};

use super::{Bar, Timeline};
use crate::human_duration::HumanDuration;

const WIDTH: u32 = 800;
const HEIGHT: u32 = 160;
/// Space for labels.
const LEFT: u32 = 56;
const BELOW: u32 = 22;

/// Writes ended attempts over time as stacked bars. The title of each bar has its numbers.
pub fn timeline(out: &mut String, timeline: &Timeline) -> fmt::Result {
    let (width, bars) = timeline.bars();
    writeln!(out, "<h3>Attempts that ended, over time</h3>")?;
    let highest = bars.iter().map(|bar| bar.succeeded + bar.failed).max().unwrap_or(0);
    if highest == 0 {
        return writeln!(out, "<p class=\"quiet\">No attempt has ended.</p>");
    }
    writeln!(
        out,
        "<p class=\"quiet\">in UTC, {} a bar: <span class=\"good\">■</span> succeeded, <span class=\"bad\">■</span> failed \
         or crashed</p>",
        HumanDuration(width)
    )?;
    writeln!(
        out,
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"attempts that ended, per {}\">",
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
    // A label stands at the start of its bar, the last one at the end of the chart.
    let below = HEIGHT + BELOW - 6;
    let middle = bars.len() / 2;
    for (number, anchor) in [(0, "start"), (middle, "middle")] {
        let Some(bar) = bars.get(number).filter(|_| number == 0 || middle > 1) else { continue };
        let left = x + each * scale(number as u64);
        writeln!(out, "<text x=\"{left:.1}\" y=\"{below}\" text-anchor=\"{anchor}\">{}</text>", moment(bar.start))?;
    }
    if let Some(last) = bars.last() {
        let (right, end) = (LEFT + WIDTH, moment(last.start + width));
        writeln!(out, "<text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">{end}</text>")?;
    }
    writeln!(out, "</svg>")
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
    time.format("%Y-%m-%d %H:%M:%S")
}

#[expect(clippy::cast_precision_loss, reason = "for a picture, 52 bits of a number are enough")]
fn scale(count: u64) -> f64 {
    count as f64
}
