//! The calls of a log, each with the two moments between which it took effect.

use std::collections::{BTreeMap, HashSet};

use crate::{
    log::{Answer, Call, Entry, Event, Verb},
    model::Caller,
};

/// How a call ended for its caller.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Answered(Answer),
    /// Its process died, or its outcome is unknown.
    Unknown,
    /// Its future was dropped; `true` if the call was made and must take effect.
    Dropped(bool),
}

#[derive(Clone, Debug)]
pub struct Made {
    pub call: Call,
    pub caller: Caller,
    pub client: String,
    pub end: End,
    /// The last moment at which it may have taken effect.
    pub latest: i64,
}

impl Made {
    /// The task that the call was about.
    pub fn task(&self) -> Option<u32> {
        match &self.end {
            End::Answered(Answer::Owned { task, .. }) => Some(*task),
            _ => self.call.task,
        }
    }

    /// A claim that may have got any task of its kind.
    pub fn is_open_claim(&self) -> bool {
        self.call.verb == Verb::Claim && !matches!(self.end, End::Answered(_))
    }
}

/// The begins and ends of the calls, in the order of the log.
#[derive(Clone, Debug)]
pub enum Step {
    Begin(usize),
    /// The call has been answered: it has taken effect.
    Answered(usize),
    /// The call has had no effect, and will have none.
    Void(usize),
    /// These clients are about to die, or dead: their leases may end.
    Dying(Vec<usize>),
    /// These calls have taken effect by now, or never do. Those with `true` have.
    Over(Vec<(usize, bool)>),
    /// Tasks that were claimed for a dropped future are given back by now.
    GivenBack,
}

pub struct Calls {
    pub made: Vec<Made>,
    pub steps: Vec<Step>,
}

fn process_of(client: &str) -> &str {
    client.split('.').next().unwrap_or(client)
}

fn dying(clients: &BTreeMap<String, usize>, process: &str) -> Step {
    let mine = clients.iter().filter(|(client, _)| process_of(client) == process);
    Step::Dying(mine.map(|(_, index)| *index).collect())
}

/// Reads a log, which must be one that clients can write: one call at a time, each answered once, none after death.
pub fn read(entries: &[Entry]) -> Result<Calls, String> {
    let (mut made, mut steps) = (Vec::<Made>::new(), Vec::new());
    let mut clients = BTreeMap::<String, usize>::new();
    // The call of each client that is not answered yet, and the calls whose effect is open.
    let (mut waiting, mut open) = (BTreeMap::<String, usize>::new(), Vec::<usize>::new());
    let mut dead = HashSet::new();
    for (number, Entry { time, event }) in entries.iter().enumerate() {
        let wrong = |what: &str| Err(format!("entry {number}: {what}: {event:?}"));
        if let Event::Called { client, .. } | Event::Answered { client, .. } | Event::Dropped { client, .. } = event
            && dead.contains(process_of(client))
        {
            return wrong("an entry of a dead process");
        }
        match event {
            Event::Called { client, call } => {
                let next = clients.len();
                let index = *clients.entry(client.clone()).or_insert(next);
                if waiting.insert(client.clone(), made.len()).is_some() {
                    return wrong("a call before the answer to the last one");
                }
                steps.push(Step::Begin(made.len()));
                let caller = Caller { client: index, time: *time, dropped: false };
                made.push(Made { call: *call, caller, client: client.clone(), end: End::Unknown, latest: i64::MAX });
            }
            Event::Answered { client, answer } => {
                let Some(index) = waiting.remove(client) else { return wrong("an answer without a call") };
                let call = &mut made[index];
                match answer {
                    Answer::Unknown => open.push(index),
                    // Not durable before a later flush of its process: open until then.
                    Answer::Queued => {
                        call.end = End::Answered(Answer::Queued);
                        open.push(index);
                    }
                    Answer::Failed | Answer::Damaged | Answer::Nothing => {
                        call.end = End::Answered(answer.clone());
                        steps.push(Step::Void(index));
                    }
                    _ => {
                        (call.end, call.latest) = (End::Answered(answer.clone()), *time);
                        steps.push(Step::Answered(index));
                    }
                }
            }
            Event::Dropped { client, polls } => {
                let Some(index) = waiting.remove(client) else { return wrong("a dropped future without a call") };
                made[index].end = End::Dropped(*polls > 0);
                made[index].caller.dropped = true;
                if *polls == 0 {
                    steps.push(Step::Void(index));
                } else {
                    open.push(index);
                }
            }
            Event::Dying { process } => {
                steps.push(dying(&clients, process));
            }
            Event::Dead { process } => {
                dead.insert(process.clone());
                steps.push(dying(&clients, process));
                waiting.retain(|client, index| {
                    let lives = process_of(client) != process;
                    if !lives {
                        open.push(*index);
                    }
                    lives
                });
                let (over, rest): (Vec<usize>, Vec<usize>) =
                    open.iter().partition(|index| process_of(&made[**index].client) == process);
                open = rest;
                for index in &over {
                    made[*index].latest = *time;
                }
                steps.push(Step::Over(over.into_iter().map(|index| (index, false)).collect()));
            }
            Event::Settled => {
                let over = std::mem::take(&mut open);
                for index in &over {
                    made[*index].latest = *time;
                }
                // A dropped claim may have found any task, or none.
                let must = |index: usize| {
                    let made = &made[index];
                    made.end != End::Unknown && made.call.verb != Verb::Claim
                };
                steps.push(Step::Over(over.into_iter().map(|index| (index, must(index))).collect()));
                steps.push(Step::GivenBack);
            }
        }
    }
    Ok(Calls { made, steps })
}
