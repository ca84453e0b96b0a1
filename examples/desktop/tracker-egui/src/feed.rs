//! The feed: a thread that follows a kind by its events, reads the changed tasks, and sends them to the panel. The only place that reads the file.

use std::{
    collections::HashSet,
    sync::mpsc::{self, Receiver, SendError, SyncSender},
    thread,
    time::{Duration, Instant},
};

use tracker_core::{
    Result, Tasks, TrackedTask,
    events::{EventKind, Notification, Subscription, SubscriptionHandle},
    query::Cursor,
    task::TaskKey,
};

use crate::{
    job::{Job, JobProgress, JobState, JobText},
    pause::PauseRequests,
    places::Places,
};

/// A change that the panel takes over.
#[derive(Debug)]
pub enum Change {
    /// A task, new or changed.
    Job(Box<Job>),
    /// Progress of a running task.
    Progress(TaskKey, JobProgress),
    /// A task is gone.
    Gone(TaskKey),
    /// The place of a waiting task in the claim order.
    Place(TaskKey, u64),
    /// The tasks of a snapshot follow.
    Snapshot,
    /// The snapshot is complete: tasks that were not in it are gone.
    SnapshotEnd,
    /// Whether the kind is paused.
    Paused(bool),
    /// The file cannot be read.
    Failed(String),
}

/// Changes that wait for the panel at most. Beyond, the feed waits, and reads a snapshot if the subscription has lost events meanwhile.
const WAITING_CHANGES: usize = 1 << 16;
const WAITING_EVENTS: usize = 1 << 14;
/// Events that are read together, so that a task with several events is read once.
const EVENTS: usize = 512;
const PAGE: usize = 2_000;
/// Share of its time that the feed may spend on reading the claim order: one in so many parts.
const ORDER_SHARE: u32 = 4;

/// The receiving end, in the panel. Its drop ends the thread.
pub struct Feed {
    pub changes: Receiver<Change>,
    subscription: SubscriptionHandle,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.subscription.close();
    }
}

/// How the feed makes the text of a task.
pub type Describe<T> = Box<dyn Fn(&T) -> JobText + Send>;
/// Has the window draw again.
pub type Wake = Box<dyn Fn() + Send>;

impl Feed {
    /// Starts the thread.
    pub fn start<T: TrackedTask>(
        tasks: &Tasks<T>,
        describe: Describe<T>,
        pauses: PauseRequests,
        wake: Wake,
    ) -> std::io::Result<Self> {
        let (sender, changes) = mpsc::sync_channel(WAITING_CHANGES);
        let events = tasks.subscription().capacity(WAITING_EVENTS).subscribe();
        let subscription = events.handle();
        let reader = Reader {
            tasks: tasks.clone(),
            describe,
            pauses,
            wake,
            changes: sender,
            places: Places::default(),
            moved: HashSet::new(),
            order_due: None,
        };
        thread::Builder::new().name("job-panel".to_owned()).spawn(move || reader.run(&events))?;
        Ok(Self { changes, subscription })
    }
}

struct Reader<T: TrackedTask> {
    tasks: Tasks<T>,
    describe: Describe<T>,
    pauses: PauseRequests,
    wake: Wake,
    changes: SyncSender<Change>,
    places: Places,
    /// Tasks whose place may have changed since the claim order was read.
    moved: HashSet<TaskKey>,
    /// When the claim order is to be read.
    order_due: Option<Instant>,
}

/// Why the thread stops a piece of work.
enum Stop {
    /// The panel is gone.
    PanelGone,
    Unreadable(tracker_core::Error),
}

impl From<SendError<Change>> for Stop {
    fn from(_: SendError<Change>) -> Self {
        Self::PanelGone
    }
}

impl From<tracker_core::Error> for Stop {
    fn from(error: tracker_core::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl<T: TrackedTask> Reader<T> {
    fn run(mut self, events: &Subscription) {
        let mut result = self.first_snapshot();
        while !events.is_closed() {
            if let Err(stop) = result {
                let Stop::Unreadable(error) = stop else { return };
                if self.changes.send(Change::Failed(error.to_string())).is_err() {
                    return;
                }
            }
            (self.wake)();
            let patience = self.order_due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            result = match events.next_within(patience) {
                Some(first) => self.follow(first, events),
                None => Ok(()),
            };
            if result.is_ok() && self.order_due.is_some_and(|due| due <= Instant::now()) {
                result = self.read_order();
            }
        }
    }

    /// The subscription has begun before. A transaction that began before it makes no events for it, so an empty commit waits for its end.
    fn first_snapshot(&mut self) -> Result<(), Stop> {
        let (_, ()) = self.tasks.subscription().subscribe_with_snapshot(|| Ok(()))?;
        self.snapshot()
    }

    fn snapshot(&mut self) -> Result<(), Stop> {
        self.changes.send(Change::Snapshot)?;
        self.set_paused(self.tasks.info()?.paused)?;
        let mut after: Option<Cursor> = None;
        loop {
            let page = self.tasks.query().by_creation().limit(PAGE).after(after).page()?;
            after = page.next;
            for record in page.items {
                self.send_job(&record)?;
            }
            (self.wake)();
            if after.is_none() {
                break;
            }
        }
        self.read_order()?;
        self.changes.send(Change::SnapshotEnd)?;
        Ok(())
    }

    /// Takes over an event and those that wait behind it.
    fn follow(&mut self, first: Notification, events: &Subscription) -> Result<(), Stop> {
        let mut changed = Vec::new();
        let mut seen = HashSet::new();
        for notification in std::iter::once(first).chain(std::iter::from_fn(|| events.try_next())).take(EVENTS) {
            match notification {
                Notification::Event(event) => match event.what {
                    EventKind::Progress { done, total, message } => {
                        self.changes.send(Change::Progress(event.id, JobProgress { done, total, message }))?;
                    }
                    _ if seen.insert(event.id.clone()) => changed.push(event.id),
                    _ => {}
                },
                Notification::KindPaused { .. } => self.set_paused(true)?,
                Notification::KindResumed { .. } => self.set_paused(false)?,
                Notification::Lagged(_) => return self.snapshot(),
                _ => {}
            }
        }
        for id in changed {
            match self.tasks.get(&id)? {
                Some(record) => {
                    let state = self.send_job(&record)?;
                    if state.is_queued() {
                        self.moved.insert(id);
                        self.order_due.get_or_insert_with(Instant::now);
                    }
                }
                None => self.changes.send(Change::Gone(id))?,
            }
        }
        Ok(())
    }

    fn send_job(&self, record: &tracker_core::Record<T, T::Status>) -> Result<JobState, Stop> {
        let job = Job::of(record, (self.describe)(&record.task));
        let state = job.state;
        self.pauses.set(&job.id, state == JobState::Running && job.pausing);
        self.changes.send(Change::Job(Box::new(job)))?;
        Ok(state)
    }

    fn set_paused(&self, paused: bool) -> Result<(), Stop> {
        self.pauses.set_all(paused);
        self.changes.send(Change::Paused(paused))?;
        Ok(())
    }

    fn read_order(&mut self) -> Result<(), Stop> {
        let start = Instant::now();
        let order = self.tasks.claim_order(usize::MAX)?;
        for (id, place) in self.places.assign(order, &self.moved) {
            self.changes.send(Change::Place(id, place))?;
        }
        self.moved.clear();
        self.order_due = None;
        // The next read waits, so that reading a long order takes a bounded share of the time.
        let pause = start.elapsed() * (ORDER_SHARE - 1);
        if pause > Duration::from_millis(20) {
            thread::sleep(pause.min(Duration::from_secs(2)));
        }
        Ok(())
    }
}
