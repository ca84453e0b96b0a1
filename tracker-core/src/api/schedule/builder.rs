//! Builds the task of an occurrence, with the user's function or from a stored template. Builders are made in `api/schedule`, kept by
//! `start_times` and run by `scheduler`, also for `ScheduleHandle::run_now`. User code in them runs guarded, outside of locks and transactions.

use std::{fmt::Write as _, sync::Arc};

use crate::{
    api::shared::Redact,
    engine::BuiltOccurrence,
    model::{
        bounds::{TEXT, shorten},
        codec::{self, PayloadCodecs},
        error::{Error, Result},
        kind::Kind,
        new_task::NewTask,
        panics::catch_panic,
        payload::Payload,
        schedule::occurrence::Occurrence,
        task::TrackedTask,
        time::Micros,
    },
};

/// Makes the task of an occurrence.
pub(crate) type Builder = Arc<dyn Fn(&BuildContext<'_>, &Occurrence) -> Result<NewTask> + Send + Sync>;

/// Makes the task of an occurrence from a template.
pub(crate) type TemplateBuilder = fn(&BuildContext<'_>, &Occurrence, &str) -> Result<NewTask>;

/// The parts of an open tracker that a builder uses.
pub(crate) struct BuildContext<'b> {
    pub kind: &'b Kind,
    pub codecs: &'b PayloadCodecs,
    pub redact: Option<&'b Redact>,
}

/// The builder of a user's function.
pub(super) fn from_function<T: TrackedTask>(build: impl Fn(&Occurrence) -> T + Send + Sync + 'static) -> Builder {
    Arc::new(move |context, occurrence| new_task(context, occurrence, &build(occurrence)))
}

/// Makes a task from JSON text. `{scheduled_at}`, `{uuid}`, `{id}` and `{schedule}` in it are replaced by the values of the occurrence.
pub(super) fn from_template<T: TrackedTask>(
    context: &BuildContext<'_>,
    occurrence: &Occurrence,
    template: &str,
) -> Result<NewTask> {
    let payload = Payload::from_json(&filled(template, occurrence))?;
    let id = occurrence.key(T::id_type());
    let task: T = codec::decode(context.codecs, &context.kind.name, &id, payload.as_bytes())?;
    new_task(context, occurrence, &task)
}

/// A template with the values of an occurrence.
pub(super) fn filled(template: &str, occurrence: &Occurrence) -> String {
    let id = if template.contains("{uuid}") { occurrence.uuid().to_string() } else { String::new() };
    template
        .replace("{scheduled_at}", &occurrence.scheduled_at_text())
        .replace("{uuid}", &id)
        .replace("{id}", &escaped(&occurrence.id()))
        .replace("{schedule}", &escaped(occurrence.schedule()))
}

/// A text, escaped for the inside of a JSON string.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => drop(write!(out, "\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out
}

fn new_task<T: TrackedTask>(context: &BuildContext<'_>, occurrence: &Occurrence, task: &T) -> Result<NewTask> {
    let mut new = codec::new_task(context.codecs, context.kind, task, None, None)?;
    match &new.id {
        Some(id) => occurrence.check_id(id)?,
        None => new.id = Some(occurrence.key(None)),
    }
    new.submit.scheduled_at = Some(occurrence.nominal());
    Ok(new)
}

/// Builds the task of an occurrence. A panic or an error is the reason why it is not submitted.
pub(super) fn build(
    context: &BuildContext<'_>,
    name: &str,
    nominal: Micros,
    work: impl FnOnce(&BuildContext<'_>, &Occurrence) -> Result<NewTask>,
) -> BuiltOccurrence {
    let occurrence = Occurrence::new(name, nominal);
    let built = catch_panic(|| work(context, &occurrence).map_err(|error: Error| error.to_string()));
    let task = built.unwrap_or_else(|panic| Err(format!("the code that builds its tasks panicked: {panic}")));
    let task = task.map_err(|reason| {
        let redacted = catch_panic(|| {
            let mut reason = reason;
            if let Some(redact) = context.redact {
                redact(&mut reason);
            }
            shorten(reason, TEXT)
        });
        redacted.unwrap_or_else(|_| "its text was dropped: the function given to Options::redact panicked".to_owned())
    });
    BuiltOccurrence { nominal, task }
}
