//! `End` opens the source or the target of a move for this process alone, and writes rows and the mark by which other processes and a continued
//! move know of it. Opened by `move_tasks/mod.rs`, used by `copy` and `summary`; `start` decides by its `Found`. Reads and writes the file or the
//! store, and waits for other trackers to close it.

use std::{
    path::absolute,
    thread,
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::{
    engine::{Database, Place, conflict_retry::ConflictRetry},
    model::{
        error::{Error, ErrorKind, Result},
        file_state::FileState,
        move_mark::MoveMark,
    },
    storage::{
        file::{FileOptions, Location, Sharing, catch_redb_panic},
        format::FormatProblem,
        raw_rows::{Portion, rows_after},
        store::StoreTable,
        tables::{Reading, Source as _, Tables, Writing},
    },
};

/// One end of a move.
pub(super) struct End {
    database: Database,
    name: String,
    instance: Uuid,
    commits: u64,
    /// How long the end waits for another tracker that closes.
    patience: Duration,
}

/// A server notices a moment later that a tracker has closed.
const CLOSING: Duration = Duration::from_secs(1);

/// The content of one end of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A store without a tracker.
    Nothing,
    Tracker {
        is_empty: bool,
    },
    Moving(MoveMark),
}

impl End {
    /// Opens a place alone. A file that does not exist is created.
    pub(super) fn open(place: Place, options: &FileOptions, patience: Duration) -> Result<Self> {
        let name = match &place {
            Place::File(Location::Path(path)) => absolute(path).as_deref().unwrap_or(path).display().to_string(),
            Place::File(location) => location.name().display().to_string(),
            Place::Store(store) => store.name(),
        };
        let options = FileOptions { sharing: Sharing::Exclusive, ..options.clone() };
        let database = Database::open_any_format(place, options, patience)?;
        Ok(Self { database, name, instance: Uuid::new_v4(), commits: 0, patience: patience.min(CLOSING) })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn read<R>(&self, look: impl Fn(Reading<'_>) -> Result<R>) -> Result<R> {
        self.database.read(look)
    }

    pub(super) fn look(&self) -> Result<Found> {
        match self.read(|source| Tables::new(source).format_problem())? {
            None => Ok(Found::Tracker { is_empty: self.is_empty()? }),
            Some(FormatProblem::Moving(mark)) => Ok(Found::Moving(mark)),
            Some(FormatProblem::Foreign) if self.is_bare_store()? => Ok(Found::Nothing),
            Some(problem) => Err(problem.error(&self.name)),
        }
    }

    fn is_empty(&self) -> Result<bool> {
        // A server reads all tasks to find that none has progress or a successor, so the first table with a row ends this.
        for table in StoreTable::ALL.iter().filter(|table| **table != StoreTable::Meta) {
            if !self.has_no_row(*table)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_bare_store(&self) -> Result<bool> {
        let is_store = self.database.read(|source| Ok(source.working_set().is_some()))?;
        Ok(is_store && self.has_no_row(StoreTable::Meta)? && self.is_empty()?)
    }

    fn has_no_row(&self, table: StoreTable) -> Result<bool> {
        self.read(|source| Ok(rows_after(source, table, None, Portion { rows: 1, bytes: 1 })?.is_empty()))
    }

    /// Returns an error while other trackers have the place open.
    pub(super) fn refuse_others(&self) -> Result<()> {
        let until = Instant::now() + self.patience;
        let mut others = self.database.other_trackers()?;
        while others > 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
            others = self.database.other_trackers()?;
        }
        if others == 0 {
            return Ok(());
        }
        let processes = if others == 1 { "1 other tracker".to_owned() } else { format!("{others} other trackers") };
        Err(Error::new(
            ErrorKind::Busy,
            format!(
                "{}: {processes} in running processes have it open; stop them, then move its tasks (the server counts a process whose machine is gone until it notices)",
                self.name
            ),
        ))
    }

    /// Changes rows in one commit.
    pub(super) fn write(
        &mut self,
        work: impl Fn(&mut Tables<Writing<'_>>, &mut FileState) -> Result<()>,
    ) -> Result<()> {
        let mut retry = ConflictRetry::default();
        loop {
            self.commits += 1;
            let commit = (self.instance, self.commits);
            let written = self.database.write(false, commit, &[], |source| {
                catch_redb_panic("moving rows", || {
                    let mut rows = Tables::new(source);
                    let mut state = rows.file_state()?;
                    work(&mut rows, &mut state)?;
                    (state.instance, state.batch) = commit;
                    state.change = state.change.saturating_add(1);
                    rows.put_file_state(&state)?;
                    Ok::<_, Error>((true, ()))
                })
            });
            match written {
                Err(error) if retry.should_retry(&error) => {}
                written => return written.map(drop),
            }
        }
    }

    /// Stores the mark, or removes it. Trackers that were opened meanwhile notice before they write.
    pub(super) fn set_mark(&mut self, mark: Option<&MoveMark>) -> Result<()> {
        self.write(|rows, state| {
            match mark {
                Some(mark) => rows.put_move_mark(mark)?,
                None => rows.remove_move_mark()?,
            }
            match rows.source().working_set() {
                Some(set) => set.change_schema(),
                None => state.schema = state.schema.saturating_add(1),
            }
            Ok(())
        })
    }

    pub(super) fn close(self) -> Result<()> {
        self.database.close()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Closing twice does nothing.
        drop(self.database.close());
    }
}
