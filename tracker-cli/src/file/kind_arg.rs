//! The option `--kind`, and finding tasks by the ids that users type. Used by every command about tasks.

use tracker_core::{Tasks, Tracker, task::TaskKey, untyped::Untyped};

use crate::error::CliError;

#[derive(clap::Args)]
pub struct KindArg {
    /// Only this kind of tasks
    #[arg(short, long, value_name = "KIND")]
    pub kind: Option<String>,
}

impl KindArg {
    /// Returns the named kind, or all kinds in the order of their creation.
    pub fn all(&self, tracker: &Tracker) -> Result<Vec<Tasks<Untyped>>, CliError> {
        let names = match &self.kind {
            Some(name) => vec![name.clone()],
            None => tracker.kinds()?,
        };
        names.iter().map(|name| Ok(tracker.untyped(name)?)).collect()
    }

    /// Returns the named kind, or the only one.
    pub fn one(&self, tracker: &Tracker) -> Result<Tasks<Untyped>, CliError> {
        let mut all = self.all(tracker)?;
        match (all.pop(), all.as_slice()) {
            (Some(only), []) => Ok(only),
            (None, _) => Err(CliError::refused("the file has no kinds: no task was ever submitted")),
            (Some(last), others) => {
                let names: Vec<_> = others.iter().chain([&last]).map(Tasks::name).collect();
                Err(CliError::usage(format!(
                    "the file has several kinds: choose one with --kind: {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// Finds the task with this id: `7`, or `int:7` if several ids of different types look alike.
    pub fn task(&self, tracker: &Tracker, id: &str) -> Result<(Tasks<Untyped>, TaskKey), CliError> {
        let mut found = self.candidates(tracker, id)?;
        if found.is_empty()
            && let Some((prefix, text)) = id.split_once(':')
        {
            found = self.candidates(tracker, text)?;
            found.retain(|(_, id)| type_of(id) == prefix);
        }
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => Ok(only),
            (None, _) => Err(CliError::refused(format!("there is no task {id:?}"))),
            (Some(last), others) => {
                let all = || others.iter().chain([&last]);
                let mut kinds: Vec<_> = all().map(|(tasks, _)| tasks.name()).collect();
                kinds.dedup();
                let advice = if kinds.len() > 1 {
                    format!("choose a kind with --kind: {}", kinds.join(", "))
                } else {
                    let forms: Vec<_> = all().map(|(_, key)| format!("{}:{id}", type_of(key))).collect();
                    format!("the types of their ids differ: write {}", forms.join(" or "))
                };
                Err(CliError::usage(format!("several tasks have the id {id:?}; {advice}")))
            }
        }
    }

    /// Finds all tasks whose ids look like this text.
    fn candidates(&self, tracker: &Tracker, id: &str) -> Result<Vec<(Tasks<Untyped>, TaskKey)>, CliError> {
        let mut found = Vec::new();
        for tasks in self.all(tracker)? {
            found.extend(tasks.ids_written(id)?.into_iter().map(|id| (tasks.clone(), id)));
        }
        Ok(found)
    }
}

/// Returns the prefix that names the type of an id on the command line.
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
