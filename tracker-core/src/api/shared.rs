//! `Shared` is the state that all handles of an open tracker share: the engine, the running pools, the schedules, the open kinds, the
//! server of live commands, and `Options::redact`, a user's function that `text` and `failure` call. Made by `Tracker`, used by `api`, `worker`,
//! `portable` and `maintenance`; its last drop stops the server and the thread of the schedules, and closes the engine.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    api::{live::Server, open_kinds::OpenKinds, shutdown::Pools, tracker::Tracker},
    engine::Engine,
    model::{
        bounds::{MANY, TEXT, cut, shorten},
        error::{Error, ErrorKind, Result},
        kind::Kind,
        panics,
        transition::Failure,
    },
    storage::{
        file::Sharing,
        tables::{Reading, Tables},
    },
};

/// Removes secrets from texts before they are stored or logged.
pub(crate) type Redact = Arc<dyn Fn(&mut String) + Send + Sync>;

pub(crate) struct Shared {
    pub engine: Arc<Engine>,
    pub redact: Option<Redact>,
    /// The worker pools that run.
    pub pools: Pools,
    /// The schedules, with the thread that submits their occurrences.
    #[cfg(feature = "schedules")]
    pub schedules: Arc<crate::api::schedule::Scheduler>,
    /// The names that are or were open.
    pub open: Arc<OpenKinds>,
    /// Serves live commands.
    server: Mutex<Option<Server>>,
    /// Handles of a view do not keep the file open.
    is_view: bool,
}

impl Shared {
    pub(crate) fn new(engine: Arc<Engine>, redact: Option<Redact>) -> Self {
        Self {
            engine,
            redact,
            pools: Pools::default(),
            #[cfg(feature = "schedules")]
            schedules: Arc::default(),
            open: Arc::default(),
            server: Mutex::default(),
            is_view: false,
        }
    }

    /// Returns a tracker for the threads of its server. It does not keep the file open.
    fn view(&self) -> Self {
        let mut view = Self::new(self.engine.clone(), self.redact.clone());
        view.open = self.open.clone();
        #[cfg(feature = "schedules")]
        {
            view.schedules = self.schedules.clone();
        }
        view.is_view = true;
        view
    }

    /// Serves live commands, if other processes cannot write to the file. A failure is logged.
    pub(crate) fn serve_live_commands(&self) {
        let database = self.engine.file();
        let Some(file) = database.file_id() else { return };
        if database.is_read_only() || database.sharing() == Sharing::Writers {
            return;
        }
        match Server::start(Tracker { shared: Arc::new(self.view()) }, file) {
            Ok(server) => *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                panics::log_catching_panics(|| tracing::debug!("{error}"));
            }
            Err(error) => panics::log_catching_panics(|| {
                tracing::warn!(%error, "live commands are not served: other processes cannot change tasks while the file is open");
            }),
        }
    }

    /// Closes the file. No live command is accepted any more, and those that run are answered.
    pub(crate) fn close(&self) -> Result<()> {
        self.engine.check_close()?;
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stopped = server.map(Server::stop);
        #[cfg(feature = "schedules")]
        self.schedules.close(&self.engine);
        let closed = self.engine.close();
        if let Some(stopped) = stopped {
            stopped.join();
        }
        closed
    }

    /// A text as it may be stored, logged and published: without secrets, and of at most `most` bytes.
    pub(crate) fn text(&self, text: impl Into<String>, most: usize) -> String {
        let mut text = text.into();
        // Done before it is cut, because half a secret would not be recognised.
        if let Some(redact) = &self.redact {
            redact(&mut text);
        }
        shorten(text, most)
    }

    /// Removes secrets from all texts of a failure.
    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        let text = |text| self.text(text, TEXT);
        Failure {
            error: text(failure.error),
            causes: cut(failure.causes, MANY).into_iter().map(text).collect(),
            debug: text(failure.debug),
            panicked: failure.panicked,
        }
    }

    pub(crate) fn kind(&self, id: u32) -> Result<Arc<Kind>> {
        self.engine.kinds().get(id).cloned().ok_or_else(kind_removed)
    }

    /// The kind as these rows describe it, because another process may have changed it since this one read it.
    pub(crate) fn kind_in(&self, rows: &mut Tables<Reading<'_>>, id: u32) -> Result<Arc<Kind>> {
        let known = self.engine.kinds();
        if rows.file_state()?.schema == known.schema {
            return known.get(id).cloned().ok_or_else(kind_removed);
        }
        rows.all_kinds()?.get(id).cloned().ok_or_else(kind_removed)
    }
}

fn kind_removed() -> Error {
    Error::new(ErrorKind::SchemaMismatch, "the kind is no longer in the file: open it again")
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.is_view {
            return;
        }
        if let Err(error) = self.close() {
            panics::log_catching_panics(|| tracing::warn!(%error, "closing the tracker"));
        }
    }
}
