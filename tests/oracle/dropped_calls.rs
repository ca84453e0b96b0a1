//! Drops futures of async calls after some polls. A call that was polled once must take effect, and a claimed task must
//! be released.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tracker_core::{
    Error, Record, Submission, Tasks, Tracker,
    asynchronous::{AsyncExecution, AsyncTasks},
    execution::StartOptions,
    submit::Receipt,
    time::ManualClock,
};

use crate::{
    checker::{self, Figures},
    client::{AllTasks, Client, done, owned, refusal, seen, told},
    kinds::{Kind, Status, Task},
    log::{self, Answer, Call, Event, Log, Verb},
    random::{Random, seed, setting},
};

const CLIENTS: u64 = 4;
const TASKS: u32 = 6;
/// Calls of each client before the dropped ones must have settled.
const CALLS: u64 = 10;
/// How often they must have settled in one file.
const PHASES: u64 = 5;
const LEASE: Duration = Duration::from_secs(60);

/// Polls a future at most so many times, at once after each other. `None` if it was not ready by then.
async fn poll_times<F: Future>(future: F, most: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == most {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// A client that drops some of its calls.
struct Dropper<'l> {
    client: Client<'l>,
    dropped: u64,
}

impl Dropper<'_> {
    /// Makes a call between its two entries. `None` if its future was dropped.
    async fn call<R>(&mut self, call: Call, work: impl Future<Output = R>, answer: impl Fn(&R) -> Answer) -> Option<R> {
        let client = &mut self.client;
        let polls = match client.random.below(3) {
            0 => Some(u32::try_from(client.random.below(5)).unwrap()),
            _ => None,
        };
        client.log.write(Event::Called { client: client.name.clone(), call });
        let result = match polls {
            Some(polls) => poll_times(work, polls).await,
            None => Some(work.await),
        };
        let name = client.name.clone();
        let event = if let Some(result) = &result {
            Event::Answered { client: name, answer: answer(result) }
        } else {
            self.dropped += 1;
            Event::Dropped { client: name, polls: polls.unwrap_or_default() }
        };
        client.log.write(event);
        result
    }

    async fn step<T: Task>(&mut self, tasks: &Tasks<T>, held: &mut Vec<AsyncExecution<T>>) {
        const VERBS: [Verb; 7] =
            [Verb::Submit, Verb::Claim, Verb::Start, Verb::Cancel, Verb::Requeue, Verb::Get, Verb::Steal];
        let calls = tasks.asynchronous();
        let random = &mut self.client.random;
        let task = u32::try_from(random.below(TASKS as usize)).unwrap();
        if !held.is_empty() && random.below(2) == 0 {
            let index = random.below(held.len());
            let one = held.swap_remove(index);
            held.extend(self.proceed(one).await);
            return;
        }
        match VERBS[random.weighted(&[2, 4, 4, 1, 3, 1, 1])] {
            Verb::Submit => {
                let call = Call { value: random.number(), ..Call::on(Verb::Submit, T::LABEL, task) };
                let answer = |result: &Result<Receipt, Error>| match result {
                    Ok(receipt) if receipt.submission == Submission::New => Answer::New,
                    Ok(_) => Answer::Existing,
                    Err(error) => told(error),
                };
                let new = T::new(task, call.value);
                self.call(call, calls.submit(&new), answer).await;
            }
            Verb::Cancel => {
                let call = Call::on(Verb::Cancel, T::LABEL, task);
                self.call(call, calls.cancel(T::id_of(task)), done).await;
            }
            Verb::Requeue => {
                let call = Call::on(Verb::Requeue, T::LABEL, task);
                self.call(call, calls.requeue(T::id_of(task)), done).await;
            }
            Verb::Get => {
                let call = Call::on(Verb::Get, T::LABEL, task);
                let answer = |result: &Result<Option<Record<T, Status>>, Error>| match result {
                    Ok(record) => Answer::Record(record.as_ref().map(seen)),
                    Err(error) => told(error),
                };
                self.call(call, std::future::ready(calls.get(T::id_of(task))), answer).await;
            }
            verb => held.extend(self.own(&calls, verb, task).await),
        }
    }

    async fn own<T: Task>(&mut self, calls: &AsyncTasks<T>, verb: Verb, task: u32) -> Option<AsyncExecution<T>> {
        let options = StartOptions::new().lease(LEASE);
        let call = Call { lease: i64::try_from(LEASE.as_micros()).unwrap(), ..Call::new(verb, T::LABEL) };
        if verb == Verb::Claim {
            let answer = |result: &Result<Option<AsyncExecution<T>>, Error>| match result {
                Ok(Some(held)) => owned(held),
                Ok(None) => Answer::Nothing,
                Err(error) => told(error),
            };
            return self.call(call, calls.claim_with(&options), answer).await?.ok().flatten();
        }
        let options = if verb == Verb::Steal { options.steal_lease().force() } else { options };
        let call = Call { task: Some(task), ..call };
        let answer = |result: &Result<AsyncExecution<T>, Error>| result.as_ref().map_or_else(told, |held| owned(held));
        self.call(call, calls.start_with(T::id_of(task), &options), answer).await?.ok()
    }

    /// Does something with an execution. Returns it if it may still be open.
    async fn proceed<T: Task>(&mut self, mut held: AsyncExecution<T>) -> Option<AsyncExecution<T>> {
        const VERBS: [Verb; 6] =
            [Verb::Renew, Verb::Checkpoint, Verb::Succeed, Verb::Fail, Verb::GiveUp, Verb::Release];
        let verb = VERBS[self.client.random.weighted(&[1, 2, 4, 4, 1, 1])];
        let call = Call {
            fence: held.fence(),
            value: self.client.random.number(),
            lease: i64::try_from(LEASE.as_micros()).unwrap(),
            ..Call::on(verb, T::LABEL, held.task().number())
        };
        if matches!(verb, Verb::Checkpoint | Verb::Succeed | Verb::Fail) {
            held.task_mut().set_value(call.value);
        }
        let end = async {
            match verb {
                Verb::Renew => held.renew().await,
                Verb::Checkpoint => held.checkpoint().await,
                Verb::Succeed => held.succeed().await,
                Verb::Fail => held.fail("failed by the attack").await,
                Verb::GiveUp => held.give_up("given up by the attack").await,
                _ => held.release().await,
            }
        };
        match self.call(call, end, done).await {
            Some(Ok(())) if matches!(verb, Verb::Renew | Verb::Checkpoint) => Some(held),
            Some(Ok(())) => None,
            Some(Err(error)) => {
                assert!(refusal(&error).is_some(), "{error}");
                self.give_back(held);
                None
            }
            // The end may be made already; it can be asked for again.
            None => Some(held),
        }
    }

    /// Drops an execution, which gives the task back without waiting for it.
    fn give_back<T: Task>(&self, held: AsyncExecution<T>) {
        let call = Call { fence: held.fence(), ..Call::on(Verb::Release, T::LABEL, held.task().number()) };
        self.client.log.write(Event::Called { client: self.client.name.clone(), call });
        drop(held);
        // It writes nothing if an end was asked for before.
        self.client.log.write(Event::Answered { client: self.client.name.clone(), answer: Answer::Unknown });
    }

    fn give_all_back<T: Task>(&self, held: Vec<AsyncExecution<T>>) {
        for held in held {
            self.give_back(held);
        }
    }
}

async fn run_client(log: &Log, tasks: &AllTasks, round: u64, number: u64) -> u64 {
    let random = Random::new(seed() << 40 | round << 8 | number);
    let mut dropper = Dropper { client: Client { log, name: format!("p{round}.{number}"), random }, dropped: 0 };
    let (mut short, mut named, mut endless) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..CALLS {
        match Kind::ALL[dropper.client.random.below(Kind::ALL.len())] {
            Kind::Short => dropper.step(&tasks.short, &mut short).await,
            Kind::Named => dropper.step(&tasks.named, &mut named).await,
            Kind::Endless => dropper.step(&tasks.endless, &mut endless).await,
        }
    }
    dropper.give_all_back(short);
    dropper.give_all_back(named);
    dropper.give_all_back(endless);
    dropper.dropped
}

/// Plays one round on a tracker of its own. Returns its log, and how many futures were dropped.
async fn play(round: u64) -> (Vec<log::Entry>, u64) {
    let tracker = Tracker::options().clock(ManualClock::new()).in_memory().unwrap();
    let tasks = AllTasks::open(&tracker).unwrap();
    let log = Log::memory(|| 0);
    let mut dropped = 0;
    for phase in 0..PHASES {
        let clients = (0..CLIENTS).map(|number| run_client(&log, &tasks, round * PHASES + phase, number));
        dropped += join_all(clients.collect()).await.into_iter().sum::<u64>();
        // Once for the calls, and once for the tasks that dropped calls have claimed.
        tracker.flush().unwrap();
        tracker.flush().unwrap();
        log.write(Event::Settled);
        let reader = Client { log: &log, name: "reader.0".to_owned(), random: Random::new(0) };
        reader.get_all(&tasks, 0..TASKS);
        assert_eq!(tracker.verify().unwrap(), []);
    }
    let entries = log.entries();
    let leased = entries.iter().filter(|entry| is_leased_after_all(entry)).count();
    assert_eq!(leased, 0, "round {round}: leases without an owner are left");
    (entries, dropped)
}

fn is_leased_after_all(entry: &log::Entry) -> bool {
    matches!(
        &entry.event,
        Event::Answered { client, answer: Answer::Record(Some(seen)) } if client == "reader.0" && seen.fence.is_some()
    )
}

/// Polls all futures until all are ready.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<_> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

#[test]
fn dropped_calls_leak_no_lease_and_lose_no_effect() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (rounds, mut figures, mut dropped) = (setting("TRACKER_ROUNDS", 12), Figures::default(), 0);
    for round in 0..rounds {
        let (entries, some) = runtime.block_on(play(round));
        match checker::check(&entries) {
            Ok(checked) => figures += checked,
            Err(what) => panic!("seed {}, round {round}: {what}{}", seed(), log::kept(&entries)),
        }
        dropped += some;
    }
    println!("{rounds} rounds, {dropped} dropped futures: {figures:?}");
    assert!(dropped > rounds * 5 && figures.successes > rounds, "too little was dropped: {figures:?}");
}
