//! Tests concurrency limits by the value of an index, against a scan of every task.

use std::{collections::BTreeMap, sync::Mutex, thread};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Execution, Tasks, TrackedTask, Tracker,
    execution::StartOptions,
    file::Sharing,
    inspect::Explanation,
    submit::SubmitOptions,
    time::{Clock, ManualClock},
};

use crate::{
    api::rates::Call,
    support::{
        kinds::{MINUTE, SECOND, Status, fine, refused, sound, tracker},
        place::{self, OpenInPlace as _},
    },
};

/// At most two of a host at a time.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "fetch", status = Status, lease = "1m", backoff = "fixed(10s)", startable(OnHold))]
struct Fetch {
    #[task(id)]
    number: u32,
    #[task(index, limit = 2)]
    host: Option<String>,
    #[task(priority)]
    priority: u8,
}

fn fetch(number: u32, host: &str) -> Fetch {
    Fetch { number, host: Some(host.to_owned()), priority: 0 }
}

fn fetches(tracker: &Tracker, hosts: &[&str]) -> Tasks<Fetch> {
    let tasks = tracker.tasks::<Fetch>().unwrap();
    tasks.submit_all((0..).zip(hosts).map(|(number, host)| fetch(number, host))).unwrap();
    tasks
}

fn claimed(tasks: &Tasks<Fetch>) -> Option<(u32, Execution<Fetch>)> {
    tasks.claim().unwrap().map(|held| (held.number, held))
}

#[test]
fn saturated_limit_key_lets_other_values_pass() {
    let (_, tracker) = tracker();
    let tasks = fetches(&tracker, &["a", "a", "a", "a", "b", "b", "b", "c"]);
    let mut held: Vec<_> = std::iter::from_fn(|| claimed(&tasks)).collect();
    assert_eq!(held.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 4, 5, 7]);
    assert_eq!(tasks.explain(2).unwrap(), Explanation::Limited { index: "host".to_owned(), most: 2 });
    assert_eq!(tasks.queue_position(2).unwrap(), None);
    held.remove(1).1.succeed().unwrap();
    assert_eq!(tasks.queue_position(2).unwrap().map(|place| place.ahead), Some(0));
    assert_eq!(claimed(&tasks).map(|(number, _)| number), Some(2));
    assert!(claimed(&tasks).is_some_and(|(number, _)| number == 3), "the second was dropped: it has failed");
    sound(&tracker);
}

#[test]
fn every_end_of_an_attempt_frees_its_limit() {
    let (clock, tracker) = tracker();
    let tasks = fetches(&tracker, &["a"; 20]);
    let free = |count: usize| {
        let held: Vec<_> = std::iter::from_fn(|| claimed(&tasks)).collect();
        assert_eq!(held.len(), count);
        for (_, mut held) in held {
            held.release().unwrap();
        }
        sound(&tracker);
    };
    free(2);
    for end in 0..8 {
        let (_, mut held) = claimed(&tasks).unwrap();
        free(1);
        match end {
            0 => held.succeed().unwrap(),
            1 => held.fail("no luck").unwrap(),
            2 => held.give_up("no use").unwrap(),
            3 => held.ignore("not wanted").unwrap(),
            4 => held.snooze(SECOND).unwrap(),
            5 => held.park(Status::OnHold).unwrap(),
            6 => drop(held),
            _ => {
                // The lease runs out, and the next claim frees it.
                drop(held.detach().unwrap());
                clock.advance(MINUTE);
            }
        }
        tracker.flush().unwrap();
        free(2);
    }
}

#[test]
fn start_by_id_ignores_the_limit_and_is_counted() {
    let (_, tracker) = tracker();
    let tasks = fetches(&tracker, &["a", "a", "a", "a", "b"]);
    let mut by_id: Vec<_> = (0..3).map(|number| tasks.start(number).unwrap()).collect();
    assert_eq!(claimed(&tasks).map(|(number, _)| number), Some(4));
    by_id.pop().unwrap().succeed().unwrap();
    assert_eq!(tasks.explain(3).unwrap(), Explanation::Limited { index: "host".to_owned(), most: 2 });
    by_id.pop().unwrap().succeed().unwrap();
    assert_eq!(claimed(&tasks).map(|(number, _)| number), Some(3));
    sound(&tracker);
}

#[test]
fn tasks_without_a_limit_key_are_not_limited() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Fetch>().unwrap();
    tasks.submit_all((0..5).map(|number| Fetch { host: None, ..fetch(number, "") })).unwrap();
    tasks.submit_all((5..8).map(|number| fetch(number, ""))).unwrap();
    let held: Vec<_> = std::iter::from_fn(|| claimed(&tasks)).collect();
    assert_eq!(held.len(), 7, "an empty text is a value");
    sound(&tracker);
}

#[test]
fn worker_keeps_the_limit_with_and_without_prefetch() {
    for ahead in [0, 64] {
        let (_, tracker) = tracker();
        let hosts: Vec<_> = (0..60).map(|number| ["a", "a", "a", "b", "b", "c"][number / 10]).collect();
        let tasks = fetches(&tracker, &hosts);
        let most = Mutex::new(BTreeMap::new());
        let summary = tasks.worker().threads(8).prefetch(ahead).run(|task| {
            let host = task.host.clone();
            let running = tasks.query().status(Status::InProgress).index("host", &host).total()?;
            most.lock().unwrap().entry(host).and_modify(|most: &mut u64| *most = running.max(*most)).or_insert(running);
            Ok::<_, tracker_core::Error>(())
        });
        assert_eq!(summary.unwrap().succeeded, 60);
        assert!(most.into_inner().unwrap().values().all(|most| *most <= 2));
        sound(&tracker);
    }
}

#[test]
fn worker_prefetches_nothing_of_a_limited_kind() {
    /// How many are in progress while each of the tasks is worked on.
    fn running<T: TrackedTask<Status = Status>>(tasks: &Tasks<T>) -> Vec<u64> {
        let running = Mutex::new(Vec::new());
        let summary = tasks.worker().threads(1).prefetch(64).run(|_| {
            running.lock().unwrap().push(tasks.query().status(Status::InProgress).total()?);
            Ok::<_, tracker_core::Error>(())
        });
        assert_eq!(summary.unwrap().succeeded, 3);
        running.into_inner().unwrap()
    }
    let (_, tracker) = tracker();
    assert_eq!(running(&fetches(&tracker, &["a", "b", "c"])), [1, 1, 1], "what waits in its hands would hold a slot");
    let calls = tracker.tasks::<Call>().unwrap();
    calls.submit_all((0..3).map(|number| Call { number })).unwrap();
    assert_eq!(running(&calls), [1, 1, 1], "it would be counted before it starts");
    sound(&tracker);
}

#[test]
fn worker_waits_for_a_limit_used_by_another_owner() {
    let (_, tracker) = tracker();
    let tasks = fetches(&tracker, &["a", "a", "a"]);
    let held = [claimed(&tasks).unwrap().1, claimed(&tasks).unwrap().1];
    thread::scope(|scope| {
        let running = scope.spawn(|| tasks.worker().run(|_| fine()).unwrap());
        for mut held in held {
            held.succeed().unwrap();
        }
        assert_eq!(running.join().unwrap().succeeded, 1);
    });
    sound(&tracker);
}

#[test]
fn limited_claim_uses_only_statuses_of_the_kind() {
    let (_, tracker) = tracker();
    let tasks = fetches(&tracker, &["a", "a", "a"]);
    tasks.ignore(0, "").unwrap();
    let from = |status| tasks.claim_with(&StartOptions::new().startable([status]));
    let error = refused(from(Status::Ignored), ErrorKind::Invalid);
    assert!(error.to_string().contains("`startable`"), "{error}");
    tasks.move_to(1, Status::OnHold).unwrap();
    let held = [from(Status::OnHold).unwrap().unwrap(), from(Status::OnHold).unwrap().unwrap()];
    assert_eq!(held.map(|held| held.number), [1, 2]);
    assert_eq!(tasks.start_with(0, &StartOptions::new().startable([Status::Ignored])).unwrap().number, 0);
    sound(&tracker);
}

#[test]
fn latest_opener_decides_the_limit() {
    #[derive(TrackedTask, Serialize, Deserialize)]
    #[task(name = "fetch", status = Status)]
    struct Unlimited {
        #[task(id)]
        number: u32,
        #[task(index)]
        host: Option<String>,
    }
    #[derive(TrackedTask, Serialize, Deserialize)]
    #[task(name = "fetch", status = Status)]
    struct Single {
        #[task(id)]
        number: u32,
        #[task(index, limit = 1)]
        host: Option<String>,
    }
    let (_, tracker) = tracker();
    drop(fetches(&tracker, &["a", "a", "a", "a", "a"]));
    let all = tracker.tasks::<Unlimited>().unwrap();
    sound(&tracker);
    let mut tickets: Vec<_> = (0..2).map(|_| all.claim().unwrap().unwrap().detach().unwrap()).collect();
    drop(all);
    let one = tracker.tasks::<Single>().unwrap();
    sound(&tracker);
    assert!(one.claim().unwrap().is_none());
    for (ticket, some) in tickets.drain(..).zip([false, true]) {
        one.resume_ticket(&ticket).unwrap().succeed().unwrap();
        assert_eq!(one.claim().unwrap().is_some_and(|mut held| held.release().is_ok()), some);
    }
    drop(one);
    let tasks = tracker.tasks::<Fetch>().unwrap();
    assert_eq!(std::iter::from_fn(|| claimed(&tasks)).collect::<Vec<_>>().len(), 2);
    sound(&tracker);
}

#[test]
fn tasks_of_a_new_startable_status_enter_the_limit_queue() {
    #[derive(TrackedTask, Serialize, Deserialize)]
    #[task(name = "fetch", status = Status)]
    struct Before {
        #[task(id)]
        number: u32,
        #[task(index, limit = 2)]
        host: Option<String>,
        priority: u8,
    }
    let (_, tracker) = tracker();
    let before = tracker.tasks::<Before>().unwrap();
    before.submit_all((0..4).map(|number| Before { number, host: Some("a".to_owned()), priority: 0 })).unwrap();
    before.move_to(1, Status::OnHold).unwrap();
    before.move_to(2, Status::OnHold).unwrap();
    assert_eq!(before.claim().unwrap().unwrap().number, 0);
    drop(before);
    let tasks = tracker.tasks::<Fetch>().unwrap();
    sound(&tracker);
    tasks.remove(0).unwrap();
    let held: Vec<_> = std::iter::from_fn(|| claimed(&tasks)).collect();
    assert_eq!(held.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
    drop(held);
    drop(tasks);
    drop(tracker.tasks::<Before>().unwrap());
    sound(&tracker);
}

#[test]
fn recover_restores_limit_queues_and_counters() {
    if place::is_only_for_files("recovery of a file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (path, into) = (folder.path().join("old.redb"), folder.path().join("new.redb"));
    let open = |path| Tracker::options().sharing(Sharing::Writers).open_at(path).unwrap();
    let tracker = open(&path);
    let tasks = fetches(&tracker, &["a", "a", "a", "b", "b"]);
    tasks.claim().unwrap().unwrap().detach().unwrap();
    tracker.close().unwrap();
    Tracker::recover(&path, &into).unwrap();
    let tracker = open(&into);
    let tasks = tracker.tasks::<Fetch>().unwrap();
    sound(&tracker);
    let held: Vec<_> = std::iter::from_fn(|| claimed(&tasks)).collect();
    assert_eq!(held.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3, 4]);
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end)).unwrap()
    }
}

/// The task that the next claim must find, by reading every task and applying the rule.
fn expected(tasks: &Tasks<Fetch>, clock: &ManualClock) -> Option<u32> {
    let all = tasks.query().by_creation().fetch().unwrap();
    let mut running = BTreeMap::<_, u32>::new();
    for record in all.iter().filter(|record| record.status == Status::InProgress) {
        *running.entry(record.task.host.clone()).or_default() += 1;
    }
    let may = |record: &&tracker_core::Record<Fetch, Status>| {
        matches!(record.status, Status::Pending | Status::Failed | Status::OnHold)
            && record.due_at <= clock.now().wall
            && (record.task.host.is_none() || running.get(&record.task.host).is_none_or(|count| *count < 2))
    };
    let first = all.iter().enumerate().filter(|(_, record)| may(record));
    let first = first.min_by_key(|(at, record)| (u8::MAX - record.priority, record.due_at, *at));
    first.map(|(_, record)| record.task.number)
}

#[test]
fn limited_claims_equal_a_scan_of_every_task() {
    for seed in 1..=20 {
        let mut random = Random(seed * 7_919);
        let (clock, tracker) = tracker();
        let tasks = tracker.tasks::<Fetch>().unwrap();
        let mut held: Vec<Execution<Fetch>> = Vec::new();
        let mut claims = 0;
        for round in 0..150 {
            let host = ["a", "b", "c"][random.below(3) as usize];
            let number = random.below(30);
            let call = random.below(12);
            let answer = match call {
                0..4 => {
                    let priority = u8::try_from(random.below(2)).unwrap();
                    let host = (random.below(6) > 0).then(|| host.to_owned());
                    let options = SubmitOptions::new().delay(SECOND * random.below(2) * 5);
                    tasks.submit_with(&Fetch { number, host, priority }, &options).map(drop)
                }
                4..8 => {
                    tracker.rescue().unwrap();
                    let next = expected(&tasks, &clock);
                    let found = tasks.claim().unwrap();
                    assert_eq!(found.as_ref().map(|held| held.number), next, "seed {seed}, round {round}");
                    claims += u32::from(found.is_some());
                    held.extend(found);
                    Ok(())
                }
                8 if !held.is_empty() => {
                    let mut one = held.swap_remove(random.below(u32::try_from(held.len()).unwrap()) as usize);
                    one.host = Some(host.to_owned());
                    match random.below(5) {
                        0 => one.succeed(),
                        1 => one.fail("no luck"),
                        2 => one.snooze(SECOND),
                        3 => one.checkpoint().and_then(|()| one.detach().map(drop)),
                        _ => one.park(Status::OnHold),
                    }
                }
                9 => tasks.start(number).map(|one| held.push(one)),
                10 => match random.below(5) {
                    0 => tasks.update(number, |task| task.host = None),
                    1 => tasks.remove(number),
                    2 => tasks.cancel(number),
                    3 => tasks.move_to(number, Status::OnHold),
                    _ => tasks.requeue(number),
                },
                _ => {
                    clock.advance(SECOND * random.below(30));
                    Ok(())
                }
            };
            assert!(answer.is_ok() || answer.as_ref().is_err_and(tracker_core::Error::is_refusal), "{answer:?}");
            sound(&tracker);
        }
        assert!(claims > 10, "seed {seed}: {claims}");
    }
}

#[test]
fn plan_names_tasks_that_a_limit_holds_back() {
    let (_, tracker) = tracker();
    let tasks = fetches(&tracker, &["a", "a", "a", "b"]);
    let _held = [tasks.start(0).unwrap(), tasks.start(1).unwrap()];
    let plan = tracker.untyped("fetch").unwrap().plan(10).unwrap();
    let why: Vec<_> = plan.next.iter().map(|planned| (planned.id.to_string(), planned.why.clone())).collect();
    let limited = Explanation::Limited { index: "host".to_owned(), most: 2 };
    assert_eq!(why, [("2".to_owned(), limited), ("3".to_owned(), Explanation::Queued { ahead: 1 })]);
    let calls = tracker.tasks::<Call>().unwrap();
    calls.submit_all((0..5).map(|number| Call { number })).unwrap();
    for number in 0..3 {
        calls.start(number).unwrap().succeed().unwrap();
    }
    let plan = calls.plan(10).unwrap();
    assert!(plan.next.iter().all(|planned| planned.why == calls.explain(&planned.id).unwrap()) && plan.next.len() == 2);
}
