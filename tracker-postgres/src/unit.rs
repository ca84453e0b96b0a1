//! `PostgresUnit`: one unit of work of the engine, which is one transaction of the server: begins it, locks and loads rows, and commits. Made
//! by `store`; holds a slot of the pool until it ends.

use std::{sync::Arc, time::Instant};

use tracker_core::{
    Error,
    store::{Access, Changes, Committed, Loaded, NumberSeries, StoreState, StoreUnit, Want},
};

use crate::{
    claim_starts::UnitTime,
    commit::{self, End},
    edits::{self, Known, Missing},
    error,
    found::Found,
    load::{ClaimRead, Plan},
    numbers::{self, Blocks, Shape},
    pool::Slot,
    shared::{Marks, Shared, change_number},
    sql::{Mode, Sequence, Sql},
    views,
    wire::{
        connection::{Answer, Connection, Failed, Step},
        error::{Result as WireResult, WireError},
        params::Params,
    },
};

/// One unit of work.
pub(crate) struct PostgresUnit {
    shared: Arc<Shared>,
    /// `None` after the end.
    slot: Option<Slot>,
    access: Access,
    state: StoreState,
    time: UnitTime,
    known: Known,
    blocks: Blocks,
}

impl PostgresUnit {
    /// Begins a transaction, and loads the wanted rows in the same round trip.
    pub(crate) fn begin(shared: &Arc<Shared>, access: Access, wants: &[Want]) -> Result<(Self, Vec<Loaded>), Error> {
        let begin = Begin::new(shared, access, wants)?;
        let deadline = shared.deadline();
        let mut slot = shared.slot(deadline)?;
        let result = shared.with_connection(&mut slot, deadline, |connection| begin.run(connection));
        match result {
            Ok(Ok(answers)) => {
                let mut unit = Self {
                    shared: Arc::clone(shared),
                    slot: Some(slot),
                    access,
                    state: answers.state,
                    time: answers.time,
                    known: Known::default(),
                    blocks: answers.blocks,
                };
                let loaded = unit.read(&begin.plan, wants, &Missing::default(), answers.loads)?;
                Ok((unit, loaded))
            }
            Ok(Err(conflict)) => {
                shared.pool.give_back(slot);
                Err(error::of_unit(&shared.name, conflict))
            }
            Err(error) => {
                // A transaction that has begun ends with the connection.
                slot.connection = None;
                shared.pool.give_back(slot);
                Err(error::of_begin(&shared.name, error))
            }
        }
    }

    /// Reads the answers to a plan, remembers the tasks that were found, and returns the answers to the wants.
    fn read(
        &mut self,
        plan: &Plan,
        wants: &[Want],
        missing: &Missing,
        answers: Vec<Answer>,
    ) -> Result<Vec<Loaded>, Error> {
        let shared = Arc::clone(&self.shared);
        let of_unit = |error| error::of_unit(&shared.name, error);
        let mut found = Found::read(plan, wants, answers).map_err(of_unit)?;
        self.check_claims(plan, wants, &mut found)?;
        if self.access == Access::Write {
            found.remember(wants, missing, &mut self.known)?;
        }
        found.answers(wants)
    }

    /// Reads the ranges whole from which claims have skipped more than they may, and remembers where the next claims begin.
    fn check_claims(&mut self, plan: &Plan, wants: &[Want], found: &mut Found) -> Result<(), Error> {
        let needs_whole = |claim: &&ClaimRead| claim.parts.need_whole(&found.claimed(claim, wants), self.time);
        let indexes: Vec<_> = plan.claims.iter().filter(needs_whole).map(|claim| claim.index).collect();
        let mut again = Plan::of_whole_claims(indexes, wants);
        if !again.claims.is_empty() {
            let answers = self.run_plan(&mut again, wants)?;
            let read = found.read_again(&again, wants, answers);
            read.map_err(|error| error::of_unit(&self.shared.name, error))?;
        }
        let is_read_again = |claim: &&ClaimRead| again.claims.iter().any(|whole| whole.index == claim.index);
        let once = plan.claims.iter().filter(|claim| !is_read_again(claim));
        let mut starts = self.shared.claim_starts();
        for claim in once.chain(&again.claims) {
            starts.learn(&claim.parts, &found.claimed(claim, wants), self.time);
        }
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut Connection<Sql>, Error> {
        let name = &self.shared.name;
        let connection = self.slot.as_mut().and_then(|slot| slot.connection.as_mut());
        connection.ok_or_else(|| error::of_unit(name, WireError::Protocol("the connection has ended")))
    }

    fn run(&mut self, steps: &[Step<Sql>]) -> Result<Vec<Answer>, Error> {
        let result = self.connection()?.run(steps);
        result.map_err(|Failed { error, .. }| {
            if let Some(slot) = self.slot.as_mut().filter(|_| !error::is_conflict(&error)) {
                // A statement that takes numbers and fails would keep the lock of their sequence.
                slot.connection = None;
            }
            error::of_unit(&self.shared.name, error)
        })
    }

    /// Runs a statement that returns a number.
    fn number(&mut self, statement: Sql, params: Params) -> Result<u64, Error> {
        let answers = self.run(&[Step::Run(statement, params), Step::Sync])?;
        change_number(answers.into_iter().next()).map_err(|error| error::of_unit(&self.shared.name, error))
    }

    /// Loads what is wanted, and what is missing for a commit.
    fn load_all(&mut self, wants: &[Want], missing: &Missing) -> Result<Vec<Loaded>, Error> {
        let mut plan = self.shared.plan(wants, missing, self.access)?;
        let answers = self.run_plan(&mut plan, wants)?;
        self.read(&plan, wants, missing, answers)
    }

    /// Runs the statements of a plan, and takes numbers along.
    fn run_plan(&mut self, plan: &mut Plan, wants: &[Want]) -> Result<Vec<Answer>, Error> {
        let loads = plan.steps.len();
        if self.access == Access::Write {
            let shape = Shape::of(wants);
            self.blocks.begin(shape, &self.shared.learned);
            plan.steps.extend(prefetches(&self.shared, shape));
        }
        plan.steps.push(Step::Sync);
        let mut answers = self.run(&plan.steps)?;
        let taken = answers.split_off(loads);
        let filled = fill(&plan.steps, loads, taken, &mut self.blocks);
        filled.map_err(|error| error::of_unit(&self.shared.name, error))?;
        Ok(answers)
    }
}

/// The pipeline that begins a transaction.
struct Begin<'s> {
    shared: &'s Shared,
    began: Instant,
    steps: Vec<Step<Sql>>,
    /// What the first load finds; its steps are in `steps`.
    plan: Plan,
    shape: Shape,
    /// Whether the number of commits is the answer to the first step. Otherwise it is in the state.
    counts_first: bool,
    /// The steps of the state, of the first load, and of the numbers that are taken along.
    state_at: usize,
    loads_at: usize,
    numbers_at: usize,
}

/// The answers to a [`Begin`].
struct Begun {
    state: StoreState,
    time: UnitTime,
    loads: Vec<Answer>,
    blocks: Blocks,
}

impl<'s> Begin<'s> {
    fn new(shared: &'s Shared, access: Access, wants: &[Want]) -> Result<Self, Error> {
        let writes = access == Access::Write;
        let began = Instant::now();
        let mut plan = shared.plan(wants, &Missing::default(), access)?;
        let shape = if wants.is_empty() { Shape::default() } else { Shape::of(wants) };
        let mode = shared.mode(access);
        // A serializable transaction that counts the commits conflicts with each of them, so they are counted before it. The number is then at most
        // that of what the transaction sees, so that no change is overlooked.
        let counts_first = mode == Mode::Serializable;
        let mut steps = Vec::new();
        if counts_first {
            steps.extend([Step::Run(Sql::ChangeNumber, Params::default()), Step::Sync]);
        }
        steps.push(shared.begin_step(mode));
        let state_at = steps.len();
        steps.push(Step::Run(Sql::State { counts_commits: !counts_first, keeps_schema: writes }, Params::default()));
        let loads_at = steps.len();
        steps.append(&mut plan.steps);
        let numbers_at = steps.len();
        // Behind the loads, since numbers must follow those that were assigned to the loaded rows.
        if writes {
            steps.extend(prefetches(shared, shape));
        }
        steps.push(Step::Sync);
        Ok(Self { shared, began, steps, plan, shape, counts_first, state_at, loads_at, numbers_at })
    }

    /// Runs it. Returns the error inside if other units compete for the rows of the first load; the connection is kept then.
    fn run(&self, connection: &mut Connection<Sql>) -> WireResult<WireResult<Begun>> {
        let mut answers = match connection.run(&self.steps) {
            Ok(answers) => answers,
            Err(Failed { step, error }) if step >= self.loads_at && error::is_conflict(&error) && !error.is_final() => {
                connection.script("ROLLBACK")?;
                return Ok(Err(error));
            }
            Err(Failed { error, .. }) => return Err(error),
        };
        let mut blocks = Blocks::default();
        blocks.begin(self.shape, &self.shared.learned);
        fill(&self.steps, self.numbers_at, answers.split_off(self.numbers_at), &mut blocks)?;
        let loads = answers.split_off(self.loads_at);
        let state = answers.drain(self.state_at..).next().and_then(|answer| answer.rows.into_iter().next());
        let mut state = state.ok_or(WireError::Protocol("a row is missing"))?;
        let (now, schema) = (state.int8()?, state.int8()?.cast_unsigned());
        let mut marks = Marks::read(&mut state)?;
        if self.counts_first {
            marks = Marks::of_answer(answers.into_iter().next())?;
        }
        let time = UnitTime { rewinds: marks.rewinds, now, began: self.began };
        let now = (!self.shared.options.client_clock).then_some(now);
        Ok(Ok(Begun { state: StoreState { now, schema, change: marks.commits }, time, loads, blocks }))
    }
}

/// Statements that take along the numbers that a unit of this shape is expected to need.
fn prefetches(shared: &Shared, shape: Shape) -> Vec<Step<Sql>> {
    let counts = numbers::ALL.map(|sequence| (sequence, shared.learned.expected(shape, sequence)));
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(sequence, count)| take(sequence, count)).collect()
}

fn take(sequence: Sequence, count: u64) -> Step<Sql> {
    Step::Run(Sql::Take(sequence), Params::default().value(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// Reads the numbers that the steps from `first` on have taken.
fn fill(steps: &[Step<Sql>], first: usize, answers: Vec<Answer>, blocks: &mut Blocks) -> WireResult<()> {
    for (step, answer) in steps.iter().skip(first).zip(answers) {
        let Step::Run(Sql::Take(sequence), params) = step else { continue };
        blocks.fill(*sequence, last_number(answer)?, params.last_int8());
    }
    Ok(())
}

fn last_number(answer: Answer) -> WireResult<i64> {
    let row = answer.rows.into_iter().next().ok_or(WireError::Protocol("a row is missing"));
    let mut row = row?;
    row.bytes()?;
    row.int8()
}

impl StoreUnit for PostgresUnit {
    fn state(&self) -> StoreState {
        self.state
    }

    fn take_numbers(&mut self, series: NumberSeries, count: u64) -> Result<u64, Error> {
        let sequence = numbers::sequence(series);
        let first = if let Some(first) = self.blocks.take(sequence, count) {
            first
        } else {
            let asked = self.blocks.missing(sequence, count);
            let steps = [take(sequence, asked), Step::Sync];
            let last = self.run(&steps)?.into_iter().next().unwrap_or_default();
            let last = last_number(last).map_err(|error| error::of_unit(&self.shared.name, error))?;
            self.blocks.refill(sequence, last, asked, count)
        };
        if sequence == Sequence::Task {
            self.known.taken.push(first..first + i64::try_from(count).unwrap_or(0));
        }
        Ok(first.cast_unsigned())
    }

    fn next_number(&mut self, series: NumberSeries) -> Result<u64, Error> {
        let sequence = numbers::sequence(series);
        if let Some(next) = self.blocks.peek(sequence) {
            return Ok(next.cast_unsigned());
        }
        self.number(Sql::Next(sequence), Params::default())
    }

    fn raise_numbers(&mut self, series: NumberSeries, next: u64) -> Result<(), Error> {
        let sequence = numbers::sequence(series);
        // The numbers that were taken along may be below.
        self.blocks.clear();
        let last = i64::try_from(next).unwrap_or(i64::MAX) - 1;
        self.number(Sql::Raise(sequence), Params::default().value(last)).map(drop)
    }

    fn load(&mut self, wants: &[Want]) -> Result<Vec<Loaded>, Error> {
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        self.load_all(wants, &Missing::default())
    }

    fn commit(mut self: Box<Self>, changes: Changes) -> Result<Committed, Error> {
        let missing = edits::missing(&changes.rows, &mut self.known)?;
        if missing != Missing::default() {
            self.load_all(&[], &missing)?;
        }
        let edits = edits::group(&changes.rows, &mut self.known)?;
        let Some(mut slot) = self.slot.take() else { return Ok(Committed::Conflict) };
        match commit::run(&self.shared, &mut slot, &edits, &changes, self.state) {
            End::Committed(committed) => {
                self.blocks.end(&self.shared.learned);
                if let (true, Some(connection)) = (changes.schema.is_some(), &mut slot.connection)
                    && views::refresh(connection, &self.shared.schema).is_err()
                {
                    slot.connection = None;
                }
                self.shared.pool.give_back(slot);
                Ok(committed)
            }
            End::TakenBack(result) => {
                // The rollback is sent when the unit is dropped.
                self.slot = Some(slot);
                result
            }
            End::Unknown(error) => {
                self.shared.pool.retire();
                Err(error)
            }
        }
    }
}

impl Drop for PostgresUnit {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        self.blocks.end(&self.shared.learned);
        let Some(connection) = slot.connection.as_mut() else { return self.shared.pool.give_back(slot) };
        match self.access {
            // Its answer is skipped by the next unit: a unit that reads holds nothing that another one waits for.
            Access::Read => connection.send_only("ROLLBACK"),
            // The next unit of this process may use another connection, and must not skip a task that this one still locks. If the
            // connection breaks, the server frees the locks when it notices.
            Access::Write => drop(connection.script("ROLLBACK")),
        }
        self.shared.pool.give_back(slot);
    }
}
