//! Subscribes to a tracker or a kind, with filters. Called by users and `api/live/server`; registers in `Engine`. Writes nothing, but
//! `subscribe_with_snapshot` waits for a commit and runs the user's `read`.

use std::{sync::Arc, time::Duration};

use crate::{
    api::{batch::Batch, schema::Schema, shared::Shared, tasks::Tasks, tracker::Tracker},
    engine::{Flush, Subscription, SubscriptionOptions},
    model::{error::Result, task::TaskId},
};

/// Chooses what a [`Subscription`] yields. Made by [`Tracker::subscription`] and [`Tasks::subscription`].
///
/// Filters of several sorts must all pass; of several kinds, ids or batches one must. An empty list of ids passes no task. Events of
/// kinds ([`KindPaused`](crate::events::Notification::KindPaused), `KindResumed`, `QueueEmpty`) pass unless ids or batches are
/// chosen. [`BatchFinished`](crate::events::Notification::BatchFinished) passes if its batch is chosen, or if nothing is.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # use tracker_core::Tracker;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// use tracker_core::events::Notification;
///
/// let shown = jobs.subscription().ids(["one", "two"]).without_progress().subscribe();
/// jobs.submit_all(["one", "three"].map(job))?;
/// let Some(Notification::Event(event)) = shown.try_next() else { panic!("a task of the list was submitted") };
/// assert_eq!(event.id.to_string(), "one");
/// assert!(shown.try_next().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is subscribed before `subscribe` is called"]
pub struct SubscriptionBuilder {
    shared: Arc<Shared>,
    options: SubscriptionOptions,
}

impl std::fmt::Debug for SubscriptionBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SubscriptionBuilder").field(&self.options).finish()
    }
}

impl SubscriptionBuilder {
    /// Chooses a kind, in addition to those chosen before.
    pub fn kind<T: Schema>(mut self, tasks: &Tasks<T>) -> Self {
        self.options.filter.kinds.get_or_insert_default().insert(tasks.name().into());
        self
    }

    /// Chooses tasks by their ids, in addition to those chosen before. Tasks of several kinds can have the same id.
    pub fn ids(mut self, ids: impl IntoIterator<Item = impl TaskId>) -> Self {
        self.options.filter.ids.get_or_insert_default().extend(ids.into_iter().map(|id| id.to_key()));
        self
    }

    /// Chooses the tasks of a batch of this tracker, and its end, in addition to those chosen before.
    pub fn batch(mut self, batch: &Batch) -> Self {
        self.options.filter.batches.get_or_insert_default().insert(batch.number());
        self
    }

    /// Leaves out progress.
    pub fn without_progress(mut self) -> Self {
        self.options.filter.without_progress = true;
        self
    }

    /// Sets the shortest time between two events of progress of one task; 100 ms unless set, so at most 10 per second. Of the progress
    /// in between the latest is kept. `Duration::ZERO` sets no limit. Intervals over ten years count as ten years.
    pub fn progress_interval(mut self, interval: Duration) -> Self {
        self.options.progress_interval = interval;
        self
    }

    /// Sets how many events, other than progress, may wait to be read; 1,024 unless set. With 0 each event is reported as
    /// [`Lagged`](crate::events::Notification::Lagged) only.
    pub fn capacity(mut self, events: usize) -> Self {
        self.options.capacity = events;
        self
    }

    /// Subscribes to the events of all transactions that begin from now on.
    #[must_use]
    pub fn subscribe(self) -> Subscription {
        self.shared.engine.subscribe(self.options)
    }

    /// Subscribes, and reads a snapshot such that no event is missed: every change of this tracker is included in what `read` returns, or
    /// its event is yielded, or both. Waits for the transaction that is being committed, then runs `read`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// let (events, page) = jobs.subscription().subscribe_with_snapshot(|| jobs.query().limit(100).page())?;
    /// assert_eq!(page.len(), 1);
    /// assert!(events.try_next().is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The events of a change that `read` includes can follow. They come in the order of the commits, so that the last event of a task
    /// agrees with the snapshot or is newer. After [`Lagged`](crate::events::Notification::Lagged) the same holds for a new read:
    /// the subscription stays as it is, and only `read` must be run again.
    ///
    /// # Errors
    /// - The error of `read`.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the tracker is closed.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) inside a [`Tracker::transaction`].
    pub fn subscribe_with_snapshot<R>(self, read: impl FnOnce() -> Result<R>) -> Result<(Subscription, R)> {
        let shared = self.shared.clone();
        let subscription = self.subscribe();
        if !shared.engine.file().is_read_only() {
            // A transaction that began before the subscription makes no events for it, so its changes must be in the snapshot.
            shared.engine.call(Flush)?;
        }
        Ok((subscription, read()?))
    }
}

impl Tracker {
    /// Subscribes to the events of all kinds and batches, with the default options of [`Tracker::subscription`].
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        self.subscription().subscribe()
    }

    /// Starts a subscription with filters and options.
    pub fn subscription(&self) -> SubscriptionBuilder {
        SubscriptionBuilder { shared: self.shared.clone(), options: SubscriptionOptions::default() }
    }
}

impl<T: Schema> Tasks<T> {
    /// Subscribes to the events of the kind and its tasks, with the default options of [`Tasks::subscription`].
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        self.subscription().subscribe()
    }

    /// Starts a subscription to the kind, with filters and options.
    pub fn subscription(&self) -> SubscriptionBuilder {
        let all = SubscriptionBuilder { shared: self.shared.clone(), options: SubscriptionOptions::default() };
        all.kind(self)
    }
}
