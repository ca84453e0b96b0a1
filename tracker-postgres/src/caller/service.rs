//! `Service`: passes the statements of a unit of work to the thread that has borrowed the caller's transaction, and the answers back. Used by
//! `caller/mod` and `CallerUnit`.

use std::sync::mpsc::{self, Receiver, Sender};

use crate::wire::params::Params;

use super::sql_transaction::{SqlError, SqlRow, SqlTransaction};

/// A statement to run.
struct Call {
    sql: String,
    types: Vec<u32>,
    params: Params,
}

type Answer = Result<Vec<SqlRow>, SqlError>;

/// The side of the unit of work.
pub(super) struct Service {
    calls: Sender<Call>,
    answers: Receiver<Answer>,
}

/// The side of the transaction.
pub(super) struct Calls {
    calls: Receiver<Call>,
    answers: Sender<Answer>,
}

impl Service {
    pub(super) fn new() -> (Self, Calls) {
        let (call_sender, calls) = mpsc::channel();
        let (answer_sender, answers) = mpsc::channel();
        (Self { calls: call_sender, answers }, Calls { calls, answers: answer_sender })
    }

    /// Runs a statement in the caller's transaction.
    pub(super) fn run(&self, sql: String, types: Vec<u32>, params: Params) -> Answer {
        let sent = self.calls.send(Call { sql, types, params });
        let answer = sent.ok().and_then(|()| self.answers.recv().ok());
        answer.unwrap_or_else(|| Err(SqlError::broken("the client of the transaction panicked")))
    }
}

impl Calls {
    /// Runs the statements of the unit until it ends.
    pub(super) fn serve(self, transaction: &mut (impl SqlTransaction + ?Sized)) {
        while let Ok(Call { sql, types, params }) = self.calls.recv() {
            let answer = transaction.run_statement(&sql, &types, &params.values());
            if self.answers.send(answer).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo(Vec<String>);

    impl SqlTransaction for Echo {
        fn run_statement(&mut self, sql: &str, types: &[u32], parameters: &[Option<&[u8]>]) -> Answer {
            assert_eq!(types.len(), parameters.len());
            self.0.push(sql.to_owned());
            Ok(vec![parameters.iter().map(|value| value.map(<[u8]>::to_vec)).collect()])
        }
    }

    struct Panics;

    impl SqlTransaction for Panics {
        fn run_statement(&mut self, _: &str, _: &[u32], _: &[Option<&[u8]>]) -> Answer {
            panic!("a client that panics")
        }
    }

    #[test]
    fn statements_reach_the_transaction_until_the_unit_ends() {
        let mut echo = Echo(Vec::new());
        std::thread::scope(|scope| {
            let (service, calls) = Service::new();
            let echo = &mut echo;
            scope.spawn(move || calls.serve(echo));
            let rows = service.run("SELECT 1".into(), vec![20], Params::default().value(7_i64));
            assert_eq!(rows.ok(), Some(vec![vec![Some(vec![0, 0, 0, 0, 0, 0, 0, 7])]]));
            assert!(service.run("SELECT 2".into(), Vec::new(), Params::default()).is_ok());
        });
        assert_eq!(echo.0, ["SELECT 1", "SELECT 2"]);
    }

    #[test]
    fn panic_of_the_client_is_an_error_of_the_unit() {
        std::thread::scope(|scope| {
            let (service, calls) = Service::new();
            let thread = scope.spawn(move || calls.serve(&mut Panics));
            let error = service.run("SELECT 1".into(), Vec::new(), Params::default()).err();
            assert!(error.is_some_and(|error| error.to_string().contains("panicked")));
            assert!(thread.join().is_err());
        });
    }
}
