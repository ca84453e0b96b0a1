//! `Plan` lists the tasks that the next claims would start, and states why others would not start. Called by users, `tracker-cli` and
//! `tracker-web`; `api/inspect/metrics` asks for the oldest waiting task, and `api/query` returns `BoundedCount`. Reads only.

use chrono::{DateTime, Utc};

use crate::{
    api::{schema::Schema, tasks::Tasks},
    model::{
        dependency::NAMED_MAX,
        error::Result,
        kind::Kind,
        status::StatusInfo,
        task::TaskKey,
        time::{Micros, utc},
        transition::{Explanation, StartContext},
    },
    storage::{
        keys::ClaimKey,
        order::{StatusOrder, status_order},
        read::{scan::ListingRange, waiting::WaitingCounts},
        tables::{Reading, Tables},
    },
};

/// The tasks of a kind that would be claimed next, and why the others would not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Whether the kind is paused: then no task would be claimed.
    pub paused: bool,
    /// The next tasks in claim order: they would be claimed, except those that a limit holds back. Each task of a pipeline
    /// is claimed by a worker of its step.
    pub next: Vec<PlannedTask>,
    /// Number of all tasks that are due and startable, those of `next` included.
    pub queued: BoundedCount,
    /// Tasks that are not in `queued`, by status and reason.
    pub rest: Vec<BlockedGroup>,
}

/// A task that is due and not claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingTask {
    /// Its id.
    pub id: TaskKey,
    /// Since when it has its status.
    pub since: DateTime<Utc>,
}

/// A due task with its position in the claim order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlannedTask {
    /// Its id.
    pub id: TaskKey,
    /// Its status.
    pub status: StatusInfo,
    /// The name of the step that starts it; empty if the kind has no steps.
    pub step: String,
    /// Higher first.
    pub priority: u8,
    /// Since when it is due.
    pub due_at: DateTime<Utc>,
    /// Claims so far.
    pub attempts: u32,
    /// Failures in a row so far.
    pub failures: u32,
    /// The explanation: the task waits for its claim, or a limit holds it back now.
    pub why: Explanation,
}

/// Tasks that would not be claimed now, for one reason.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BlockedGroup {
    /// Their status.
    pub status: StatusInfo,
    /// How many they are.
    pub amount: BoundedCount,
    /// One of them: the first in claim order.
    pub example: TaskKey,
    /// Why that one is not claimed.
    pub why: Explanation,
}

/// How many, counted up to a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundedCount {
    /// The number, which is a lower bound unless [`Self::exact`] is true.
    pub count: u64,
    /// Whether there are no more.
    pub exact: bool,
}

impl std::fmt::Display for BoundedCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.count, if self.exact { "" } else { "+" })
    }
}

/// The number up to which tasks are counted. The file keeps a counter per status, and none per reason.
const COUNTED: u64 = 10_000;

impl<T: Schema> Tasks<T> {
    /// Returns up to `most` tasks that would be claimed next, and why the others would not. Costs about the same for any number of
    /// tasks: what has no counter is counted up to 10,000.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn plan(&self, most: usize) -> Result<Plan> {
        let now = self.shared.engine.now();
        self.shared.engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            let mut drawn =
                Drawn { kind: &kind, now, next: Vec::new(), queued: BoundedCount::exactly(0), rest: Vec::new() };
            for status in kind.graph.statuses() {
                drawn.add(rows, status, most)?;
            }
            drawn.next.sort_unstable_by_key(|key| key.order());
            drawn.next.truncate(most);
            let mut next = Vec::with_capacity(drawn.next.len());
            let (rate_reached_until, in_progress) =
                (rows.rate_reached_until(&kind, now)?, kind.in_progress(&rows.counts_of(kind.id)?));
            let shared_limit = rows.reached_shared_limit(&kind)?;
            for (ahead, key) in (0..).zip(&drawn.next) {
                let shared_limit = shared_limit.clone();
                let blocking = rows.blocking_limit(&kind, key.task())?;
                let lacking = rows.lacking(&kind, key.task())?;
                let context = StartContext {
                    blocking,
                    in_progress,
                    shared_limit,
                    lacking,
                    rate_reached_until,
                    ahead,
                    ..StartContext::default()
                };
                next.extend(planned(rows, &kind, *key, now, &context)?);
            }
            Ok(Plan { paused: kind.paused, next, queued: drawn.queued, rest: drawn.rest })
        })
    }

    /// Returns the ids of up to `most` tasks that wait, in the order in which claims start them. A pause of the kind, dependencies and
    /// limits do not matter here: tasks that are due later come after those of the same priority that are due, then paused tasks, then
    /// those that wait for others. Reads every task that it returns.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{Tracker, task::TaskKey};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// jobs.submit_all(["one", "two", "three"].map(job))?;
    /// jobs.pause()?;
    /// jobs.pause_task("one")?;
    /// jobs.move_to_front("three")?;
    /// let order: Vec<_> = jobs.claim_order(10)?.iter().map(TaskKey::to_string).collect();
    /// assert_eq!(order, ["three", "two", "one"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn claim_order(&self, most: usize) -> Result<Vec<TaskKey>> {
        self.shared.engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            let mut waiting = Vec::new();
            for code in startable(&kind) {
                waiting.extend(rows.first_claim_keys(kind.id, code, most)?);
            }
            waiting.sort_unstable_by_key(|key| key.order());
            waiting.truncate(most);
            waiting.into_iter().map(|key| Ok(rows.task_row(key.task())?.id)).collect()
        })
    }

    /// Returns the task that has waited longest of those that are due: of the first thousand by their last change in each
    /// status.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn oldest_waiting(&self) -> Result<Option<WaitingTask>> {
        let now = self.shared.engine.now();
        self.shared.engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            let mut oldest = None;
            for code in startable(&kind) {
                for (position, task) in
                    rows.changed(&kind, code, ListingRange { most: 1_000, ..ListingRange::from(Micros::MIN) })?
                {
                    let Some(header) = rows.header(task)? else { continue };
                    if header.due <= now && header.waits == 0 && !header.unreadable && !header.paused {
                        oldest = oldest.into_iter().chain([(position, task)]).min();
                        break;
                    }
                }
            }
            let Some(((at, _), task)) = oldest else { return Ok(None) };
            Ok(Some(WaitingTask { id: rows.task_row(task)?.id, since: utc(at) }))
        })
    }
}

/// The codes from which some step starts, or which the policy adds, and that have not ended.
fn startable(kind: &Kind) -> Vec<i32> {
    let steps = (0..).zip(kind.graph.steps()).flat_map(|(step, _)| kind.graph.startable(step));
    let mut codes: Vec<i32> = steps.chain(kind.policy.startable.iter().copied()).collect();
    codes.retain(|code| status_order(&kind.graph, *code) == StatusOrder::Waiting);
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn planned(
    rows: &mut Tables<Reading<'_>>,
    kind: &Kind,
    key: ClaimKey,
    now: Micros,
    context: &StartContext,
) -> Result<Option<PlannedTask>> {
    let Some(header) = rows.header(key.task())? else { return Ok(None) };
    let Some(status) = kind.graph.status(header.code) else { return Ok(None) };
    let starts = |(step, _): &(u16, &str)| kind.graph.startable(*step).contains(&header.code);
    let step = (0..).zip(kind.graph.steps()).find(starts).map_or("", |(_, name)| name);
    Ok(Some(PlannedTask {
        id: rows.task_row(key.task())?.id,
        status: status.clone(),
        step: step.to_owned(),
        priority: header.priority,
        due_at: utc(header.due),
        attempts: header.attempts,
        failures: header.failures,
        why: kind.rules(now).explain(&header, context),
    }))
}

/// A plan that is put together status by status.
struct Drawn<'k> {
    kind: &'k Kind,
    now: Micros,
    next: Vec<ClaimKey>,
    queued: BoundedCount,
    rest: Vec<BlockedGroup>,
}

impl Drawn<'_> {
    fn add(&mut self, rows: &mut Tables<Reading<'_>>, status: &StatusInfo, most: usize) -> Result<()> {
        let (kind, code) = (self.kind.id, status.code);
        let all = rows.count(kind, code)?;
        if all == 0 {
            return Ok(());
        }
        let waits = startable(self.kind).contains(&code);
        if !waits && status_order(&self.kind.graph, code) != StatusOrder::Leased {
            let first = rows.first_claim_keys(kind, code, 1)?;
            return self.put_by(rows, status, BoundedCount::exactly(all), first.first().copied());
        }
        let WaitingCounts { due, later, behind, paused, never } = rows.waiting(kind, code, self.now, COUNTED)?;
        let capped = [&due, &behind, &paused, &never].iter().any(|group| group.count >= COUNTED);
        let amount = |count: u64| BoundedCount { count, exact: count < COUNTED };
        let apart = due.count + behind.count + paused.count + never.count;
        let others = BoundedCount { count: all.saturating_sub(apart), exact: !capped };
        if waits && !self.kind.paused {
            self.next.extend(rows.due_first(kind, code, self.now, most)?);
            let queued = amount(due.count);
            self.queued =
                BoundedCount { count: self.queued.count + queued.count, exact: self.queued.exact && queued.exact };
        } else {
            self.put_by(rows, status, amount(due.count), due.first)?;
        }
        self.put_by(rows, status, others, later.first)?;
        self.put_by(rows, status, amount(behind.count), behind.first)?;
        self.put_by(rows, status, amount(paused.count), paused.first)?;
        self.put_by(rows, status, amount(never.count), never.first)
    }

    fn put_by(
        &mut self,
        rows: &mut Tables<Reading<'_>>,
        status: &StatusInfo,
        amount: BoundedCount,
        first: Option<ClaimKey>,
    ) -> Result<()> {
        let Some(first) = first else { return Ok(()) };
        let Some(header) = rows.header(first.task())? else { return Ok(()) };
        let dependencies =
            if header.waits > 0 { rows.named_dependencies(first.task(), NAMED_MAX)? } else { Vec::new() };
        let context = StartContext { paused: self.kind.paused, dependencies, ..StartContext::default() };
        let why = self.kind.rules(self.now).explain(&header, &context);
        let example = rows.task_row(first.task())?.id;
        self.rest.push(BlockedGroup { status: status.clone(), amount, example, why });
        Ok(())
    }
}

impl BoundedCount {
    fn exactly(count: u64) -> Self {
        Self { count, exact: true }
    }
}
