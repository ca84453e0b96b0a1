//! Writes the part of docs/performance.md between the marks. The rest of that page is written by hand.

use std::{fmt::Write, fs, io, path::Path};

use crate::{
    chart,
    results::Results,
    rows::Row,
    table::{durability, tables},
    verdict::{losses, targets},
};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// The measured part of the page, in Markdown.
pub fn measured(results: &Results, rows: &[Row]) -> String {
    let machine = &results.machine;
    let mut text = String::new();
    let _ =
        writeln!(text, "`{}`, begun {}, took {} min.", results.command, results.begun, results.seconds.div_ceil(60));
    let _ = writeln!(
        text,
        "{}, {} cores; {}; {}; {}. Load before and after: {}.\n",
        machine.processor,
        machine.cores,
        machine.system,
        machine.file_system,
        machine.rustc,
        machine.load.join(", ")
    );
    let _ = writeln!(text, "{}\n", repetitions(results));
    text.push_str("![Tasks per second](performance.svg)\n\n");
    text.push_str(&tables(results, rows));
    text.push_str("### Where others are better\n\n");
    text.push_str(&losses(results, rows));
    text.push_str("\n### Targets\n\n");
    text.push_str(&targets(results, rows));
    text.push_str("\n### Flushes of each configuration\n\nFlushes per task, counted by strace.\n\n");
    text.push_str(&durability(results, rows));
    text
}

/// The sentence on the number of repetitions.
fn repetitions(results: &Results) -> String {
    let done = results.repetitions_done();
    let each = match done {
        1 => "Every number is a **single run**, without a spread".to_owned(),
        done => format!("Every number is the median of {done} repetitions"),
    };
    if done < results.repetitions {
        format!("{each}; there was no time for repetition {} of {}.", done + 1, results.repetitions)
    } else {
        format!("{each}.")
    }
}

/// Replaces the text between the marks of a page.
pub fn replace(page: &str, measured: &str) -> Result<String, String> {
    let missing = |mark| format!("the page lacks the mark {mark}");
    let (head, rest) = page.split_once(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let (_, tail) = rest.split_once(END).ok_or_else(|| missing(END))?;
    Ok(format!("{head}{BEGIN}\n\n{measured}\n{END}{tail}"))
}

/// Writes `performance.md` and `performance.svg`.
pub fn write(docs: &Path, results: &Results, rows: &[Row]) -> io::Result<()> {
    let path = docs.join("performance.md");
    let page = replace(&fs::read_to_string(&path)?, &measured(results, rows)).map_err(io::Error::other)?;
    fs::write(path, page)?;
    fs::write(docs.join("performance.svg"), chart::svg(results, rows))
}
