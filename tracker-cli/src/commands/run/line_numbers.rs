//! Numbers lines. A file numbers them in the order in which they are first stored, in the transaction that stores them. On a server, where several
//! runs store the same lines at once and there is no table for a counter, the number is the place in the input of the run that stores the line.

use std::ops::Range;

use tracker_core::{
    Error, Submission, Tasks, Tracker,
    query::Query,
    redb_store::{
        TrackerExt, TransactionExt,
        redb::{ReadableTable, TableDefinition},
    },
    submit::{SubmitOptions, TraceContext},
};

use super::line::Line;

/// The highest number ever given, by kind. It remains when lines are deleted.
const HIGHEST: TableDefinition<'_, &str, u64> = TableDefinition::new("run.numbers");

/// The number of lines that are read at once to find the highest number.
const PAGE: usize = 1_000;

/// A line keeps its number.
pub struct LineNumbers<'a> {
    tracker: &'a Tracker,
    tasks: &'a Tasks<Line>,
    options: SubmitOptions,
    numbering: Numbering,
    /// With [`Numbering::Stored`], the highest number of imported lines, or of a file without a record of it; otherwise the place of the last
    /// line in the input.
    floor: u64,
}

/// How lines get their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// After the highest number that was ever given, which the file stores.
    Stored,
    /// By the place in the input.
    Placed,
}

/// Why a transaction is rolled back.
enum Rollback {
    /// All lines exist.
    NothingNew,
    /// The file has no record of the highest number.
    Unknown,
    Failed(Error),
}

impl From<Error> for Rollback {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> LineNumbers<'a> {
    pub fn new(tracker: &'a Tracker, tasks: &'a Tasks<Line>, numbering: Numbering) -> Result<Self, Error> {
        let floor = match numbering {
            Numbering::Stored => newest(tasks)?,
            Numbering::Placed => 0,
        };
        Ok(Self { tracker, tasks, options: SubmitOptions::new(), numbering, floor })
    }

    /// Stores a trace context with new lines.
    pub fn traced(mut self, context: Option<TraceContext>) -> Self {
        if let Some(context) = context {
            self.options = self.options.trace_context(context);
        }
        self
    }

    /// Stores new lines with their numbers. Returns as many numbers as lines are new; with [`Numbering::Stored`] those of the new lines, which
    /// are stored in one commit.
    pub fn submit(&mut self, lines: &mut [Line]) -> Result<Range<u64>, Error> {
        if self.numbering == Numbering::Placed {
            for (place, line) in (self.floor.saturating_add(1)..).zip(&mut *lines) {
                line.number = place;
            }
            self.floor = self.floor.saturating_add(lines.len() as u64);
            return Ok(0..self.tasks.submit_all_with(&*lines, &self.options)?.new);
        }
        let mut is_known = self.tasks.counts()?.total() == 0;
        loop {
            match self.try_submit(lines, is_known) {
                Ok(new) => return Ok(new),
                Err(Rollback::NothingNew) => return Ok(0..0),
                Err(Rollback::Failed(error)) => return Err(error),
                Err(Rollback::Unknown) => {
                    self.floor = self.floor.max(highest(self.tasks)?);
                    is_known = true;
                }
            }
        }
    }

    fn try_submit(&self, lines: &mut [Line], is_known: bool) -> Result<Range<u64>, Rollback> {
        self.tracker.transaction(|transaction| {
            let stored = {
                let table = transaction.table(HIGHEST)?;
                let stored = table.get(self.tasks.name()).map_err(Error::from)?;
                stored.map(|number| number.value())
            };
            if stored.is_none() && !is_known {
                return Err(Rollback::Unknown);
            }
            let before = self.floor.max(stored.unwrap_or_default());
            let mut number = before;
            for line in lines {
                line.number = number.saturating_add(1);
                if transaction.submit_with(self.tasks, line, &self.options)?.submission == Submission::New {
                    number = line.number;
                }
            }
            if number == before {
                return Err(Rollback::NothingNew);
            }
            transaction.table(HIGHEST)?.insert(self.tasks.name(), number).map_err(Error::from)?;
            Ok(before.saturating_add(1)..number.saturating_add(1))
        })
    }
}

/// Returns the highest number ever given. Works on an inspected file, too.
pub fn highest_given(tracker: &Tracker, tasks: &Tasks<Line>) -> Result<u64, Error> {
    let stored =
        tracker.read_table(HIGHEST, |table| table.get(tasks.name()).map(|number| number.map(|it| it.value())))?;
    let stored = stored.transpose().map_err(Error::from)?.flatten();
    let newest = newest(tasks)?;
    match stored {
        Some(stored) => Ok(stored.max(newest)),
        None => Ok(newest.max(highest(tasks)?)),
    }
}

/// Returns the number of the line that was stored last; 0 without lines.
fn newest(tasks: &Tasks<Line>) -> Result<u64, Error> {
    let newest = tasks.query().by_creation().newest_first().first()?;
    Ok(newest.map_or(0, |newest| newest.task.number))
}

/// Returns the numbers of lines that have not ended. Reads all of these lines.
pub fn unfinished(tasks: &Tasks<Line>) -> Result<Vec<u64>, Error> {
    let mut numbers = Vec::new();
    read_all(|| tasks.query().unfinished(), |number| numbers.push(number))?;
    Ok(numbers)
}

/// Returns the highest number of the lines in the file. Reads all of them.
fn highest(tasks: &Tasks<Line>) -> Result<u64, Error> {
    let mut highest = 0;
    read_all(|| tasks.query().by_creation(), |number| highest = highest.max(number))?;
    Ok(highest)
}

fn read_all<'a>(query: impl Fn() -> Query<'a, Line>, mut each: impl FnMut(u64)) -> Result<(), Error> {
    let mut next = None;
    loop {
        let page = query().limit(PAGE).after(next).page()?;
        page.items.iter().for_each(|line| each(line.task.number));
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Barrier;

    use tracker_core::file::Sharing;

    use super::{
        super::{
            byte_text::ByteText,
            template::{InputForm, Template},
        },
        *,
    };

    fn line(text: &str, number: u64) -> Line {
        let command =
            Template::new(&["echo".into()], false, InputForm::default()).unwrap_or_else(|refused| panic!("{refused}"));
        Line {
            text: ByteText(text.into()),
            values: Vec::new(),
            number,
            copy: 1,
            command,
            oversized: None,
            result: None,
        }
    }

    fn number(tasks: &Tasks<Line>, text: &str) -> u64 {
        tasks.get(text).unwrap().unwrap().task.number
    }

    #[test]
    fn file_without_record_continues_after_the_highest() {
        let tracker = Tracker::in_memory().unwrap();
        let tasks = tracker.tasks::<Line>().unwrap();
        // An earlier version numbered each run from 1.
        tasks.submit_all([line("a", 1), line("b", 2), line("c", 3), line("d", 1)]).unwrap();
        assert_eq!(highest_given(&tracker, &tasks).unwrap(), 3);
        let mut numbers = LineNumbers::new(&tracker, &tasks, Numbering::Stored).unwrap();
        assert_eq!(numbers.submit(&mut [line("a", 0), line("e", 0)]).unwrap(), 4..5);
        assert_eq!((number(&tasks, "a"), number(&tasks, "e")), (1, 4));
    }

    #[test]
    fn numbers_of_deleted_lines_are_not_reused() {
        let tracker = Tracker::in_memory().unwrap();
        let tasks = tracker.tasks::<Line>().unwrap();
        LineNumbers::new(&tracker, &tasks, Numbering::Stored)
            .unwrap()
            .submit(&mut [line("a", 0), line("b", 0)])
            .unwrap();
        tasks.query().remove().unwrap();
        assert_eq!(highest_given(&tracker, &tasks).unwrap(), 2);
        LineNumbers::new(&tracker, &tasks, Numbering::Stored).unwrap().submit(&mut [line("b", 0)]).unwrap();
        assert_eq!(number(&tasks, "b"), 3);
    }

    #[test]
    fn placed_lines_have_their_place_in_the_input() {
        let tracker = Tracker::in_memory().unwrap();
        let tasks = tracker.tasks::<Line>().unwrap();
        let mut numbers = LineNumbers::new(&tracker, &tasks, Numbering::Placed).unwrap();
        assert_eq!(numbers.submit(&mut [line("a", 0), line("b", 0)]).unwrap(), 0..2);
        assert_eq!(numbers.submit(&mut [line("a", 0), line("c", 0)]).unwrap(), 0..1);
        assert_eq!(["a", "b", "c"].map(|text| number(&tasks, text)), [1, 2, 4]);
        let mut other = LineNumbers::new(&tracker, &tasks, Numbering::Placed).unwrap();
        assert_eq!(other.submit(&mut [line("d", 0), line("b", 0)]).unwrap(), 0..1);
        assert_eq!(["b", "d"].map(|text| number(&tasks, text)), [2, 1]);
    }

    #[test]
    fn two_writers_give_different_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let open = || Tracker::options().sharing(Sharing::Writers).open(&path).unwrap();
        let (one, other, barrier) = (open(), open(), Barrier::new(2));
        std::thread::scope(|scope| {
            for (tracker, name) in [(&one, "one"), (&other, "other")] {
                let barrier = &barrier;
                scope.spawn(move || {
                    let tasks = tracker.tasks::<Line>().unwrap();
                    let mut numbers = LineNumbers::new(tracker, &tasks, Numbering::Stored).unwrap();
                    barrier.wait();
                    for round in 0..20 {
                        let mut lines = [line(&format!("{name} {round}"), 0), line(&format!("both {round}"), 0)];
                        numbers.submit(&mut lines).unwrap();
                    }
                });
            }
        });
        let tasks = one.tasks::<Line>().unwrap();
        let stored = tasks.query().limit(100).fetch().unwrap();
        let mut numbers: Vec<_> = stored.iter().map(|line| line.task.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=60).collect::<Vec<_>>());
    }
}
