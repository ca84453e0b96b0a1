//! `Server` accepts connections of other processes on the socket of the open file, and answers one call on each: a live command, an import or a
//! subscription to events. Started and stopped by `api/shared`; binds and removes the socket, starts threads, which also run user code that a
//! call needs, and writes through `perform` and `portable/import`.

use std::{
    collections::HashMap,
    fs::{self, Permissions},
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::{
        fd::AsFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

#[cfg(feature = "json")]
use super::lines::SentLines;
use super::{
    STEP_TIMEOUT, address,
    events::{self, EventSelection},
    frame::{self, Answer, Ask, Call, Reply},
    peer::{self, Timed},
};
use crate::{
    api::{import::ImportOptions, tracker::Tracker},
    engine::{Subscription, SubscriptionHandle},
    model::{
        error::{Error, ErrorKind, Result},
        panics::{self, catch_panic},
    },
    storage::file::FileId,
};

/// The most connections that are served at the same time. More wait to be accepted.
const CONNECTIONS_MAX: usize = 8;
/// The most subscriptions that are served at the same time, besides the calls.
const SUBSCRIPTIONS_MAX: usize = 32;
/// How long the clients of subscriptions may take to read the last events when the file is closed.
const LAST_EVENTS_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause after a connection could not be accepted, in milliseconds.
const ACCEPT_PAUSE: u16 = 100;

/// A running server.
pub(crate) struct Server {
    connections: Arc<Connections>,
    socket: PathBuf,
    /// The other end wakes the thread that accepts connections.
    wake: UnixStream,
    accepting: JoinHandle<()>,
}

/// The state that the threads of a server share.
struct Connections {
    tracker: Tracker,
    file: FileId,
    open: Mutex<OpenConnections>,
    /// Notified when a connection ends, and when the server stops.
    changed: Condvar,
}

#[derive(Default)]
struct OpenConnections {
    next: u64,
    streams: HashMap<u64, UnixStream>,
    /// Those of the streams that carry events.
    subscriptions: HashMap<u64, SubscriptionHandle>,
    threads: Vec<JoinHandle<()>>,
    stopping: bool,
}

impl Server {
    /// Serves a file on the socket that is derived from its identity. `tracker` must be a handle that does not keep the file open.
    ///
    /// Only the process that has the file open for writing may call this, and [`stop`](Self::stop) before it closes the file, so that no other
    /// process uses the socket's name.
    pub(crate) fn start(tracker: Tracker, file: FileId) -> Result<Self> {
        Self::start_in(&address::directories(), tracker, file)
    }

    pub(super) fn start_in(directories: &[PathBuf], tracker: Tracker, file: FileId) -> Result<Self> {
        let name = address::socket_name(file);
        // Longer than the name, so that both fit the longest path.
        let temporary = format!("{name}.{}", process::id());
        let directory = address::private_directory(directories, &temporary)?;
        let failed = |error| {
            Error::caused(ErrorKind::Io, format!("the socket of live commands in {}", directory.display()), error)
        };
        let (socket, temporary) = (directory.join(name), directory.join(temporary));
        let listener = bind(&temporary, &socket).map_err(failed)?;
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        let connections = Arc::new(Connections { tracker, file, open: Mutex::default(), changed: Condvar::default() });
        let shared = connections.clone();
        let accepting = thread::Builder::new()
            .name("tracker-live".to_owned())
            .spawn(move || accept_until_woken(&listener, &woken, &shared))
            .map_err(failed)?;
        panics::log_catching_panics(|| tracing::debug!(socket = %socket.display(), "serving live commands"));
        Ok(Self { connections, socket, wake, accepting })
    }

    /// Accepts no further connection, removes the socket and reads no further call. Calls that run continue.
    pub(crate) fn stop(self) -> StoppedServer {
        let Self { connections, socket, wake, accepting } = self;
        connections.lock().stopping = true;
        connections.changed.notify_all();
        drop(wake);
        drop(accepting.join());
        if let Err(error) = fs::remove_file(&socket) {
            panics::log_catching_panics(
                || tracing::debug!(socket = %socket.display(), %error, "the socket was removed before"),
            );
        }
        for stream in connections.lock().streams.values() {
            // The client may have closed it.
            drop(stream.shutdown(Shutdown::Read));
        }
        StoppedServer(connections)
    }
}

/// A server whose calls may still run.
pub(crate) struct StoppedServer(Arc<Connections>);

impl StoppedServer {
    /// Waits until the calls have been answered, because they are refused once the file is closed. Subscriptions end with the file. A client that does
    /// not read its last events in time loses them.
    pub(crate) fn join(self) {
        let has_subscriptions = |open: &mut OpenConnections| !open.subscriptions.is_empty();
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), LAST_EVENTS_TIMEOUT, has_subscriptions);
        let mut open = waited.unwrap_or_else(PoisonError::into_inner).0;
        for (number, subscription) in &open.subscriptions {
            subscription.close();
            if let Some(stream) = open.streams.get(number) {
                // The client may have closed it.
                drop(stream.shutdown(Shutdown::Both));
            }
        }
        let threads = std::mem::take(&mut open.threads);
        drop(open);
        for thread in threads {
            // A callback that a call runs may close the tracker.
            if thread.thread().id() != thread::current().id() {
                drop(thread.join());
            }
        }
    }
}

/// Binds a socket that replaces the one of a process that was killed.
fn bind(temporary: &Path, socket: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(temporary)?;
    fs::set_permissions(temporary, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    // From here on the name leads to a socket that accepts connections.
    fs::rename(temporary, socket)?;
    Ok(listener)
}

fn accept_until_woken(listener: &UnixListener, woken: &UnixStream, connections: &Arc<Connections>) {
    loop {
        if !connections.wait_for_room() || !wait_readable(listener, woken) {
            return;
        }
        let accepted = listener.accept().and_then(|(stream, _)| Connections::serve(connections, stream));
        match accepted {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                panics::log_catching_panics(|| tracing::warn!(%error, "a live command could not be accepted"));
                // Short of file descriptors or threads, the next connection would fail at once.
                let _ = poll(&mut [PollFd::new(woken.as_fd(), PollFlags::POLLIN)], PollTimeout::from(ACCEPT_PAUSE));
            }
            Ok(()) => {}
        }
    }
}

/// Waits for a connection. False when the server stops.
fn wait_readable(listener: &UnixListener, woken: &UnixStream) -> bool {
    let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
    let polled = poll(&mut ready, PollTimeout::NONE);
    let [_, woken] = &ready;
    match polled {
        Ok(_) => !woken.any().unwrap_or(true),
        Err(nix::Error::EINTR) => true,
        Err(_) => false,
    }
}

/// Sends an answer.
fn write(stream: &UnixStream, answer: &Answer) -> Result<()> {
    let frame = frame::encode(answer, frame::LONGEST_ANSWER).or_else(|error| {
        let text = format!("the request was performed, but {error}: select fewer tasks");
        frame::encode(&Answer::Err((&Error::invalid(text)).into()), frame::LONGEST_ANSWER)
    })?;
    Timed::new(stream, Some(STEP_TIMEOUT)).write_all(&frame).map_err(|error| frame::connection_error(&error))
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a further connection may be served. False when the server stops.
    fn wait_for_room(&self) -> bool {
        let full = |open: &mut OpenConnections| {
            open.streams.len() >= CONNECTIONS_MAX + open.subscriptions.len() && !open.stopping
        };
        let open = self.changed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        !open.stopping
    }

    /// Serves a connection on a separate thread.
    fn serve(connections: &Arc<Self>, stream: UnixStream) -> io::Result<()> {
        // Some systems pass this on from the listener.
        stream.set_nonblocking(false)?;
        let copy = stream.try_clone()?;
        let mut open = connections.lock();
        open.threads.retain(|thread| !thread.is_finished());
        let number = open.next;
        let shared = connections.clone();
        let thread = thread::Builder::new().name("tracker-live-call".to_owned()).spawn(move || {
            if let Err(panic) = catch_panic(|| shared.answer(number, &stream)) {
                panics::log_catching_panics(|| tracing::error!(panic, "a live command panicked"));
            }
            let mut open = shared.lock();
            open.streams.remove(&number);
            open.subscriptions.remove(&number);
            drop(open);
            shared.changed.notify_all();
        })?;
        open.next += 1;
        open.streams.insert(number, copy);
        open.threads.push(thread);
        Ok(())
    }

    /// Reads a call, performs it and answers.
    fn answer(&self, number: u64, stream: &UnixStream) {
        if let Err(error) = peer::check(stream) {
            panics::log_catching_panics(|| tracing::warn!(%error, "a live command was refused"));
            return;
        }
        let answered = Self::read_call(stream).and_then(|call| match call.and_then(|call| self.check_file(call)) {
            Ok(Ask::Subscribe(selection)) => match self.subscribe(number, &selection) {
                Ok(subscription) => {
                    write(stream, &Answer::Ok(Reply::Subscribed))?;
                    events::send(&subscription, &self.tracker, stream, || self.lock().stopping)
                }
                Err(error) => write(stream, &Answer::Err((&error).into())),
            },
            Ok(ask) => write(stream, &self.perform(ask, stream).map_err(|error| (&error).into())),
            Err(error) => write(stream, &Answer::Err((&error).into())),
        });
        if let Err(error) = answered {
            panics::log_catching_panics(|| tracing::debug!(%error, "a live command was not answered"));
        }
    }

    /// Reads a call. An invalid call gives an error to answer with; any other error ends the connection.
    fn read_call(stream: &UnixStream) -> Result<Result<Call>> {
        let mut timed = Timed::new(stream, Some(STEP_TIMEOUT));
        let mut hello = [0; frame::HELLO];
        timed.write_all(&frame::hello()).map_err(|error| frame::connection_error(&error))?;
        timed.read_exact(&mut hello).map_err(|error| frame::connection_error(&error))?;
        frame::check_hello(hello)?;
        match frame::read(&mut timed, frame::LONGEST_CALL) {
            Ok(bytes) => Ok(frame::decode::<Call>(&bytes)),
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }

    /// Returns what a call for the file of this server asks.
    fn check_file(&self, call: Call) -> Result<Ask> {
        if call.file == self.file {
            return Ok(call.ask);
        }
        Err(Error::new(ErrorKind::Closed, "this process has another file open: its socket has the same name by chance"))
    }

    /// Subscribes a connection to events.
    fn subscribe(&self, number: u64, selection: &EventSelection) -> Result<Subscription> {
        let mut builder = self.tracker.subscription().capacity(events::CAPACITY);
        if let Some(kind) = &selection.kind {
            builder = builder.kind(&self.tracker.untyped(kind)?);
        }
        if selection.without_progress {
            builder = builder.without_progress();
        }
        let (subscription, ()) = builder.subscribe_with_snapshot(|| Ok(()))?;
        let mut open = self.lock();
        if open.stopping {
            return Err(Error::new(ErrorKind::Closed, "the process is closing the file"));
        }
        if open.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            let text = format!("{SUBSCRIPTIONS_MAX} other processes follow the events of this file: end one of them");
            return Err(Error::new(ErrorKind::Busy, text));
        }
        open.subscriptions.insert(number, subscription.handle());
        drop(open);
        // A subscription leaves room for a call.
        self.changed.notify_all();
        Ok(subscription)
    }

    fn perform(&self, ask: Ask, stream: &UnixStream) -> Result<Reply> {
        match ask {
            Ask::Time => Ok(Reply::Time(self.tracker.now())),
            Ask::Count(request) => self.tracker.count(&request).map(Reply::Counts),
            Ask::Perform(request) => self.tracker.perform(&request).map(Reply::Report),
            Ask::Import(options) => self.import(&options, stream),
            Ask::Subscribe(_) => Err(Error::invalid("a subscription has a connection of its own")),
        }
    }

    /// Imports lines that the client sends.
    #[cfg(feature = "json")]
    fn import(&self, options: &ImportOptions, stream: &UnixStream) -> Result<Reply> {
        let mut lines = SentLines::new(stream);
        let imported = self.tracker.import_with(&mut lines, options);
        match lines.into_error() {
            Some(error) => Err(error),
            None => imported.map(Reply::Imported),
        }
    }

    #[cfg(not(feature = "json"))]
    #[expect(clippy::unused_self, reason = "the signature of the function with the feature")]
    fn import(&self, _: &ImportOptions, _: &UnixStream) -> Result<Reply> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "the process that has the file open was built without the feature `json` of tracker-core: close it, and import then",
        ))
    }
}
