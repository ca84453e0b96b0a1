//! `CallerUnit`: a unit of work in the caller's transaction. Its commit runs the statements of the changes, and leaves the commit to the
//! caller. Made by `transaction_in`, used by the engine of tracker-core.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tracker_core::{
    Error, ErrorKind,
    store::{Changes, Committed, Loaded, NumberSeries, StoreState, StoreUnit, Want, store_conflict, store_error},
};

use super::{service::Service, sql_transaction::SqlError};
use crate::{
    commit,
    edits::{self, Known, Missing},
    error,
    found::Found,
    load::Plan,
    numbers,
    options::Isolation,
    shared::{Shared, change_number},
    sql::{Sequence, Sql},
    wire::{
        connection::{Answer, Connection, Statement as _, Step},
        error::{Result as WireResult, ServerError, WireError},
        params::Params,
        row::Row,
    },
};

/// The work of the tracker is taken back to here.
const SAVEPOINT: &str = "tracker_work";

/// One unit of work in the caller's transaction.
pub(super) struct CallerUnit {
    shared: Arc<Shared>,
    service: Service,
    state: StoreState,
    known: Known,
    /// Whether the savepoint is set.
    is_open: bool,
}

impl CallerUnit {
    pub(super) fn begin(shared: &Arc<Shared>, service: Service) -> Result<Self, Error> {
        if shared.options.isolation == Isolation::Serializable {
            let message = format!(
                "{}: this tracker has Isolation::Serializable, and transactions of the caller are READ COMMITTED: open another tracker for them",
                shared.name
            );
            return Err(store_error(ErrorKind::Unsupported, message, "the isolation differs"));
        }
        let change = introduce(shared)?;
        let state = StoreState { now: None, schema: 0, change };
        let mut unit = Self { shared: Arc::clone(shared), service, state, known: Known::default(), is_open: false };
        unit.command("SAVEPOINT").map_err(|error| unit.failed(error))?;
        unit.is_open = true;
        unit.check_transaction()?;
        let steps = [Sql::KeepSchema, Sql::State { counts_commits: false, keeps_schema: false }]
            .map(|statement| Step::Run(statement, Params::default()));
        let mut answers = unit.run_all(&steps)?;
        let read = |mut row: Row| Ok((row.int8()?, row.int8()?.cast_unsigned()));
        let state = one_row(answers.pop()).and_then(read);
        let (now, schema) = state.map_err(|error| error::of_unit(&shared.name, error))?;
        unit.state = StoreState { now: (!shared.options.client_clock).then_some(now), schema, change };
        Ok(unit)
    }

    /// Refuses a transaction of another database, and one whose isolation would see old rows.
    fn check_transaction(&self) -> Result<(), Error> {
        let name = &self.shared.name;
        let refused = |what: &str| {
            let message = format!("{name}: the caller's transaction cannot be used: {what}");
            Err(store_error(ErrorKind::Invalid, message, "another transaction is needed"))
        };
        let elsewhere = "it is of another database or server; connect the caller's client to that of the tracker";
        let row = match self.run(Sql::Caller, &Params::default().value(self.shared.process)) {
            Err(error) if matches!(error.code.as_deref(), Some("42P01" | "3F000")) => return refused(elsewhere),
            answer => one_row(Some(answer.map_err(|error| self.failed(error))?)),
        };
        let read = |mut row: Row| Ok((row.text()?, row.text()?, row.int8()?));
        let (isolation, reads_only, known) =
            row.and_then(read).map_err(|error| error::of_unit(&self.shared.name, error))?;
        match (isolation.as_str(), reads_only.as_str()) {
            ("read committed", "off") if known > 0 => Ok(()),
            ("read committed", "off") => refused(elsewhere),
            ("read committed", _) => refused("it reads only; begin it as READ WRITE"),
            _ => refused(&format!("its isolation is {isolation:?}; begin it as READ COMMITTED")),
        }
    }

    fn run(&self, statement: Sql, params: &Params) -> Result<Answer, SqlError> {
        let (sql, types) = statement.text(&self.shared.schema);
        let rows = self.service.run(sql, types, params.clone())?;
        Ok(Answer { rows: rows.into_iter().map(Row::of_columns).collect(), affected: 0 })
    }

    /// Notifies waiting workers, also those of this process, when the caller commits.
    fn notify(&self) -> Result<(), Error> {
        let listens = self.run(Sql::Listeners, &Params::default()).map_err(|error| self.failed(error))?;
        let listens = one_row(Some(listens)).and_then(|mut row| row.int8());
        if listens.map_err(|error| error::of_unit(&self.shared.name, error))? != 0 {
            self.run(Sql::Notify, &Params::default()).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Runs a command about the savepoint.
    fn command(&self, verb: &str) -> Result<(), SqlError> {
        self.service.run(format!("{verb} {SAVEPOINT}"), Vec::new(), Params::default()).map(drop)
    }

    /// Runs the statements of steps, and returns an answer for each step.
    fn run_all(&self, steps: &[Step<Sql>]) -> Result<Vec<Answer>, Error> {
        let run = |step: &Step<Sql>| match step {
            Step::Run(statement, params) => self.run(*statement, params),
            Step::Script(_) | Step::Sync => Ok(Answer::default()),
        };
        steps.iter().map(|step| run(step).map_err(|error| self.failed(error))).collect()
    }

    fn failed(&self, error: SqlError) -> Error {
        let name = &self.shared.name;
        let SqlError { code, source } = error;
        let Some(code) = code else {
            let message = format!(
                "{name}: the caller's transaction failed: {source}; nothing of it is stored: begin another one"
            );
            return store_error(ErrorKind::Io, message, source);
        };
        if matches!(code.as_str(), "25P01" | "25P02") {
            let message = format!(
                "{name}: the caller's transaction cannot be used: {source} (SQLSTATE {code}); roll it back and begin another one"
            );
            return store_error(ErrorKind::Invalid, message, source);
        }
        let error = WireError::Server(ServerError { code, message: source.to_string(), ..ServerError::default() });
        if error::is_conflict(&error) { store_conflict(error) } else { error::describe(name, error) }
    }

    /// Runs a statement that returns a number on a connection of the tracker. Numbers belong to no transaction, and a statement that takes
    /// them and fails would leave its lock to the connection.
    fn number(&self, statement: Sql, params: &Params, column: usize) -> Result<i64, Error> {
        on_own_connection(&self.shared, |connection| {
            let steps = [Step::Run(statement, params.clone()), Step::Sync];
            let mut row = one_row(connection.run(&steps).map_err(|failed| failed.error)?.into_iter().next())?;
            for _ in 0..column {
                row.bytes()?;
            }
            row.int8()
        })
    }

    fn load_all(&mut self, wants: &[Want], missing: &Missing) -> Result<Vec<Loaded>, Error> {
        let plan = Plan::of(wants, missing, true, None)?;
        let answers = self.run_all(&plan.steps)?;
        let mut found = Found::read(&plan, wants, answers).map_err(|error| error::of_unit(&self.shared.name, error))?;
        found.remember(wants, missing, &mut self.known)?;
        found.answers(wants)
    }
}

/// Makes sure that this process has a row in the table of marks, by which a transaction of another database is recognised. Returns the number
/// of commits.
fn introduce(shared: &Shared) -> Result<u64, Error> {
    on_own_connection(shared, |connection| {
        let introduction = Step::Run(Sql::Introduce, Params::default().value(shared.process));
        let steps = [introduction, Step::Sync, Step::Run(Sql::ChangeNumber, Params::default()), Step::Sync];
        let mut answers = connection.run(&steps).map_err(|failed| failed.error)?.into_iter();
        change_number(answers.nth(2))
    })
}

fn on_own_connection<T>(shared: &Shared, call: impl FnMut(&mut Connection<Sql>) -> WireResult<T>) -> Result<T, Error> {
    let deadline = shared.deadline();
    let mut slot = shared.slot(deadline)?;
    let result = shared.with_connection(&mut slot, deadline, call);
    shared.pool.give_back(slot);
    result.map_err(|error| error::describe(&shared.name, error))
}

fn one_row(answer: Option<Answer>) -> WireResult<Row> {
    answer.and_then(|answer| answer.rows.into_iter().next()).ok_or(WireError::Protocol("a row is missing"))
}

impl StoreUnit for CallerUnit {
    fn state(&self) -> StoreState {
        self.state
    }

    fn take_numbers(&mut self, series: NumberSeries, count: u64) -> Result<u64, Error> {
        let sequence = numbers::sequence(series);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let last = self.number(Sql::Take(sequence), &Params::default().value(count), 1)?;
        let first = last + 1 - count;
        if sequence == Sequence::Task {
            self.known.taken.push(first..last + 1);
        }
        Ok(first.cast_unsigned())
    }

    fn next_number(&mut self, series: NumberSeries) -> Result<u64, Error> {
        let next = self.number(Sql::Next(numbers::sequence(series)), &Params::default(), 0)?;
        Ok(next.cast_unsigned())
    }

    fn raise_numbers(&mut self, series: NumberSeries, next: u64) -> Result<(), Error> {
        let last = i64::try_from(next).unwrap_or(i64::MAX) - 1;
        self.number(Sql::Raise(numbers::sequence(series)), &Params::default().value(last), 0).map(drop)
    }

    fn load(&mut self, wants: &[Want]) -> Result<Vec<Loaded>, Error> {
        if wants.is_empty() { Ok(Vec::new()) } else { self.load_all(wants, &Missing::default()) }
    }

    fn commit(mut self: Box<Self>, changes: Changes) -> Result<Committed, Error> {
        let missing = edits::missing(&changes.rows, &mut self.known)?;
        if missing != Missing::default() {
            self.load_all(&[], &missing)?;
        }
        let edits = edits::group(&changes.rows, &mut self.known)?;
        let next = self.shared.next_caller.fetch_sub(1, Relaxed);
        let mark = Params::default().value(self.shared.process).value(next);
        let marked = self.run(Sql::MarkCaller, &mark).map_err(|error| self.failed(error))?;
        let slot = one_row(Some(marked)).and_then(|mut row| row.int8());
        let slot = slot.map_err(|error| error::of_unit(&self.shared.name, error))?;
        let shard = commit::caller_shard(&self.shared, slot);
        self.run_all(&commit::statements(&edits, &changes, shard))?;
        if changes.wakes_workers && self.shared.options.notifies {
            self.notify()?;
        }
        self.command("RELEASE SAVEPOINT").map_err(|error| self.failed(error))?;
        self.is_open = false;
        Ok(Committed::Done { change: self.state.change + 1 })
    }
}

impl Drop for CallerUnit {
    fn drop(&mut self) {
        if self.is_open {
            // A transaction that cannot go back to its savepoint has failed, and its own commit says so.
            drop(self.command("ROLLBACK TO SAVEPOINT"));
            drop(self.command("RELEASE SAVEPOINT"));
        }
    }
}
