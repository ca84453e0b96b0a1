//! `Claim` claims the next tasks. Queued by `api/tasks/start`, `api/asynchronous` and `worker`; reads the claim order and the limits, ends
//! expired leases, moves class heads, and writes through `Writer`.

use std::sync::Arc;

use super::{Action, start::lease};
use crate::{
    engine::writer::Writer,
    model::{
        error::{Error, ErrorKind, Result},
        kind::Kind,
        kinds::Kinds,
        needs::{Budgets, LackingResource, Overtaken, StartChoice, choose_start},
        panics,
        status::Role,
        task::TaskRef,
        task_row::TaskRow,
        time::Micros,
        transition::{Header, Owner, Start},
    },
    storage::{
        order::order_keys,
        read::{claim_order::Ready, expected_rows::ExpectedRows, head_lists::Overtake},
        tables::Source as _,
    },
};

/// Time until a claim that skipped locked tasks and found no other one is tried again, in microseconds.
const SKIPPED_RETRY: Micros = 50_000;

/// A task that the caller owns now.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub task: TaskRef,
    pub owner: Owner,
    pub header: Header,
    pub row: TaskRow,
}

impl Claimed {
    /// Size of its payload.
    pub(crate) fn bytes(&self) -> usize {
        self.row.payload.len()
    }

    /// Whether its handler has begun, as stored.
    pub(crate) fn is_begun(&self) -> bool {
        self.header.lease.as_ref().is_none_or(|lease| lease.begun)
    }
}

/// Claims the next tasks.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub kind: u32,
    pub start: Start,
    /// The most tasks to claim. 0 claims none: `held_back` tells whether a task could start.
    pub most: usize,
    /// Number of tasks whose handlers begin at once; the others are prefetched.
    pub begin: usize,
    /// The most bytes of payload that the prefetched tasks have together.
    pub prefetch_bytes: usize,
    /// Whether an isolated task may be claimed; it is then the only one.
    pub isolated: bool,
    /// The budgets of the caller, beside those of the file.
    pub budgets: Budgets,
    /// Whether a worker of this process holds the leases from the commit on, and removes each from the held leases when its attempt ends.
    pub held: bool,
}

/// The claimed tasks, and why there are no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    pub tasks: Vec<Claimed>,
    /// When the next task is due, if none is now. The time of the transaction if a claim may be made again at once: a claim looks at a bounded number
    /// of tasks that limits hold back.
    pub due: Option<Micros>,
    /// When the first lease runs out, if nothing was found.
    pub expiry: Option<Micros>,
    /// An isolated task is next, and the claim excluded it.
    pub isolated_waits: bool,
    /// Due tasks may wait: the kind is paused, or a limit is reached.
    pub held_back: bool,
    /// A due task that needs more of a resource than its budget, and is skipped.
    pub exceeding: Option<(TaskRef, LackingResource)>,
    /// The payload of the next task exceeds the rest of [`Claim::prefetch_bytes`].
    pub is_cut: bool,
    /// The time of the transaction.
    pub now: Micros,
}

impl Claims {
    /// Size of the payloads that are prefetched.
    fn prefetch_bytes(&self, begin: usize) -> usize {
        self.tasks.iter().skip(begin).map(Claimed::bytes).sum()
    }

    /// Whether a further claim may find a task now.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.due.is_some_and(|due| due <= self.now)
    }
}

impl Action for Claim {
    type Out = Claims;

    fn expect_rows(&self, kinds: &Kinds, now: Micros, rows: &mut ExpectedRows) {
        if let Some(kind) = kinds.get(self.kind) {
            rows.claim(kind, &self.codes(kind), now, self.most.max(1));
        }
    }

    /// In a store, a claim takes free tasks only, and does not wait for tasks that another process claims.
    fn run(&self, writer: &mut Writer<'_>) -> Result<Claims> {
        let Some(set) = writer.rows().source().working_set().cloned() else { return self.claim(writer) };
        set.skip_locked(true);
        let claimed = self.claim(writer);
        set.skip_locked(false);
        let mut claims = claimed?;
        // The unit of another process may leave some of the tasks that it has locked. If it is rolled back, nothing announces this, so the
        // claim is repeated.
        if claims.tasks.is_empty() && set.has_skipped() {
            claims.held_back = true;
            let again = claims.now.saturating_add(SKIPPED_RETRY);
            claims.due = Some(claims.due.map_or(again, |due| due.min(again)));
        }
        Ok(claims)
    }
}

impl Claim {
    /// The codes of the statuses that it starts tasks from.
    fn codes(&self, kind: &Kind) -> Vec<i32> {
        let mut codes = kind.graph.startable(self.start.step);
        codes.extend(self.start.startable.iter().filter(|code| !codes.contains(code)).copied().collect::<Vec<_>>());
        codes
    }

    fn claim(&self, writer: &mut Writer<'_>) -> Result<Claims> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let mut claims = Claims { now: writer.now(), held_back: kind.paused, ..Claims::default() };
        if kind.paused {
            return Ok(claims);
        }
        let codes = self.codes(&kind);
        check_limit_queues(&kind, &codes)?;
        writer.rows().prefetch_claim(&kind, &codes, claims.now, self.most.max(1))?;
        writer.sweep(&kind)?;
        writer.rows().lock_claims(&kind)?;
        let mut moves = MOST_MOVES;
        while claims.tasks.len() < self.most.max(1) {
            match writer.rows().next_ready(&kind, &codes, claims.now)? {
                Ready::Now(first) => {
                    let chosen = if kind.has_needs() || kind.has_limit_lists() {
                        self.choose(writer, &kind, &codes, &mut moves, &mut claims)?
                    } else {
                        Some(Chosen::first(first))
                    };
                    let Some(Chosen { task, overtaken, updates_overtaken, overtakes }) = chosen else { break };
                    if self.most == 0 {
                        claims.held_back = true;
                        break;
                    }
                    if is_limit_reached(writer, &kind)? {
                        claims.held_back = true;
                        break;
                    }
                    // A rate delays no task that is not due.
                    if let Some(at) = writer.rows().rate_reached_until(&kind, claims.now)? {
                        claims.due = Some(at);
                        break;
                    }
                    let claimed = claims.tasks.len();
                    let goes_on = self.take(writer, &kind, task, &mut claims)?;
                    if claims.tasks.len() > claimed {
                        writer.rows().count_overtakes(&kind, &overtakes)?;
                        if updates_overtaken {
                            writer.rows().put_overtaken(&kind, self.start.step, overtaken)?;
                        }
                    }
                    if !goes_on {
                        break;
                    }
                }
                Ready::At(at) => {
                    claims.due = Some(at);
                    break;
                }
                Ready::HeldBack(due) => {
                    claims.held_back = true;
                    claims.due = due;
                    break;
                }
                Ready::NoTask => break,
            }
        }
        if claims.tasks.is_empty() {
            claims.expiry = next_expiry(writer, &kind)?;
        }
        Ok(claims)
    }
}

/// The most heads of a kind with several limits that one claim moves to the lists of blocked heads.
const MOST_MOVES: usize = 256;

impl Claim {
    /// Chooses the first due task that no limit of the kind blocks, and whose needs fit into the budgets. If there is none, `claims` gets the
    /// reason.
    fn choose(
        &self,
        writer: &mut Writer<'_>,
        kind: &Kind,
        codes: &[i32],
        moves: &mut usize,
        claims: &mut Claims,
    ) -> Result<Option<Chosen>> {
        let kinds: Vec<_> = writer.kinds().collect();
        let budgets = writer.rows().stored_budgets()?.lowest(&self.budgets);
        let resources = budgets.resources(kind, &writer.rows().amounts_in_use(&kinds)?);
        let heads = if kind.has_limit_lists() {
            writer.unblocked_heads(kind, codes, &resources, moves)?
        } else {
            Some(writer.rows().queue_heads(kind, codes, claims.now)?)
        };
        let Some(heads) = heads else {
            claims.due = Some(claims.now);
            return Ok(None);
        };
        let rows = writer.rows();
        let stored = if kind.has_needs() { rows.overtaken(kind, self.start.step)? } else { None };
        let is_blocked = kind.has_limit_lists() && (heads.due.is_empty() || rows.has_blocked_heads(kind)?);
        let exceeding = heads.due.iter().find(|head| head.exceeded(&resources).is_some());
        claims.exceeding = exceeding.and_then(|head| Some((head.task, LackingResource::of(kind, head, &resources)?)));
        match choose_start(heads.due, &resources, stored) {
            StartChoice::Start { task, overtaken } => {
                let overtakes = if kind.has_limit_lists() {
                    let header = writer.indexed_header(task)?;
                    let start = order_keys(&kind.graph, task, &header).claim_order;
                    writer.rows().overtakes(kind, codes, claims.now, start, &resources)?
                } else {
                    Vec::new()
                };
                Ok(Some(Chosen { task, overtaken, updates_overtaken: overtaken != stored, overtakes }))
            }
            StartChoice::Wait => {
                claims.held_back = true;
                Ok(None)
            }
            StartChoice::Nothing => {
                let possible = heads.later.iter().filter(|(_, head)| head.exceeded(&resources).is_none());
                claims.due = possible.map(|(at, _)| *at).min();
                claims.held_back |= is_blocked;
                Ok(None)
            }
        }
    }

    /// Claims this task. False if no further one may be claimed now.
    fn take(&self, writer: &mut Writer<'_>, kind: &Kind, task: TaskRef, claims: &mut Claims) -> Result<bool> {
        let header = writer.indexed_header(task)?;
        let isolated = header.is_isolated();
        if isolated && (!self.isolated || !claims.tasks.is_empty()) {
            claims.isolated_waits = true;
            return Ok(false);
        }
        let begun = claims.tasks.len() < self.begin;
        if !begun && !header.may_be_prefetched() {
            return Ok(false);
        }
        let row = match writer.rows().task_row(task) {
            Ok(row) => row,
            // No claim finds a task that is marked as unreadable. If one is found nevertheless, its error is returned.
            Err(error) if error.kind() == ErrorKind::Corrupted && !header.unreadable => {
                panics::log_catching_panics(
                    || tracing::error!(kind = kind.name, %task, %error, "a task cannot be read and is not claimed again"),
                );
                return writer.mark_unreadable(kind, task, &header).map(|()| true);
            }
            Err(error) => return Err(error),
        };
        if !begun && claims.prefetch_bytes(self.begin) + row.payload.len() > self.prefetch_bytes {
            claims.is_cut = true;
            return Ok(false);
        }
        let claimed = lease(writer, kind, task, &header, row, &self.start, begun)?;
        if self.held {
            writer.hold(claimed.owner.fence);
        }
        claims.tasks.push(claimed);
        Ok(!isolated)
    }
}

/// The task to claim.
struct Chosen {
    task: TaskRef,
    /// The overtaken task to store if the task starts.
    overtaken: Option<Overtaken>,
    /// Whether it differs from the stored one.
    updates_overtaken: bool,
    /// The earlier tasks with the same limited values, before which it starts.
    overtakes: Vec<Overtake>,
}

impl Chosen {
    /// A task that overtakes no other one.
    fn first(task: TaskRef) -> Self {
        Self { task, overtaken: None, updates_overtaken: false, overtakes: Vec::new() }
    }
}

/// Whether as many tasks are in progress as the limits of the whole kind allow. Reads counters only if the kind has such a limit.
fn is_limit_reached(writer: &mut Writer<'_>, kind: &Kind) -> Result<bool> {
    let in_progress =
        |writer: &mut Writer<'_>, kind: &Kind| writer.count_where(kind, |status| status.role == Role::InProgress);
    if kind.policy.max_in_progress.is_some() && !kind.has_free_start(in_progress(writer, kind)?) {
        return Ok(true);
    }
    if kind.policy.shared_limits.is_empty() {
        return Ok(false);
    }
    let kinds: Vec<_> = writer.kinds().collect();
    let kinds: Vec<_> = kinds.iter().map(|kind| &**kind).collect();
    let reached = kind.reached_shared_limit(&kinds, |kind| in_progress(writer, kind))?;
    Ok(reached.is_some())
}

/// Refuses statuses that have no queues of limited values, because a claim would read each task that may not start.
fn check_limit_queues(kind: &Kind, codes: &[i32]) -> Result<()> {
    match codes.iter().find(|code| kind.has_queues() && !kind.is_claimable(**code)) {
        None => Ok(()),
        Some(code) => Err(Error::invalid(format!(
            "kind {:?} has a limit or needs, and its claims start from the statuses that it declares: name the status with the code {code} in its `startable`, or start the task by its id",
            kind.name
        ))),
    }
}

/// When the first lease of the kind runs out.
fn next_expiry(writer: &mut Writer<'_>, kind: &Kind) -> Result<Option<Micros>> {
    let mut first = None;
    for status in kind.graph.statuses().iter().filter(|status| status.role == Role::InProgress) {
        let key = writer.rows().first_expiring(kind.id, status.code, None)?;
        first = first.into_iter().chain(key.map(|key| key.at)).min();
    }
    Ok(first)
}
