//! `tracker top`: the live view in the terminal, which the module `top` draws. Reads the file; keys change tasks.

use std::{io::IsTerminal, time::Duration};

use crate::{error::CliError, exit::Exit, file::FileArg, human_duration::HumanDuration, output::Output, top};

/// Shows a file live: kinds, tasks, one task, errors
///
/// Follows the commits of the application without slowing it down. Keys: the arrows or h j k l, Enter, Esc, `/` to filter,
/// `?` for help, q to quit. Keys in upper case change tasks, after a question.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// How often the view is refreshed
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    every: HumanDuration,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        if output.is_json() {
            return Err(CliError::usage("top has no JSON output: use `tracker status --json`"));
        }
        if !std::io::stdout().is_terminal() {
            return Err(CliError::usage("top needs a terminal: `tracker status` prints once"));
        }
        let source = top::TrackerSource::open(self.file.clone())?;
        let every = self.every.0.clamp(Duration::from_millis(50), Duration::from_secs(3_600));
        top::run(source, every, output.uses_color(&std::io::stdout()))?;
        Ok(Exit::Success)
    }
}
