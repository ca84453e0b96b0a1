//! `Options::move_tasks` moves all tasks from a file or a store to another one: ends leases of processes that are gone, copies the rows, compares
//! both ends, and marks the source. `Options::undo_move` removes that mark. Called by users and `tracker-cli`; opens the ends alone, writes them, and
//! calls the user's functions, which connect to a store or receive the progress.

mod copy;
mod end;
mod place;
mod report;
mod start;
mod summary;

pub use place::{MovePlace, MovePlaceExt};
pub use report::{MoveProgress, MoveStep, Moved, MovedKind};

use uuid::Uuid;

use self::{
    copy::RowCopy,
    end::{End, Found},
    place::Named,
    start::{Refused, Start, start},
    summary::Summary,
};
use crate::{
    api::options::Options,
    engine::free_leases,
    model::{
        error::{Error, ErrorKind, Result},
        move_mark::{MoveMark, MoveState},
        time::{Micros, TimeKeeper},
    },
    storage::{
        format::{FormatProblem, current_format},
        raw_rows::other_tables,
        store::NumberSeries,
        tables::{Reading, Source as _, Tables},
    },
};

impl Options {
    /// Moves all tasks from a file or a server to another one, in either direction.
    ///
    /// Everything keeps its value: ids, payloads, statuses, times, the order, histories, batches with their follow-ups, dependencies, schedules,
    /// limits, throttle keys and budgets. Sequence numbers and fences stay too, and the next ones in the target follow those of the
    /// source. Tables of your own in a file are not moved; [`Moved::own_tables`] names them.
    ///
    /// **No process may have the source or the target open.** Tasks that a dead process held are freed first, as at the open of a
    /// file; tickets keep their leases. The target must be empty, or hold an unfinished move of the same source.
    ///
    /// **It is restartable.** Rows are copied in commits of at most 1,000 rows, and each commit notes how far it came. After a crash or an error, call
    /// again with the same places. From the first commit on, neither place can be opened for writing, so that no program works with half of
    /// the tasks.
    ///
    /// **At the end, both ends are read and compared:** the number of tasks in each status, and count and checksum of all rows of each kind. Only
    /// then can the target be opened, and the source is marked as moved: [`inspect`](Self::inspect) and exports still read it, and
    /// opens for writing fail with [`ErrorKind::Moved`] and the name of the target. [`Options::undo_move`] takes the mark off.
    ///
    /// Of the options, those of files, [`busy_timeout`](Self::busy_timeout) and [`clock`](Self::clock) have an effect. `progress` is called after each
    /// commit, and after each part that the comparison has read.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tracker_core::{ErrorKind, Tracker};
    /// use tracker_core::{maintenance::MovePlace, store::{MemoryStore, OptionsExt}};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.redb");
    ///
    /// let tracker = Tracker::open(&path)?;
    /// tracker.tasks::<Job>()?.submit(&job("one"))?;
    /// tracker.close()?;
    ///
    /// let store = MemoryStore::new(); // or a server: `PostgresStore` of the crate `tracker-postgres`
    /// let (from, to) = (MovePlace::file(&path), MovePlace::store(store.clone()));
    /// let moved = Tracker::options().move_tasks(from, to, |_| ())?;
    /// assert_eq!(moved.kinds[0].tasks, 1);
    ///
    /// let tracker = Tracker::options().open_store(store)?;
    /// assert!(tracker.tasks::<Job>()?.claim()?.is_some());
    /// assert_eq!(Tracker::open(&path).unwrap_err().kind(), ErrorKind::Moved);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Busy`] if another process has the source or the target open.
    /// - [`ErrorKind::Invalid`] if the target has tasks, or is the source.
    /// - [`ErrorKind::Moved`] if the source was moved already, or the target has a part of another move.
    /// - [`ErrorKind::Corrupted`] if a row of the source is damaged, or the comparison finds a difference. The source keeps its tasks.
    /// - As [`Options::open`] otherwise. A missing source is not created, and neither is a target if the source cannot be moved.
    pub fn move_tasks(self, from: MovePlace, to: MovePlace, mut progress: impl FnMut(&MoveProgress)) -> Result<Moved> {
        check_paths(&from.0, &to.0)?;
        let mut from = self.open_source(from)?;
        from.refuse_others()?;
        let to = match start(from.look()?, Found::Nothing) {
            Ok(_) => to.0.place(true)?,
            // A source that cannot be moved leaves no empty target behind, and it may continue in one that exists.
            Err(refused) => to.0.existing()?.ok_or_else(|| refused.error(from.name(), ""))?,
        };
        let mut to = End::open(to, &self.file, self.patience)?;
        // The last commit is durable, so both ends are closed when they are dropped, and an error of that changes nothing.
        move_tasks(&mut from, &mut to, &TimeKeeper::new(self.clock), &mut progress)
    }

    /// Makes the source of a move usable again, whether the move has ended or not.
    ///
    /// After a move that has ended, the tasks are in both places: delete the target first, or make sure that no program works there.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`] if there is no such mark, or this is the target of a move.
    /// - [`ErrorKind::Busy`] if another process has it open.
    /// - As [`Options::open`] otherwise.
    pub fn undo_move(self, source: MovePlace) -> Result<()> {
        let mut source = self.open_source(source)?;
        source.refuse_others()?;
        match source.look()? {
            Found::Moving(MoveMark { state: MoveState::Leaving | MoveState::Left, .. }) => source.set_mark(None)?,
            Found::Moving(mark) => {
                return Err(Error::invalid(format!(
                    "{}: it has a part of the tasks of {}; delete it, and undo the move there",
                    source.name(),
                    mark.other
                )));
            }
            Found::Nothing | Found::Tracker { .. } => {
                return Err(Error::invalid(format!(
                    "{}: its tasks were not moved, so nothing is undone",
                    source.name()
                )));
            }
        }
        source.close()
    }

    fn open_source(&self, source: MovePlace) -> Result<End> {
        if let Some(path) = source.0.path().filter(|path| !path.exists()) {
            let name = path.display();
            return Err(Error::new(ErrorKind::Io, format!("{name}: there is no file here; check the path")));
        }
        End::open(source.0.place(false)?, &self.file, self.patience)
    }
}

/// Refuses a file as the target of itself.
fn check_paths(from: &Named, to: &Named) -> Result<()> {
    if let (Some(from), Some(to)) = (from.path(), to.path())
        && let (Ok(one), Ok(other)) = (from.canonicalize(), to.canonicalize())
        && one == other
    {
        return Err(Error::invalid(format!("{}: source and target of the move are the same file", from.display())));
    }
    Ok(())
}

fn move_tasks(from: &mut End, to: &mut End, time: &TimeKeeper, report: &mut dyn FnMut(&MoveProgress)) -> Result<Moved> {
    // First, since the last commit of a killed move may still be under way in a server.
    from.refuse_others()?;
    to.refuse_others()?;
    let start = start(from.look()?, to.look()?).map_err(|refused| refused.error(from.name(), to.name()))?;
    let was_continued = start != Start::Begin;
    let (id, copied) = match start {
        Start::Begin => (begin(from, to, time)?, None),
        Start::Continue { id, copied } => (id, copied),
    };
    let kinds = from.read(|source| Tables::new(source).all_kinds())?;
    let all_tasks = from.read(count_tasks)?;
    let progress = MoveProgress { step: MoveStep::CopyRows, tasks: 0, all_tasks };
    let mark = |end: &End, state| MoveMark { id, other: end.name().to_owned(), format: current_format(), state };
    let arriving = mark(from, MoveState::Arriving(None));
    RowCopy { from, to: &mut *to, kinds: &kinds, mark: arriving, progress, report: &mut *report }.run(copied)?;
    let next_fence = continue_numbers(from, to, time)?;
    let mut progress = MoveProgress { step: MoveStep::ReadSource, ..progress };
    let source = Summary::of(from, &mut progress, report)?;
    progress.step = MoveStep::ReadTarget;
    let target = Summary::of(to, &mut progress, report)?;
    if let Some(difference) = source.difference(&target, &kinds) {
        return Err(Error::new(
            ErrorKind::Corrupted,
            format!(
                "{}: the copied tasks differ from those of {}: {difference}; delete what is here, run `verify` on the source, and move again",
                to.name(),
                from.name()
            ),
        ));
    }
    let own_tables = from.read(other_tables)?;
    // In this order, so that both can never be opened.
    from.set_mark(Some(&mark(to, MoveState::Left)))?;
    to.set_mark(None)?;
    Ok(Moved { next_fence, was_continued, own_tables, ..source.report(&kinds) })
}

/// Marks both ends, the target first, so that a source whose target cannot be written stays usable.
fn begin(from: &mut End, to: &mut End, time: &TimeKeeper) -> Result<Uuid> {
    let id = Uuid::new_v4();
    if matches!(from.look()?, Found::Tracker { .. }) {
        free_leases(from.database(), time)?;
    }
    let mark = |other: &End, state| MoveMark { id, other: other.name().to_owned(), format: current_format(), state };
    let (arriving, leaving) = (mark(from, MoveState::Arriving(None)), mark(to, MoveState::Leaving));
    to.set_mark(Some(&arriving))?;
    from.set_mark(Some(&leaving))?;
    // A tracker may have been opened since the first look. It cannot write any more, but it may have claimed a task.
    if let Err(error) = from.refuse_others().and_then(|()| to.refuse_others()) {
        from.set_mark(None)?;
        to.set_mark(None)?;
        return Err(error);
    }
    Ok(id)
}

fn count_tasks(source: Reading<'_>) -> Result<u64> {
    let mut tasks = 0_u64;
    for row in Tables::new(source).counts()?.rows()? {
        tasks = tasks.saturating_add(row?.1.value());
    }
    Ok(tasks)
}

/// Lets the numbers and the time of the target follow those of the source. Returns the next fence.
fn continue_numbers(from: &End, to: &mut End, time: &TimeKeeper) -> Result<u64> {
    let (next_seq, next_fence) = from.read(|source| Tables::new(source).next_numbers())?;
    let floor = from.read(|source| Tables::new(source).file_state())?.clock_floor;
    let now: Micros = time.now(floor);
    to.write(|rows, state| {
        if let Some(set) = rows.source().working_set() {
            set.raise_numbers(NumberSeries::Sequence, next_seq)?;
            return set.raise_numbers(NumberSeries::Fence, next_fence);
        }
        state.next_seq = state.next_seq.max(next_seq);
        state.next_fence = state.next_fence.max(next_fence);
        state.clock_floor = state.clock_floor.max(now);
        Ok(())
    })?;
    to.read(|target| Ok(Tables::new(target).next_numbers()?.1))
}

impl Refused {
    fn error(self, from: &str, to: &str) -> Error {
        match self {
            Self::NoSource => {
                Error::new(ErrorKind::Foreign, format!("{from}: there is no tracker here; check the source"))
            }
            Self::Source(mark) => FormatProblem::Moving(mark).error(from),
            Self::TargetNotEmpty => {
                Error::invalid(format!("{to}: it has tasks or kinds already; move into a new file or an empty schema"))
            }
            Self::Target(mark) => FormatProblem::Moving(mark).error(to),
        }
    }
}
