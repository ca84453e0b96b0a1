use tracker_core::{Tasks, Tracker, Untyped};

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
}
