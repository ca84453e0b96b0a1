//! Tests rate limits: how many tasks may start in a period.

use std::thread;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tracker_core::{TrackedTask, Tracker, execution::StartOptions, inspect::Explanation, time::Clock};

use crate::support::kinds::{SECOND, Status, fine, sound, tracker};

/// At most three in ten seconds.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "call", status = Status, rate = "3/10s")]
pub struct Call {
    #[task(id)]
    pub number: u32,
}

#[test]
fn rate_holds_in_every_period() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Call>().unwrap();
    tasks.submit_all((0..10).map(|number| Call { number })).unwrap();
    let take = || tasks.claim().unwrap().map(|mut held| held.succeed().map(|()| held.number).unwrap());
    assert_eq!((take(), take()), (Some(0), Some(1)));
    clock.advance(SECOND * 4);
    assert_eq!((take(), take()), (Some(2), None));
    let Explanation::RateReached { until } = tasks.explain(3).unwrap() else { panic!("{}", tasks.explain(3).unwrap()) };
    clock.advance(SECOND * 6);
    assert_eq!(until, clock.now().wall);
    assert_eq!((take(), take(), take()), (Some(3), Some(4), None), "the third of the first three counts still");
    tasks.start(9).unwrap().succeed().unwrap();
    clock.advance(SECOND * 4);
    assert_eq!(take(), None, "a start by id passes, and is counted: three have started less than ten seconds ago");
    clock.advance(SECOND * 6);
    assert_eq!((take(), take(), take(), take()), (Some(5), Some(6), Some(7), None));
    sound(&tracker);
}

#[test]
fn reenter_counts_no_start_and_steal_lease_does() {
    for (enters_again, free) in [(true, 2), (false, 1)] {
        let (_, tracker) = tracker();
        let tasks = tracker.tasks::<Call>().unwrap();
        tasks.submit_all((0..10).map(|number| Call { number })).unwrap();
        let first = tasks.start(0).unwrap();
        let options = StartOptions::new();
        let options = if enters_again { options.reenter(first.token()) } else { options.steal_lease() };
        let _second = tasks.start_with(0, &options).unwrap();
        let rest: Vec<_> = std::iter::from_fn(|| tasks.claim().unwrap()).collect();
        assert_eq!(rest.len(), free, "three may start");
        sound(&tracker);
    }
}

#[test]
fn earlier_starts_count_when_the_rate_changes() {
    macro_rules! call {
        ($name:ident, $(#[$rate:meta])*) => {
            #[derive(TrackedTask, Serialize, Deserialize)]
            #[task(name = "call", status = Status)]
            $(#[$rate])*
            struct $name {
                #[task(id)]
                number: u32,
            }
        };
    }
    call!(Faster, #[task(rate = "5/10s")]);
    call!(Slower, #[task(rate = "2/10s")]);
    call!(Longer, #[task(rate = "2/20s")]);
    call!(Unlimited,);
    /// How many may start now.
    fn started<T: TrackedTask>(tracker: &Tracker) -> usize {
        let tasks = tracker.tasks::<T>().unwrap();
        let started = std::iter::from_fn(|| tasks.claim().unwrap().map(|mut call| call.succeed().unwrap())).count();
        sound(tracker);
        started
    }
    let (clock, tracker) = tracker();
    tracker.tasks::<Call>().unwrap().submit_all((0..40).map(|number| Call { number })).unwrap();
    tracker.tasks::<Call>().unwrap().claim().unwrap().unwrap().succeed().unwrap();
    clock.advance(SECOND * 4);
    assert_eq!(started::<Call>(&tracker), 2);
    assert_eq!(started::<Faster>(&tracker), 2, "five less three");
    clock.advance(SECOND * 6);
    assert_eq!(started::<Faster>(&tracker), 1, "the first is ten seconds old");
    assert_eq!(started::<Slower>(&tracker), 0);
    clock.advance(SECOND * 4);
    assert_eq!(started::<Slower>(&tracker), 1, "all but one are ten seconds old");
    clock.advance(SECOND * 6);
    assert_eq!(started::<Longer>(&tracker), 0, "those of the last twenty seconds are two");
    clock.advance(SECOND * 10);
    assert_eq!(started::<Longer>(&tracker), 1);
    assert_eq!(started::<Call>(&tracker), 2, "of the ring of two the older one has gone by");
    assert_eq!(started::<Call>(&tracker), 0);
    assert!(started::<Unlimited>(&tracker) > 20);
    let calls = tracker.tasks::<Call>().unwrap();
    calls.submit_all((40..50).map(|number| Call { number })).unwrap();
    drop(calls);
    assert_eq!(started::<Call>(&tracker), 3, "what starts without a rate is not counted");
}

#[test]
fn worker_with_no_task_left_ignores_the_rate() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Call>().unwrap();
    tasks.submit_all((0..3).map(|number| Call { number })).unwrap();
    // The clock stands still: a worker that waits for it never returns.
    assert_eq!(tasks.worker().run(|_| fine()).unwrap().succeeded, 3);
    sound(&tracker);
}

#[test]
fn worker_wakes_when_the_rate_allows_a_start() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Call>().unwrap();
    tasks.submit_all((0..10).map(|number| Call { number })).unwrap();
    thread::scope(|scope| {
        let worker = scope.spawn(|| tasks.worker().threads(2).run(|_| fine()).unwrap());
        while !worker.is_finished() {
            clock.advance(SECOND / 10);
            thread::yield_now();
        }
        assert_eq!(worker.join().unwrap().succeeded, 10);
    });
    let all = tasks.query().fetch().unwrap();
    let mut starts: Vec<_> = all.iter().map(|record| record.history[0].started_at).collect();
    starts.sort_unstable();
    assert!(starts.windows(4).all(|four| four[3] - four[0] >= TimeDelta::seconds(10)), "{starts:?}");
    sound(&tracker);
}
