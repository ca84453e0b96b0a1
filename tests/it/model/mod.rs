//! Compares the tracker with the model on random calls, with clock jumps both ways and crashes of the program: both
//! must answer alike and hold the same tasks, and every index and counter must be right. Also with two to four trackers on one store, each of
//! which plays some of the calls, in one process and in processes of their own.
//!
//! `TRACKER_CASES=n` plays n sequences instead of the default, `TRACKER_CALLS=n` makes them up to n calls long instead of 120. A
//! sequence that fails is made as short as it can be, and kept to be played first from then on.

mod call;
#[cfg(feature = "postgres")]
pub(crate) mod child_player;
mod kinds;
mod pair;
mod player;
mod reference;
mod schedules;
mod tracker_calls;

use std::rc::Rc;

use proptest::{collection::vec, prelude::*, test_runner::FileFailurePersistence};

use crate::{
    model::{
        call::{Call, End},
        pair::Pair,
        player::{LocalPlayer, OpenTracker, Player},
    },
    support::{
        place::{TestStore, is_store},
        random::setting,
    },
};

/// Plays calls through the trackers with these numbers.
fn play(mut pair: Pair, calls: impl IntoIterator<Item = (usize, Call)>) -> Result<(), String> {
    let mut before = Vec::new();
    for (tracker, call) in calls {
        pair.play(tracker, call).map_err(|what| format!("{before:#?}\n{what}, by tracker {tracker}"))?;
        before.push((tracker, call));
    }
    pair.verify(0)
}

fn setting_or(name: &str, otherwise: u32) -> u32 {
    setting(name).map_or(otherwise, |number| u32::try_from(number).unwrap())
}

fn config(cases: u32, max_shrink_iters: u32) -> ProptestConfig {
    ProptestConfig {
        cases: setting_or("TRACKER_CASES", cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("failures"))),
        max_shrink_iters,
        ..ProptestConfig::default()
    }
}

fn most_calls() -> usize {
    setting_or("TRACKER_CALLS", 120) as usize
}

#[test]
fn random_calls_agree_with_the_model() {
    proptest!(config(40, 20_000), |(calls in vec(any::<[u8; 4]>(), 1..=most_calls()))| {
        play(Pair::on_disk(), calls.into_iter().map(|bytes| (0, Call::of(bytes)))).map_err(TestCaseError::fail)?;
    });
}

/// Plays calls through two to four trackers on a store, which `player` opens.
fn play_on_a_store(player: impl Fn(&TestStore) -> Box<dyn Player>) {
    // In a server, each case begins with a new schema, and each call is some transactions.
    let (cases, shrinks, verify_every) = if is_store() { (6, 300, 10) } else { (40, 5_000, 1) };
    let calls = vec((any::<u8>(), any::<[u8; 4]>()), 1..=most_calls());
    proptest!(config(cases, shrinks), |(count in 2..=4_u8, calls in calls)| {
        let store = TestStore::new();
        let pair = Pair::of_trackers((0..count).map(|_| player(&store)).collect(), verify_every);
        let calls = calls.into_iter().map(|(tracker, bytes)| (usize::from(tracker % count), Call::of(bytes)));
        play(pair, calls).map_err(TestCaseError::fail)?;
    });
}

#[test]
fn trackers_of_one_store_agree_with_the_model() {
    play_on_a_store(|store| {
        let store = store.clone();
        let open: OpenTracker = Rc::new(move |options| store.open(options));
        Box::new(LocalPlayer::new(open, 0))
    });
}

#[cfg(feature = "postgres")]
#[test]
fn processes_of_one_server_agree_with_the_model() {
    let TestStore::Schema(_) = TestStore::new() else {
        println!("skipped: set TRACKER_TEST_STORE=postgres; other stores are of one process");
        return;
    };
    play_on_a_store(|store| match store {
        TestStore::Schema(schema) => Box::new(child_player::ChildPlayer::start(schema.clone(), 0)),
        TestStore::Memory(_) => unreachable!("the store is a schema"),
    });
}

#[test]
fn history_length_follows_the_policy() {
    let mut pair = Pair::on_disk();
    pair.play(0, Call::Submit { kind: 0, id: 1, etag: 0 }).unwrap();
    let start = Call::Start { kind: 0, id: 1, force: true, steal_lease: false, extra: true, short: false };
    for end in [End::Fail { value: 0 }, End::Fail { value: 0 }, End::Succeed { value: 1 }] {
        for last in [End::Park, end, End::Park] {
            pair.play(0, start).unwrap();
            pair.play(0, Call::End { held: 0, end: last }).unwrap();
        }
    }
}
