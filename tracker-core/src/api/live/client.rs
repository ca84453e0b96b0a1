//! `Client` sends requests to the process that has a file open. Called by users and `tracker-cli`; opens a connection to the socket of the
//! file for each call.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};

#[cfg(feature = "json")]
use super::lines;
use super::{
    STEP_TIMEOUT, address,
    event_stream::EventStream,
    events::EventSelection,
    frame::{self, Answer, Ask, Call, Reply},
    peer::{self, Timed},
    request::{KindCount, Report, Request},
};
#[cfg(feature = "json")]
use crate::api::import::{ImportOptions, Imported};
use crate::{
    model::error::{Error, ErrorKind, Result},
    storage::file::FileId,
};

/// Sends live commands to the process that has a file open for writing.
///
/// A tracker that is open for writing serves them to processes of the same user, unless
/// [`Options::live_commands`](crate::Options::live_commands) turns this off or its mode is
/// [`Sharing::Writers`](crate::file::Sharing::Writers), where other processes open the file themselves. Each call has a connection of its
/// own, and runs in a commit of that process. Unix systems only.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # use tracker_core::Tracker;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("jobs.redb");
/// # let tracker = Tracker::open(&path)?; // in another process
/// # tracker.tasks::<Job>()?.submit(&job("one"))?;
/// use tracker_core::live::{Client, Request, Selection, TaskChange};
///
/// if let Some(client) = Client::find(&path)? {
///     let selection = Selection::Ids { kind: None, ids: vec!["one".into()] };
///     let report = client.perform(&Request::Tasks { selection, change: TaskChange::SetPriority(9) })?;
///     assert_eq!(report.changed, 1);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    file: FileId,
    timeout: Option<Duration>,
}

impl Client {
    /// Finds the process that serves live commands for a file; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if that process has another version of the protocol, and on systems other than Unix.
    /// [`ErrorKind::Busy`] if it does not answer within five seconds. [`ErrorKind::Io`] if the file cannot be looked up.
    pub fn find(file: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = file.as_ref();
        let file = match fs::metadata(path) {
            Ok(found) => FileId::of(&found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::caused(ErrorKind::Io, format!("{}: {error}", path.display()), error)),
        };
        Self::find_in(address::directories(), file, STEP_TIMEOUT)
    }

    /// As [`find`](Self::find). A process that accepts the connection answers within `patience`.
    pub(super) fn find_in(directories: Vec<PathBuf>, file: FileId, patience: Duration) -> Result<Option<Self>> {
        for directory in address::existing(directories) {
            let client = Self { socket: directory.join(address::socket_name(file)), file, timeout: Some(patience) };
            match UnixStream::connect(&client.socket) {
                // The socket of a process that was killed refuses connections.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
                Err(error) => return Err(frame::connection_error(&error)),
                Ok(stream) => match client.send(&stream, Ask::Time) {
                    Ok(_) => return Ok(Some(Self { timeout: None, ..client })),
                    // The process closed the file meanwhile.
                    Err(error) if matches!(error.kind(), ErrorKind::Closed | ErrorKind::Io) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(None)
    }

    /// Limits how long an answer may take. By default there is no limit, since a request may change millions of tasks. A request
    /// that was sent may still be performed after the limit.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Performs a request in the other process, as [`Tracker::perform`](crate::Tracker::perform) does in its own.
    ///
    /// # Errors
    /// As [`Tracker::perform`](crate::Tracker::perform), with the same kind and message, but without [`Error::refusal`]. [`ErrorKind::Closed`] if the
    /// process has closed the file, and [`ErrorKind::OutcomeUnknown`] if the request was sent and the connection broke, or the timeout passed, before the answer.
    pub fn perform(&self, request: &Request) -> Result<Report> {
        match self.call(Ask::Perform(request.clone()))? {
            Reply::Report(report) => Ok(report),
            other => Err(frame::unexpected_reply(&other)),
        }
    }

    /// Counts the tasks that a request is about, as [`Tracker::count`](crate::Tracker::count) does.
    ///
    /// # Errors
    /// As [`perform`](Self::perform), but [`ErrorKind::Io`] or [`ErrorKind::Busy`] in place of [`ErrorKind::OutcomeUnknown`].
    pub fn count(&self, request: &Request) -> Result<Vec<KindCount>> {
        match self.call(Ask::Count(request.clone()))? {
            Reply::Counts(counts) => Ok(counts),
            other => Err(frame::unexpected_reply(&other)),
        }
    }

    /// Returns the time of the tracker: see [`Tracker::now`](crate::Tracker::now).
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn now(&self) -> Result<DateTime<Utc>> {
        match self.call(Ask::Time)? {
            Reply::Time(now) => Ok(now),
            other => Err(frame::unexpected_reply(&other)),
        }
    }

    /// Imports lines of JSON in the other process, as [`Tracker::import_with`](crate::Tracker::import_with) does in its own. The lines are
    /// sent in parts of at most 1 MiB, while they are read. The timeout limits the import of each part.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.redb");
    /// # let tracker = Tracker::open(&path)?; // in another process
    /// # tracker.tasks::<Job>()?;
    /// use tracker_core::{live::Client, portable::ImportOptions};
    ///
    /// let lines = r#"{"id": "one", "payload": {"name": "one", "host": "a", "result": null}}"#;
    /// if let Some(client) = Client::find(&path)? {
    ///     assert_eq!(client.import(lines.as_bytes(), &ImportOptions::new().kind("job"))?.new, 1);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tracker::import_with`](crate::Tracker::import_with), with the same kind and message. [`ErrorKind::Closed`] if the process has closed
    /// the file, [`ErrorKind::Unsupported`] if it was built without the feature `json`, and [`ErrorKind::OutcomeUnknown`] if the connection broke,
    /// the timeout passed, or `lines` yielded nothing for ten minutes. Then import again: tasks that were imported already are left as they are.
    #[cfg(feature = "json")]
    pub fn import(&self, lines: impl io::Read, options: &ImportOptions) -> Result<Imported> {
        let stream = self.connect()?;
        self.ask(&stream, Ask::Import(options.clone()))?;
        lines::send(&stream, lines, self.timeout)
    }

    /// Subscribes to the events of the other process: those of its transactions from now on, in the order of their commits. Each change that
    /// was made before can be read from the file when the call returns.
    ///
    /// A slow reader never delays a commit: when more than 16,384 events wait, the oldest are dropped, and their number comes as
    /// [`Notification::Lagged`](crate::events::Notification::Lagged). The process serves at most 32 subscriptions of other processes at once.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.redb");
    /// # let tracker = Tracker::open(&path)?; // in another process
    /// # let jobs = tracker.tasks::<Job>()?;
    /// use tracker_core::{events::{EventKind, Notification}, live::{Client, EventSelection}};
    ///
    /// if let Some(client) = Client::find(&path)? {
    ///     let mut events = client.subscribe(&EventSelection::default())?;
    /// #   jobs.submit(&job("one"))?;
    ///     let event = events.next().expect("the application is open")?;
    ///     assert_eq!(event.status.expect("the task has a status").name, "Pending");
    ///     let Notification::Event(event) = event.notification else { panic!("a task was submitted") };
    ///     assert_eq!((event.id.to_string().as_str(), event.what), ("one", EventKind::Submitted));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the file has no such kind. [`ErrorKind::Busy`] if the process serves 32 subscriptions already. [`ErrorKind::Closed`] if
    /// it has closed the file. [`ErrorKind::Io`] or [`ErrorKind::Busy`] if the connection breaks or the timeout passes before the answer; the
    /// timeout does not limit the wait for events.
    pub fn subscribe(&self, selection: &EventSelection) -> Result<EventStream> {
        let stream = self.connect()?;
        match self.send(&stream, Ask::Subscribe(selection.clone()))? {
            Reply::Subscribed => EventStream::new(stream),
            other => Err(frame::unexpected_reply(&other)),
        }
    }

    fn call(&self, ask: Ask) -> Result<Reply> {
        self.send(&self.connect()?, ask)
    }

    fn connect(&self) -> Result<UnixStream> {
        UnixStream::connect(&self.socket).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => closed(),
            _ => frame::connection_error(&error),
        })
    }

    fn send(&self, stream: &UnixStream, ask: Ask) -> Result<Reply> {
        let changes = matches!(ask, Ask::Perform(_));
        self.ask(stream, ask)?;
        let answer = frame::read(&mut Timed::new(stream, self.timeout), frame::LONGEST_ANSWER);
        let answer = answer.map_err(|error| if changes { unknown_outcome(&error) } else { error })?;
        Ok(frame::decode::<Answer>(&answer)??)
    }

    /// Sends a call. If that fails, the other process has not received all of it, and does not perform it.
    fn ask(&self, stream: &UnixStream, ask: Ask) -> Result<()> {
        let call = frame::encode(&Call { file: self.file, ask }, frame::LONGEST_CALL)?;
        peer::check(stream)?;
        let mut timed = Timed::new(stream, Some(STEP_TIMEOUT));
        let mut hello = [0; frame::HELLO];
        timed.write_all(&frame::hello()).map_err(|error| before_call(&error))?;
        timed.read_exact(&mut hello).map_err(|error| before_call(&error))?;
        frame::check_hello(hello)?;
        timed.write_all(&call).map_err(|error| before_call(&error))
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the process that had the file open has closed it: try again, or open the file")
}

/// The error of a connection that broke before the call was sent: a server that stops closes the connections that it has not served.
fn before_call(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => closed(),
        _ => frame::connection_error(error),
    }
}

fn unknown_outcome(error: &Error) -> Error {
    let text = format!("{error}; look whether the change was made: it was sent, and its answer did not come");
    Error::new(ErrorKind::OutcomeUnknown, text)
}
