//! `Options` states how a tracker opens its file or store. Called by users, `tracker-cli`, `tracker-postgres`, `api/tracker` and `maintenance`;
//! `api/store` and `api/redb_store` add methods. Opening makes `Shared` and `Engine`, pauses the kinds if asked, and serves live commands
//! unless they are off; it calls the user's clock and codecs.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use crate::{
    api::{shared::Redact, tracker::Tracker},
    engine::{EngineOptions, Place},
    model::{
        codec::{PayloadCodec, PayloadCodecs},
        durability::Durability,
        error::Result,
        time::{Clock, SystemClock, TimeKeeper},
    },
    storage::file::{FileOptions, Location, Sharing},
};

/// How a tracker is opened. Start with [`Tracker::options`].
///
/// ```
/// use std::time::Duration;
/// use tracker_core::{Tracker, file::Sharing};
///
/// let folder = tempfile::tempdir()?;
/// let tracker = Tracker::options()
///     .sharing(Sharing::Exclusive)
///     .cache_bytes(16 << 20)
///     .busy_timeout(Duration::from_secs(2))
///     .open(folder.path().join("jobs.redb"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) file: FileOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patience: Duration,
    durability: Durability,
    redact: Option<Redact>,
    prune_every: Option<Duration>,
    keep_batches: Duration,
    start_paused: bool,
    codecs: Vec<Arc<dyn PayloadCodec>>,
    live_commands: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file: FileOptions::default(),
            clock: Arc::new(SystemClock),
            patience: Duration::from_secs(10),
            durability: Durability::Durable,
            redact: None,
            prune_every: Some(Duration::from_secs(60)),
            keep_batches: Duration::from_secs(7 * 24 * 3600),
            start_paused: false,
            codecs: Vec::new(),
            live_commands: true,
        }
    }
}

impl Options {
    /// Sets how processes share the file: [`Sharing::Readers`] by default. All processes must choose the same.
    #[must_use]
    pub fn sharing(mut self, sharing: Sharing) -> Self {
        self.file.sharing = sharing;
        self
    }

    /// Writes the pages of each commit in one piece into a redo log at the end of the file, and flushes only that. `false` by default.
    ///
    /// A commit then needs one flush in the default sharing mode too, and that flush is a shorter one. The log has 4 MiB, begins after 16
    /// flushes, and is removed when the file is closed; after a crash the next open applies it, with and without this option. No effect
    /// with [`Sharing::Writers`], and on other systems than Linux. Younger than the rest of the file's code.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("work.redb");
    /// let tracker = tracker_core::Tracker::options().redo_log(true).open(path)?;
    /// # Ok::<_, tracker_core::Error>(())
    /// ```
    #[must_use]
    pub fn redo_log(mut self, yes: bool) -> Self {
        self.file.redo_log = yes;
        self
    }

    /// Sets the memory for pages of the file, in bytes: 64 MiB by default.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.file.cache_bytes = bytes;
        self
    }

    /// Reads the whole file at opening and verifies its checksums. A damaged file is then refused instead of trusted.
    #[must_use]
    pub fn check_on_open(mut self, check: bool) -> Self {
        self.file.check_on_open = check;
        self
    }

    /// Opens a file on a network file system (NFS, SMB, 9p, sshfs and others) too; without this such a file is refused. Its locks may not
    /// keep other computers out, so that two of them can write at once and damage the file, and an acknowledged call may be lost. Allow it
    /// only if a single computer uses the file, and the server stores what a flush acknowledges.
    ///
    /// Linux and macOS are examined, other systems are not. The source of [`Tracker::recover`] and the
    /// copy of [`Tracker::backup`] may be on any file system.
    #[must_use]
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.file.allow_network_file_system = allow;
        self
    }

    /// Sets the clock. The default is the clock of the system.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how long a write waits for another process that writes: 10 s by default. Then it fails with `Busy`.
    #[must_use]
    pub fn busy_timeout(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how often the retention of the kinds is applied: at opening, and then in idle moments, every minute by default. Unfinished tasks
    /// are never deleted. `None`: only [`Tasks::prune`](crate::Tasks::prune) applies it.
    #[must_use]
    pub fn prune_every(mut self, interval: Option<Duration>) -> Self {
        self.prune_every = interval;
        self
    }

    /// Sets how long a batch is known after it was over for the first time, once all of its tasks are deleted: 7 days by
    /// default. Its record is then deleted when the retention is applied, and its label is free again. A batch that has tasks, is not
    /// over, or has dependents that wait, stays. `Duration::MAX`: only
    /// [`Tracker::prune_batches`](crate::Tracker::prune_batches) deletes records.
    #[must_use]
    pub fn keep_batches(mut self, keep: Duration) -> Self {
        self.keep_batches = keep;
        self
    }

    /// Pauses every kind of the file at opening, as [`Tasks::pause`](crate::Tasks::pause) does: work from the last session waits until the program
    /// calls [`Tasks::resume`](crate::Tasks::resume), for example when its window is shown. A kind that is new in the file is not paused. The pause
    /// is stored, so it holds for all processes that share the file. No effect on a file that is opened to inspect it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.redb");
    /// # let tracker = Tracker::open(&path)?;
    /// # tracker.tasks::<Job>()?.submit(&job("one"))?;
    /// # tracker.close()?;
    /// let tracker = Tracker::options().start_paused(true).open(&path)?;
    /// let jobs = tracker.tasks::<Job>()?;
    /// assert!(jobs.claim()?.is_none());
    /// jobs.resume()?;
    /// assert!(jobs.claim()?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn start_paused(mut self, paused: bool) -> Self {
        self.start_paused = paused;
        self
    }

    /// Sets whether other processes of the same user can change tasks while this tracker has the file open: yes by default. They send
    /// [`live::Request`](crate::live::Request)s with a [`live::Client`](crate::live::Client), as the program `tracker` does, which run in the
    /// commits of this tracker. The tracker serves them on a Unix socket in a directory that only this user can read. If that is impossible,
    /// a warning is logged and the file is open without it.
    ///
    /// No effect in memory, in a file that is opened to inspect it, with [`Sharing::Writers`], where other processes write to the file
    /// themselves, and on systems other than Unix.
    #[must_use]
    pub fn live_commands(mut self, served: bool) -> Self {
        self.live_commands = served;
        self
    }

    /// Sets when submits without their own [`SubmitOptions::durability`](crate::submit::SubmitOptions) are answered: when they are on
    /// disk, by default.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Receives the progress of a repair, from 0 to 1, if the file needs one.
    #[must_use]
    pub fn on_repair(mut self, hear: impl Fn(f64) + Send + Sync + 'static) -> Self {
        self.file.on_repair = Some(Arc::new(hear));
        self
    }

    /// Sees every text about an attempt before it is stored, published to subscribers, counted or logged, and can remove
    /// secrets from it: errors, their causes and `Debug` forms (backtraces are in these), panic messages, reasons, notes, messages of
    /// progress. What a call returns to its caller, ids and payloads are as they are, and a panic's message is printed by
    /// the process's own panic hook.
    ///
    /// ```
    /// use tracker_core::Tracker;
    ///
    /// let tracker = Tracker::options()
    ///     .redact(|text| *text = text.replace("hunter2", "…"))
    ///     .in_memory()?;
    /// # Ok::<(), tracker_core::Error>(())
    /// ```
    #[must_use]
    pub fn redact(mut self, redact: impl Fn(&mut String) + Send + Sync + 'static) -> Self {
        self.redact = Some(Arc::new(redact));
        self
    }

    /// Encodes the payloads of tasks with `codec` before they are stored, and decodes them when they are read: encryption, compression. Called
    /// several times, the last codec encodes, and each decodes the payloads that carry its name, so that a key can be replaced.
    ///
    /// Payloads from before stay as they are until their task is stored again. Without the codec, ids, keys and statuses are readable and tasks
    /// can be counted, cancelled and moved; a call that reads a payload returns [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) with the codec's
    /// name, and a claim puts the task aside at no cost until a program with the codec opens its kind. An export has the payloads as they
    /// are stored, and [untyped](crate::Tracker::untyped) tasks show them so. An import and untyped calls store what they are given. Index values,
    /// unique keys, errors, notes and progress are never encoded.
    ///
    /// `examples/encrypted.rs` encrypts with the crate chacha20poly1305.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tracker_core::{Tracker, file::PayloadCodec};
    ///
    /// /// Hides payloads from a casual look.
    /// struct Inverted;
    ///
    /// impl PayloadCodec for Inverted {
    ///     fn name(&self) -> &str {
    ///         "inverted"
    ///     }
    ///
    ///     fn encode(&self, payload: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    ///         Ok(payload.iter().map(|byte| !byte).collect())
    ///     }
    ///
    ///     fn decode(&self, encoded: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    ///         self.encode(encoded)
    ///     }
    /// }
    ///
    /// let tracker = Tracker::options().payload_codec(Inverted).in_memory()?;
    /// let jobs = tracker.tasks::<Job>()?;
    /// jobs.submit(&job("one"))?;
    /// assert_eq!(jobs.get("one")?.unwrap().task.name, "one");
    /// assert_eq!(tracker.untyped("job")?.get("one")?.unwrap().task.codec_name(), Some("inverted"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`open`](Self::open) refuses a codec whose name is empty, longer than 64 bytes, or that of another codec, as `Invalid`.
    #[must_use]
    pub fn payload_codec(mut self, codec: impl PayloadCodec) -> Self {
        self.codecs.push(Arc::new(codec));
        self
    }

    /// Opens the file for work, and creates it if there is none. If the sharing mode proves that no other process
    /// works on it, tasks that a dead one held are free at once.
    ///
    /// # Errors
    /// - [`ErrorKind::Busy`](crate::ErrorKind::Busy) if another process has the file open.
    /// - [`ErrorKind::Foreign`](crate::ErrorKind::Foreign) if it is no tracker file.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if it has the format of another version, or is on a network file system.
    /// - [`ErrorKind::Corrupted`](crate::ErrorKind::Corrupted) if it is damaged.
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system refuses the file or a thread.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Tracker> {
        self.start(Place::File(Location::Path(path.as_ref().to_owned())), false)
    }

    /// Opens the file for inspection only. It must exist; nothing in it is changed.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn inspect(self, path: impl AsRef<Path>) -> Result<Tracker> {
        self.start(Place::File(Location::Path(path.as_ref().to_owned())), true)
    }

    /// Opens a tracker in memory, which is gone when it is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the background thread cannot be started.
    pub fn in_memory(mut self) -> Result<Tracker> {
        self.file.sharing = Sharing::Exclusive;
        self.start(Place::File(Location::Memory), false)
    }

    pub(crate) fn start(self, place: Place, read_only: bool) -> Result<Tracker> {
        let options = EngineOptions {
            place,
            file: self.file,
            time: TimeKeeper::new(self.clock),
            read_only,
            patience: self.patience,
            durability: self.durability,
            prune_every: self.prune_every,
            keep_batches: self.keep_batches,
            codecs: PayloadCodecs::of(self.codecs)?,
        };
        let paused = self.start_paused && !options.read_only;
        let tracker = Tracker::start(options, self.redact)?;
        if paused {
            tracker.pause_kinds()?;
        }
        if self.live_commands {
            tracker.shared.serve_live_commands();
        }
        Ok(tracker)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("file", &self.file)
            .field("busy_timeout", &self.patience)
            .finish_non_exhaustive()
    }
}
