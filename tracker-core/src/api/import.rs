//! `ImportOptions` and `Imported` are the options and the result of an import. Used by users, `tracker-cli`, `portable/import` and
//! `api/live`; plain data.

use serde::{Deserialize, Serialize};

/// How lines are read. See [`Tracker::import_with`](crate::Tracker::import_with).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportOptions {
    pub(crate) kind: Option<String>,
    pub(crate) goes_on: bool,
    pub(crate) future: bool,
}

#[cfg(feature = "json")]
impl ImportOptions {
    /// Returns the default options: each line names its kind, and the first line that cannot be read ends the import.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the kind of lines that name none.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// Goes on after a line that cannot be read, and reports it.
    #[must_use]
    pub fn go_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// Takes times of what has happened (`created`, `updated`, `started`, `ended`, …) also if they lie more than a day
    /// after now. For files whose clock was ahead; without it such lines are refused.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tracker_core::{Tracker, portable::ImportOptions};
    ///
    /// let tracker = Tracker::in_memory()?;
    /// let line = r#"{"open_batch": "night", "created": "2999-01-01T00:00:00Z"}"#;
    /// assert!(tracker.import(line.as_bytes()).is_err());
    /// let imported = tracker.import_with(line.as_bytes(), &ImportOptions::new().allow_future())?;
    /// assert_eq!(imported.batches, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn allow_future(mut self) -> Self {
        self.future = true;
        self
    }
}

/// The result of an import.
#[cfg(feature = "json")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Imported {
    /// Kinds that are new in the file.
    pub kinds: u64,
    /// Number of new batches.
    pub batches: u64,
    /// Number of new schedules.
    pub schedules: u64,
    /// Tasks that are new.
    pub new: u64,
    /// Tasks whose id was there: they stay as they are.
    pub existing: u64,
    /// Lines that could not be read, if the import continued after them.
    pub refused: u64,
    /// The first hundred of these lines.
    pub errors: Vec<LineError>,
}

/// A line that could not be read.
#[cfg(feature = "json")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LineError {
    /// Its number, from 1.
    pub line: u64,
    /// The problem and its solution.
    pub what: String,
}

#[cfg(feature = "json")]
impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}
