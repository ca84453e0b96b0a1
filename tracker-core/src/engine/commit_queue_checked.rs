//! Checks the queue in many orders of threads: each waiting caller is answered, each queued action runs once, one thread leads at a
//! time, a user transaction has the file to itself, and no thread waits for ever.

use std::sync::Arc;

use shuttle::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::*;
use crate::engine::{queued_action::Waiter, writer::Writer};

/// What happened, over all threads of one run.
#[derive(Default)]
struct Seen {
    leading: AtomicUsize,
    done: AtomicUsize,
}

impl Seen {
    /// One leads at a time.
    fn lead<R>(&self, work: impl FnOnce() -> R) -> R {
        assert_eq!(self.leading.fetch_add(1, Ordering::SeqCst), 0, "two lead at once");
        let result = work();
        self.leading.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

struct Work {
    seen: Arc<Seen>,
    waiter: Option<Arc<Waiter>>,
    turn: bool,
}

impl QueuedAction for Work {
    fn run(&mut self, _: &mut Writer<'_>) -> bool {
        true
    }

    fn fatal(&mut self, _: bool) -> Option<Error> {
        None
    }

    fn fail(&mut self, _: &Error) {}

    fn answer(self: Box<Self>) {
        self.seen.done.fetch_add(1, Ordering::SeqCst);
        if let Some(waiter) = &self.waiter {
            waiter.answered();
        }
    }

    fn waiter(&self) -> Option<&Arc<Waiter>> {
        self.waiter.as_ref()
    }

    fn is_user_transaction(&self) -> bool {
        self.turn
    }
}

/// What nobody waits for.
fn relaxed(seen: &Arc<Seen>) -> Box<dyn QueuedAction> {
    Box::new(Work { seen: seen.clone(), waiter: None, turn: false })
}

/// As the engine leads, with nothing to commit.
fn lead(queue: &CommitQueue, seen: &Seen) {
    seen.lead(|| queue.take().into_iter().for_each(QueuedAction::answer));
    queue.hand_over();
}

fn call(queue: &CommitQueue, seen: &Arc<Seen>) {
    call_for(queue, seen, 1).unwrap();
}

fn call_for(queue: &CommitQueue, seen: &Arc<Seen>, answers: usize) -> Result<()> {
    let waiter = Waiter::new(answers);
    let work = || -> Box<dyn QueuedAction> {
        Box::new(Work { seen: seen.clone(), waiter: Some(waiter.clone()), turn: false })
    };
    let before = seen.done.load(Ordering::SeqCst);
    queue.push((0..answers).map(|_| work()).collect())?;
    while waiter.must_lead() {
        lead(queue, seen);
    }
    assert!(seen.done.load(Ordering::SeqCst) >= before + answers, "woken before all was answered");
    Ok(())
}

/// Commits for itself what it has queued, as a worker that works ahead does, unless somebody is at it.
fn lead_if_free(queue: &CommitQueue, seen: &Arc<Seen>) {
    queue.push_relaxed(relaxed(seen)).unwrap();
    if queue.try_lead() {
        lead(queue, seen);
    }
}

fn turn(queue: &CommitQueue, seen: &Arc<Seen>) {
    let waiter = Waiter::new(1);
    queue.push(vec![Box::new(Work { seen: seen.clone(), waiter: Some(waiter.clone()), turn: true })]).unwrap();
    loop {
        assert!(waiter.must_lead(), "a turn is never answered by others");
        if queue.take_user_transaction() {
            break;
        }
        lead(queue, seen);
    }
    seen.lead(|| seen.done.fetch_add(1, Ordering::SeqCst));
    queue.hand_over();
}

/// In every third moment that nothing happens in, the background has something of its own to do.
fn keep(queue: &CommitQueue, seen: &Seen) {
    let moments = AtomicUsize::new(0);
    let idles_in = || (moments.fetch_add(1, Ordering::SeqCst) % 3 == 2).then_some(Duration::ZERO);
    loop {
        match queue.next_background_step(idles_in) {
            BackgroundStep::Lead => lead(queue, seen),
            BackgroundStep::Quiet => {
                seen.lead(|| ());
                queue.hand_over();
            }
            BackgroundStep::Closed => return,
        }
    }
}

type Act = fn(&CommitQueue, &Arc<Seen>);

/// Plays acts, each on a thread of its own, beside the background, until all their actions are done and the queue is closed.
fn play(acts: &[Act], actions: usize) {
    let (queue, seen) = (Arc::new(CommitQueue::default()), Arc::new(Seen::default()));
    let spawn = |act: Act| {
        let (queue, seen) = (queue.clone(), seen.clone());
        thread::spawn(move || act(&queue, &seen))
    };
    let background = spawn(|queue, seen| keep(queue, seen));
    let threads: Vec<_> = acts.iter().map(|act| spawn(*act)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // What nobody waits for is done too, long before the queue is closed.
    while seen.done.load(Ordering::SeqCst) < actions {
        thread::yield_now();
    }
    queue.close();
    background.join().unwrap();
    assert!(queue.is_empty(), "something was left behind");
    assert_eq!(seen.done.load(Ordering::SeqCst), actions, "each is done once");
}

/// Callers for one answer and for two, somebody with a turn, somebody who helps, somebody who does not wait.
fn scene() {
    let twice: Act = |queue, seen| {
        call(queue, seen);
        call(queue, seen);
    };
    let for_two: Act = |queue, seen| call_for(queue, seen, 2).unwrap();
    let mixed: Act = |queue, seen| {
        queue.push_relaxed(relaxed(seen)).unwrap();
        call(queue, seen);
        queue.push_for_background(vec![relaxed(seen)]).unwrap();
    };
    play(&[twice, for_two, turn, lead_if_free, mixed], 9);
}

/// A caller, somebody with a turn, and behind him what nobody waits for.
fn small_scene() {
    play(&[call, turn, |queue, seen| queue.push_relaxed(relaxed(seen)).unwrap()], 3);
}

/// As the engine queues what waits for no answer: on a thread, and for a future.
fn relax(queue: &CommitQueue, seen: &Arc<Seen>) {
    queue.wait_for_room().unwrap();
    queue.push_relaxed(relaxed(seen)).unwrap();
}

#[cfg(feature = "tokio")]
fn relax_async(queue: &CommitQueue, seen: &Arc<Seen>) {
    while let Some(async_waits_for_room) = queue.is_full() {
        while queue.freed.seen() == async_waits_for_room {
            thread::yield_now();
        }
    }
    queue.push_for_background(vec![relaxed(seen)]).unwrap();
}

#[cfg(not(feature = "tokio"))]
fn relax_async(queue: &CommitQueue, seen: &Arc<Seen>) {
    relax(queue, seen);
}

/// More than there is room for, of every kind of caller.
fn crowded_scene() {
    play(&[relax, call, relax_async, relax, turn, relax_async], 6);
}

/// While the queue is full nobody gets in, on whichever way; once there is room all do, and if it is closed first, none.
fn full_scene(closes: bool) {
    let (queue, seen) = (Arc::new(CommitQueue::default()), Arc::new(Seen::default()));
    for _ in 0..CAPACITY {
        queue.push_relaxed(relaxed(&seen)).unwrap();
    }
    let entered = Arc::new(AtomicUsize::new(0));
    let enters: [fn(&CommitQueue, &Arc<Seen>) -> Result<()>; 2] =
        [|queue, _| queue.wait_for_room(), |queue, seen| call_for(queue, seen, 1)];
    let all = enters.map(|enter| {
        let (queue, seen, entered) = (queue.clone(), seen.clone(), entered.clone());
        thread::spawn(move || {
            let result = enter(&queue, &seen);
            entered.fetch_add(1, Ordering::SeqCst);
            result
        })
    });
    thread::yield_now();
    assert_eq!(entered.load(Ordering::SeqCst), 0, "there is no room");
    #[cfg(feature = "tokio")]
    let async_waits_for_room = queue.is_full();
    #[cfg(feature = "tokio")]
    assert!(async_waits_for_room.is_some(), "there is none for a future either");
    if closes {
        queue.close();
    }
    let background = {
        let (queue, seen) = (queue.clone(), seen.clone());
        thread::spawn(move || keep(&queue, &seen))
    };
    let results = all.map(|one| one.join().unwrap());
    if closes {
        assert!(results.iter().all(Result::is_err), "it was closed while they waited");
    } else {
        assert!(results.iter().all(Result::is_ok));
        while !queue.is_empty() {
            thread::yield_now();
        }
        queue.close();
    }
    #[cfg(feature = "tokio")]
    assert!(queue.is_full().is_none() && Some(queue.freed.seen()) > async_waits_for_room, "the future is told, too");
    background.join().unwrap();
    assert_eq!(
        seen.done.load(Ordering::SeqCst),
        if closes { CAPACITY } else { CAPACITY + 1 },
        "what is queued is done"
    );
}

#[test]
fn who_finds_no_room_gets_in_once_there_is_some() {
    let runs = runs();
    shuttle::check_random(crowded_scene, runs);
    shuttle::check_pct(crowded_scene, runs, 3);
    shuttle::check_random(|| full_scene(false), runs);
    shuttle::check_random(|| full_scene(true), runs);
}

fn runs() -> usize {
    std::env::var("TRACKER_RUNS").map_or(2_000, |runs| runs.parse().unwrap())
}

#[test]
fn what_nobody_waits_for_is_done_in_time_wherever_it_stands() {
    let runs = runs();
    shuttle::check_random(small_scene, runs);
    shuttle::check_pct(small_scene, runs, 3);
}

#[test]
fn the_lead_is_handed_over_in_whatever_order_threads_run() {
    let runs = runs();
    shuttle::check_random(scene, runs);
    shuttle::check_pct(scene, runs, 3);
}
