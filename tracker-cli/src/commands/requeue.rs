use crate::{
    act::{Deed, TargetArg},
    exit::Exit,
    failure::Failure,
    output::Output,
};

/// Makes tasks startable again, whatever their status, with nothing held against them
///
/// Tasks that somebody has are left.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: TargetArg,
    /// In the first step of a pipeline instead of the current one
    #[arg(long)]
    reset: bool,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let reset = self.reset;
        let done = self.target.act(
            output,
            &Deed {
                what: "made startable again",
                one: &|tasks, id| if reset { tasks.requeue_from_start(id) } else { tasks.requeue(id) },
                all: &|query| if reset { query.requeue_from_start() } else { query.requeue() },
                statuses: &|query| query,
            },
        )?;
        output.put(&done)?;
        Ok(done.exit())
    }
}
