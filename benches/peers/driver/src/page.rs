//! Writes the part of a page between the marks, such as docs/performance.md. The rest of the page is written by hand.

use std::{fmt::Write, fs, io, path::Path};

use crate::{
    results::Results,
    rows::{GROUPS, Row},
    table::{durability, tables},
    verdict::{losses, targets},
};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// Command, machine and number of repetitions.
pub fn heading(results: &Results) -> String {
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
    if let Some(server) = &results.server {
        let _ = writeln!(text, "{server}.\n");
    }
    let _ = writeln!(text, "{}\n", repetitions(results));
    text
}

/// The measured part of the page, in Markdown.
pub fn measured(results: &Results, rows: &[Row]) -> String {
    let mut text = heading(results);

    text.push_str("![Tasks per second](performance.svg)\n\n");
    text.push_str(&tables(results, rows, GROUPS));
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

/// Writes the measured part of a page.
pub fn write(path: &Path, measured: &str) -> io::Result<()> {
    let page = replace(&fs::read_to_string(path)?, measured).map_err(io::Error::other)?;
    fs::write(path, page)
}
