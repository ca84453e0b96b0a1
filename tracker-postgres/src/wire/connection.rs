//! `Connection`: a connection to the server, and pipelines of statements over it. Kept by `pool`; used by units, commits, the schema and the
//! listener. Blocks the calling thread.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    mem,
    time::Duration,
};

use crate::address::{Address, Server};

use super::{
    error::{Result, WireError},
    login, message,
    params::Params,
    row::Row,
    socket::Socket,
};

/// How many bytes of a pipeline are sent before its answers are read. Both sides would wait for each other if the server could not send the
/// answer of one statement while this side still sent the next.
const CHUNK: usize = 64 << 10;

/// A statement that can be prepared.
pub(crate) trait Statement: Copy + Eq + Hash {
    /// The text, and the types of its parameters.
    fn text(self, schema: &str) -> (String, Vec<u32>);
}

/// A step of a pipeline.
pub(crate) enum Step<S> {
    /// Runs a statement.
    Run(S, Params),
    /// Runs statements without parameters as a part of its own; it stands at the start or after a `Sync`.
    Script(String),
    /// Ends a part: an error skips the steps up to here only.
    Sync,
}

/// The answer to a statement.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub rows: Vec<Row>,
    /// How many rows the statement changed.
    pub affected: u64,
}

/// A pipeline that failed: the index of the step, and why. The steps before it have run.
#[derive(Debug)]
pub(crate) struct Failed {
    pub step: usize,
    pub error: WireError,
}

/// A connection to the server.
pub(crate) struct Connection<S> {
    socket: Socket,
    /// The quoted name of the schema.
    schema: String,
    /// The numbers of the statements that are prepared; `None` if none shall be, because a pool between may hand out another
    /// connection for the next transaction.
    prepared: Option<HashMap<S, usize>>,
    /// The number of the next statement to prepare. A number is not used again: its preparation may have failed.
    next: usize,
    /// How many parts were sent whose end was not read.
    unread: usize,
    is_broken: bool,
    /// The bytes to send next. The allocation is reused by later pipelines.
    out: Vec<u8>,
}

/// The answers that are expected from the server, in order.
enum Expected<S> {
    Prepared(S, usize),
    Answer(usize),
    Script(usize),
    Ready,
}

impl<S> Expected<S> {
    fn step(&self) -> Option<usize> {
        match self {
            Self::Answer(step) | Self::Script(step) => Some(*step),
            _ => None,
        }
    }

    fn ends_part(&self) -> bool {
        matches!(self, Self::Ready | Self::Script(_))
    }
}

impl<S: Statement> Connection<S> {
    pub(crate) fn open(
        address: &Address,
        server: &Server,
        schema: &str,
        prepares: bool,
        timeout: Duration,
        silence: Duration,
    ) -> Result<Self> {
        let mut socket = Socket::connect(address, server, timeout)?;
        let login = login::log_in(&mut socket, address);
        #[cfg(feature = "tls")]
        let login = login.map_err(super::tls::of_login);
        login?;
        socket.set_silence(silence)?;
        let known = prepares.then(HashMap::new);
        Ok(Self {
            socket,
            schema: schema.to_owned(),
            prepared: known,
            next: 0,
            unread: 0,
            is_broken: false,
            out: Vec::new(),
        })
    }

    /// Whether the connection cannot be used again.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Runs statements without parameters, as one.
    pub(crate) fn script(&mut self, sql: &str) -> Result<()> {
        let mut out = Vec::new();
        message::query(&mut out, sql);
        let result = self.send(&out).and_then(|()| {
            self.skip_unread()?;
            self.read_part()
        });
        self.noted(result)
    }

    /// Sends a statement and does not wait for its answer, which is skipped later.
    pub(crate) fn send_only(&mut self, sql: &str) {
        let mut out = Vec::new();
        message::query(&mut out, sql);
        match self.send(&out) {
            Ok(()) => self.unread += 1,
            Err(_) => self.is_broken = true,
        }
    }

    /// Waits for a notification, at most `timeout`, and returns what it carries. Nothing else runs on the connection meanwhile.
    pub(crate) fn notification(&mut self, timeout: Duration, silence: Duration) -> Result<Option<String>> {
        let result = self.next_notification(timeout, silence);
        self.noted(result)
    }

    fn next_notification(&mut self, timeout: Duration, silence: Duration) -> Result<Option<String>> {
        while self.socket.has_data(timeout, silence)? {
            let (tag, body) = self.socket.read()?;
            match tag {
                b'A' => return message::notification(&body).map(|payload| Some(payload.to_owned())),
                b'E' => return Err(WireError::Server(message::server_error(&body))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Runs a pipeline, and returns the answer to each step. The last step is a `Sync`.
    pub(crate) fn run(&mut self, steps: &[Step<S>]) -> Result<Vec<Answer>, Failed> {
        let mut out = mem::take(&mut self.out);
        out.clear();
        let result = self.run_with(steps, &mut out);
        if out.capacity() <= 4 * CHUNK {
            self.out = out;
        }
        result
    }

    fn run_with(&mut self, steps: &[Step<S>], out: &mut Vec<u8>) -> Result<Vec<Answer>, Failed> {
        let mut answers: Vec<Answer> = steps.iter().map(|_| Answer::default()).collect();
        let mut failed = None;
        let mut expected = VecDeque::new();
        let mut texts = HashMap::new();
        for (index, step) in steps.iter().enumerate() {
            match step {
                Step::Run(statement, params) => {
                    // The server skips the statements after an error in its part.
                    if failed.is_none() {
                        self.append(out, &mut expected, &mut texts, *statement, params);
                        expected.push_back(Expected::Answer(index));
                    }
                }
                Step::Script(sql) => {
                    message::query(out, sql);
                    expected.push_back(Expected::Script(index));
                }
                Step::Sync => {
                    message::sync(out);
                    expected.push_back(Expected::Ready);
                }
            }
            let is_last = index + 1 == steps.len();
            if out.len() < CHUNK && !is_last {
                continue;
            }
            if matches!(step, Step::Run(..)) {
                message::flush(out);
            }
            let result = self.send(out).and_then(|()| self.read_expected(&mut expected, &mut answers, &mut failed));
            out.clear();
            if let Err(error) = result {
                self.is_broken = true;
                let step = expected.iter().find_map(Expected::step);
                return Err(failed.unwrap_or(Failed { step: step.unwrap_or(index), error }));
            }
        }
        match failed {
            None => Ok(answers),
            Some(failed) => {
                self.is_broken |= failed.error.is_final();
                Err(failed)
            }
        }
    }

    fn append(
        &mut self,
        out: &mut Vec<u8>,
        expected: &mut VecDeque<Expected<S>>,
        texts: &mut HashMap<S, usize>,
        statement: S,
        params: &Params,
    ) {
        let known = self.prepared.as_ref().map(|prepared| prepared.get(&statement).or_else(|| texts.get(&statement)));
        let name = if let Some(Some(number)) = known {
            format!("t{number}")
        } else {
            let (sql, types) = statement.text(&self.schema);
            let number = self.next;
            self.next += 1;
            let name = if known.is_some() { format!("t{number}") } else { String::new() };
            texts.insert(statement, number);
            message::parse(out, &name, &sql, &types);
            expected.push_back(Expected::Prepared(statement, number));
            name
        };
        message::bind_and_execute(out, &name, params.count, &params.bytes);
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_broken {
            return Err(WireError::Protocol("the connection is broken"));
        }
        self.socket.write(bytes)
    }

    /// Reads what is expected. After an error, no answer to the rest of its part is expected; `failed` keeps the first one.
    fn read_expected(
        &mut self,
        expected: &mut VecDeque<Expected<S>>,
        answers: &mut [Answer],
        failed: &mut Option<Failed>,
    ) -> Result<()> {
        self.skip_unread()?;
        while let Some(next) = expected.front() {
            let (tag, body) = self.socket.read()?;
            match (tag, next) {
                (b'1', Expected::Prepared(statement, number)) => {
                    if let Some(prepared) = &mut self.prepared {
                        prepared.insert(*statement, *number);
                    }
                    expected.pop_front();
                }
                (b'D', Expected::Answer(index)) => {
                    if let Some(answer) = answers.get_mut(*index) {
                        answer.rows.push(Row::new(body));
                    }
                }
                (b'C' | b'I' | b's', Expected::Answer(index)) => {
                    if let Some(answer) = answers.get_mut(*index) {
                        answer.affected = message::affected(&body);
                    }
                    expected.pop_front();
                }
                (b'Z', Expected::Ready | Expected::Script(_)) => drop(expected.pop_front()),
                (b'E', _) => {
                    let error = message::server_error(&body);
                    let is_fatal = error.is_fatal;
                    let step = expected.iter().find_map(Expected::step).unwrap_or(answers.len());
                    failed.get_or_insert(Failed { step, error: WireError::Server(error) });
                    if is_fatal {
                        return Err(WireError::Protocol("the server ended the connection"));
                    }
                    while expected.front().is_some_and(|next| !next.ends_part()) {
                        expected.pop_front();
                    }
                }
                // Bound, results of a script; notices, settings, notifications.
                (b'2' | b'N' | b'S' | b'A' | b'n', _) | (b'C' | b'T' | b'D' | b'I', Expected::Script(_)) => {}
                _ => return Err(WireError::Protocol("an unexpected message")),
            }
        }
        Ok(())
    }

    /// Skips the answers to what was sent with [`Self::send_only`].
    fn skip_unread(&mut self) -> Result<()> {
        while self.unread > 0 {
            match self.read_part() {
                // A statement that was refused needs no answer.
                Err(WireError::Server(error)) if !error.is_fatal => {}
                result => result?,
            }
            self.unread -= 1;
        }
        Ok(())
    }

    /// Reads up to the end of a part, and returns its first error.
    fn read_part(&mut self) -> Result<()> {
        let mut result = Ok(());
        loop {
            let (tag, body) = self.socket.read()?;
            match tag {
                b'Z' => return result,
                b'E' => {
                    let error = message::server_error(&body);
                    let is_fatal = error.is_fatal;
                    result = result.and(Err(WireError::Server(error)));
                    if is_fatal {
                        return result;
                    }
                }
                _ => {}
            }
        }
    }

    fn noted<T>(&mut self, result: Result<T>) -> Result<T> {
        self.is_broken |= result.as_ref().is_err_and(WireError::is_final);
        result
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        if !self.is_broken {
            let mut out = Vec::new();
            message::terminate(&mut out);
            // The server notices the end in any case.
            drop(self.socket.write(&out));
        }
    }
}
