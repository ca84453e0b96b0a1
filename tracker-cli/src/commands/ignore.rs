use crate::{
    act::{Deed, TargetArg},
    exit::Exit,
    failure::Failure,
    output::Output,
};

/// Sets tasks aside that nobody has
///
/// Without a status or role, the filter and --all are about those that have not ended.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: TargetArg,
    /// Why; it goes into their histories
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let done = self.target.act(
            output,
            &Deed {
                what: "ignored",
                one: &|tasks, id| tasks.ignore(id, &self.reason),
                all: &|query| query.ignore(&self.reason),
                statuses: &|query| query.unfinished(),
            },
        )?;
        output.put(&done)?;
        Ok(done.exit())
    }
}
