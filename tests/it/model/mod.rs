//! Compares the tracker with the model on random calls, with clock jumps both ways and crashes of the program: both
//! must answer alike and hold the same tasks, and every index and counter must be right.
//!
//! `TRACKER_CASES=n` plays n sequences instead of 40, `TRACKER_CALLS=n` makes them up to n calls long instead of 120. A
//! sequence that fails is made as short as it can be, and kept to be played first from then on.

mod call;
mod kinds;
mod reference;
mod schedules;
mod tracker_calls;

use proptest::{collection::vec, prelude::*, test_runner::FileFailurePersistence};

use crate::{
    model::{
        call::{Call, End},
        tracker_calls::Pair,
    },
    support::random::setting,
};

fn play(calls: &[[u8; 4]]) -> Result<(), String> {
    let mut pair = Pair::new();
    for (number, bytes) in calls.iter().enumerate() {
        let call = Call::of(*bytes);
        pair.play(call).map_err(|what| {
            let before: Vec<_> = calls[..number].iter().map(|bytes| Call::of(*bytes)).collect();
            format!("{before:#?}\n{what}")
        })?;
    }
    Ok(())
}

fn setting_or(name: &str, otherwise: u32) -> u32 {
    setting(name).map_or(otherwise, |number| u32::try_from(number).unwrap())
}

#[test]
fn random_calls_agree_with_the_model() {
    let config = ProptestConfig {
        cases: setting_or("TRACKER_CASES", 40),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("failures"))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    let most = setting_or("TRACKER_CALLS", 120) as usize;
    proptest!(config, |(calls in vec(any::<[u8; 4]>(), 1..=most))| {
        if let Err(what) = play(&calls) {
            return Err(TestCaseError::fail(what));
        }
    });
}

#[test]
fn history_length_follows_the_policy() {
    let mut pair = Pair::new();
    pair.play(Call::Submit { kind: 0, id: 1, etag: 0 }).unwrap();
    let start = Call::Start { kind: 0, id: 1, force: true, steal_lease: false, extra: true, short: false };
    for end in [End::Fail { value: 0 }, End::Fail { value: 0 }, End::Succeed { value: 1 }] {
        for last in [End::Park, end, End::Park] {
            pair.play(start).unwrap();
            pair.play(Call::End { held: 0, end: last }).unwrap();
        }
    }
}
