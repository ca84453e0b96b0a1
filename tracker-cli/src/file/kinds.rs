use tracker_core::{TaskKey, Tasks, Tracker, Untyped};

use crate::failure::Failure;

/// Which kinds of the file a command is about.
#[derive(clap::Args)]
pub struct KindArg {
    /// Only this kind of tasks
    #[arg(short, long, value_name = "KIND")]
    pub kind: Option<String>,
}

impl KindArg {
    /// The kind that was named, or all of them in the order in which they came.
    pub fn all(&self, tracker: &Tracker) -> Result<Vec<Tasks<Untyped>>, Failure> {
        let names = match &self.kind {
            Some(name) => vec![name.clone()],
            None => tracker.kinds()?,
        };
        names.iter().map(|name| Ok(tracker.untyped(name)?)).collect()
    }

    /// The kind that was named, or the only one.
    pub fn one(&self, tracker: &Tracker) -> Result<Tasks<Untyped>, Failure> {
        let mut all = self.all(tracker)?;
        match (all.pop(), all.as_slice()) {
            (Some(only), []) => Ok(only),
            (None, _) => Err(Failure::refused("the file has no kinds yet: nothing was ever submitted")),
            (Some(last), others) => {
                let names: Vec<_> = others.iter().chain([&last]).map(Tasks::name).collect();
                Err(Failure::usage(format!("the file has several kinds: choose one by --kind: {}", names.join(", "))))
            }
        }
    }

    /// The one task with this id, as people write it.
    pub fn task(&self, tracker: &Tracker, id: &str) -> Result<(Tasks<Untyped>, TaskKey), Failure> {
        let mut found = Vec::new();
        for tasks in self.all(tracker)? {
            found.extend(tasks.ids_written(id)?.into_iter().map(|id| (tasks.clone(), id)));
        }
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => Ok(only),
            (None, _) => Err(Failure::refused(format!("there is no task {id:?}"))),
            (Some(last), others) => {
                let mut kinds: Vec<_> = others.iter().chain([&last]).map(|(tasks, _)| tasks.name()).collect();
                kinds.dedup();
                let advice = if kinds.len() > 1 {
                    format!("choose one of its kinds by --kind: {}", kinds.join(", "))
                } else {
                    "they differ in the type of their ids; a filter tells them apart".to_owned()
                };
                Err(Failure::usage(format!("several tasks have the id {id:?}; {advice}")))
            }
        }
    }
}
