//! `tracker serve`: the dashboard of a file in a browser. Opens a port; reads the file, and changes it through `FileSource`.

#[cfg(feature = "serve")]
mod file_source;
#[cfg(feature = "serve")]
mod server;

use std::net::SocketAddr;

use crate::{error::CliError, exit::Exit, file::FileArg, output::Output};

/// Serves a dashboard of a file: kinds, tasks, errors, workers, in a browser
///
/// Prints a URL with a token. Only this machine reaches the dashboard, and it only reads, unless options say otherwise.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Allows commands: retry, requeue, cancel, pause, resume, priority, prune
    #[arg(long)]
    write: bool,
    /// A name of this host in the addresses of browsers, besides its IP addresses; may be given several times
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
}

impl Args {
    #[cfg(feature = "serve")]
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        server::run(self, output)
    }

    #[cfg(not(feature = "serve"))]
    pub fn run(&self, _: &Output) -> Result<Exit, CliError> {
        Err(CliError::usage(
            "this program was built without the dashboard: install it with the feature `serve`, which is on by default",
        ))
    }
}
