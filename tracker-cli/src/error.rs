//! Errors of commands: a message that says what to do, and the exit code. Used by every command.

use std::{error::Error as StdError, fmt, io};

use tracker_core::ErrorKind;

use crate::exit::Exit;

/// The error that ends a command.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    text: String,
    /// The reader of the output has closed it: there is nothing to report.
    broken_pipe: bool,
}

impl CliError {
    /// A mistake on the command line.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// The file, or the system around it, cannot be used.
    pub fn file(text: impl Into<String>) -> Self {
        Self::new(Exit::File, text)
    }

    /// A task, or the state of the file, does not allow the command.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(Exit::Findings, text)
    }

    /// The standard output, or the standard error output, cannot be written.
    pub fn printing(stream: &str, error: io::Error) -> Self {
        let text = format!("cannot write to the standard {stream}: {error}");
        Self { text, ..Self::from(error) }
    }

    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), broken_pipe: false }
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The kind of the error in JSON.
    pub fn kind(&self) -> &'static str {
        match self.exit {
            Exit::Success | Exit::Findings | Exit::Interrupted => "refused",
            Exit::Usage => "usage",
            Exit::File => "file",
        }
    }

    pub fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for CliError {}

impl From<tracker_core::Error> for CliError {
    fn from(error: tracker_core::Error) -> Self {
        let exit = match error.kind() {
            _ if error.is_refusal() => Exit::Findings,
            ErrorKind::NotFound | ErrorKind::Unreadable | ErrorKind::SchemaMismatch => Exit::Findings,
            ErrorKind::Invalid => Exit::Usage,
            _ => Exit::File,
        };
        Self::new(exit, message(&error))
    }
}

/// Returns the library's message, with commands in place of the calls that it names.
pub fn message(error: &tracker_core::Error) -> String {
    error.to_string().replace("Tracker::recover", "`tracker recover`")
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self { broken_pipe: error.kind() == io::ErrorKind::BrokenPipe, ..Self::file(error.to_string()) }
    }
}
