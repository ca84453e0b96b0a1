//! Commands on a schedule: `tracker schedule add … -- COMMAND` stores them as lines that `tracker run --scheduled` runs. Called by both;
//! changes the file through `FileControl`.

use std::ffi::OsString;

use tracker_core::Tracker;

use super::{byte_text::ByteText, line::Line, template::Template};
use crate::{error::CliError, file::FileControl};

/// The kind of scheduled commands, unless another is given.
pub const KIND: &str = "scheduled";

/// Returns the payload of the schedule of a command, as JSON text with the placeholders of schedules.
pub fn payload(command: &[OsString], shell: bool) -> Result<String, CliError> {
    let template = Template::literal(command, shell).map_err(CliError::usage)?;
    if let Some(program) = template.missing_program() {
        return Err(CliError::usage(format!("program {program:?} not found: {}", super::CHECK_COMMAND)));
    }
    serde_json::to_string(&line(template))
        .map_err(|error| CliError::usage(format!("cannot store the command: {error}")))
}

fn line(command: Template) -> Line {
    Line {
        // Each occurrence is a line of its own, whose text is the id of the occurrence.
        text: ByteText(b"{id}".to_vec()),
        values: Vec::new(),
        number: 0,
        copy: 1,
        command,
        oversized: None,
        result: None,
    }
}

/// Stores the kind, if this process has opened the tracker.
pub fn store_kind(control: &FileControl, kind: &str) -> Result<(), CliError> {
    if let FileControl::Opened(tracker) = control {
        drop(tracker.tasks_as::<Line>(kind)?);
    }
    Ok(())
}

/// Returns the message at the start of a run of the schedules of a kind.
pub fn start_message(tracker: &Tracker, kind: &str) -> Result<String, CliError> {
    let schedules: Vec<_> = tracker.schedules()?.into_iter().filter(|schedule| schedule.kind == kind).collect();
    let next = schedules.iter().filter(|schedule| !schedule.paused);
    let next = next.filter_map(|schedule| Some((schedule.starts_at?, &schedule.name))).min();
    let next = next.map_or_else(String::new, |(at, name)| {
        format!(", next {:?} at {}", name, at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    });
    Ok(match schedules.len() {
        0 => "no scheduled command yet: `tracker schedule add` stores one, also while this runs".to_owned(),
        1 => format!("1 scheduled command{next}"),
        count => format!("{count} scheduled commands{next}"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use tracker_core::{
        schedule::{CatchUp, Schedule},
        time::ManualClock,
    };

    use super::*;

    #[test]
    fn occurrences_are_lines_with_their_own_command() {
        let clock = ManualClock::at("2026-11-29T12:00:00Z".parse().unwrap());
        let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
        let tasks = tracker.tasks_as::<Line>(KIND).unwrap();
        let nightly = Schedule::cron("0 3 * * *").unwrap().catch_up(CatchUp::All { max: 2 }).unwrap();
        let add = |name: &str, words: &[&str], shell| {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            let payload = payload(&words, shell).unwrap_or_else(|error| panic!("{error}"));
            tracker.add_schedule(name, KIND, &nightly, &payload).unwrap();
        };
        add("back up", &["echo", "{scheduled_at}", "{}", "a \"b\" {schedule}"], false);
        add("clean", &["echo {scheduled_at} | tr -d {}"], true);
        clock.advance(Duration::from_secs(10 * 86_400));
        tracker.submit_due_occurrences().unwrap();
        let records = tasks.query().limit(10).fetch().unwrap();
        let mut commands: Vec<_> = records
            .iter()
            .map(|record| {
                let values = super::super::placeholder::PlaceholderValues::new(record.task.values(), 0, 1);
                let words = record.task.command.fill(values);
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                (record.id.to_string(), words.join("|"))
            })
            .collect();
        commands.sort();
        let expected = |name: &str, day: u32, command: &str| {
            let at = format!("2026-12-{day:02}T03:00:00Z");
            (format!("{name}@{at}"), command.replace("AT", &at))
        };
        assert_eq!(
            commands,
            [
                expected("back up", 8, "echo|AT|{}|a \"b\" back up"),
                expected("back up", 9, "echo|AT|{}|a \"b\" back up"),
                expected("clean", 8, "/bin/sh|-c|echo AT | tr -d {}"),
                expected("clean", 9, "/bin/sh|-c|echo AT | tr -d {}"),
            ]
        );
    }

    #[test]
    fn commands_that_cannot_be_stored_are_refused() {
        use std::os::unix::ffi::OsStringExt;
        let refused = |words: &[OsString], shell| payload(words, shell).map_err(|error| error.to_string()).unwrap_err();
        assert!(refused(&["no-such-program".into()], false).contains("not found"));
        assert!(refused(&["echo".into(), OsString::from_vec(vec![0xFF])], false).contains("not UTF-8"));
        assert!(refused(&["echo {schedule}".into()], true).contains("TRACKER_ID"));
        assert!(refused(&["echo {id}".into()], true).contains("TRACKER_ID"));
    }
}
