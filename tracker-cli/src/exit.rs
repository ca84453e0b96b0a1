//! The exit codes of the program. Scripts depend on them: docs/cli.md documents the numbers, which do not change.

use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Success,
    /// Tasks failed, a task refused the change, or a check found something.
    Findings,
    /// The command line is wrong.
    Usage,
    /// The file cannot be used.
    File,
    /// Ctrl-C, or another request to end.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::File => 3,
            Exit::Interrupted => 130,
        })
    }
}
