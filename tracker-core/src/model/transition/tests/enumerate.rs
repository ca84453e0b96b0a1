//! Every sequence of eight commands on every small machine, by visiting every state that can be reached in so many.
//!
//! States that differ only in what no rule reads count as one: absolute times become offsets from now (what is past is
//! just past), fences, tokens and revisions get fixed values, the number of booked attempts is checked at each step and
//! forgotten. The counters that rules compare are real.

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::{
    commands::{HOLDER_FENCE, NOW, REVISION, commands, commands_on, token},
    invariants,
    machines::{Machine, machines},
};
use crate::model::{
    time::Micros,
    transition::{Command, Header, NEVER, Rules},
};

const DEPTH: usize = 8;

/// The fields in which two states differ.
type Key = ([i64; 7], [bool; 6], Option<([i64; 4], [bool; 2])>);

/// A state, and how it was reached first.
struct Node {
    header: Option<Header>,
    depth: usize,
    from: Option<usize>,
    by: String,
}

#[derive(Default)]
struct Walk {
    nodes: Vec<Node>,
    // The hashes of the standard library take long without optimisation.
    seen: HashMap<Option<Key>, usize, Xxh3DefaultBuilder>,
    transitions: usize,
}

#[test]
fn every_sequence_of_eight_commands_keeps_every_invariant() {
    let (mut states, mut transitions) = (0, 0);
    std::thread::scope(|scope| {
        let walks: Vec<_> = machines().into_iter().map(|machine| scope.spawn(move || walk(&machine))).collect();
        for walk in walks {
            let walk = walk.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            states += walk.nodes.len();
            transitions += walk.transitions;
        }
    });
    println!("{states} states, {transitions} transitions");
    assert!(states > 40_000 && transitions > 2_500_000, "{states} states, {transitions} transitions");
}

fn walk(machine: &Machine) -> Walk {
    let mut walk = Walk::default();
    let commands = commands(machine);
    walk.visit(None, 0, None, &"nothing");
    let mut at = 0;
    while at < walk.nodes.len() {
        if walk.nodes[at].depth < DEPTH {
            walk.expand(machine, &commands, at);
        }
        at += 1;
    }
    println!("{}: {} states, {} transitions", machine.name, walk.nodes.len(), walk.transitions);
    walk
}

impl Walk {
    /// Puts every command to a state, and lets time pass.
    fn expand(&mut self, machine: &Machine, commands: &[Command], at: usize) {
        let rules = Rules { graph: &machine.graph, policy: &machine.policy, now: NOW, instance: machine.instance };
        let header = self.nodes[at].header.clone();
        let depth = self.nodes[at].depth + 1;
        for command in commands.iter().chain(&commands_on(header.as_ref())) {
            self.transitions += 1;
            let result = rules.decide(header.as_ref(), command);
            if let Err(broken) = invariants::check(&rules, header.as_ref(), command, &result) {
                panic!("{}: {broken}\n{}  {command:?}\n  => {result:?}", machine.name, self.path(at));
            }
            if let Ok(decision) = result {
                self.visit(decision.header.map(normal), depth, Some(at), command);
            }
        }
        let Some(header) = header else { return };
        for passing in passings(&header) {
            self.transitions += 1;
            self.visit(Some(normal(later(&header, passing))), depth, Some(at), &format_args!("{passing} µs pass"));
        }
    }

    fn visit(&mut self, header: Option<Header>, depth: usize, from: Option<usize>, by: &dyn std::fmt::Debug) {
        let next = self.nodes.len();
        if *self.seen.entry(header.as_ref().map(key)).or_insert(next) == next {
            self.nodes.push(Node { header, depth, from, by: format!("{by:?}") });
        }
    }

    /// The commands that led to a state, one a line.
    fn path(&self, at: usize) -> String {
        let node = &self.nodes[at];
        let before = node.from.map(|from| self.path(from)).unwrap_or_default();
        format!("{before}  {}\n  -> {:?}\n", node.by, node.header)
    }
}

/// The times to which a test advances the clock: just before, at, and after each expiry and due time.
fn passings(header: &Header) -> Vec<Micros> {
    let expiry = header.lease.as_ref().map(|lease| lease.expires);
    let moments = expiry.into_iter().chain((header.due < NEVER).then_some(header.due));
    moments.filter(|at| *at > NOW).flat_map(|at| [at - 1 - NOW, at - NOW, at + 1 - NOW]).filter(|by| *by > 0).collect()
}

fn later(header: &Header, by: Micros) -> Header {
    let past = |at: Micros| if at == NEVER { NEVER } else { at - by };
    let mut header = Header { due: past(header.due), ..header.clone() };
    if let Some(lease) = &mut header.lease {
        lease.expires = past(lease.expires);
        lease.due = past(lease.due);
    }
    header
}

/// The header with everything that no rule reads at a fixed value.
fn normal(mut header: Header) -> Header {
    header.due = header.due.max(NOW);
    (header.created, header.updated, header.revision, header.ended) = (NOW, NOW, REVISION, 0);
    (header.fingerprint, header.has_dependents, header.batch, header.place) = (Some(1), false, None, Some(1));
    if let Some(last) = &mut header.last {
        (last.fence, last.attempt, last.started, last.ended) = (HOLDER_FENCE - 50, 0, 0, 0);
    }
    if let Some(lease) = &mut header.lease {
        header.due = NOW;
        (lease.fence, lease.token, lease.started) = (HOLDER_FENCE, token(HOLDER_FENCE), NOW);
        lease.expires = lease.expires.max(NOW);
        lease.due = lease.due.max(NOW);
        "holder".clone_into(&mut lease.worker);
    }
    header
}

fn key(header: &Header) -> Key {
    let counters = [header.attempts, header.failures, header.crashes].map(i64::from);
    let [attempts, failures, crashes] = counters;
    let waits = i64::from(header.waits);
    let state = [header.code.into(), header.due, attempts, failures, crashes, header.priority.into(), waits];
    let flags =
        [header.cancel, header.unreadable, header.successor, header.last.is_some(), header.doubtful, header.paused];
    let lease = header.lease.as_ref();
    let lease =
        lease.map(|held| ([held.expires, held.length, held.from.into(), held.due], [held.begun, held.detached]));
    (state, flags, lease)
}
