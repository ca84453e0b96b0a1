use std::process::ExitCode;

/// How the program ends. Scripts depend on the numbers: they are documented, and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// Tasks failed, a task refused what was asked, or something was found that should not be.
    Findings,
    /// A mistake on the command line.
    Usage,
    /// The file cannot be used.
    File,
    /// Ctrl-C, or another request to end.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::File => 3,
            Exit::Interrupted => 130,
        })
    }
}
