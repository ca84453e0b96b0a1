//! The chart: bars of tasks per second, on a logarithmic scale.

use std::fmt::Write;

use crate::{
    columns::Column,
    results::Results,
    rows::{Flush, Row, Side},
    spread::Spread,
    table::number,
};

const PANELS: [(Column, &str); 3] =
    [(Column::Drain1, "1 worker"), (Column::Drain8, "8 workers"), (Column::Drain64, "64 workers")];
const LEFT: f64 = 190.0;
const WIDTH: f64 = 250.0;
const GAP: f64 = 20.0;
const TOP: f64 = 62.0;
const LINE: f64 = 22.0;
/// The scale goes from 10 to 100,000 tasks per second.
const DECADES: (f64, f64) = (1.0, 5.0);

fn colour(row: &Row) -> &'static str {
    match (row.side, row.flush) {
        (Side::Ours, _) => "#1b6ca8",
        (Side::Floor, _) => "#9a9a9a",
        (_, Flush::Each) => "#d08a2e",
        (_, Flush::Not) => "#e8cda4",
    }
}

/// The length of a rate's bar in its panel.
fn length(rate: f64) -> f64 {
    let (low, high) = DECADES;
    ((rate.max(1.0).log10() - low) / (high - low)).clamp(0.0, 1.0) * WIDTH
}

/// Draws the chart as SVG.
pub fn svg(results: &Results, rows: &[Row]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a few rows")]
    let height = TOP + rows.len() as f64 * LINE + 46.0;
    let width = LEFT + 3.0 * (WIDTH + GAP) + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>Tasks per second until every status is terminal in the store</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">No-op tasks per second until every status is \
         terminal in the store</text>\n"
    );
    let bottom = height - 46.0;
    for (panel, (column, title)) in PANELS.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "three panels")]
        let x = LEFT + panel as f64 * (WIDTH + GAP);
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"46\" font-weight=\"bold\">{title}</text>");
        for (decade, label) in [(1, "10"), (2, "100"), (3, "1k"), (4, "10k"), (5, "")] {
            let at = x + length(10_f64.powi(decade));
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {:.1}V{bottom:.1}\" stroke=\"#e4e4e4\"/><text x=\"{at:.1}\" y=\"{:.1}\" \
                 text-anchor=\"middle\" fill=\"#777\" font-size=\"10\">{}</text>",
                TOP - 8.0,
                bottom + 14.0,
                // No label at the end, where the next panel's scale begins.
                label
            );
        }
        for (index, row) in rows.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a few rows")]
            let y = TOP + index as f64 * LINE;
            if panel == 0 {
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    LEFT - 8.0,
                    y + 12.0,
                    row.name
                );
            }
            let Some(spread) = Spread::of(&results.values(row.name, *column)) else {
                let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#777\">–</text>", x + 4.0, y + 12.0);
                continue;
            };
            let bar = length(spread.median);
            let inside = bar > WIDTH - 50.0;
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"15\" fill=\"{}\"/><text x=\"{:.1}\" \
                 y=\"{:.1}\" font-size=\"11\" fill=\"{}\">{}</text>",
                colour(row),
                if inside { x + bar - 46.0 } else { x + bar + 4.0 },
                y + 12.0,
                if inside && row.side == Side::Ours { "#ffffff" } else { "#000000" },
                number(spread.median)
            );
        }
    }
    let legend =
        [("#1b6ca8", "this tracker"), ("#d08a2e", "flushed"), ("#e8cda4", "not flushed"), ("#9a9a9a", "floor")];
    for (index, (colour, text)) in legend.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "four entries")]
        let x = LEFT + index as f64 * 130.0;
        let y = height - 22.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{:.1}\" \
             y=\"{:.1}\">{text}</text>",
            x + 18.0,
            y + 10.0
        );
    }
    svg + "</svg>\n"
}
