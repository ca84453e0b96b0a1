use std::{io::IsTerminal, time::Duration};

use crate::{exit::Exit, failure::Failure, file::FileArg, output::Output, span::Span, top};

/// Shows the file live: an overview, tasks, one task's page, errors by message
///
/// It follows the commits of the application without disturbing it. Keys: the arrows or h j k l, Enter, Esc, `/` to
/// filter, `?` for help, q to leave. Keys in upper case change tasks, after a question.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// How often to look whether something has changed
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    every: Span,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        if output.is_json() {
            return Err(Failure::usage("top is for people: `tracker status --json` tells the same to programs"));
        }
        if !std::io::stdout().is_terminal() {
            return Err(Failure::usage("top needs a terminal: `tracker status` prints once"));
        }
        let source = top::Source::open(self.file.clone())?;
        let every = self.every.0.clamp(Duration::from_millis(50), Duration::from_secs(3_600));
        top::run(source, every, output.is_coloured(&std::io::stdout()))?;
        Ok(Exit::Fine)
    }
}
