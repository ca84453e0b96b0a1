//! `Tracker` is the open file or store, the entry to all other calls. Called by users, `tracker-cli`, `tracker-web`, `portable` and `maintenance`,
//! and by most of `api`; owns `Engine` through `Shared`, and acts through it. `transaction` runs the user's closure on the thread of the caller.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

#[cfg(feature = "tokio")]
use crate::api::asynchronous::{AsyncBatch, AsyncTracker};
use crate::{
    api::{
        batch::{Batch, BatchInfo, BatchOptions},
        group::TaskGroup,
        options::Options,
        port::{Port as _, calls},
        shared::{Redact, Shared},
        tasks::Tasks,
        transaction::{EndedExecution, Transaction},
    },
    engine::{
        ApplyRetention, Engine, EngineOptions, Flush, Pause, Propagate, PruneBatches, PrunedBatches, Register, Rescue,
        Rescued, Scope,
    },
    model::{
        codec,
        error::{Error, ErrorKind, Result},
        kind::KindSpec,
        panics,
        task::{TaskKey, TrackedTask},
        time::utc,
    },
    storage::file::Sharing,
};

/// An open tracker file. Clones are the same tracker; the last one that goes closes it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tracker_core::{TaskStatus, TrackedTask, Tracker};
///
/// #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
/// enum JobStatus { Pending = 10, InProgress = 20, Failed = 30, Succeeded = 40, Ignored = 50 }
///
/// #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
/// #[task(name = "greeting", status = JobStatus)]
/// struct Greeting {
///     #[task(id)]
///     name: String,
///     text: Option<String>,
/// }
///
/// let tracker = Tracker::in_memory()?;
/// let greetings = tracker.tasks::<Greeting>()?;
/// greetings.submit(&Greeting { name: "Ada".into(), text: None })?;
/// while let Some(mut greeting) = greetings.claim()? {
///     greeting.text = Some(format!("Hello, {}!", greeting.name));
///     greeting.succeed()?;
/// }
/// let ada = greetings.get("Ada")?.expect("it was submitted");
/// assert_eq!(ada.status, JobStatus::Succeeded);
/// assert_eq!(ada.task.text.as_deref(), Some("Hello, Ada!"));
/// # Ok::<(), tracker_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Tracker {
    pub(crate) shared: Arc<Shared>,
}

impl Tracker {
    /// Opens a tracker file with the default options, and creates it if there is none.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Options::default().open(path)
    }

    /// Opens a tracker file only to look at it, beside a process that works on it with the default sharing.
    ///
    /// # Errors
    /// As [`Options::inspect`].
    pub fn inspect(path: impl AsRef<Path>) -> Result<Self> {
        Options::default().inspect(path)
    }

    /// Opens a tracker in memory, which is gone when it is closed.
    ///
    /// # Errors
    /// As [`Options::in_memory`].
    pub fn in_memory() -> Result<Self> {
        Options::default().in_memory()
    }

    /// Returns the options with which a tracker can be opened.
    #[must_use]
    pub fn options() -> Options {
        Options::default()
    }

    pub(crate) fn start(options: EngineOptions, redact: Option<Redact>) -> Result<Self> {
        let (rescues, applies_retention) = (!options.read_only, options.prune_every.is_some());
        let keep_batches = options.keep_batches;
        let engine = Engine::open(options)?;
        let tracker = Self { shared: Arc::new(Shared::new(engine, redact)) };
        if rescues {
            let alone = tracker.shared.engine.file().sharing() != Sharing::Writers;
            let scope = if alone { Scope::Foreign } else { Scope::Expired };
            let most = if applies_retention { 1_000 } else { 0 };
            let retention = ApplyRetention { most, batches: PruneBatches { keep: keep_batches, beyond: None, most } };
            let (freed, pruned) = tracker.shared.engine.call_both(Rescue { kind: None, scope }, retention)?;
            freed?;
            if applies_retention && pruned?.tasks == most {
                tracker.shared.engine.apply_retention_soon();
            }
            if tracker.shared.engine.read(|rows| Ok(rows.first_pending_propagation()?.is_some()))? {
                tracker.shared.engine.call(Propagate)?;
            }
            #[cfg(not(feature = "schedules"))]
            if !tracker.shared.engine.read(|rows| rows.schedules_after(None, 1))?.is_empty() {
                panics::log_catching_panics(|| {
                    tracing::warn!(
                        "the file has schedules, and this program is built without the feature \"schedules\": it submits no occurrence"
                    );
                });
            }
        }
        Ok(tracker)
    }

    /// Pauses all kinds of the file, in one commit.
    pub(crate) fn pause_kinds(&self) -> Result<()> {
        let kinds = self.shared.engine.stored_kinds()?;
        let pauses = kinds.all().map(|kind| Pause { kind: kind.id, paused: true }).collect();
        self.shared.engine.call_all(pauses)?.into_iter().collect()
    }

    /// Returns the tasks of a type, under the name that the type declares. The first call checks the definition of the kind in a transaction; a further
    /// one for the same type costs nothing, unless the definition has changed since.
    ///
    /// # Errors
    /// As [`Tracker::tasks_as`].
    pub fn tasks<T: TrackedTask>(&self) -> Result<Tasks<T>> {
        self.tasks_as(T::KIND)
    }

    /// Returns the tasks of a type under another kind name, so that one type can serve many use cases.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the name is empty or longer than 128 bytes.
    /// - [`ErrorKind::SchemaMismatch`](crate::ErrorKind::SchemaMismatch) if the kind is open as another type, if its tasks have a
    ///   status that the type no longer has or has in another role, or if their ids have another type than the type declares.
    pub fn tasks_as<T: TrackedTask>(&self, name: &str) -> Result<Tasks<T>> {
        let opened = self.shared.open.enter::<T>(name)?;
        let engine = &self.shared.engine;
        if let Some(kind) = self.shared.open.registered(name, &engine.kinds()) {
            engine.refuse_calls()?;
            return Ok(Tasks::new(self.shared.clone(), &kind, opened));
        }
        let spec = KindSpec::of::<T>(name)?;
        let kind = if engine.file().is_read_only() {
            let kind = engine.stored_kinds()?.by_name(name).cloned().ok_or_else(|| {
                Error::new(
                    ErrorKind::SchemaMismatch,
                    format!("the file has no kind {name:?}, and it is open for inspection only"),
                )
            })?;
            engine.read(|rows| {
                rows.check_codes(&kind, &spec.graph)?;
                T::id_type().map_or(Ok(()), |declared| rows.check_id_type(&kind, declared))
            })?;
            kind
        } else {
            let codecs = engine.codecs().clone();
            let values = Box::new(move |payload: &[u8]| codec::values::<T>(&codecs, payload));
            let kind = engine.call(Register { spec, id_type: T::id_type(), values })?;
            self.shared.open.note_registered::<T>(name, &kind);
            #[cfg(feature = "metrics")]
            engine.register_metrics(&kind);
            kind
        };
        #[cfg(feature = "schedules")]
        if !engine.file().is_read_only() {
            crate::api::schedule::open_kind::<T>(&self.shared, kind.id)?;
        }
        Ok(Tasks::new(self.shared.clone(), &kind, opened))
    }

    /// Returns the names of the kinds in the file, in the order in which they were first stored.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn kinds(&self) -> Result<Vec<String>> {
        let kinds = self.shared.engine.stored_kinds()?;
        Ok(kinds.all().map(|kind| kind.name.clone()).collect())
    }

    /// Runs `work` in one transaction: the calls of tasks made through it, and the caller's own redb tables, are all
    /// durable together or not at all. An error, a panic or a lost lease rolls everything back.
    ///
    /// It runs on this thread, and other commits wait for it, so keep it short. Other calls of this tracker inside it are refused.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// use tracker_core::redb_store::{TransactionExt, redb::TableDefinition};
    ///
    /// const TOTALS: TableDefinition<&str, u64> = TableDefinition::new("totals");
    ///
    /// # jobs.submit(&job("one"))?;
    /// let mut first = jobs.start("one")?;
    /// tracker.transaction(|tx| {
    ///     tx.table(TOTALS)?.insert("done", 1)?;
    ///     tx.submit(&jobs, &job("two"))?;
    ///     tx.succeed(&mut first)
    /// })?;
    /// assert_eq!(jobs.counts()?.get(Status::Succeeded), 1);
    /// assert_eq!(jobs.counts()?.get(Status::Pending), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error of `work`, or a [storage error](crate::ErrorKind#storage-errors).
    ///
    /// # Panics
    /// With the panic of `work`, after everything was rolled back.
    pub fn transaction<R, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut ended = EndedExecution::default();
        let result = self
            .shared
            .engine
            .user_transaction(|writer| work(&mut Transaction::new(&self.shared, writer, &mut ended)))?;
        ended.mark_all();
        Ok(result)
    }

    /// Returns the batch that has this label.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn batch(&self, label: &str) -> Result<Option<Batch>> {
        let number = self.shared.engine.read(|rows| rows.with_label(label))?;
        Ok(number.map(|number| Batch::new(&self.shared, number, label)))
    }

    /// Returns the batch that has this number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn batch_numbered(&self, number: u64) -> Result<Option<Batch>> {
        let batch = self.shared.engine.read(|rows| rows.batch(number))?;
        Ok(batch.map(|batch| Batch::new(&self.shared, number, &batch.label)))
    }

    /// Returns up to `most` batches, the latest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn batches(&self, most: usize) -> Result<Vec<BatchInfo>> {
        let batches = self.shared.engine.read(|rows| rows.latest_batches(most))?;
        Ok(batches.into_iter().map(|(number, batch)| BatchInfo::new(number, batch)).collect())
    }

    /// Deletes the records of batches that first ended longer ago than this, of which no task is left, and
    /// that no task waits for, and returns their number. [`Options::keep_batches`](crate::Options::keep_batches) has it done by itself.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn prune_batches(&self, age: Duration) -> Result<u64> {
        let mut looked_at = PruneBatches { keep: age, beyond: None, most: 1_000 };
        let mut all = 0;
        loop {
            let PrunedBatches { pruned, next } = self.shared.engine.call(looked_at)?;
            all += pruned;
            if next.is_none() {
                return Ok(all);
            }
            looked_at.beyond = next;
        }
    }

    /// Creates a group of tasks that are submitted in one commit, and may depend on each other.
    pub fn group(&self) -> TaskGroup {
        TaskGroup::new(&self.shared)
    }

    /// Ends the expired leases of all kinds, so that their tasks can be claimed again. Claims do this by themselves for their own kind.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn rescue(&self) -> Result<Vec<TaskKey>> {
        Ok(self.rescue_with(None, Scope::Expired)?.into_iter().map(|rescued| rescued.id).collect())
    }

    pub(crate) fn rescue_with(&self, kind: Option<u32>, scope: Scope) -> Result<Vec<Rescued>> {
        let rescued = self.shared.engine.call(Rescue { kind, scope })?;
        for one in &rescued {
            panics::log_catching_panics(
                || tracing::debug!(kind = one.kind.name, id = %one.id, worker = one.worker, "freed"),
            );
        }
        Ok(rescued)
    }

    /// Returns the tracker's time: that of its clock, and never before a time that it has returned or that is stored in the file.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        utc(self.shared.engine.now())
    }

    /// Returns a number that rises with every commit that changed something, in any process: compare it to see whether the
    /// file has changed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn change_number(&self) -> Result<u64> {
        self.shared.engine.change()
    }

    /// Gives free space back to the file system; true if there was any. Waits until no other call reads or writes.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn compact(&self) -> Result<bool> {
        self.flush()?;
        self.shared.engine.file().exclusively(|db| Ok(db.compact()?))
    }

    /// Returns when everything that was queued before is durable: progress, renewals, dropped executions.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn flush(&self) -> Result<()> {
        if self.shared.engine.file().is_read_only() {
            return Ok(());
        }
        self.shared.engine.call(Flush)
    }

    /// Commits what is queued and closes the file; every clone and handle of this tracker is closed with it.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn close(self) -> Result<()> {
        self.shared.close()
    }
}

calls! {
    (&self) => (tracker, port);
    impl[] Tracker => self;
    impl[] AsyncTracker => &self.0;

    /// Opens a batch: makes a new one, or finds the one that has this label, whose options then stay as they are. Labels have
    /// 1 to 256 bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a label that is empty or longer than 256 bytes.
    pub fn open_batch(label: &str, options: &BatchOptions) -> Result<Batch>, async Result<AsyncBatch> {
        let number = port.call(&tracker.shared, options.open(label)?).await?;
        Ok(Batch::new(&tracker.shared, number, label).into())
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("instance", &self.shared.engine.instance()).finish_non_exhaustive()
    }
}
