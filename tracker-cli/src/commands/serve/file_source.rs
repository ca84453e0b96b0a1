//! `FileSource`: a file or a server as the source of the dashboard. It is open for inspection; commands go through the process that has the
//! file open, or open it for a moment.

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracker_core::{
    Tracker,
    live::{Client, Report, Request},
};
use tracker_web::{Source, SourceError};

use crate::{error::CliError, file::FileArg, output::number};

pub struct FileSource {
    file: FileArg,
    write: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    opened: Option<(Tracker, FileId)>,
    /// When the source looked whether the file can be changed, and the reason why not.
    checked: Option<(Instant, Option<String>)>,
}

/// Distinguishes a file from another one at the same path.
type FileId = Option<(u64, u64)>;

/// How long a finding on the other processes holds.
const CHECK: Duration = Duration::from_secs(3);

impl FileSource {
    pub fn open(file: FileArg, write: bool) -> Result<Self, CliError> {
        let source = Self { file, write, state: Mutex::default() };
        source.opened(&mut source.lock())?;
        Ok(source)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the open tracker of the file that is at the path now.
    fn opened(&self, state: &mut State) -> Result<Tracker, CliError> {
        let id = file_id(&self.file);
        match state.opened.take() {
            Some((tracker, opened)) if opened == id => Ok(state.opened.insert((tracker, opened)).0.clone()),
            replaced => {
                if let Some((tracker, _)) = replaced {
                    // The file that it has open is at this path no more.
                    let _ = tracker.close();
                }
                Ok(state.opened.insert((self.file.inspect()?, id)).0.clone())
            }
        }
    }

    fn change(&self, request: &Request) -> Result<Report, CliError> {
        // Pages wait meanwhile: no process can change a file while this one has it open for inspection.
        let mut state = None;
        if let Some(path) = self.file.path() {
            if let Ok(Some(client)) = Client::find(path) {
                return Ok(client.perform(request)?);
            }
            let opened = state.insert(self.lock()).opened.take();
            opened.map_or(Ok(()), |(tracker, _)| tracker.close())?;
        }
        let control = self.file.open_for_changes()?;
        let report = control.perform(request);
        control.close()?;
        report
    }
}

impl Source for FileSource {
    fn name(&self) -> String {
        self.file.name()
    }

    fn tracker(&self) -> Result<Tracker, SourceError> {
        self.opened(&mut self.lock()).map_err(|error| SourceError::new(error.to_string()))
    }

    fn perform(&self, request: &Request) -> Result<Report, SourceError> {
        self.change(request).map_err(|error| SourceError::new(error.to_string()))
    }

    fn read_only(&self) -> Option<String> {
        if !self.write {
            return Some("start `tracker serve` with --write to allow commands".to_owned());
        }
        let mut state = self.lock();
        match &state.checked {
            Some((at, reason)) if at.elapsed() < CHECK => reason.clone(),
            _ => state.checked.insert((Instant::now(), self.file.why_unchangeable())).1.clone(),
        }
    }

    fn facts(&self) -> Vec<(String, String)> {
        let Some(path) = self.file.path() else { return vec![("Server".to_owned(), self.name())] };
        let mut facts = vec![("File".to_owned(), self.name())];
        if let Ok(found) = fs::metadata(path) {
            facts.push(("Size".to_owned(), number::bytes(found.len())));
        }
        let holders: Vec<_> = self.file.holders().iter().map(ToString::to_string).collect();
        let by = if holders.is_empty() { "no other process of this user".to_owned() } else { holders.join(", ") };
        facts.push(("Opened by".to_owned(), by));
        facts
    }
}

fn file_id(file: &FileArg) -> FileId {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(file.path()?).ok().map(|found| (found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}
