//! Checks `commit_queue` in many orders of threads: each waiting caller is answered, each queued action is answered once, one thread leads at a time,
//! callers enter a full queue once there is room, a user transaction has the file to itself, and no thread waits for ever. Compiled for tests under
//! `--cfg shuttle` only.

use std::sync::Arc;

use shuttle::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::*;
use crate::engine::{queued_action::Waiter, writer::Writer};

/// The events of all threads of one run.
#[derive(Default)]
struct Seen {
    leading: AtomicUsize,
    done: AtomicUsize,
}

impl Seen {
    /// Runs work as the leader, and checks that there is no second one.
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
    is_user_transaction: bool,
}

impl QueuedAction for Work {
    fn run(&mut self, _: &mut Writer<'_>) -> bool {
        true
    }

    fn rollback_error(&mut self, _: bool) -> Option<Error> {
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
        self.is_user_transaction
    }
}

/// An action without a waiting caller.
fn relaxed(seen: &Arc<Seen>) -> Box<dyn QueuedAction> {
    Box::new(Work { seen: seen.clone(), waiter: None, is_user_transaction: false })
}

/// Leads as the engine does, with nothing to commit.
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
        Box::new(Work { seen: seen.clone(), waiter: Some(waiter.clone()), is_user_transaction: false })
    };
    let before = seen.done.load(Ordering::SeqCst);
    queue.push((0..answers).map(|_| work()).collect())?;
    while waiter.must_lead() {
        lead(queue, seen);
    }
    assert!(seen.done.load(Ordering::SeqCst) >= before + answers, "woken before all was answered");
    Ok(())
}

/// Queues an action and leads for it, as a worker that prefetches does, unless there is a leader.
fn lead_if_free(queue: &CommitQueue, seen: &Arc<Seen>) {
    queue.push_relaxed(relaxed(seen)).unwrap();
    if queue.try_lead() {
        lead(queue, seen);
    }
}

fn user_transaction(queue: &CommitQueue, seen: &Arc<Seen>) {
    let waiter = Waiter::new(1);
    queue
        .push(vec![Box::new(Work { seen: seen.clone(), waiter: Some(waiter.clone()), is_user_transaction: true })])
        .unwrap();
    loop {
        assert!(waiter.must_lead(), "a user transaction is never answered by a leader");
        if queue.take_user_transaction() {
            break;
        }
        lead(queue, seen);
    }
    seen.lead(|| seen.done.fetch_add(1, Ordering::SeqCst));
    queue.hand_over();
}

/// The background thread: in every third idle moment it has work of its own.
fn background(queue: &CommitQueue, seen: &Seen) {
    let moments = AtomicUsize::new(0);
    let idle_work_due_in = || (moments.fetch_add(1, Ordering::SeqCst) % 3 == 2).then_some(Duration::ZERO);
    loop {
        match queue.next_background_step(idle_work_due_in) {
            BackgroundStep::Lead => lead(queue, seen),
            BackgroundStep::Idle => {
                seen.lead(|| ());
                queue.hand_over();
            }
            BackgroundStep::Closed => return,
        }
    }
}

type Caller = fn(&CommitQueue, &Arc<Seen>);

/// Runs callers, each on a thread of its own, beside the background thread, until all their actions are done and the queue is closed.
fn run(callers: &[Caller], actions: usize) {
    let (queue, seen) = (Arc::new(CommitQueue::default()), Arc::new(Seen::default()));
    let spawn = |caller: Caller| {
        let (queue, seen) = (queue.clone(), seen.clone());
        thread::spawn(move || caller(&queue, &seen))
    };
    let thread = spawn(|queue, seen| background(queue, seen));
    let threads: Vec<_> = callers.iter().map(|caller| spawn(*caller)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // Actions without a waiting caller are done too, long before the queue is closed.
    while seen.done.load(Ordering::SeqCst) < actions {
        thread::yield_now();
    }
    queue.close();
    thread.join().unwrap();
    assert!(queue.is_empty(), "an action is left");
    assert_eq!(seen.done.load(Ordering::SeqCst), actions, "each is done once");
}

/// Callers for one answer and for two, a user transaction, a caller that leads if there is no leader, and one that does not wait.
fn mixed_callers() {
    let twice: Caller = |queue, seen| {
        call(queue, seen);
        call(queue, seen);
    };
    let for_two: Caller = |queue, seen| call_for(queue, seen, 2).unwrap();
    let mixed: Caller = |queue, seen| {
        queue.push_relaxed(relaxed(seen)).unwrap();
        call(queue, seen);
        queue.push_for_background(vec![relaxed(seen)]).unwrap();
    };
    run(&[twice, for_two, user_transaction, lead_if_free, mixed], 9);
}

/// A caller, a user transaction, and after it an action without a waiting caller.
fn relaxed_action_last() {
    run(&[call, user_transaction, |queue, seen| queue.push_relaxed(relaxed(seen)).unwrap()], 3);
}

/// Queues an action without a waiting caller, as the engine does on a thread and for a future.
fn relax(queue: &CommitQueue, seen: &Arc<Seen>) {
    queue.wait_for_room().unwrap();
    queue.push_relaxed(relaxed(seen)).unwrap();
}

#[cfg(feature = "tokio")]
fn relax_async(queue: &CommitQueue, seen: &Arc<Seen>) {
    while let Some(full) = queue.seen_if_full() {
        while queue.freed.seen() == full {
            thread::yield_now();
        }
    }
    queue.push_for_background(vec![relaxed(seen)]).unwrap();
}

#[cfg(not(feature = "tokio"))]
fn relax_async(queue: &CommitQueue, seen: &Arc<Seen>) {
    relax(queue, seen);
}

/// More callers of every sort than the queue has room for.
fn crowded_queue() {
    run(&[relax, call, relax_async, relax, user_transaction, relax_async], 6);
}

/// While the queue is full no action is queued in any way; once there is room all are, and none if it is closed first.
fn full_queue(closes: bool) {
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
    let full = queue.seen_if_full();
    #[cfg(feature = "tokio")]
    assert!(full.is_some(), "there is none for a future either");
    if closes {
        queue.close();
    }
    let background = {
        let (queue, seen) = (queue.clone(), seen.clone());
        thread::spawn(move || background(&queue, &seen))
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
    assert!(queue.seen_if_full().is_none() && Some(queue.freed.seen()) > full, "the future is notified, too");
    background.join().unwrap();
    assert_eq!(
        seen.done.load(Ordering::SeqCst),
        if closes { CAPACITY } else { CAPACITY + 1 },
        "every queued action is done"
    );
}

/// A waker that calls the queue, and counts the calls that return.
#[cfg(feature = "tokio")]
struct Calling(Arc<CommitQueue>, AtomicUsize);

#[cfg(feature = "tokio")]
impl std::task::Wake for Calling {
    fn wake(self: Arc<Self>) {
        assert!(self.0.seen_if_full().is_none(), "there is room, or the queue is closed");
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future waits for room until a leader takes the actions, or the queue is closed.
#[cfg(feature = "tokio")]
fn room_for_a_future(closes: bool) {
    let (queue, seen) = (Arc::new(CommitQueue::default()), Arc::new(Seen::default()));
    for _ in 0..CAPACITY {
        queue.push_relaxed(relaxed(&seen)).unwrap();
    }
    let full = queue.seen_if_full().unwrap();
    let mut room = std::pin::pin!(queue.freed.changed(full, None));
    let calling = Arc::new(Calling(queue.clone(), AtomicUsize::new(0)));
    let waker = calling.clone().into();
    let mut context = std::task::Context::from_waker(&waker);
    assert!(room.as_mut().poll(&mut context).is_pending());
    if closes {
        queue.close();
    } else {
        assert!(queue.try_lead());
        lead(&queue, &seen);
    }
    assert!(room.poll(&mut context).is_ready());
    assert_eq!(calling.1.load(Ordering::SeqCst), 1, "the waker was woken once, and its call has returned");
}

#[cfg(feature = "tokio")]
#[test]
fn waker_may_call_the_queue() {
    shuttle::check_random(|| room_for_a_future(false), 10);
    shuttle::check_random(|| room_for_a_future(true), 10);
}

#[test]
fn caller_of_a_full_queue_enters_once_there_is_room() {
    let runs = runs();
    shuttle::check_random(crowded_queue, runs);
    shuttle::check_pct(crowded_queue, runs, 3);
    shuttle::check_random(|| full_queue(false), runs);
    shuttle::check_random(|| full_queue(true), runs);
}

fn runs() -> usize {
    std::env::var("TRACKER_RUNS").map_or(2_000, |runs| runs.parse().unwrap())
}

#[test]
fn action_without_a_waiter_is_done_at_every_place() {
    let runs = runs();
    shuttle::check_random(relaxed_action_last, runs);
    shuttle::check_pct(relaxed_action_last, runs, 3);
}

#[test]
fn lead_is_handed_over_in_every_order_of_threads() {
    let runs = runs();
    shuttle::check_random(mixed_callers, runs);
    shuttle::check_pct(mixed_callers, runs, 3);
}
