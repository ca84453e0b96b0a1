use std::{error::Error as StdError, fmt, io};

use tracker_core::ErrorKind;

use crate::exit::Exit;

/// Why a command could not do what was asked: a sentence that says what to do, and how the program ends.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    text: String,
    /// Whoever read the output has gone: nobody is there to be told.
    unheard: bool,
}

impl Failure {
    /// A mistake on the command line.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// The file, or the system around it.
    pub fn file(text: impl Into<String>) -> Self {
        Self::new(Exit::File, text)
    }

    /// A task, or what stands in the file, refused.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(Exit::Findings, text)
    }

    /// The standard output, or the standard error output, cannot be written.
    pub fn printing(stream: &str, error: io::Error) -> Self {
        let text = format!("cannot write to the standard {stream}: {error}");
        Self { text, ..Self::from(error) }
    }

    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), unheard: false }
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// A word for programs.
    pub fn kind(&self) -> &'static str {
        match self.exit {
            Exit::Fine | Exit::Findings | Exit::Interrupted => "refused",
            Exit::Usage => "usage",
            Exit::File => "file",
        }
    }

    pub fn is_unheard(&self) -> bool {
        self.unheard
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Failure {}

impl From<tracker_core::Error> for Failure {
    fn from(error: tracker_core::Error) -> Self {
        let exit = match error.kind() {
            _ if error.is_refusal() => Exit::Findings,
            ErrorKind::Unreadable | ErrorKind::SchemaMismatch => Exit::Findings,
            ErrorKind::Invalid => Exit::Usage,
            _ => Exit::File,
        };
        Self::new(exit, said(&error))
    }
}

/// The library's words; where they name a call, the command that does it.
pub fn said(error: &tracker_core::Error) -> String {
    error.to_string().replace("Tracker::recover", "`tracker recover`")
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { unheard: error.kind() == io::ErrorKind::BrokenPipe, ..Self::file(error.to_string()) }
    }
}
