use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use tracker_core::{KindInfo, Query, Untyped};

use crate::{failure::Failure, output::report_unreadable};

const HEAD: &str =
    "id,status,role,step,priority,created_at,updated_at,due_at,attempts,failures,crashes,worker,error,task";

/// Writes what the query finds as CSV (RFC 4180), page by page; the payload is JSON in the last column.
pub fn write(kind: &KindInfo, query: Query<'_, Untyped>, out: &mut impl Write) -> Result<(), Failure> {
    write!(out, "{HEAD}\r\n")?;
    let mut query = query.limit(500);
    loop {
        let page = query.page()?;
        report_unreadable(&page.unreadable);
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
            let fields: Vec<_> = fields.iter().map(|field| quoted(field)).collect();
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

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_line_is_quoted() {
        for (field, written) in
            [("plain", "plain"), ("a,b", "\"a,b\""), ("say \"x\"\n", "\"say \"\"x\"\"\n\""), ("", "")]
        {
            assert_eq!(quoted(field), written);
        }
    }
}
