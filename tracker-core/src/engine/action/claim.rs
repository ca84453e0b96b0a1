use std::sync::Arc;

use uuid::Uuid;

use super::{Action, Target};
use crate::{
    engine::writer::Writer,
    model::{
        contain,
        error::{Error, ErrorKind, Reason, Result},
        kind::Kind,
        status::Role,
        task::{TaskKey, TaskRef},
        task_row::TaskRow,
        time::Micros,
        transition::{Command, Header, Owner, PayloadChange, Start},
    },
    storage::read::claim_order::Ready,
};

/// Crashes after which a task is a isolated and runs alone in its process.
const SUSPECT: u32 = 2;

/// A task that the caller owns now.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub task: TaskRef,
    pub owner: Owner,
    pub header: Header,
    pub body: TaskRow,
}

impl Claimed {
    /// How many bytes its payload has.
    pub(crate) fn bytes(&self) -> usize {
        self.body.payload.len()
    }

    /// Whether the file says that its body has begun.
    pub(crate) fn is_begun(&self) -> bool {
        self.header.lease.as_ref().is_none_or(|lease| lease.begun)
    }
}

/// Takes the next tasks of the line.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub kind: u32,
    pub start: Start,
    /// How many at most.
    pub most: usize,
    /// For how many of them somebody is free to begin at once; the others are claimed ahead.
    pub begin: usize,
    /// How many bytes of payload the others may have together.
    pub ahead_bytes: usize,
    /// Whether a isolated may be among them; it is then the only one.
    pub isolated: bool,
    /// Whether a worker of this process lives by what is claimed, from the commit on: it lets go of each lease itself.
    pub held: bool,
}

/// What a claim found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    pub tasks: Vec<Claimed>,
    /// When the next task is due, if none is now.
    pub due: Option<Micros>,
    /// When the first lease runs out, if nothing was found.
    pub expiry: Option<Micros>,
    /// A isolated is next in line, and this claim did not take isolated.
    pub isolated_waits: bool,
    /// Something may wait that is due: the kind is paused, or a limit is reached.
    pub held_back: bool,
    /// The next task is due, and its payload is larger than what was left of [`Claim::ahead_bytes`].
    pub is_cut: bool,
    /// The time of the transaction.
    pub now: Micros,
}

impl Claims {
    /// How many bytes of payload those have that are claimed ahead.
    fn ahead_bytes(&self, begin: usize) -> usize {
        self.tasks.iter().skip(begin).map(Claimed::bytes).sum()
    }
}

impl Action for Claim {
    type Out = Claims;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Claims> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let mut claims = Claims { now: writer.now(), held_back: kind.paused, ..Claims::default() };
        if kind.paused {
            return Ok(claims);
        }
        writer.sweep(&kind)?;
        let mut codes = kind.graph.startable(self.start.step);
        codes.extend(self.start.extra.iter().filter(|code| !codes.contains(code)).copied().collect::<Vec<_>>());
        check_lanes(&kind, &codes)?;
        while claims.tasks.len() < self.most {
            match writer.rows().next_ready(&kind, &codes, claims.now)? {
                Ready::Now(task) => {
                    // Where nobody is due, nobody waits for the rate.
                    if let Some(at) = writer.rows().rate_opens(&kind, claims.now)? {
                        claims.due = Some(at);
                        break;
                    }
                    if !self.take(writer, &kind, task, &mut claims)? {
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
                Ready::Nobody => break,
            }
        }
        if claims.tasks.is_empty() {
            claims.expiry = next_expiry(writer, &kind)?;
        }
        Ok(claims)
    }
}

impl Claim {
    /// Takes this task; false where no further one may be taken now.
    fn take(&self, writer: &mut Writer<'_>, kind: &Kind, task: TaskRef, claims: &mut Claims) -> Result<bool> {
        let header = writer.known(task)?;
        let isolated = header.crashes >= SUSPECT;
        if isolated && (!self.isolated || !claims.tasks.is_empty()) {
            claims.isolated_waits = true;
            return Ok(false);
        }
        let begun = claims.tasks.len() < self.begin;
        if !begun && !header.may_be_claimed_ahead() {
            return Ok(false);
        }
        let body = match writer.rows().body_of(task) {
            Ok(body) => body,
            // Where it is out of the line already and found all the same, more than its body is damaged.
            Err(error) if error.kind() == ErrorKind::Corrupted && !header.unreadable => {
                contain::log(
                    || tracing::error!(kind = kind.name, %task, %error, "a task cannot be read and is out of the line"),
                );
                return writer.strand(kind, task, &header).map(|()| true);
            }
            Err(error) => return Err(error),
        };
        if !begun && claims.ahead_bytes(self.begin) + body.payload.len() > self.ahead_bytes {
            claims.is_cut = true;
            return Ok(false);
        }
        let claimed = lease(writer, kind, task, &header, body, &self.start, begun)?;
        if self.held {
            writer.hold(claimed.owner.fence);
        }
        claims.tasks.push(claimed);
        Ok(!isolated)
    }
}

/// Refuses statuses whose tasks stand in no lane: a claim would have to walk past those that may not start.
fn check_lanes(kind: &Kind, codes: &[i32]) -> Result<()> {
    match codes.iter().find(|code| kind.limit().is_some() && !kind.is_claimable(**code)) {
        None => Ok(()),
        Some(code) => Err(Error::invalid(format!(
            "kind {:?} has a limit, and its claims start from the statuses that it declares: name the status with the code {code} in its `startable`, or start the task by its id",
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

/// Starts one task by its id.
#[derive(Clone, Debug)]
pub(crate) struct StartById {
    pub kind: u32,
    pub target: Target,
    pub start: Start,
}

impl Action for StartById {
    type Out = Claimed;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Claimed> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let (task, id) = self.target.find(writer, &kind)?;
        let started = start(writer, &kind, task, &id, &self.start);
        writer.free_if_refused(&kind, task, started)
    }
}

pub(super) fn start(
    writer: &mut Writer<'_>,
    kind: &Kind,
    task: TaskRef,
    id: &TaskKey,
    start: &Start,
) -> Result<Claimed> {
    let header = writer.header(task)?.ok_or_else(|| kind.refuse(id.clone(), Reason::NotFound))?;
    let body = writer.rows().body_of(task)?;
    lease(writer, kind, task, &header, body, start, start.begun)
}

fn lease(
    writer: &mut Writer<'_>,
    kind: &Kind,
    task: TaskRef,
    header: &Header,
    body: TaskRow,
    start: &Start,
    begun: bool,
) -> Result<Claimed> {
    let token = Uuid::new_v4();
    let owner = Owner { fence: writer.next_fence(), token };
    let known =
        header.lease.as_ref().map(|lease| lease.fence).into_iter().chain(header.last.as_ref().map(|last| last.fence));
    if known.max().is_some_and(|known| known >= owner.fence) {
        return Err(Error::corrupted(
            "tracker.meta",
            "file_state",
            format_args!("its next fence is {}, and {task} has a later one", owner.fence),
        ));
    }
    let command =
        Command::Start(Start { token, fence: owner.fence, begun, chance: Writer::chance_of(token), ..start.clone() });
    let done = writer.decide(kind, task, Some(header), &command, None, &body.id)?;
    writer.use_fence()?;
    let (now, reenters) = (writer.now(), header.lease.as_ref().is_some_and(|lease| start.reenter == Some(lease.token)));
    if !reenters {
        writer.rows().count_start(kind, now)?;
    }
    // The start may have freed an expired lease for whose end another payload was waiting.
    let body = if done.body == PayloadChange::TakeSuccessor { writer.rows().body_of(task)? } else { body };
    let header = done.header.ok_or_else(|| kind.refuse(body.id.clone(), Reason::NotFound))?;
    Ok(Claimed { task, owner, header, body })
}
