//! Commands of the forms: what a form asks for as a `Request`, the words for it, and the page that follows. Called by `site`, and for its
//! choices by `html/command`; pure.

use std::time::Duration;

use tracker_core::live::{Request, Selection, TaskChange};

use crate::{
    failure::Failure,
    model::tasks::Filter,
    params::{Params, id_param, link, parse_id_param},
};

/// A command of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub request: Request,
    /// The verb on the button: `Retry`.
    pub verb: &'static str,
    /// The verb of the result: `Requeued`.
    pub done: &'static str,
    /// The words for one and for several changed items.
    pub unit: (&'static str, &'static str),
    /// The effect, for the confirmation.
    pub effect: &'static str,
    /// Whether it is performed without a confirmation.
    pub is_confirmed: bool,
    /// The page that follows, as a relative link.
    pub back: String,
}

/// The most tasks that one form selects.
const SELECTED: usize = 1_000;

const TASKS: (&str, &str) = ("task", "tasks");
const KINDS: (&str, &str) = ("kind", "kinds");

/// The ages after which ended tasks can be pruned, with their labels, in seconds.
pub const AGES: [(u64, &str); 5] = [
    (0, "at any time"),
    (3_600, "more than an hour ago"),
    (86_400, "more than a day ago"),
    (604_800, "more than a week ago"),
    (2_592_000, "more than 30 days ago"),
];

impl Command {
    /// Reads a form: `change` names the command, `kind` its kind, `scope` whether it is for the selected tasks (`id`) or for all that match
    /// the filter. Commands on a schedule end in `-schedule` and name it as `schedule`.
    pub fn parse(form: &Params) -> Result<Self, Failure> {
        let change = form.get("change").ok_or_else(|| Failure::invalid("the form names no command (change)"))?;
        #[cfg(feature = "schedules")]
        if let Some(change) = change.strip_suffix("-schedule") {
            return schedule_command(change, form);
        }
        let kind = form.get("kind").ok_or_else(|| Failure::invalid("the form names no kind"))?.to_owned();
        let is_confirmed = form.get("confirmed").is_some();
        let back = link("tasks", [("kind", kind.as_str())]);
        let command =
            |request, verb, done, unit, effect| Self { request, verb, done, unit, effect, is_confirmed, back };
        match change {
            "pause-kind" => {
                let request = Request::Kinds { kind: Some(kind), paused: true };
                Ok(command(request, "Pause", "Paused", KINDS, "no task of it is claimed until it is resumed"))
            }
            "resume-kind" => {
                let request = Request::Kinds { kind: Some(kind), paused: false };
                Ok(command(request, "Resume", "Resumed", KINDS, "its tasks are claimed again"))
            }
            "prune" => {
                let age = form.get("age").and_then(|age| age.parse().ok());
                let age = age.ok_or_else(|| Failure::invalid("the form gives no age of the ended tasks in seconds"))?;
                let older_than = Duration::from_secs(age);
                let request = Request::Prune { kind: Some(kind), statuses: Vec::new(), older_than };
                Ok(command(request, "Delete", "Deleted", TASKS, "they are deleted with their histories, for good"))
            }
            change => {
                let (change, verb, done, effect) = task_change(change, form)?;
                let (selection, back) = selection(form, &kind)?;
                let is_confirmed = is_confirmed || (is_single(&selection) && change != TaskChange::Cancel);
                let request = Request::Tasks { selection, change };
                Ok(Self { request, verb, done, unit: TASKS, effect, is_confirmed, back })
            }
        }
    }
}

#[cfg(feature = "schedules")]
fn schedule_command(change: &str, form: &Params) -> Result<Command, Failure> {
    use tracker_core::live::ScheduleChange;

    let name = form.get("schedule").ok_or_else(|| Failure::invalid("the form names no schedule"))?.to_owned();
    let (change, verb, done, effect) = match change {
        "run" => (ScheduleChange::RunNow, "Run", "Submitted an occurrence of", "an occurrence is submitted now"),
        "pause" => (ScheduleChange::Pause, "Pause", "Paused", "its occurrences count as missed until it is resumed"),
        "resume" => (ScheduleChange::Resume, "Resume", "Resumed", "its occurrences are submitted again"),
        "remove" => (
            ScheduleChange::Remove,
            "Remove",
            "Removed",
            "its tasks stay; a program that registers it at its next start stores it anew",
        ),
        other => return Err(Failure::invalid(format!("there is no command {other:?} for schedules"))),
    };
    Ok(Command {
        request: Request::Schedules { names: vec![name], change },
        verb,
        done,
        unit: ("schedule", "schedules"),
        effect,
        is_confirmed: form.get("confirmed").is_some() || change != ScheduleChange::Remove,
        back: "schedules".to_owned(),
    })
}

type Words = (TaskChange, &'static str, &'static str, &'static str);

fn task_change(name: &str, form: &Params) -> Result<Words, Failure> {
    Ok(match name {
        "retry" => (TaskChange::Retry, "Retry", "Requeued", "those that failed or were given up can start again"),
        "requeue" => (
            TaskChange::Requeue { from_start: false },
            "Requeue",
            "Requeued",
            "they can start again, also those that have succeeded",
        ),
        "cancel" => {
            (TaskChange::Cancel, "Cancel", "Cancelled", "they do not start any more; those that run are asked to end")
        }
        "pause" => (TaskChange::Pause, "Pause", "Paused", "no claim starts them until they are resumed"),
        "resume" => (TaskChange::Resume, "Resume", "Resumed", "claims start them again"),
        "priority" => {
            let priority = form.get("priority").and_then(|priority| priority.parse().ok());
            let priority = priority.ok_or_else(|| Failure::invalid("a priority is a number from 0 to 255"))?;
            (
                TaskChange::SetPriority(priority),
                "Set priority",
                "Changed the priority of",
                "those with a higher priority start first",
            )
        }
        other => return Err(Failure::invalid(format!("there is no command {other:?}"))),
    })
}

/// The tasks of a form, and the page from which it comes.
fn selection(form: &Params, kind: &str) -> Result<(Selection, String), Failure> {
    if form.get("scope") == Some("all") {
        let filter = Filter::parse(form)?;
        return Ok((Selection::Filter(filter.conditions()), link("tasks", filter.pairs())));
    }
    let ids: Vec<_> = form
        .all("id")
        .map(parse_id_param)
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::invalid("the form has an id that no task can have"))?;
    let back = match ids.as_slice() {
        [] => return Err(Failure::invalid("no task is selected: mark tasks in the list, or choose all that match")),
        [id] if form.get("from") == Some("task") => link("task", [("kind", kind), ("id", &id_param(id))]),
        ids if ids.len() > SELECTED => {
            return Err(Failure::invalid(format!("more than {SELECTED} tasks are selected: use a filter")));
        }
        _ => link("tasks", Filter::parse(form)?.pairs()),
    };
    let ids = ids.into_iter().map(Into::into).collect();
    Ok((Selection::Ids { kind: Some(kind.to_owned()), ids }, back))
}

fn is_single(selection: &Selection) -> bool {
    matches!(selection, Selection::Ids { ids, .. } if ids.len() == 1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn parse(form: &str) -> Result<Command, String> {
        Command::parse(&Params::parse(form.as_bytes())).map_err(|failure| failure.text)
    }

    #[test]
    fn only_single_harmless_changes_need_no_confirmation() {
        for (form, confirmed) in [
            ("change=retry&kind=k&id=text:a&from=task", true),
            ("change=cancel&kind=k&id=text:a&from=task", false),
            ("change=cancel&kind=k&id=text:a&from=task&confirmed=1", true),
            ("change=retry&kind=k&id=text:a&id=text:b", false),
            ("change=retry&kind=k&scope=all", false),
            ("change=prune&kind=k&age=0", false),
            ("change=pause-kind&kind=k", false),
            #[cfg(feature = "schedules")]
            ("change=run-schedule&schedule=nightly", true),
            #[cfg(feature = "schedules")]
            ("change=remove-schedule&schedule=nightly", false),
        ] {
            assert_eq!(parse(form).unwrap().is_confirmed, confirmed, "{form}");
        }
    }

    #[test]
    fn page_that_follows_keeps_the_filter() {
        let back = |form| parse(form).unwrap().back;
        assert_eq!(back("change=retry&kind=k&status=30&scope=all&text=a%26b"), "tasks?kind=k&status=30&text=a%26b");
        assert_eq!(back("change=retry&kind=k&id=text:%2F%2Fevil&from=task"), "task?kind=k&id=text%3A%2F%2Fevil");
    }

    #[test]
    fn forms_without_a_sound_command_are_refused() {
        for (form, message) in [
            ("kind=k", "names no command"),
            ("change=retry", "names no kind"),
            ("change=explode&kind=k&id=text:a", "there is no command"),
            ("change=retry&kind=k", "no task is selected"),
            ("change=retry&kind=k&id=7", "an id that no task can have"),
            ("change=priority&kind=k&id=text:a&priority=256", "0 to 255"),
            ("change=prune&kind=k&age=-1", "no age"),
            #[cfg(feature = "schedules")]
            ("change=run-schedule&kind=k", "names no schedule"),
            #[cfg(feature = "schedules")]
            ("change=explode-schedule&schedule=s", "no command \"explode\""),
        ] {
            let error = parse(form).unwrap_err();
            assert!(error.contains(message), "{form}: {error}");
        }
    }
}
