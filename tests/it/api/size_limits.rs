//! Tests the limits of sizes and numbers, and that invalid input is refused.

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, TaskStatus, TrackedTask,
    record::Failure,
    status::{Role, StatusDef, StatusGraph},
    task::{Policy, TaskKey, UniqueDef},
    worker::RunError,
};

use crate::support::kinds::{Job, Mail, Page, Status, fine, job, jobs, mail, page, refused, sound, tracker, with_time};

#[test]
fn invalid_input_is_refused_and_stores_nothing() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["good"]);
    refused(tasks.submit(&job("")), ErrorKind::Invalid);
    refused(tasks.submit(&job(&"x".repeat(10_000))), "the limit");
    refused(tasks.submit(&Job { host: "x".repeat(10_000), ..job("host") }), "the limit");
    assert!(tasks.get("x".repeat(10_000)).unwrap().is_none());
    refused(tasks.start(""), ErrorKind::NotFound);
    let mails = tracker.tasks::<Page>().unwrap();
    refused(mails.submit(&page(&"x".repeat(20 << 20), 1)), "the limit");
    let mut odd = ["\0", "é\u{202e}", "a/b\\c", "'; --", " ", "\n"].map(job);
    odd[0].result = Some(u32::MAX);
    tasks.submit_all(&odd).unwrap();
    for job in &odd {
        assert_eq!(&tasks.get(&job.name).unwrap().unwrap().task, job);
    }
    assert_eq!((tasks.counts().unwrap().total(), mails.counts().unwrap().total()), (7, 0));
    sound(&tracker);
}

/// A task with a text that nothing is found by.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "letter", status = Status)]
struct Letter {
    #[task(id)]
    number: u32,
    text: String,
}

#[test]
fn payload_over_16_mib_is_refused_by_every_call() {
    let (_, tracker) = tracker();
    let letters = tracker.tasks::<Letter>().unwrap();
    let letter = |number, long| Letter { number, text: "x".repeat(long) };
    let (fits, beyond) = ((16 << 20) - 100, 16 << 20);
    letters.submit(&letter(1, fits)).unwrap();
    refused(letters.submit(&letter(2, beyond)), "the limit");
    refused(letters.update(1, |changed| *changed = letter(1, beyond)), "the limit");
    let mut held = letters.start(1).unwrap();
    held.text = "x".repeat(beyond);
    refused(held.checkpoint(), "the limit");
    drop(held);
    assert_eq!(letters.get(1).unwrap().unwrap().task.text.len(), fits);
    assert_eq!(letters.counts().unwrap().total(), 1);
    sound(&tracker);
}

#[test]
fn handler_that_oversizes_its_task_fails_only_it() {
    let (clock, tracker) = tracker();
    let big = tracker.tasks_as::<Mail>("big").unwrap();
    big.submit_all((0..5).map(mail)).unwrap();
    let summary = with_time(&tracker, &clock, || {
        big.worker().run(|mail| {
            match mail.number {
                1 => mail.reference = Some("x".repeat(20 << 20)),
                2 => mail.client = "x".repeat(20 << 20),
                3 => mail.number = 99,
                _ => {}
            }
            fine()
        })
    })
    .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (2, 9), "{summary:?}");
    assert_eq!(big.counts().unwrap().get(Status::Exhausted), 3);
    big.requeue(2).unwrap();
    let error = big.run(2, |mail| {
        mail.client = "x".repeat(20 << 20);
        fine()
    });
    assert!(matches!(&error, Err(RunError::Handler(_))), "{error:?}");
    assert_eq!(big.get(2).unwrap().unwrap().status, Status::Failed);
    sound(&tracker);
}

/// Longer than any text that is kept.
fn long() -> String {
    "é".repeat(10_000)
}

#[track_caller]
fn cut(text: &str) {
    assert!(text.len() < 17_000 && text.ends_with("… [20000 bytes, cut]"), "{} bytes", text.len());
}

#[test]
fn texts_of_an_attempt_are_cut_to_their_limits() {
    #[derive(Debug)]
    struct Deep(u32);
    impl std::fmt::Display for Deep {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&long())
        }
    }
    impl std::error::Error for Deep {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            static DEEP: [Deep; 200] = [const { Deep(0) }; 200];
            DEEP.get(self.0 as usize).map(|next| next as _)
        }
    }
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c"]).worker_name(&"w".repeat(1_000));
    let mut held = tasks.start("a").unwrap();
    for _ in 0..300 {
        held.note(long());
        held.metric("m".repeat(1_000), 1.0);
    }
    held.progress(1, None, long());
    tracker.flush().unwrap();
    let record = tasks.get("a").unwrap().unwrap();
    cut(&record.progress.unwrap().message);
    assert!(record.lease.unwrap().worker.len() < 200);
    held.fail(Deep(7)).unwrap();
    tasks.ignore("b", &long()).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tasks.run("c", |_| -> std::io::Result<()> { std::panic::panic_any(long()) })
    }));
    assert!(panicked.is_err());
    let attempt = |name: &str| tasks.get(name).unwrap().unwrap().history.remove(0);
    let failure = |name: &str| -> Failure { attempt(name).failure.unwrap() };
    let told = failure("a");
    for text in told.causes.iter().chain([&told.error]) {
        cut(text);
    }
    assert_eq!(told.causes.len(), 100);
    let attempt = attempt("a");
    assert_eq!((attempt.notes.len(), attempt.metrics.len()), (100, 100));
    assert!(attempt.metrics[0].0.len() < 200);
    cut(&attempt.notes[99]);
    cut(&failure("b").error);
    cut(&failure("c").error);
    sound(&tracker);
}

#[test]
fn success_has_at_most_1000_follow_up_tasks() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    let mut held = tasks.start("a").unwrap();
    for number in 0..1_000 {
        held.submit_next(&mails, &mail(number)).unwrap();
    }
    refused(held.submit_next(&mails, &mail(1_000)), "the limit");
    held.succeed().unwrap();
    assert_eq!(mails.counts().unwrap().total(), 1_000);
    sound(&tracker);
}

#[test]
fn file_has_at_most_1000_kinds_with_bounded_names() {
    let (_, tracker) = tracker();
    for number in 0..1_000 {
        tracker.tasks_as::<Page>(&format!("page {number}")).unwrap();
    }
    let error = refused(tracker.tasks_as::<Page>("one more"), "the limit");
    assert!(error.to_string().contains("1000"), "{error}");
    tracker.tasks_as::<Page>("page 7").unwrap();
    for name in [String::new(), "x".repeat(129)] {
        refused(tracker.tasks_as::<Page>(&name), ErrorKind::Invalid);
    }
    sound(&tracker);
}

/// A kind as no derive would make it.
macro_rules! large {
    ($name:ident, $status:ty, $indexes:expr, $uniques:expr) => {
        #[derive(Serialize, Deserialize)]
        struct $name;

        impl TrackedTask for $name {
            type Status = $status;
            const KIND: &'static str = "large";
            const INDEXES: &'static [&'static str] = &$indexes;
            const UNIQUES: &'static [UniqueDef] = &$uniques;

            fn policy() -> Policy {
                Policy::DEFAULT
            }
            fn task_id(&self) -> Option<TaskKey> {
                None
            }
            fn index_values(&self) -> Vec<Vec<u8>> {
                vec![Vec::new(); Self::INDEXES.len()]
            }
            fn unique_values(&self) -> Vec<Vec<u8>> {
                vec![Vec::new(); Self::UNIQUES.len()]
            }
            fn fingerprint(&self) -> Option<u64> {
                None
            }
            fn priority(&self) -> Option<u8> {
                None
            }
        }
    };
}

/// 257 statuses.
#[derive(Clone, Copy)]
struct Many(i32);

const MANY: [StatusDef; 257] = {
    let roles = [Role::Pending, Role::InProgress, Role::Failed, Role::Succeeded];
    let mut statuses = [StatusDef { code: 0, name: "Parked", role: Role::Parked, step: 0 }; 257];
    let (mut at, mut code) = (0, 0);
    while at < statuses.len() {
        statuses[at].code = code;
        code += 1;
        if at < roles.len() {
            statuses[at].role = roles[at];
        }
        at += 1;
    }
    statuses
};

impl TaskStatus for Many {
    const GRAPH: StatusGraph = StatusGraph { name: "Many", steps: &[""], statuses: &MANY };

    fn code(self) -> i32 {
        self.0
    }

    fn from_code(code: i32) -> Option<Self> {
        Some(Self(code))
    }
}

const KEY: UniqueDef = UniqueDef { name: "key", while_unfinished: false };
large!(ManyStatuses, Many, [], []);
large!(ManyIndexes, Status, ["index"; 65], []);
large!(ManyKeys, Status, [], [KEY; 65]);

#[test]
fn kind_has_bounded_statuses_indexes_and_keys() {
    let (_, tracker) = tracker();
    let said = |error: tracker_core::Error| error.to_string();
    let error = said(refused(tracker.tasks::<ManyStatuses>(), "the limit"));
    assert!(error.contains("257 statuses"), "{error}");
    let error = said(refused(tracker.tasks::<ManyIndexes>(), "the limit"));
    assert!(error.contains("65 indexes"), "{error}");
    let error = said(refused(tracker.tasks::<ManyKeys>(), "the limit"));
    assert!(error.contains("65 unique keys"), "{error}");
    assert!(tracker.kinds().unwrap().is_empty());
}
