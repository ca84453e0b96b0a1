use tracker_core::{Tasks, Tracker, task::TaskKey, untyped::Untyped};

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

    /// The one task with this id, as people write it: `7`, or with its type where several have it, `int:7`.
    pub fn task(&self, tracker: &Tracker, id: &str) -> Result<(Tasks<Untyped>, TaskKey), Failure> {
        let mut found = self.written(tracker, id)?;
        if found.is_empty()
            && let Some((prefix, text)) = id.split_once(':')
        {
            found = self.written(tracker, text)?;
            found.retain(|(_, id)| type_of(id) == prefix);
        }
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => Ok(only),
            (None, _) => Err(Failure::refused(format!("there is no task {id:?}"))),
            (Some(last), others) => {
                let all = || others.iter().chain([&last]);
                let mut kinds: Vec<_> = all().map(|(tasks, _)| tasks.name()).collect();
                kinds.dedup();
                let advice = if kinds.len() > 1 {
                    format!("choose one of its kinds by --kind: {}", kinds.join(", "))
                } else {
                    let forms: Vec<_> = all().map(|(_, key)| format!("{}:{id}", type_of(key))).collect();
                    format!("they differ in the type of their ids: write {}", forms.join(" or "))
                };
                Err(Failure::usage(format!("several tasks have the id {id:?}; {advice}")))
            }
        }
    }

    /// All tasks whose ids people write like this.
    fn written(&self, tracker: &Tracker, id: &str) -> Result<Vec<(Tasks<Untyped>, TaskKey)>, Failure> {
        let mut found = Vec::new();
        for tasks in self.all(tracker)? {
            found.extend(tasks.ids_written(id)?.into_iter().map(|id| (tasks.clone(), id)));
        }
        Ok(found)
    }
}

/// The type of an id, as it stands before the id on the command line.
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
