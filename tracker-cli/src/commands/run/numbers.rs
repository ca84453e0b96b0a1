use tracker_core::{
    Error, Submission, Tasks, Tracker,
    redb_store::{
        TransactionExt,
        redb::{ReadableTable, TableDefinition},
    },
};

use super::line::Line;

/// The highest number that a line was ever given, by the kind's name. It stays when lines are deleted.
const HIGHEST: TableDefinition<'_, &str, u64> = TableDefinition::new("run.numbers");

/// So many tasks are read at once where the highest number is looked for.
const PAGE: usize = 1_000;

/// Numbers lines in the order in which they are first stored. A line keeps its number.
pub struct Numbers<'a> {
    tracker: &'a Tracker,
    tasks: &'a Tasks<Line>,
    /// The highest number of an import, or of a file that has no record of it yet.
    floor: u64,
}

/// Why a transaction stores nothing.
enum Stop {
    /// All lines are there already.
    NothingNew,
    /// The file does not say what its highest number is.
    Unknown,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Numbers<'a> {
    pub fn new(tracker: &'a Tracker, tasks: &'a Tasks<Line>) -> Result<Self, Error> {
        Ok(Self { tracker, tasks, floor: newest(tasks)? })
    }

    /// Stores the lines that are new, with their numbers, in one commit; returns how many they are.
    pub fn submit(&mut self, lines: &mut [Line]) -> Result<u64, Error> {
        let mut is_known = self.tasks.counts()?.total() == 0;
        loop {
            match self.try_submit(lines, is_known) {
                Ok(new) => return Ok(new),
                Err(Stop::NothingNew) => return Ok(0),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Unknown) => {
                    self.floor = self.floor.max(highest(self.tasks)?);
                    is_known = true;
                }
            }
        }
    }

    fn try_submit(&self, lines: &mut [Line], is_known: bool) -> Result<u64, Stop> {
        self.tracker.transaction(|transaction| {
            let stored = {
                let table = transaction.table(HIGHEST)?;
                let stored = table.get(self.tasks.name()).map_err(Error::from)?;
                stored.map(|number| number.value())
            };
            if stored.is_none() && !is_known {
                return Err(Stop::Unknown);
            }
            let (mut number, mut new) = (self.floor.max(stored.unwrap_or_default()), 0);
            for line in lines {
                line.number = number.saturating_add(1);
                if transaction.submit(self.tasks, line)?.submission == Submission::New {
                    number = line.number;
                    new += 1;
                }
            }
            if new == 0 {
                return Err(Stop::NothingNew);
            }
            transaction.table(HIGHEST)?.insert(self.tasks.name(), number).map_err(Error::from)?;
            Ok(new)
        })
    }
}

/// The number of the line that was stored last; 0 without lines.
pub fn newest(tasks: &Tasks<Line>) -> Result<u64, Error> {
    let newest = tasks.query().by_creation().newest_first().first()?;
    Ok(newest.map_or(0, |newest| newest.task.number))
}

/// The highest number of any line in the file, by reading all of them.
fn highest(tasks: &Tasks<Line>) -> Result<u64, Error> {
    let (mut highest, mut next) = (0, None);
    loop {
        let page = tasks.query().by_creation().limit(PAGE).after(next).page()?;
        highest = page.items.iter().map(|line| line.task.number).fold(highest, u64::max);
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => return Ok(highest),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Barrier;

    use tracker_core::file::Sharing;

    use super::{
        super::{template::Template, text::Text},
        *,
    };

    fn line(text: &str, number: u64) -> Line {
        let command = Template::new(&["echo".into()], false).unwrap_or_else(|refused| panic!("{refused}"));
        Line { text: Text(text.into()), number, copy: 1, command, oversized: None, result: None }
    }

    fn number(tasks: &Tasks<Line>, text: &str) -> u64 {
        tasks.get(text).unwrap().unwrap().task.number
    }

    #[test]
    fn files_without_a_record_continue_after_the_highest() {
        let tracker = Tracker::in_memory().unwrap();
        let tasks = tracker.tasks::<Line>().unwrap();
        // As an earlier version stored them: every run began at 1.
        tasks.submit_all([line("a", 1), line("b", 2), line("c", 3), line("d", 1)]).unwrap();
        let mut numbers = Numbers::new(&tracker, &tasks).unwrap();
        assert_eq!(numbers.submit(&mut [line("a", 0), line("e", 0)]).unwrap(), 1);
        assert_eq!((number(&tasks, "a"), number(&tasks, "e")), (1, 4));
    }

    #[test]
    fn numbers_of_deleted_lines_are_not_given_again() {
        let tracker = Tracker::in_memory().unwrap();
        let tasks = tracker.tasks::<Line>().unwrap();
        Numbers::new(&tracker, &tasks).unwrap().submit(&mut [line("a", 0), line("b", 0)]).unwrap();
        tasks.query().remove().unwrap();
        Numbers::new(&tracker, &tasks).unwrap().submit(&mut [line("b", 0)]).unwrap();
        assert_eq!(number(&tasks, "b"), 3);
    }

    #[test]
    fn two_writers_never_give_the_same_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let open = || Tracker::options().sharing(Sharing::Writers).open(&path).unwrap();
        let (one, other, barrier) = (open(), open(), Barrier::new(2));
        std::thread::scope(|scope| {
            for (tracker, name) in [(&one, "one"), (&other, "other")] {
                let barrier = &barrier;
                scope.spawn(move || {
                    let tasks = tracker.tasks::<Line>().unwrap();
                    let mut numbers = Numbers::new(tracker, &tasks).unwrap();
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
