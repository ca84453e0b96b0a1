//! Tasks as CSV (RFC 4180) for spreadsheets. Called by `export`; writes to the given writer.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use tracker_core::{inspect::KindInfo, query::Query, untyped::Untyped};

use crate::{
    error::CliError,
    output::{escape_line, warn_unreadable},
};

const HEAD: &str =
    "id,status,role,step,priority,created_at,updated_at,due_at,attempts,failures,crashes,worker,error,task";

/// How cells are written.
#[derive(Clone, Copy)]
pub struct Cells {
    /// Formulas are kept.
    pub raw: bool,
    /// Control characters are escaped.
    pub on_terminal: bool,
}

/// Writes the tasks of the query, page by page. The last column is the payload as JSON.
pub fn write(kind: &KindInfo, query: Query<'_, Untyped>, cells: Cells, out: &mut impl Write) -> Result<(), CliError> {
    write!(out, "{HEAD}\r\n")?;
    let mut query = query.limit(500);
    loop {
        let page = query.page()?;
        warn_unreadable(&page.unreadable);
        for record in page.items {
            let step = kind.steps.get(usize::from(record.status.step)).cloned().unwrap_or_default();
            let failure = record.history.iter().rev().find_map(|attempt| attempt.failure.as_ref());
            let fields = [
                record.id.to_string(),
                record.status.name.clone(),
                record.status.role.name().to_owned(),
                step,
                record.priority.to_string(),
                stamp(record.created_at),
                stamp(record.updated_at),
                stamp(record.due_at),
                record.attempts.to_string(),
                record.failures.to_string(),
                record.crashes.to_string(),
                record.lease.map(|lease| lease.worker).unwrap_or_default(),
                failure.map(|failure| failure.error.clone()).unwrap_or_default(),
                serde_json::to_string(&record.task).map_err(std::io::Error::from)?,
            ];
            let fields: Vec<_> = fields.iter().map(|field| cells.written(field)).collect();
            write!(out, "{}\r\n", fields.join(","))?;
        }
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(()),
        }
    }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

impl Cells {
    fn written(self, field: &str) -> String {
        let field = if self.on_terminal { escape_line(field) } else { field.into() };
        let formula = !self.raw && is_formula(&field);
        let field = if formula { format!("'{field}").into() } else { field };
        if field.contains(['"', ',', ';', '\t', '\r', '\n']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field.into_owned()
        }
    }
}

/// Returns whether a spreadsheet runs the cell as a formula: it starts with a formula character, also in its full-width
/// form, and is not a number.
fn is_formula(field: &str) -> bool {
    let starts = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let digits = |char: char| char.is_ascii_digit() || matches!(char, '.' | '+' | '-' | 'e' | 'E');
    field.starts_with(starts) && !(field.chars().all(digits) && field.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Cells = Cells { raw: false, on_terminal: false };

    #[test]
    fn cell_with_separators_is_quoted() {
        for (field, written) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"\n", "\"say \"\"x\"\"\n\""),
            ("", ""),
            ("a;=b", "\"a;=b\""),
        ] {
            assert_eq!(FILE.written(field), written);
        }
    }

    #[test]
    fn cell_that_starts_a_formula_is_neutralised() {
        for formula in
            ["=1+1", "+cmd", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "+", "-inf", "+nan", "＝1", "--1"]
        {
            assert!(FILE.written(formula).trim_start_matches('"').starts_with('\''), "{formula:?}");
            assert!(!Cells { raw: true, ..FILE }.written(formula).contains('\''), "{formula:?}");
        }
        assert_eq!(FILE.written("=HYPERLINK(\"x\",1)"), "\"'=HYPERLINK(\"\"x\"\",1)\"");
        for plain in ["-5", "+4.5", "-1e10", "7", "a=b", "https://-", "'=1", "{\"a\":\"=1\"}"] {
            assert!(!is_formula(plain), "{plain:?}");
        }
    }

    #[test]
    fn control_character_is_escaped_on_a_terminal() {
        let terminal = Cells { on_terminal: true, ..FILE };
        assert_eq!(terminal.written("a\u{1b}[2J\u{9b}\n"), "a\\u{1b}[2J\\u{9b}\\n");
        assert_eq!(FILE.written("a\u{1b}"), "a\u{1b}");
    }
}
