//! `KindArg`: the option `--kind`, and finding tasks by the ids that users type. Used by every command about tasks; reads the tracker.

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
        Ok(tracker.untyped_kinds(self.kind.as_deref())?)
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
        Ok(tracker.find_by_id_text(self.kind.as_deref(), id)?)
    }
}
