//! `Pair`: trackers and the model, playing the same calls.

use std::rc::Rc;

use tracker_core::{Options, execution::Ticket, file::Sharing, redb_store::OptionsExt};

use super::{
    call::Call,
    kinds::POLICIES,
    player::{LocalPlayer, OpenTracker, Player, Reply, Request},
    reference::{Answer, EPOCH, ReferenceModel, SECOND},
};
use crate::support::test_disk::Disk;

/// One or several trackers of the same tasks, and the model.
pub struct Pair {
    players: Vec<Box<dyn Player>>,
    /// The executions: the numbers of their players, and their own.
    held: Vec<(usize, u64)>,
    next_held: u64,
    tickets: Vec<(u8, Ticket)>,
    fence: u64,
    /// Number of calls so far, and after how many of them the place is verified.
    calls: usize,
    verify_every: usize,
    pub model: ReferenceModel,
}

impl Pair {
    /// One tracker in exclusive mode, on a disk in memory.
    pub fn on_disk() -> Self {
        let disk = Disk::default();
        let open: OpenTracker = Rc::new(move |options: Options| {
            let disk = disk.clone();
            options.sharing(Sharing::Exclusive).open_backend(move || disk.open())
        });
        let player = Box::new(LocalPlayer::new(open, 0));
        Self::new(vec![player], 1, ReferenceModel::new(&POLICIES, EPOCH * SECOND))
    }

    /// Several trackers that share a store, which is verified after every `verify_every` calls.
    pub fn of_trackers(players: Vec<Box<dyn Player>>, verify_every: usize) -> Self {
        let count = u32::try_from(players.len()).expect("there are a few");
        Self::new(players, verify_every, ReferenceModel::of_trackers(count, &POLICIES, EPOCH * SECOND))
    }

    fn new(players: Vec<Box<dyn Player>>, verify_every: usize, model: ReferenceModel) -> Self {
        let (held, tickets) = (Vec::new(), Vec::new());
        Self { players, held, next_held: 0, tickets, fence: 0, calls: 0, verify_every, model }
    }

    /// The model and one of the trackers play a call; what differs, if anything does.
    pub fn play(&mut self, tracker: usize, call: Call) -> Result<(), String> {
        let (wall, kind) = (self.model.wall(), self.model.kind_of(call));
        let expected = self.model.play(tracker, call);
        let expected = format!("{expected:?}");
        let answer = self.really(tracker, call, self.model.wall() - wall, kind.unwrap_or(0));
        let answer = answer.map_err(|what| format!("{call:?} gave {what}"))?;
        if answer != expected {
            return Err(format!("{call:?} was answered {answer} and should be {expected}"));
        }
        // Each tracker sees the time, and the deferred end of a dropped execution is committed.
        self.all(&Request::Flush)?;
        // Another tracker than that of the call, if there is one.
        let other = (tracker + 1) % self.players.len();
        let found = match self.players[other].play(&Request::Look) {
            Reply::Tasks(found) => found,
            reply => return Err(format!("after {call:?}: {reply:?}")),
        };
        for (number, found) in found.into_iter().enumerate() {
            let expected = self.model.look(number);
            if found != expected {
                return Err(format!("after {call:?}, kind {number} is\n{found:#?}\nand should be\n{expected:#?}"));
            }
        }
        self.calls += 1;
        if self.calls.is_multiple_of(self.verify_every) {
            self.verify(other).map_err(|what| format!("after {call:?}: {what}"))?;
        }
        Ok(())
    }

    /// Verifies all rows through one of the trackers.
    pub fn verify(&mut self, tracker: usize) -> Result<(), String> {
        done(self.players[tracker].play(&Request::Verify)).map(drop)
    }

    /// Lets all trackers play.
    fn all(&mut self, request: &Request) -> Result<String, String> {
        self.players.iter_mut().try_fold(String::new(), |_, player| done(player.play(request)))
    }

    /// A tracker plays a call. `jumped` is by how much the model has set the wall clock for it. Returns the answer in words.
    fn really(&mut self, tracker: usize, call: Call, jumped: i64, kind: u8) -> Result<String, String> {
        let at = |held: u8, of: usize| usize::from(held) % of;
        let number = self.next_held;
        let reply = match call {
            Call::Advance { seconds } => return self.all(&Request::Advance { seconds }),
            Call::Jump { .. } => return self.all(&Request::Jump { microseconds: jumped }),
            Call::Restart => {
                self.held.retain(|(owner, _)| *owner != tracker);
                let others = self.players.iter_mut().enumerate().filter(|(number, _)| *number != tracker);
                for (_, other) in others {
                    done(other.play(&Request::Jump { microseconds: jumped }))?;
                }
                self.players[tracker].restart(self.model.wall() - EPOCH * SECOND);
                return Ok(format!("{:?}", Answer::Done));
            }
            Call::End { .. } | Call::Renew { .. } | Call::Checkpoint { .. } | Call::Detach { .. }
                if self.held.is_empty() =>
            {
                return Ok(format!("{:?}", Answer::Skipped));
            }
            Call::End { held, .. } | Call::Detach { held } => {
                let (owner, number) = self.held.remove(at(held, self.held.len()));
                self.players[owner].play(&Request::Held { call, number })
            }
            Call::Renew { held } | Call::Checkpoint { held, .. } => {
                let (owner, number) = self.held[at(held, self.held.len())];
                self.players[owner].play(&Request::Held { call, number })
            }
            Call::Resume { .. } if self.tickets.is_empty() => return Ok(format!("{:?}", Answer::Skipped)),
            Call::Resume { ticket } => {
                let (kind, ticket) = self.tickets[at(ticket, self.tickets.len())].clone();
                self.players[tracker].play(&Request::Resume { ticket, kind, number })
            }
            Call::Claim { kind, .. } | Call::ClaimExtra { kind } | Call::Start { kind, .. } => {
                self.players[tracker].play(&Request::Take { call, kind, number })
            }
            _ => self.players[tracker].play(&Request::Call { call, kind }),
        };
        match reply {
            Reply::Claimed { id, fence } => {
                self.held.push((tracker, number));
                self.next_held += 1;
                if !matches!(call, Call::Resume { .. }) {
                    assert!(fence > self.fence, "the fence fell from {} to {fence}", self.fence);
                    self.fence = fence;
                }
                Ok(format!("{:?}", Answer::Claimed(id)))
            }
            Reply::Detached(ticket) => {
                self.tickets.push((kind, ticket));
                Ok(format!("{:?}", Answer::Done))
            }
            reply => done(reply),
        }
    }
}

/// The answer in words; any other reply is an error.
fn done(reply: Reply) -> Result<String, String> {
    match reply {
        Reply::Answer(answer) => Ok(answer),
        reply => Err(format!("{reply:?}")),
    }
}
