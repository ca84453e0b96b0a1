//! Finds a task by the text of its id, such as an argument of a command, in one kind or in all. Called by `perform`, `tracker-cli` and
//! `tracker-web`; reads kinds and tasks, and writes nothing.

use super::request::SelectedId;
use crate::{
    api::{schema::Untyped, tasks::Tasks, tracker::Tracker},
    model::{
        error::{Error, ErrorKind, Result},
        task::TaskKey,
    },
};

/// The handle of a kind, and the id of one of its tasks.
type FoundTask = (Tasks<Untyped>, TaskKey);

impl Tracker {
    /// Returns the tasks of the named kind, or of every kind in the order in which the kinds were first stored.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the file has no such kind.
    pub fn untyped_kinds(&self, kind: Option<&str>) -> Result<Vec<Tasks<Untyped>>> {
        let names = match kind {
            Some(name) => vec![name.to_owned()],
            None => self.kinds()?,
        };
        names.iter().map(|name| self.untyped(name)).collect()
    }

    /// Finds a task by the text of its id, in the named kind or in every kind. `7` finds a text id and an integer id. If both exist, the type
    /// comes first: `int:7` or `text:7`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # tracker.tasks::<Job>()?.submit(&job("one"))?;
    /// let (tasks, id) = tracker.find_by_id_text(None, "one")?;
    /// assert_eq!((tasks.name(), id.as_str()), ("job", Some("one")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such task, and [`ErrorKind::Invalid`] if several tasks have the id or the file has no such
    /// kind.
    pub fn find_by_id_text(&self, kind: Option<&str>, id: &str) -> Result<(Tasks<Untyped>, TaskKey)> {
        let kinds = self.untyped_kinds(kind)?;
        let mut found = with_text(&kinds, id)?;
        if found.is_empty()
            && let Some((prefix, text)) = id.split_once(':')
        {
            found = with_text(&kinds, text)?;
            found.retain(|(_, id)| type_of(id) == prefix);
        }
        only(found, id)
    }

    /// Finds a selected task.
    pub(super) fn find(&self, kind: Option<&str>, id: &SelectedId) -> Result<FoundTask> {
        match id {
            SelectedId::Text(text) => self.find_by_id_text(kind, text),
            SelectedId::Key(key) => {
                let mut found = Vec::new();
                for tasks in self.untyped_kinds(kind)? {
                    if tasks.shared.engine.read(|rows| rows.with_id(tasks.kind_id(), key))?.is_some() {
                        found.push((tasks, key.clone()));
                    }
                }
                only(found, &key.to_string())
            }
        }
    }
}

/// Finds all tasks whose ids this text can mean.
fn with_text(kinds: &[Tasks<Untyped>], id: &str) -> Result<Vec<FoundTask>> {
    let mut found = Vec::new();
    for tasks in kinds {
        found.extend(tasks.find_ids_by_text(id)?.into_iter().map(|id| (tasks.clone(), id)));
    }
    Ok(found)
}

/// The only task that was found.
fn only(mut found: Vec<FoundTask>, id: &str) -> Result<FoundTask> {
    match (found.pop(), found.as_slice()) {
        (Some(only), []) => Ok(only),
        (None, _) => Err(Error::new(ErrorKind::NotFound, format!("there is no task {id:?}"))),
        (Some(last), others) => {
            let all = || others.iter().chain([&last]);
            let mut kinds: Vec<_> = all().map(|(tasks, _)| tasks.name()).collect();
            kinds.dedup();
            let advice = if kinds.len() > 1 {
                format!("choose one of the kinds {}", kinds.join(", "))
            } else {
                let forms: Vec<_> = all().map(|(_, key)| format!("{}:{id}", type_of(key))).collect();
                format!("the types of their ids differ: write {}", forms.join(" or "))
            };
            Err(Error::invalid(format!("several tasks have the id {id:?}; {advice}")))
        }
    }
}

/// The prefix that names the type of an id.
fn type_of(id: &TaskKey) -> &'static str {
    if id.as_str().is_some() {
        "text"
    } else if id.as_int().is_some() {
        "int"
    } else if id.as_uuid().is_some() {
        "uuid"
    } else {
        "bytes"
    }
}
